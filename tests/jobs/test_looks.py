from __future__ import annotations

from typing import Any

import pytest

from jobs import looks
from jobs.models import Job
from jobs.states import Health, Outcome, State


def job(**fields: Any) -> Job:
    return Job(**fields)


@pytest.mark.parametrize(
    ("of", "word", "tone"),
    [
        (job(state=State.SUBMITTED), "Submitted", "still"),
        (job(state=State.RUNNING), "Running", "busy"),
        (job(state=State.FINISHED, health=Health.COMPLETE, outcome=Outcome.PASS), "Complete", "good"),
        (job(state=State.FINISHED, health=Health.COMPLETE, outcome=Outcome.FAIL), "Tests failed", "bad"),
        (job(state=State.FINISHED, health=Health.INCOMPLETE, outcome=Outcome.FAIL), "Incomplete", "bad"),
        (
            job(state=State.FINISHED, health=Health.INCOMPLETE, outcome=Outcome.INFRASTRUCTURE),
            "Lab error",
            "bad",
        ),
        (job(state=State.FINISHED, health=Health.CANCELED, outcome=Outcome.CANCELED), "Canceled", "warn"),
    ],
)
def test_a_list_says_how_a_job_stands_in_one_word(of: Job, word: str, tone: str) -> None:
    look = looks.of_job(of)

    assert (look.word, look.tone) == (word, tone)


def test_beside_failed_tests_complete_is_no_success() -> None:
    complete = job(state=State.FINISHED, health=Health.COMPLETE, outcome=Outcome.FAIL)

    look = looks.of_lava_state(complete)

    assert (look.word, look.tone) == ("Complete", "still")


@pytest.mark.parametrize(
    ("total", "failed", "words"),
    [
        (5, 2, "2 of 5 tests failed"),
        (1, 1, "1 of 1 test failed"),
        (1, 0, "1 test, none failed"),
        (5, 0, "5 tests, none failed"),
    ],
)
def test_all_tests_are_told_in_a_few_words(total: int, failed: int, words: str) -> None:
    assert looks.of_tests(total, failed).word == words
