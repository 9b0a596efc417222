from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries

from jobs.models import Job
from jobs.models import TestCase as Case
from jobs.states import State
from jobs.tallies import BY_URGENCY, Tally
from tests import build

pytestmark = pytest.mark.django_db

SUITES = ("0_smoke", "1_perf", "lava")
REPORTED = st.lists(st.tuples(st.sampled_from(SUITES), st.sampled_from(Case.Result.values)), max_size=25)


@pytest.fixture
def job() -> Job:
    return build.job(state=State.RUNNING)


def report(job: Job, *reported: tuple[str, str]) -> None:
    for number, (suite, result) in enumerate(reported):
        build.case(job, suite=suite, name=f"case {number}", result=result)


@hypothesis_settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    reported=REPORTED,
    size=st.integers(1, 8),
    result=st.sampled_from(["", *Case.Result.values]),
    suite=st.sampled_from(["", *SUITES, "nowhere"]),
)
def test_the_pages_together_are_all_that_was_chosen_the_urgent_first(
    job: Job, reported: list[tuple[str, str]], size: int, result: str, suite: str
) -> None:
    with build.rolled_back():
        report(job, *reported)
        tally = Tally.of(job, 1)

        starts = range(0, len(reported) + size, size)
        pages = [tally.cases(start=start, size=size, result=result, suite=suite) for start in starts]

        chosen = [case for case in Case.objects.select_related("suite") if result in ("", case.result)]
        chosen = [case for case in chosen if suite in ("", case.suite.name)]
        expected = sorted(chosen, key=lambda case: (BY_URGENCY.index(case.result), case.suite_id, case.pk))
        assert [case.pk for rows, _ in pages for case in rows] == [case.pk for case in expected]
        assert {count for _, count in pages} == {len(expected)}
        assert tally.all == Counter(result for _, result in reported)


def test_the_actions_of_the_dispatcher_are_no_tests(job: Job) -> None:
    report(job, ("lava", "fail"), ("0_smoke", "pass"), ("1_perf", "fail"), ("0_smoke", "fail"))

    tally = Tally.of(job, 1)

    assert tally.of_tests == Counter({"fail": 2, "pass": 1})
    first = tally.first_failure()
    assert first is not None
    assert first.name == "case 2"


def test_an_attempt_that_has_not_begun_has_nothing() -> None:
    tally = Tally.of(build.job(), 1)

    assert (tally.all.total(), tally.first_failure()) == (0, None)
    assert tally.cases(start=0, size=10) == ([], 0)


def test_counting_and_a_page_of_results_take_as_many_queries_however_many_there_are(
    job: Job, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    report(job, *[(suite, result) for suite in SUITES for result in Case.Result.values] * 3)

    with django_assert_num_queries(3 + len(BY_URGENCY)):
        Tally.of(job, 1).cases(start=0, size=1000)
