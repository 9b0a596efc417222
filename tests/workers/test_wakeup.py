"""The socket `/ws/` as workers use it: one is told at once that there is something to do, and nothing else."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from typing import Any, Self

import pytest
from asgiref.testing import ApplicationCommunicator
from django.contrib.auth.models import User
from django.utils import timezone

from core import doorbell
from events import live, numbering
from events.models import Event
from jobs import lifecycle
from jobs.models import Job
from jobs.states import State
from tests import build
from tests.events.meanwhile import PATIENCE, do, run
from workers import wakeup
from workers.wakeup import frames

LAVA_WORKER = "lava-worker 2023.01"


@pytest.fixture
def only_the_bell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "POLL_SECONDS", 3600.0)


@pytest.fixture
def only_polling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "POLL_SECONDS", 0.05)
    monkeypatch.setattr(doorbell, "ring", lambda directory, *roles: None)


class Socket:
    """One connection to `/ws/`, as the ASGI server would carry it."""

    def __init__(self, agent: str = LAVA_WORKER) -> None:
        headers = [(b"user-agent", agent.encode())] if agent else []
        scope = {"type": "websocket", "path": "/ws/", "query_string": b"", "headers": headers}
        self._application = ApplicationCommunicator(wakeup.socket, scope)

    async def connect(self) -> dict[str, Any]:
        await self._application.send_input({"type": "websocket.connect"})
        answer: dict[str, Any] = await self._application.receive_output(PATIENCE)
        return answer

    async def accepted(self) -> Self:
        assert (await self.connect())["type"] == "websocket.accept"
        return self

    async def hear(self) -> str:
        message = await self._application.receive_output(PATIENCE)
        assert message["type"] == "websocket.send"
        return str(message["text"])

    async def leave(self) -> None:
        await self._application.send_input({"type": "websocket.disconnect", "code": 1000})
        await self._application.wait(PATIENCE)


def call(frame: str) -> dict[str, str]:
    """What LAVA's worker looks at in a frame."""
    parts = json.loads(frame)
    assert len(parts) == 5
    assert all(isinstance(part, str) for part in parts)
    assert parts[0].endswith(".testjob")
    data: dict[str, str] = json.loads(parts[4])
    return data


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("agent", [LAVA_WORKER, "lava-lite-worker 1.0"])
def test_a_worker_is_woken_when_its_job_is_scheduled(agent: str, alice: User, only_the_bell: None) -> None:
    job = build.job(submitter=alice)

    async def story() -> None:
        worker = await Socket(agent).accepted()
        await do(lambda: lifecycle.schedule(job.pk, "qemu01"))
        frame = await worker.hear()
        assert call(frame) == {"worker": "worker01", "state": "Scheduled"}
        await worker.leave()

    run(story())


@pytest.mark.django_db(transaction=True)
def test_a_worker_is_woken_when_its_job_is_canceled(alice: User, only_the_bell: None) -> None:
    job = build.job(submitter=alice, state=State.RUNNING, visibility="personal")

    async def story() -> None:
        worker = await Socket().accepted()
        await do(lambda: lifecycle.cancel(job.pk, by="alice"))
        frame = await worker.hear()
        assert call(frame) == {"worker": "worker01", "state": "Canceling"}
        assert str(job.uuid) not in frame
        await worker.leave()

    run(story())


@pytest.mark.django_db(transaction=True)
def test_a_worker_is_woken_when_the_lab_has_ended_its_job(alice: User, only_the_bell: None) -> None:
    job = build.job(submitter=alice, state=State.RUNNING)
    Job.objects.update(deadline=timezone.now() - timedelta(seconds=1))

    async def story() -> None:
        worker = await Socket().accepted()
        await do(lambda: lifecycle.end_overdue(job.pk))
        assert call(await worker.hear()) == {"worker": "worker01", "state": "Canceling"}
        await worker.leave()

    run(story())


@pytest.mark.django_db(transaction=True)
def test_a_worker_is_woken_though_every_bell_is_broken(alice: User, only_polling: None) -> None:
    job = build.job(submitter=alice)

    async def story() -> None:
        worker = await Socket().accepted()
        await do(lambda: lifecycle.schedule(job.pk, "qemu01"))
        assert call(await worker.hear())["state"] == "Scheduled"
        await worker.leave()

    run(story())


@pytest.mark.django_db(transaction=True)
def test_every_connection_is_told_and_one_that_left_is_not_waited_for(
    alice: User, only_the_bell: None
) -> None:
    job = build.job(submitter=alice)

    async def story() -> None:
        workers = [await Socket().accepted() for _ in range(3)]
        await workers[0].leave()
        await do(lambda: lifecycle.schedule(job.pk, "qemu01"))
        for worker in workers[1:]:
            assert call(await worker.hear())["state"] == "Scheduled"
            await worker.leave()

    run(story())


@pytest.mark.django_db(transaction=True)
def test_what_happened_while_nobody_was_connected_is_not_told_later(alice: User, only_the_bell: None) -> None:
    first = build.job(submitter=alice, state=State.SCHEDULED)

    async def story() -> None:
        await do(lambda: None)
        worker = await Socket().accepted()
        await do(lambda: lifecycle.cancel(first.pk, by="alice"))
        assert call(await worker.hear())["state"] == "Canceling"
        await worker.leave()

    run(story())


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("agent", ["", "lavacli 1.2", "Mozilla/5.0", "not-a-lava-worker"])
def test_whoever_is_no_worker_is_not_called(agent: str, alice: User, only_the_bell: None) -> None:
    hidden = build.job(submitter=alice, visibility="personal")

    async def story() -> None:
        listener = await Socket(agent).accepted()
        await do(lambda: lifecycle.schedule(hidden.pk, "qemu01"))
        topic, *_ = json.loads(await listener.hear())
        assert topic.endswith(".device")
        await do(lambda: build.job(submitter=alice))
        assert call(await listener.hear())["state"] == "Submitted"
        await listener.leave()

    run(story())


@pytest.mark.django_db(transaction=True)
def test_no_worker_waits_for_an_answer_as_long_as_the_database_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    hangs = threading.Event()
    monkeypatch.setattr(wakeup, "ANSWER_SECONDS", 0.05)
    monkeypatch.setattr(numbering, "last_number", lambda: hangs.wait(PATIENCE) and 0)

    async def story() -> None:
        worker = Socket()
        assert await worker.connect() == {
            "type": "websocket.close",
            "code": 1013,
            "reason": "The database does not answer. Connect again in a while.",
        }
        hangs.set()
        await (await Socket().accepted()).leave()

    run(story())


def _event(type: str, **data: Any) -> Event:
    return Event(type=type, data=data)


def test_one_frame_stands_for_many_events_of_a_worker() -> None:
    events = [_event("job.scheduled", worker="w1"), _event("job.scheduled", worker="w1")]
    events += [_event("job.cancel_requested", worker="w1"), _event("job.scheduled", worker="w2")]

    calls = [call(frame) for frame in frames(events)]

    assert calls == [
        {"worker": "w1", "state": "Canceling"},
        {"worker": "w1", "state": "Scheduled"},
        {"worker": "w2", "state": "Scheduled"},
    ]


def test_what_concerns_no_worker_makes_no_frame() -> None:
    events = [_event("job.submitted"), _event("job.scheduled"), _event("device.changed", worker="w1")]

    assert frames(events) == []
