"""How long the lab remembers what of a submitter's tokens a worker has."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from jobs import given_tokens
from jobs.models import Attempt
from jobs.states import State
from tests import build

pytestmark = pytest.mark.django_db

LONG_AGO = given_tokens.KEPT_FOR + timedelta(minutes=1)


@pytest.fixture
def attempt(alice: User) -> Attempt:
    """Of a job that runs, and has a token."""
    attempt: Attempt = Attempt.objects.get(job=build.job(submitter=alice, state=State.RUNNING))
    given_tokens.note(attempt, {"store": "hunter2x"})
    return attempt


def known(attempt: Attempt) -> dict[str, str] | None:
    attempt.refresh_from_db()
    tokens: dict[str, str] | None = attempt.given_tokens
    return tokens


def test_what_is_given_later_comes_beside_what_was_given_before(attempt: Attempt) -> None:
    given_tokens.note(attempt, {"store": "its successor"})

    assert known(attempt) == {"hunter2x": "store", "its successor": "store"}


def test_it_is_remembered_while_the_job_runs(attempt: Attempt) -> None:
    given_tokens.forget()

    assert known(attempt)


def test_it_is_forgotten_when_nothing_of_it_can_come_any_more(attempt: Attempt) -> None:
    Attempt.objects.update(ended=timezone.now() - LONG_AGO)

    given_tokens.forget()

    assert known(attempt) is None


@pytest.mark.parametrize(
    "state",
    [{"ended": timedelta(minutes=5)}, {"ended": LONG_AGO, "unconfirmed_since": LONG_AGO}],
    ids=["it has just ended", "its worker has not confirmed the end"],
)
def test_it_is_remembered_while_something_may_still_come(
    attempt: Attempt, state: dict[str, timedelta]
) -> None:
    Attempt.objects.update(**{name: timezone.now() - ago for name, ago in state.items()})

    given_tokens.forget()

    assert known(attempt)
