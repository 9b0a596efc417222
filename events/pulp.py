"""Pulp's dialect: what happens to a job, as the Task Report of a task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings

from events.catalogue import CATALOGUE
from events.models import Event

PROGRESS = "progress_report"  # what the catalogue says of types that change this, and not the state
STATES = frozenset(
    entry.name for entry in CATALOGUE.values() if entry.pulp is not None and entry.pulp != PROGRESS
)
PROGRESSES = frozenset(entry.name for entry in CATALOGUE.values() if entry.pulp == PROGRESS)
REPORTED = STATES | PROGRESSES
OVER = frozenset({"finished", "error", "canceled", "skipped"})  # states

TASK_TYPE = "lava_lite.job"

Report = dict[str, Any]


def routing_key(uuid: str) -> str:
    return f"tasks.{uuid}"


def is_over(event: Event) -> bool:
    """Whether the task has ended with it."""
    return CATALOGUE[event.type].pulp in OVER


def report(event: Event, *, state: Event, progress: Event | None) -> Report:
    """The Task Report that an event leaves behind.

    `state` is the last event that changed the state of the job (or this one), `progress` the last that said how far
    its attempt is.
    """
    data, word, ended = state.data, CATALOGUE[state.type].pulp, is_over(state)
    return {
        "_href": f"{settings.LAB_URL}/api/v1/jobs/{data['uuid']}/",
        "task_id": data["uuid"],
        "task_type": TASK_TYPE,
        "state": word,
        "progress_report": _progress(progress),
        "start_time": data.get("start_time"),
        "finish_time": data.get("end_time") if ended else None,
        "result": {"health": data["health"]} if ended else None,
        "error": _error(state) if word == "error" else None,
        "exception": None,
        "traceback": None,
        "worker_name": data.get("worker"),
        "queue": data["device_type"],
        "tags": _tags(data),
        "group_id": data.get("target_group"),
        "spawned_tasks": [],
        "event": event.type,
        "event_id": str(event.uid),
        "sequence": event.sequence,
        "job_sequence": event.job_sequence,
    }


def _progress(event: Event | None) -> Report:
    return {name: event.data[name] for name in ("percent", "text", "level", "name")} if event else {}


def _error(state: Event) -> Report:
    description = state.data.get("reason", "")
    return {"code": state.type, "description": description, "data": {}, "sub_errors": []}


def _tags(data: Mapping[str, Any]) -> list[str]:
    told = {name: data.get(name) for name in ("job", "device_type", "device", "submitter")}
    return [f"lava_lite:{name}:{value}" for name, value in told.items() if value is not None]
