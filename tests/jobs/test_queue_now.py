"""The queue as core4 counts it."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.utils import timezone

from jobs import attempts, queue_now
from jobs.models import Job
from jobs.queue_now import HIDDEN, Kind
from jobs.states import State
from tests import build

pytestmark = pytest.mark.django_db


def rows(user: User | AnonymousUser) -> list[tuple[str, str, int]]:
    return sorted((kind.state, kind.name, n) for kind, n in queue_now.of(user).rows.items())


def test_what_is_over_is_in_no_row(alice: User) -> None:
    build.job(submitter=alice, state=State.FINISHED)

    assert queue_now.of(alice).rows == {}
    assert queue_now.of(alice).seen == {}


@pytest.mark.parametrize(
    ("state", "word"),
    [(State.SUBMITTED, "pending"), (State.SCHEDULED, "running"), (State.RUNNING, "running")],
)
def test_a_job_is_counted_by_core4s_word_for_its_state(state: State, word: str, alice: User) -> None:
    build.job(submitter=alice, state=state)

    assert queue_now.of(alice).seen == {word: 1}


def test_a_job_that_waits_for_another_attempt_has_failed_until_it_is_hurried(alice: User) -> None:
    job = build.tried_again(submitter=alice)
    assert queue_now.of(alice).seen == {"failed": 1}

    attempts.hurry(job.pk, by="alice")

    assert queue_now.of(alice).seen == {"pending": 1}


def test_a_job_that_was_put_off_is_deferred(alice: User) -> None:
    build.job(submitter=alice, lava_lite={"defer": {"delay": {"minutes": 5}}})

    assert queue_now.of(alice).seen == {"deferred": 1}


def test_flags_make_rows_of_their_own(alice: User) -> None:
    for _ in range(2):
        build.job(submitter=alice)
    build.job(submitter=alice, state=State.CANCELING)
    slow = build.job(submitter=alice, state=State.RUNNING, device="qemu02")
    Job.objects.filter(pk=slow.pk).update(overtime_since=timezone.now(), lost_since=timezone.now())

    assert queue_now.of(alice).rows == {
        Kind("pending", "hello", False, False, False): 2,
        Kind("running", "hello", False, False, True): 1,
        Kind("running", "hello", True, True, False): 1,
    }


def test_hidden_jobs_are_one_row_for_each_state(alice: User, mallory: User, admin: User) -> None:
    for name in ("one", "two"):
        build.job(submitter=alice, name=name, visibility="personal")
    build.job(submitter=alice, name="shown")

    hidden = [("pending", HIDDEN, 2), ("pending", "shown", 1)]
    assert rows(mallory) == rows(AnonymousUser()) == hidden
    assert rows(alice) == rows(admin) == [("pending", name, 1) for name in ("one", "shown", "two")]
    assert queue_now.of(mallory).seen == {"pending": 1}


def test_beyond_some_names_jobs_are_counted_together(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_now, "MOST_NAMES", 2)
    for name in ("often", "often", "rare", "seldom", "unique"):
        build.job(submitter=alice, name=name)

    assert rows(alice) == [("pending", "OtherJobs", 2), ("pending", "often", 2), ("pending", "rare", 1)]


def test_it_is_as_many_questions_for_many_jobs_as_for_one(
    alice: User, mallory: User, django_assert_num_queries: Any
) -> None:
    for number in range(4):
        build.job(submitter=alice, name=str(number))

    with django_assert_num_queries(3):  # two of them about what is hidden from whom
        queue_now.of(mallory)
