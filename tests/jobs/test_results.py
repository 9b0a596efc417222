"""Results found in the records of a log."""

from __future__ import annotations

import math
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.logs import Record
from jobs.models import Attempt
from jobs.models import TestCase as Case
from jobs.models import TestSuite as Suite
from jobs.results import Found, collect
from jobs.states import State
from tests import build

pytestmark = pytest.mark.django_db

WHEN = datetime(2026, 11, 22, 3, 16, 6)


@pytest.fixture
def attempt(alice: User) -> Attempt:
    return build.attempt(build.job(submitter=alice, state=State.RUNNING))


def found(message: Any, *, index: int = 0, level: str = "results") -> Found:
    return Found(index=index, record=Record(time=WHEN, level=level, message=message))


def result(case: str = "boot", *, index: int = 0, **more: Any) -> Found:
    return found({"definition": "0_smoke", "case": case, "result": "pass"} | more, index=index)


def test_a_result_has_its_suite_set_name_and_measurement(attempt: Attempt) -> None:
    collect(attempt, [result("boot", set="slow", measurement=12.5, units="ms", starttc=3, endtc=9)])

    case = Case.objects.get()
    assert (case.suite.name, case.test_set, case.name, case.result) == ("0_smoke", "slow", "boot", "pass")
    assert (case.measurement, case.units) == (Decimal("12.5"), "ms")
    assert (case.log_start, case.log_end) == (3, 9)
    assert case.metadata == {
        "definition": "0_smoke",
        "case": "boot",
        "result": "pass",
        "set": "slow",
        "measurement": 12.5,
        "units": "ms",
    }


def test_an_action_of_lava_is_measured_by_its_duration(attempt: Attempt) -> None:
    collect(attempt, [result("login-action", definition="lava", duration="2.10", measurement=7, units="ms")])

    case = Case.objects.get()
    assert (case.measurement, case.units) == (Decimal("2.10"), "seconds")


def test_results_of_one_suite_share_it(attempt: Attempt) -> None:
    assert collect(attempt, [result("a", index=0), result("b", index=1)]) == 2

    assert Suite.objects.count() == 1


def test_a_result_that_comes_again_is_stored_once(attempt: Attempt) -> None:
    batch = [result("a", index=4), result("b", index=5)]
    for _ in range(2):
        collect(attempt, batch)

    assert list(Case.objects.order_by("index").values_list("index", "name")) == [(4, "a"), (5, "b")]


def test_two_results_of_one_name_are_two(attempt: Attempt) -> None:
    collect(attempt, [result("a", index=0), result("a", index=1, result="fail")])

    assert list(Case.objects.order_by("index").values_list("result", flat=True)) == ["pass", "fail"]


@pytest.mark.parametrize(
    "entry",
    [
        found("boot: pass"),
        found({"definition": "0_smoke", "case": "boot", "result": "maybe"}),
        found({"definition": "0_smoke", "case": "boot", "result": ["pass"]}),
        found({"definition": "0_smoke", "case": "boot"}),
        found({"definition": "0_smoke", "case": "", "result": "pass"}),
        found({"case": "boot", "result": "pass"}),
        found({"definition": "0_smoke", "case": "boot", "result": "pass"}, level="target"),
        found(["pass"]),
    ],
    ids=lambda entry: str(entry.record.message),
)
def test_what_is_no_result_is_passed_over(entry: Found, attempt: Attempt) -> None:
    assert collect(attempt, [entry]) == 0
    assert not Case.objects.exists()


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("1.5", Decimal("1.5")),
        (-3, Decimal(-3)),
        (1e-12, Decimal(0)),
        (10**18, Decimal(10**18)),
        ("9999999999999999999.99999999999", Decimal(10**19)),
        (10**19, None),
        (1e300, None),
        ("1e999999999", None),
        (math.inf, None),
        (math.nan, None),
        ("many", None),
        (True, None),
        ([1], None),
        (None, None),
    ],
    ids=repr,
)
def test_a_measurement_that_is_no_number_of_ours_is_left_out_and_the_result_kept(
    value: object, kept: Decimal | None, attempt: Attempt
) -> None:
    collect(attempt, [result(measurement=value, units="V")])

    case = Case.objects.get()
    assert case.measurement == kept
    assert case.units == ("" if kept is None else "V")


def test_a_long_name_is_cut_to_what_the_columns_hold(attempt: Attempt) -> None:
    collect(attempt, [result("n" * 2000, definition="d" * 300, set="s" * 300, measurement=1, units="u" * 99)])

    case = Case.objects.select_related("suite").get()
    lengths = (len(case.name), len(case.suite.name), len(case.test_set), len(case.units))
    assert lengths == (1024, 200, 200, 64)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats()
    | st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0")), inner, max_size=3
        )
    ),
    max_leaves=8,
)
KEYS = (
    "case",
    "result",
    "measurement",
    "units",
    "set",
    "starttc",
    "endtc",
    "extra",
    "definition",
    "duration",
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None
)
@given(
    message=st.dictionaries(st.sampled_from(KEYS), VALUES), words=st.sampled_from(["pass", "fail", "skip"])
)
def test_no_result_is_too_odd_to_be_stored(message: dict[str, Any], words: str, attempt: Attempt) -> None:
    Case.objects.all().delete()

    collect(attempt, [found({"definition": "0_smoke", "case": "odd"} | message | {"result": words})])

    for case in Case.objects.select_related("suite"):
        assert case.result == words
        assert case.name
        assert case.suite.name


def test_a_failure_that_is_told_after_the_end_changes_the_outcome() -> None:
    job = build.job(state=State.FINISHED)
    assert job.outcome == "pass"

    collect(build.attempt(job), [result("sound", result="fail")])

    job.refresh_from_db()
    assert job.outcome == "fail"
