"""The queue summed up for everybody, in events."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.db import connections
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from events import numbering, retention, visibility
from events.models import Event
from jobs import lifecycle
from jobs.history import keeper, summary
from jobs.history.keeper import Keeper
from jobs.models import Job, Visibility
from jobs.states import State
from tests import build
from tests.lab import eventually

pytestmark = pytest.mark.django_db

LONG_AGO = timedelta(hours=1)


def told() -> list[dict[str, Any]]:
    return [event.data for event in summaries()]


def summaries() -> list[Event]:
    return list(Event.objects.filter(type=summary.TYPE).order_by("id"))


def a_second_passes() -> None:
    """And more, for what was told."""
    Event.objects.filter(type=summary.TYPE).update(time=timezone.now() - LONG_AGO)


def test_an_empty_queue_is_not_worth_a_word() -> None:
    assert summary.run_once()

    assert told() == []


def test_jobs_are_counted_by_state(alice: User) -> None:
    for number, state in enumerate([State.SUBMITTED, State.RUNNING, State.SUBMITTED, State.FINISHED]):
        build.job(submitter=alice, state=state, device=f"qemu0{number}")

    summary.run_once()

    assert told() == [{"states": {"Submitted": 2, "Running": 1}, "flags": {}}]


def test_flags_are_counted_beside_the_states(alice: User) -> None:
    build.tried_again(submitter=alice, device="qemu01")
    build.job(submitter=alice, lava_lite={"defer": {"delay": {"minutes": 5}}})
    lost = build.job(submitter=alice, state=State.RUNNING, device="qemu02")
    slow = build.job(submitter=alice, state=State.RUNNING, device="qemu03")
    Job.objects.filter(pk=lost.pk).update(lost_since=timezone.now())
    Job.objects.filter(pk=slow.pk).update(overtime_since=timezone.now())

    summary.run_once()

    assert told() == [
        {
            "states": {"Submitted": 2, "Running": 2},
            "flags": {"retry": 1, "deferred": 1, "lost": 1, "overtime": 1},
        }
    ]


def test_what_has_not_changed_is_not_told_again(alice: User) -> None:
    build.job(submitter=alice)
    summary.run_once()
    a_second_passes()

    assert summary.run_once()

    assert len(told()) == 1


def test_what_changes_within_a_second_is_told_together(alice: User) -> None:
    build.job(submitter=alice)
    summary.run_once()
    job = build.job(submitter=alice)
    assert not summary.run_once()
    lifecycle.cancel(job.pk, by="alice")
    build.job(submitter=alice)
    build.job(submitter=alice)
    assert not summary.run_once()
    a_second_passes()

    assert summary.run_once()

    assert [each["states"] for each in told()] == [{"Submitted": 1}, {"Submitted": 3}]


def test_a_clock_that_was_set_back_does_not_silence_it(alice: User) -> None:
    build.job(submitter=alice)
    summary.run_once()
    Event.objects.filter(type=summary.TYPE).update(time=timezone.now() + LONG_AGO)
    build.job(submitter=alice)

    assert summary.run_once()

    assert len(told()) == 2


def test_after_the_last_one_was_cleared_away_the_queue_is_told_anew(alice: User) -> None:
    build.job(submitter=alice)
    summary.run_once()
    numbering.number_committed()
    retention.clear(Event.objects.filter(sequence__isnull=False))

    summary.run_once()

    assert told() == [{"states": {"Submitted": 1}, "flags": {}}]


def test_everybody_hears_the_numbers_of_all_jobs_and_nothing_else_of_them(alice: User, mallory: User) -> None:
    job = build.job(submitter=alice, visibility="personal", name="hush")
    assert job.visibility == Visibility.PERSONAL

    summary.run_once()

    (event,) = summaries()
    assert (event.job_id, event.subject, event.cause) == (None, "queue", "timer")
    assert set(event.data) == {"states", "flags"}
    for user in (AnonymousUser(), mallory, alice):
        assert visibility.may_see(event, user)


def test_a_long_queue_costs_no_more_questions(
    alice: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(3):
        build.job(submitter=alice)
    summary.run_once()

    with django_assert_num_queries(4):
        assert summary.run_once()


def test_where_nothing_has_happened_one_look_at_the_number_of_events_is_all(
    alice: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    build.job(submitter=alice)
    watch = Keeper()
    numbering.number_committed()
    while watch.look():
        numbering.number_committed()

    with django_assert_num_queries(1):
        assert not watch.look()

    assert len(told()) == 1


@pytest.mark.django_db(transaction=True)
def test_the_engine_tells_it_as_soon_as_something_has_happened(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper, "POLL_SECONDS", 0.1)
    stop = threading.Event()

    def keep() -> None:
        try:
            keeper.run(stop)
        finally:
            connections.close_all()

    thread = threading.Thread(target=keep)
    thread.start()
    try:
        build.job(submitter=alice)
        numbering.number_committed()

        assert eventually(lambda: [each["states"] for each in told()] == [{"Submitted": 1}])
    finally:
        stop.set()
        thread.join(30)
    assert not thread.is_alive()
