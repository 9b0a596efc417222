"""The catalogue of events: its names in each dialect, and the words that payloads are made of."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product

import pytest

from devices import announcements as of_devices
from devices.states import DeviceHealth, DeviceState, WorkerHealth, WorkerState
from events import payloads
from events.catalogue import CATALOGUE
from jobs.announcements import old_status
from jobs.models import Kind, Visibility
from jobs.outline import StepState
from jobs.states import Health, State

WORDS: list[tuple[tuple[str, ...], Iterable[str]]] = [
    (payloads.JOB_STATES, (word.label for word in State)),
    (payloads.JOB_HEALTHS, (word.label for word in Health)),
    (payloads.JOB_STATUSES, (old_status(*both) for both in product(State, Health))),
    (payloads.VISIBILITIES, Visibility.labels),
    (payloads.RESERVED.words, [Kind.RESERVATION]),
    (payloads.STEP_STATES, StepState),
    (payloads.DEVICE_STATES, (word.label for word in DeviceState)),
    (payloads.DEVICE_HEALTHS, (word.label for word in DeviceHealth)),
    (
        payloads.DEVICE_STATUSES,
        (of_devices._old_status(*both) for both in product(DeviceState, DeviceHealth)),
    ),
    (payloads.OLD_DEVICE_HEALTHS, of_devices.OLD_HEALTH.values()),
    (payloads.WORKER_STATES, (word.label for word in WorkerState)),
    (payloads.WORKER_HEALTHS, (word.label for word in WorkerHealth)),
]

CORE4 = {
    "enqueue_job",
    "request_start_job",
    "start_job",
    "complete_job",
    "failed_start",
    "error_job",
    "request_kill_job",
    "kill_job",
    "request_remove_job",
    "remove_job",
    "restart_stopped",
    "hard_remove_job",
    "flag_nonstop",
    "flag_zombie",
    "failed_job",
    "defer_job",
    "inactivate_job",
    "restart_waiting",
    "message",
    "summary",
}


def test_a_type_is_found_by_its_name_and_begins_with_its_subject() -> None:
    for name, entry in CATALOGUE.items():
        assert entry.name == name
        assert name.split(".")[0] == entry.subject
        assert entry.fires


def test_core4_has_one_name_for_each_of_its_events() -> None:
    names = [entry.core4 for entry in CATALOGUE.values() if entry.core4]

    assert len(names) == len(set(names))
    assert set(names) == CORE4


def test_the_other_dialects_use_their_own_words_only() -> None:
    entries = CATALOGUE.values()
    of_pulp = {"waiting", "accepted", "running", "suspended", "finished", "error", "canceled", "skipped"}
    of_pulp |= {"progress_report"}

    assert {entry.lava for entry in entries} == {None, "testjob", "device", "worker", "event"}
    assert {entry.pulp for entry in entries if entry.pulp} <= of_pulp
    assert {entry.lambdacd for entry in entries if entry.lambdacd} == {
        "pipeline-started",
        "pipeline-finished",
        "step-started",
        "step-result-updated",
        "step-result-update-consumed",
        "step-finished",
    }


@pytest.mark.parametrize(("listed", "said"), WORDS, ids=lambda words: "")
def test_the_words_are_those_of_the_things_that_events_are_about(
    listed: tuple[str, ...], said: Iterable[str]
) -> None:
    assert set(listed) == {str(word) for word in said}


def test_every_field_says_what_it_means_and_since_when_it_is_there() -> None:
    for entry in CATALOGUE.values():
        names = [field.name for field in entry.payload]
        assert len(names) == len(set(names))
        assert all(field.meaning and field.since for field in entry.payload), entry.name


def test_every_type_is_of_a_family() -> None:
    assert {entry.family.name for entry in CATALOGUE.values()} == {each.name for each in payloads.FAMILIES}
