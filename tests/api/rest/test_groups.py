"""Jobs of a group as LAVA's version 0.2 shows them."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from jobs.models import Job, Visibility
from jobs.states import State
from tests import build
from tests.api.conftest import Login
from tests.api.rest.test_jobs import JOBS, ids


def test_a_submitted_group_is_told_by_its_numbers_in_lavas_form(alice: User, login: Login) -> None:
    build.device("qemu01")
    build.device("qemu02")

    answer = login(alice).post(JOBS, {"definition": build.multinode("server", "client")})

    first, second = Job.objects.order_by("pk")
    numbers = [f"{first.pk}.0", f"{first.pk}.1"]
    assert answer.status_code == 201
    assert answer.json() == {
        "message": f"Jobs {', '.join(numbers)} are submitted.",
        "job_ids": numbers,
        "uuids": [str(first.uuid), str(second.uuid)],
    }


def test_a_job_that_is_run_again_takes_its_whole_group_with_it(alice: User, login: Login) -> None:
    first, _ = build.members("server", "client", submitter=alice, state=State.FINISHED)

    answer = login(alice).post(f"{JOBS}{first.pk}.1/resubmit/")

    new = Job.objects.filter(pk__gt=first.pk + 1).order_by("pk")
    assert answer.status_code == 201
    assert answer.json()["job_ids"] == [job.number for job in new] == [f"{new[0].pk}.0", f"{new[0].pk}.1"]


def test_a_group_is_run_again_by_those_who_see_every_job_of_it(
    alice: User, mallory: User, login: Login
) -> None:
    first, hidden = build.members("server", "hush", submitter=alice, state=State.FINISHED)
    Job.objects.filter(pk=hidden.pk).update(visibility=Visibility.PERSONAL)

    answer = login(mallory).post(f"{JOBS}{first.pk}/resubmit/")

    assert answer.status_code == 403
    assert "hush" not in answer.content.decode()
    assert Job.objects.count() == 2


def test_a_job_of_a_group_has_its_own_definition_and_the_whole_one(anyone: APIClient) -> None:
    first, second = build.members("server", "client")

    told = anyone.get(f"{JOBS}{second.pk}/").json()

    assert told["id"] == second.pk
    assert told["definition"] == told["original_definition"] == second.definition
    assert told["multinode_definition"] == first.group.definition


def test_a_job_without_a_group_has_an_empty_whole_definition(anyone: APIClient) -> None:
    assert anyone.get(f"{JOBS}{build.job().pk}/").json()["multinode_definition"] == ""


@pytest.mark.parametrize("address", [JOBS, f"{JOBS}{{0}}/"])
def test_the_whole_definition_is_for_those_who_see_every_job_of_the_group(
    alice: User, mallory: User, login: Login, address: str
) -> None:
    first, hidden = build.members("server", "hush", submitter=alice)
    Job.objects.filter(pk=hidden.pk).update(visibility=Visibility.PERSONAL)

    assert "hush" not in login(mallory).get(address.format(first.pk)).content.decode()
    assert "hush" in login(alice).get(address.format(first.pk)).content.decode()


def test_a_list_asks_the_database_as_often_for_many_groups_as_for_one(anyone: APIClient) -> None:
    build.members("server", "client")
    build.job()
    with CaptureQueriesContext(connection) as for_one:
        anyone.get(JOBS)

    for number in (10, 20):
        build.members("server", "client", "client", device=f"qemu{number}")
    with CaptureQueriesContext(connection) as for_three:
        anyone.get(JOBS)

    assert len(for_three) == len(for_one)


@pytest.mark.parametrize(
    "below", ["", "definition/", "metadata/", "suites/", "tests/", "csv/", "yaml/", "junit/", "tap13/"]
)
def test_a_job_is_found_by_its_number_in_the_group(anyone: APIClient, below: str) -> None:
    first, second = build.members("server", "client", state=State.FINISHED)
    build.case(second)

    by_number = anyone.get(f"{JOBS}{first.pk}.1/{below}")
    by_id = anyone.get(f"{JOBS}{second.pk}/{below}")

    assert by_number.status_code == 200
    assert _content(by_number).replace(f"jobs/{first.pk}.1/", f"jobs/{second.pk}/") == _content(by_id)


@pytest.mark.parametrize("number", ["{0}.2", "{1}.0", "{0}.", "{0}.1.1", "{0}.x"])
def test_a_number_that_no_job_has_is_not_found(anyone: APIClient, number: str) -> None:
    first, second = build.members("server", "client")

    assert anyone.get(f"{JOBS}{number.format(first.pk, second.pk)}/").status_code == 404


def test_the_jobs_of_a_group_are_listed_by_it(anyone: APIClient) -> None:
    first, second = build.members("server", "client")
    build.job()

    assert ids(anyone, f"target_group={first.group_id}") == [second.pk, first.pk]
    assert ids(anyone, f"target_group={uuid4()}") == []
    assert anyone.get(f"{JOBS}?target_group=12").status_code == 400


@pytest.mark.parametrize("number", ["{0}.1", "{1}"])
def test_a_job_is_canceled_by_its_number(alice: User, login: Login, number: str) -> None:
    first, second = build.members("server", "client", submitter=alice)

    answer = login(alice).post(f"{JOBS}{number.format(first.pk, second.pk)}/cancel/")

    second.refresh_from_db()
    assert second.is_finished
    assert answer.json()["message"].startswith(f"Job {first.pk}.1 is finished")


def test_jobs_are_canceled_together_by_their_numbers(alice: User, mallory: User, login: Login) -> None:
    first, second = build.members("server", "client", submitter=alice)
    plain = build.job(submitter=alice)
    hers, _ = build.members("server", "client", submitter=mallory)
    wanted: list[Any] = [f"{first.pk}.1", plain.pk, f"{hers.pk}.0", f"{first.pk}.7"]

    answer = login(alice).post(f"{JOBS}batch_cancel/", {"job_ids": wanted})

    second.refresh_from_db()
    assert answer.json()["job_ids"] == [f"{first.pk}.1", plain.pk]
    assert answer.json()["invalid_job_ids"] == [f"{hers.pk}.0", f"{first.pk}.7"]
    assert second.is_finished


def _content(answer: Any) -> str:
    return b"".join(answer).decode() if answer.streaming else answer.content.decode()
