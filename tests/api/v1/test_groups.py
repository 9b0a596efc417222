"""Jobs of a group in version 1."""

from __future__ import annotations

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
from tests.api.v1.test_jobs import JOBS, ids


def test_a_submitted_group_is_told_by_its_first_job(alice: User, login: Login) -> None:
    build.device("qemu01")
    build.device("qemu02")
    client = login(alice)

    answer = client.post(JOBS, {"definition": build.multinode("server", "client")})

    first, second = Job.objects.order_by("pk")
    assert answer.status_code == 201
    assert answer["Location"] == f"http://testserver{JOBS}{first.pk}/"
    assert answer.json() == client.get(answer["Location"]).json()
    assert [job["id"] for job in answer.json()["group"]["jobs"]] == [first.pk, second.pk]


def test_a_job_that_is_run_again_takes_its_whole_group_with_it(alice: User, login: Login) -> None:
    _, second = build.members("server", "client", submitter=alice, state=State.FINISHED)

    answer = login(alice).post(f"{JOBS}{second.number}/resubmit/")

    new = Job.objects.filter(pk__gt=second.pk).order_by("pk")
    assert answer.status_code == 201
    assert [job["number"] for job in answer.json()["group"]["jobs"]] == [job.number for job in new]


def test_a_group_is_run_again_by_those_who_see_every_job_of_it(
    alice: User, mallory: User, login: Login
) -> None:
    first, hidden = build.members("server", "hush", submitter=alice, state=State.FINISHED)
    Job.objects.filter(pk=hidden.pk).update(visibility=Visibility.PERSONAL)

    answer = login(mallory).post(f"{JOBS}{first.pk}/resubmit/")

    assert answer.status_code == 403
    assert "hush" not in answer.content.decode()
    assert Job.objects.count() == 2


def test_a_job_of_a_group_tells_of_it(anyone: APIClient) -> None:
    first, second = build.members("server", "client")

    told = anyone.get(f"{JOBS}{second.pk}/").json()

    assert (told["id"], told["number"]) == (second.pk, f"{first.pk}.1")
    assert told["group"] == {
        "id": str(first.group_id),
        "first": first.pk,
        "size": 2,
        "member": 1,
        "role": "client",
        "essential": False,
        "jobs": [
            {
                "id": job.pk,
                "number": f"{first.pk}.{at}",
                "role": role,
                "url": f"http://testserver/job/{job.pk}/",
            }
            for at, (job, role) in enumerate([(first, "server"), (second, "client")])
        ],
    }


def test_a_job_without_a_group_has_its_id_as_its_number(anyone: APIClient) -> None:
    job = build.job()

    told = anyone.get(f"{JOBS}{job.pk}/").json()

    assert (told["number"], told["group"]) == (str(job.pk), None)


def test_of_a_group_only_the_number_of_hidden_jobs_is_told(alice: User, mallory: User, login: Login) -> None:
    first, hidden = build.members("server", "hush", submitter=alice)
    Job.objects.filter(pk=hidden.pk).update(visibility=Visibility.PERSONAL)

    answer = login(mallory).get(JOBS)

    group = answer.json()["items"][0]["group"]
    assert (group["size"], [job["id"] for job in group["jobs"]]) == (2, [first.pk])
    assert "hush" not in answer.content.decode()


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


def test_the_jobs_of_a_group_are_listed_by_its_id_and_by_its_first_number(anyone: APIClient) -> None:
    first, second = build.members("server", "client")
    build.job()

    assert ids(anyone, f"group={first.group_id}") == [second.pk, first.pk]
    assert ids(anyone, f"group={first.pk}") == [second.pk, first.pk]
    assert ids(anyone, f"group={second.pk}") == ids(anyone, f"group={uuid4()}") == []


@pytest.mark.parametrize("group", ["x", "1.0", "-1", "9" * 19, ""])
def test_a_group_that_cannot_be_is_refused(anyone: APIClient, group: str) -> None:
    answer = anyone.get(f"{JOBS}?group={group}")

    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["group"])


@pytest.mark.parametrize("below", ["", "definition/", "results/", "attempts/", "steps/", "waits/"])
def test_a_job_is_found_by_its_number_in_the_group(anyone: APIClient, below: str) -> None:
    first, second = build.members("server", "client", state=State.FINISHED)

    by_number = anyone.get(f"{JOBS}{first.pk}.1/{below}")

    assert by_number.status_code == 200
    assert by_number.content == anyone.get(f"{JOBS}{second.pk}/{below}").content


def test_a_number_that_no_job_has_is_not_found_and_named(anyone: APIClient) -> None:
    first, _ = build.members("server", "client")

    answer = anyone.get(f"{JOBS}{first.pk}.2/")

    assert answer.status_code == 404
    assert answer.json()["detail"] == f"There is no job {first.pk}.2, or it is hidden from you."


def test_a_definition_is_that_of_the_job_or_of_its_whole_group(anyone: APIClient) -> None:
    first, second = build.members("server", "client")

    own = anyone.get(f"{JOBS}{first.pk}.1/definition/")
    whole = anyone.get(f"{JOBS}{first.pk}.1/definition/?whole=true")

    assert own.content.decode() == second.definition
    assert whole.content.decode() == first.group.definition


def test_the_whole_definition_is_for_those_who_see_every_job_of_the_group(
    alice: User, mallory: User, login: Login
) -> None:
    first, hidden = build.members("server", "hush", submitter=alice)
    Job.objects.filter(pk=hidden.pk).update(visibility=Visibility.PERSONAL)
    address = f"{JOBS}{first.pk}/definition/?whole=true"

    assert login(mallory).get(address).status_code == 404
    assert login(alice).get(address).status_code == 200


@pytest.mark.parametrize("number", ["{0}.1", "{1}"])
def test_a_job_is_canceled_by_its_number(alice: User, login: Login, number: str) -> None:
    first, second = build.members("server", "client", submitter=alice)

    answer = login(alice).post(f"{JOBS}{number.format(first.pk, second.pk)}/cancel/")

    assert (answer.status_code, answer.json()["number"]) == (200, f"{first.pk}.1")
    assert answer.json()["state"] == "Finished"
