from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from jobs import results
from jobs.logs import Record
from jobs.models import Job
from jobs.results import Found
from jobs.states import State
from tests import build


def say(job: Job, *messages: dict[str, Any]) -> None:
    """Have the job's log hold these results."""
    records = [
        Record(time=datetime(2026, 11, 22), level="results", message={"result": "pass", **message})
        for message in messages
    ]
    found = [Found(index=index, record=record) for index, record in enumerate(records)]
    results.collect(build.attempt(job), found)


@pytest.fixture
def job(alice: User) -> Job:
    """With two suites; the second has two tests in each of two sets."""
    job = build.job(submitter=alice, state=State.RUNNING)
    say(
        job,
        {"definition": "lava", "case": "validate"},
        {
            "definition": "0_hello",
            "case": "size",
            "measurement": 12.5,
            "units": "ms",
            "starttc": 4,
            "endtc": 6,
        },
        {"definition": "0_hello", "case": "a", "set": "first", "result": "fail"},
        {"definition": "0_hello", "case": "b", "set": "first"},
        {"definition": "0_hello", "case": "a", "set": "second"},
    )
    return job


def show(client: APIClient, job: Job, path: str) -> Any:
    answer = client.get(f"/api/v0.2/jobs/{job.pk}/{path}")
    assert answer.status_code == 200
    return answer.json()


def test_suites_are_listed_with_their_addresses(anyone: APIClient, job: Job) -> None:
    listed = show(anyone, job, "suites/")

    suite = listed["results"][0]
    assert listed["count"] == 2
    assert suite["name"] == "0_hello"
    assert suite["job"] == job.pk
    assert suite["resource_uri"] == f"http://testserver/api/v0.2/jobs/{job.pk}/suites/{suite['id']}/"
    assert anyone.get(suite["resource_uri"]).json() == suite


def test_tests_are_listed_with_their_addresses(anyone: APIClient, job: Job) -> None:
    listed = show(anyone, job, "tests")

    assert listed["count"] == 5
    assert [test["name"] for test in listed["results"]] == ["validate", "size", "a", "b", "a"]
    assert [anyone.get(test["resource_uri"]).json() for test in listed["results"]] == listed["results"]


def test_a_suite_lists_only_its_own_tests(anyone: APIClient, job: Job) -> None:
    suite = next(suite for suite in show(anyone, job, "suites/")["results"] if suite["name"] == "lava")

    listed = show(anyone, job, f"suites/{suite['id']}/tests")

    assert [test["name"] for test in listed["results"]] == ["validate"]
    assert listed["results"][0]["suite"] == suite["id"]


def test_a_measurement_is_a_decimal_text(anyone: APIClient, job: Job) -> None:
    test = show(anyone, job, "tests/?name=size")["results"][0]

    assert (test["measurement"], test["unit"]) == ("12.5000000000", "ms")
    assert (test["start_log_line"], test["end_log_line"]) == (4, 6)
    assert test["metadata"] == (
        "case: size\ndefinition: 0_hello\nmeasurement: 12.5\nresult: pass\nunits: ms\n"
    )


def test_tests_of_one_set_share_its_number(anyone: APIClient, job: Job) -> None:
    validate, size, a, b, other_a = show(anyone, job, "tests/")["results"]

    assert validate["test_set"] is size["test_set"] is None
    assert a["test_set"] == b["test_set"] == a["id"]
    assert other_a["test_set"] == other_a["id"]


def test_a_set_keeps_its_number_where_its_first_test_is_not_listed(anyone: APIClient, job: Job) -> None:
    first = show(anyone, job, "tests/?result=fail")["results"][0]
    second = show(anyone, job, "tests/?name=b")["results"][0]

    assert second["test_set"] == first["test_set"]


def test_tests_are_narrowed_and_sorted(anyone: APIClient, job: Job) -> None:
    names = [test["name"] for test in show(anyone, job, "tests/?result=pass&ordering=-name")["results"]]

    assert names == ["validate", "size", "b", "a"]


def test_only_the_latest_attempt_is_shown(anyone: APIClient, job: Job) -> None:
    Job.objects.filter(pk=job.pk).update(attempt=2)

    assert show(anyone, job, "tests/")["count"] == 0
    assert show(anyone, job, "suites/")["count"] == 0


def test_results_of_another_job_are_not_found_below_this_one(
    alice: User, anyone: APIClient, job: Job
) -> None:
    other = build.job(submitter=alice, state=State.RUNNING, device="qemu02")
    suite = show(anyone, job, "suites/")["results"][0]["id"]
    test = show(anyone, job, "tests/")["results"][0]["id"]

    for path in (f"suites/{suite}/", f"suites/{suite}/tests/", f"suites/{suite}/tests/{test}/"):
        assert anyone.get(f"/api/v0.2/jobs/{other.pk}/{path}").status_code == 404


@pytest.mark.parametrize("path", ["suites/", "tests/"])
def test_a_job_without_results_has_empty_lists(alice: User, anyone: APIClient, path: str) -> None:
    job = build.job(submitter=alice)

    assert show(anyone, job, path) == {"count": 0, "next": None, "previous": None, "results": []}


def test_a_list_costs_the_same_queries_however_long_it_is(
    anyone: APIClient, job: Job, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(4):  # the job, the count, the tests, the numbers of their sets
        show(anyone, job, "tests/")
    with django_assert_num_queries(3):  # the job, the count, the suites
        show(anyone, job, "suites/")
