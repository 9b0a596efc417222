"""How often a job is tried, and after which delays, as plain values."""

from datetime import timedelta

import pytest

from jobs.retries import Retry
from jobs.states import INFRASTRUCTURE_ERRORS

MINUTE = timedelta(minutes=1)
RETRY = Retry(attempts=4, delay=MINUTE, backoff=2, max_delay=3 * MINUTE)


@pytest.mark.parametrize("error_type", sorted(INFRASTRUCTURE_ERRORS))
def test_the_labs_errors_are_tried_again(error_type: str) -> None:
    assert RETRY.delay_after(1, error_type) == MINUTE


@pytest.mark.parametrize("error_type", ["Job", "Test", "LAVATimeout", "Canceled", ""])
def test_other_errors_are_not(error_type: str) -> None:
    assert RETRY.delay_after(1, error_type) is None


def test_the_delay_grows_up_to_its_limit() -> None:
    assert [RETRY.delay_after(failures, "Bug") for failures in (1, 2, 3)] == [MINUTE, 2 * MINUTE, 3 * MINUTE]


def test_the_last_attempt_is_followed_by_none() -> None:
    assert RETRY.delay_after(4, "Bug") is None


def test_what_is_wanted_instead_replaces_its_part_alone() -> None:
    wanted = RETRY.but({"attempts": 2, "delay": 5.0, "errors": ["Job"]})

    assert wanted == Retry(
        attempts=2,
        delay=timedelta(seconds=5),
        backoff=2,
        max_delay=3 * MINUTE,
        errors=frozenset({"Job"}),
    )


def test_the_largest_numbers_are_still_a_delay() -> None:
    steep = RETRY.but({"attempts": 100, "backoff": 100})

    assert steep.delay_after(99, "Bug") == 3 * MINUTE
