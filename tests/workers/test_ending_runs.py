"""A run that has written its last record: its worker is called until it has told the end."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from jobs import lifecycle
from jobs.lifecycle import Ending
from jobs.models import Job
from jobs.states import State
from tests import build
from tests.events.meanwhile import do, run
from tests.workers.test_server import Wire, record
from tests.workers.test_wakeup import Socket, call
from workers import ending_runs
from workers.ending_runs import workers_to_call
from workers.tokens import token_of

LAST = record({"definition": "lava", "case": "job", "result": "pass"}, "results")
SIMILAR = record({"definition": "lava", "case": "login-action", "result": "pass"}, "results")


@pytest.fixture
def running(db: None, alice: User) -> Job:
    return build.job(submitter=alice, state=State.RUNNING)


def post(job: Job, line: str, *, attempt: int = 1) -> None:
    status, answer = Wire().log(job.pk, token_of(job.pk, attempt), index=0, lines=line)
    assert (status, answer) == (200, {"line_count": 1})


def end(job: Job) -> None:
    lifecycle.finish(job.pk, Ending(passed=True), worker="worker01", attempt=job.attempt)


@pytest.mark.django_db(transaction=True)
def test_every_socket_hears_of_a_run_that_ends(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ending_runs, "POLL_SECONDS", 3600.0)
    job = build.job(submitter=alice, state=State.RUNNING)

    async def story() -> None:
        workers = [await Socket().accepted() for _ in range(2)]
        await do(lambda: post(job, LAST))
        for worker in workers:
            assert call(await worker.hear()) == {"worker": "worker01", "state": "Scheduled"}
            await worker.leave()

    run(story())


@pytest.mark.django_db(transaction=True)
def test_a_worker_whose_run_has_not_ended_at_the_first_call_is_called_again(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ending_runs, "PAUSES", (0.01, 0.01, 0.01))
    job = build.job(submitter=alice, state=State.RUNNING)

    async def story() -> None:
        worker = await Socket().accepted()
        await do(lambda: post(job, LAST))
        for _ in range(len(ending_runs.PAUSES)):
            assert call(await worker.hear())["worker"] == "worker01"
        await worker.leave()

    run(story())


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_was_away_when_its_run_ended_is_called_when_it_is_back(alice: User) -> None:
    job = build.job(submitter=alice, state=State.RUNNING)

    async def story() -> None:
        await do(lambda: post(job, LAST))
        worker = await Socket().accepted()
        assert call(await worker.hear())["worker"] == "worker01"
        await worker.leave()

    run(story())


def test_nobody_is_called_before_the_last_record(running: Job) -> None:
    post(running, SIMILAR)

    assert workers_to_call() == frozenset()


def test_nobody_is_called_after_the_end_was_told(running: Job) -> None:
    post(running, LAST)
    assert workers_to_call() == {"worker01"}

    end(running)

    assert workers_to_call() == frozenset()


def test_a_canceled_run_is_called_for_too(running: Job) -> None:
    lifecycle.cancel(running.pk, by="alice")
    post(running, LAST)

    assert workers_to_call() == {"worker01"}


def test_what_an_earlier_attempt_wrote_calls_nobody_now(running: Job) -> None:
    post(running, LAST)
    Job.objects.filter(pk=running.pk).update(attempt=2)

    assert workers_to_call() == frozenset()
