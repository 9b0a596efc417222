"""A whole lab that sends webhooks, and dies while it does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import build
from tests.events.webhooks.endpoint import Answer, Endpoint, Request, listening
from tests.lab import Lab, eventually, is_alive

pytestmark = pytest.mark.lab


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """Which lets webhooks reach this machine."""
    running = Lab(tmp_path, WEBHOOK_ALLOWED_NETWORKS="127.0.0.0/8")
    running.start()
    try:
        yield running
    finally:
        pids = running.pids()
        running.stop()
        assert eventually(lambda: not any(map(is_alive, pids.values())))


def post(lab: Lab, path: str, body: dict[str, str]) -> Any:
    status, answer = lab.request("POST", path, json.dumps(body).encode(), kind="application/json")
    assert status == 201, answer
    return json.loads(answer)


def told_of(endpoint: Endpoint, job: int) -> list[Request]:
    return [request for request in endpoint.requests if request.event["data"].get("job") == job]


def has_ended(endpoint: Endpoint, job: int) -> bool:
    return any(request.event["data"].get("state") == "Finished" for request in told_of(endpoint, job))


def test_an_engine_that_is_killed_while_it_sends_loses_nothing(lab: Lab) -> None:
    with listening() as endpoint:
        post(lab, "/api/v1/webhooks/", {"address": endpoint.address, "filter": "job.# step.#"})
        definition = build.definition(device_type="local")
        first = post(lab, "/api/v1/jobs/", {"definition": definition})["id"]
        assert eventually(lambda: has_ended(endpoint, first), 60)

        failed: list[Request] = []
        endpoint.answer, endpoint.before_answer = Answer(status=503), failed.append
        second = post(lab, "/api/v1/jobs/", {"definition": definition})["id"]
        assert eventually(lambda: failed)
        lab.kill("engine")
        endpoint.answer = Answer()

        assert eventually(lambda: has_ended(endpoint, second), 60)
        assert len([request for request in endpoint.requests if request.id == failed[0].id]) >= 2

    sequences = [int(request.event["sequence"]) for request in endpoint.requests]
    assert sequences == sorted(sequences)  # what was sent twice was sent before the next
    assert len({request.id for request in endpoint.requests}) == len(set(sequences))
    of_second = {request.event["jobsequence"] for request in told_of(endpoint, second)}
    assert of_second == set(range(1, len(of_second) + 1))
