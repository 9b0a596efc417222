from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from devices.models import DeviceType
from jobs import lifecycle
from jobs.models import Job
from jobs.states import Health, State
from tests import build
from tests.api.conftest import Login

JOBS = "/api/v0.2/jobs/"


def ids(client: APIClient, query: str = "") -> list[int]:
    return [job["id"] for job in client.get(f"{JOBS}?{query}").json()["results"]]


# Submitting.


@pytest.mark.parametrize("form", ["json", "multipart", "urlencoded"])
def test_a_definition_is_submitted_in_each_form(alice: User, login: Login, form: str) -> None:
    build.device()
    data = {"definition": build.definition("hello")}
    urlencoded = {"data": urlencode(data), "content_type": "application/x-www-form-urlencoded"}
    body: dict[str, Any] = urlencoded if form == "urlencoded" else {"data": data, "format": form}

    answer = login(alice).post(JOBS, **body)

    job = Job.objects.get()
    assert answer.status_code == 201
    assert answer.json() == {
        "message": f"Job {job.pk} is submitted.",
        "job_ids": [job.pk],
        "uuids": [str(job.uuid)],
    }
    assert (job.submitter, job.definition) == (alice, build.definition("hello"))


def test_a_definition_is_submitted_as_a_file(alice: User, login: Login) -> None:
    build.device()
    file = SimpleUploadedFile("job.yaml", build.definition("grün").encode())

    answer = login(alice).post(JOBS, {"definition": file}, format="multipart")

    assert answer.status_code == 201
    assert Job.objects.get().definition == build.definition("grün")


def test_parameters_of_a_list_do_not_disturb_a_submission(alice: User, login: Login) -> None:
    build.device()

    answer = login(alice).post(f"{JOBS}?format=json&limit=256", {"definition": build.definition()})

    assert answer.status_code == 201


def test_every_fault_of_a_definition_is_named_with_its_path_and_line(alice: User, login: Login) -> None:
    build.device()
    text = build.definition(priority="urgent", timeouts={"job": {"minutes": "soon"}})

    answer = login(alice).post(JOBS, {"definition": text})

    faults = answer.json()["message"].splitlines()
    assert answer.status_code == 400
    assert [fault.split(":")[0] for fault in faults] == ["timeouts.job.minutes", "priority"]
    assert all("(line " in fault for fault in faults)
    assert not Job.objects.exists()


def test_text_that_is_no_yaml_is_refused_with_its_line(alice: User, login: Login) -> None:
    answer = login(alice).post(JOBS, {"definition": "job_name: x\n\t- y"})

    assert answer.status_code == 400
    assert "line 2" in answer.json()["message"]


def test_half_a_character_in_an_escape_is_refused(alice: User, login: Login) -> None:
    build.device()

    answer = login(alice).post(JOBS, {"definition": build.definition() + 'metadata: {note: "\\ud800"}\n'})

    assert answer.status_code == 400


def test_an_unknown_device_type_is_refused_with_those_that_are_known(alice: User, login: Login) -> None:
    build.device()

    answer = login(alice).post(JOBS, {"definition": build.definition(device_type="nosuch")})

    assert answer.status_code == 400
    assert "'nosuch'" in answer.json()["message"]
    assert "qemu" in answer.json()["message"]


@pytest.mark.parametrize("body", [{}, {"definition": ""}, {"definition": None}, {"definition": ["x"]}])
def test_a_missing_definition_is_a_fault_of_its_field(
    alice: User, login: Login, body: dict[str, Any]
) -> None:
    answer = login(alice).post(JOBS, body)

    assert answer.status_code == 400
    assert list(answer.json()) == ["definition"]


def test_a_body_that_is_no_object_is_refused(alice: User, login: Login) -> None:
    assert login(alice).post(JOBS, [1, 2]).status_code == 400


def test_an_anonymous_submission_is_refused_in_lavas_words(anyone: APIClient) -> None:
    answer = anyone.post(JOBS, {"definition": "job_name: x\n"})

    assert answer.status_code == 403
    assert answer.json() == {"detail": "Authentication credentials were not provided."}


def test_a_wrong_token_is_refused_in_lavas_words_even_for_reading(anyone: APIClient) -> None:
    answer = anyone.get(JOBS, HTTP_AUTHORIZATION="Token wrong")

    assert answer.status_code == 403
    assert answer.json() == {"detail": "Invalid token."}


def test_a_session_submits_only_with_the_csrf_token(alice: User, browser: APIClient) -> None:
    build.device()
    browser.login(username="alice", password=build.PASSWORD)

    without = browser.post(JOBS, {"definition": build.definition()})
    token = "a" * 32
    browser.cookies["csrftoken"] = token
    with_it = browser.post(JOBS, {"definition": build.definition()}, HTTP_X_CSRFTOKEN=token)

    assert (without.status_code, with_it.status_code) == (403, 201)
    assert "CSRF" in without.json()["detail"]


# Reading.


def test_a_job_is_shown_with_and_without_the_slash(alice: User, anyone: APIClient) -> None:
    job = build.job(submitter=alice)

    slash, bare = anyone.get(f"{JOBS}{job.pk}/"), anyone.get(f"{JOBS}{job.pk}?format=json")

    assert slash.status_code == bare.status_code == 200
    assert slash.json() == bare.json()
    assert slash.json()["uuid"] == str(job.uuid)


def test_a_browser_gets_json_too(alice: User, anyone: APIClient) -> None:
    answer = anyone.get(JOBS, HTTP_ACCEPT="text/html,application/xml")

    assert (answer.status_code, answer["Content-Type"]) == (200, "application/json")


def test_times_are_utc_whatever_zone_the_pages_show(alice: User, anyone: APIClient, settings: Any) -> None:
    settings.TIME_ZONE = "Asia/Tokyo"
    job = build.job(submitter=alice)

    shown = anyone.get(f"{JOBS}{job.pk}/").json()["submit_time"]

    assert shown == job.submit_time.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@pytest.mark.parametrize(
    "job_id", ["999", "abc", "9" * 18, "9" * 400, "1.5", "-1", "%00", "%ff", "\N{ARABIC-INDIC DIGIT ONE}"]
)
@pytest.mark.parametrize("part", ["", "/logs", "/suites", "/tests", "/suites/1/tests/1"])
def test_a_job_that_is_not_there_is_not_found(anyone: APIClient, job_id: str, part: str) -> None:
    answer = anyone.get(f"{JOBS}{job_id}{part}/")

    assert answer.status_code == 404
    assert answer.json() == {"detail": "Not found."}


@pytest.mark.parametrize("part", ["", "logs/", "suites/", "tests/", "suites/1/", "suites/1/tests/"])
def test_a_hidden_job_is_not_found_by_a_stranger(alice: User, mallory: User, login: Login, part: str) -> None:
    job = build.job(submitter=alice, visibility="personal")

    answer = login(mallory).get(f"{JOBS}{job.pk}/{part}")

    assert answer.status_code == 404
    assert answer.json() == {"detail": "Not found."}


def test_a_list_shows_what_its_reader_may_see(alice: User, bob: User, mallory: User, login: Login) -> None:
    public = build.job(submitter=alice)
    shared = build.job(submitter=alice, visibility={"group": ["kernel"]})
    own = build.job(submitter=alice, visibility="personal")

    assert ids(login(alice)) == [own.pk, shared.pk, public.pk]
    assert ids(login(bob)) == [shared.pk, public.pk]
    assert ids(login(mallory)) == [public.pk]


def test_a_list_comes_in_pages_whose_links_keep_the_filters(alice: User, anyone: APIClient) -> None:
    first, second, third = (build.job(submitter=alice).pk for _ in range(3))

    page = anyone.get(f"{JOBS}?limit=2&state=Submitted").json()
    rest = anyone.get(page["next"]).json()

    assert page["count"] == 3
    assert [job["id"] for job in page["results"]] == [third, second]
    assert page["next"] == f"http://testserver{JOBS}?limit=2&offset=2&state=Submitted"
    assert [job["id"] for job in rest["results"]] == [first]
    assert rest["previous"] == f"http://testserver{JOBS}?limit=2&state=Submitted"


def test_a_list_costs_the_same_queries_however_long_it_is(
    alice: User, anyone: APIClient, django_assert_num_queries: Any
) -> None:
    build.device(tags=("usb",))
    for _ in range(5):
        build.job(submitter=alice, tags=["usb"])

    with django_assert_num_queries(4):  # the count, the jobs, their tags, their groups
        anyone.get(JOBS)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("state=Submitted", ["queued"]),
        ("state=submitted", ["queued"]),
        ("state__in=Submitted,Running", ["queued", "running"]),
        ("health=Incomplete", ["failed"]),
        ("health__in=Incomplete,Unknown&ordering=id", ["queued", "running", "failed"]),
        ("submitter=alice", ["queued", "running"]),
        ("submitter__username=bob", ["failed"]),
        ("requested_device_type=qemu", ["queued", "running"]),
        ("requested_device_type__name=rpi", ["failed"]),
        ("actual_device=qemu01", ["running"]),
        ("actual_device__hostname__startswith=rpi", ["failed"]),
        ("description__icontains=FAIL", ["failed"]),
        ("definition__contains=job_name", ["queued", "running", "failed"]),
        ("description__in=queued,failed", ["queued", "failed"]),
        ("tags__name=usb", ["running"]),
        ("priority__gt=50", ["failed"]),
        ("health_check=true", []),
        ("end_time__isnull=true", ["queued", "running"]),
        ("failure_comment__isnull=false", ["failed"]),
        ("submit_time__gt=2020-01-01", ["queued", "running", "failed"]),
        ("submit_time__lt=2020-01-01T00:00:00Z", []),
        ("viewing_groups__name=kernel", []),
        ("search=QUEUE", ["queued"]),
        ("search=bob", ["failed"]),
        ("search=rpi", ["failed"]),
        ("search=alice%20qemu01", ["running"]),
        ("search=nobody", []),
        ("state=&unknown=1", ["queued", "running", "failed"]),
    ],
)
def test_a_list_is_narrowed_by_filters(
    alice: User, bob: User, anyone: APIClient, query: str, found: list[str]
) -> None:
    build.device(tags=("usb",))
    queued = build.job(submitter=alice, name="queued")
    running = build.job(submitter=alice, state=State.RUNNING, name="running", tags=["usb"])
    failed = build.job(
        submitter=bob,
        state=State.FINISHED,
        device="rpi01",
        device_type="rpi",
        ending=build.FAILED,
        name="failed",
        priority="high",
    )
    names = {queued.pk: "queued", running.pk: "running", failed.pk: "failed"}

    assert sorted(ids(anyone, query)) == sorted(pk for pk, name in names.items() if name in found)


def test_ids_are_compared_as_numbers(alice: User, anyone: APIClient) -> None:
    first, second, third = (build.job(submitter=alice).pk for _ in range(3))

    assert ids(anyone, f"id={second}") == [second]
    assert ids(anyone, f"id__gt={second}") == [third]
    assert ids(anyone, f"id__lt={second}") == [first]
    assert ids(anyone, f"id__in={first},{third}") == [third, first]


@pytest.mark.parametrize(
    ("query", "names", "words"),
    [
        ("state=Bogus", ["state"], "Submitted, Scheduling, Scheduled, Running, Canceling, Finished"),
        ("health__in=Complete,Fine", ["health__in"], "Unknown, Complete, Incomplete, Canceled"),
        ("id=abc", ["id"], "a whole number"),
        (f"id__in=1,{'9' * 30}", ["id__in"], "18 digits"),
        ("submit_time__gt=yesterday", ["submit_time__gt"], "2026-11-22T03:28:46Z"),
        ("submit_time=0001-01-01T00:00:00%2B23:59", ["submit_time"], "2026-11-22T03:28:46Z"),
        ("end_time__isnull=maybe", ["end_time__isnull"], "true or false"),
        ("ordering=colour", ["ordering"], "submit_time"),
        ("limit=many", ["limit"], "a whole number"),
        ("offset=-1", ["offset"], "a whole number"),
        ("state=Bogus&health=Bogus", ["state", "health"], "none of"),
    ],
)
def test_a_filter_value_that_cannot_be_is_refused_with_what_could(
    anyone: APIClient, query: str, names: list[str], words: str
) -> None:
    answer = anyone.get(f"{JOBS}?{query}")

    assert answer.status_code == 400
    assert list(answer.json()) == names
    assert words in json.dumps(answer.json())


@pytest.mark.parametrize("query", [f"id={'9' * 18}", f"limit={'9' * 18}", f"offset={'9' * 18}", "limit=0"])
def test_a_very_large_number_is_only_a_number(alice: User, anyone: APIClient, query: str) -> None:
    build.job(submitter=alice)

    assert anyone.get(f"{JOBS}?{query}").status_code == 200


def test_a_page_is_as_large_as_it_is_asked_to_be(
    alice: User, anyone: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    pks = [build.job(submitter=alice).pk for _ in range(5)]
    small = anyone.get(f"{JOBS}?limit=4").json()
    monkeypatch.setattr("api.rest.base.AT_ONCE", 2)

    answer = anyone.get(f"{JOBS}?limit=4")

    assert answer.streaming
    assert answer["Content-Type"] == "application/json"
    assert json.loads(answer.getvalue()) == small
    assert [job["id"] for job in small["results"]] == pks[:0:-1]


@pytest.mark.parametrize("ordering", ["-id", "id", "-priority"])
def test_every_page_knows_its_jobs_and_how_many_there_are_in_all(
    ordering: str, alice: User, anyone: APIClient
) -> None:
    for priority in (3, 1, 2, 3, 1):
        build.job(submitter=alice, priority=priority)
    whole = ids(anyone, f"ordering={ordering}")

    for offset in range(len(whole) + 2):
        page = anyone.get(f"{JOBS}?ordering={ordering}&limit=2&offset={offset}").json()

        assert page["count"] == len(whole)
        assert [job["id"] for job in page["results"]] == whole[offset : offset + 2]


def test_a_page_reads_the_texts_of_its_own_jobs_only(alice: User, anyone: APIClient) -> None:
    for _ in range(3):
        build.job(submitter=alice)

    with CaptureQueriesContext(connection) as queries:
        anyone.get(f"{JOBS}?limit=1&offset=2")

    assert [
        query["sql"] for query in queries if "OFFSET" in query["sql"] and "definition" in query["sql"]
    ] == []


def test_what_has_no_value_is_the_largest_in_every_order(alice: User, anyone: APIClient) -> None:
    finished = build.job(submitter=alice, state=State.FINISHED)
    later = build.job(submitter=alice, state=State.FINISHED)
    queued = build.job(submitter=alice)

    assert ids(anyone, "ordering=end_time") == [finished.pk, later.pk, queued.pk]
    assert ids(anyone, "ordering=-end_time") == [queued.pk, later.pk, finished.pk]


def test_rows_that_are_equal_stand_in_the_order_of_their_ids(alice: User, anyone: APIClient) -> None:
    pks = [build.job(submitter=alice).pk for _ in range(3)]

    assert ids(anyone, "ordering=priority,-state") == pks


# Canceling and running again.


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("path", ["cancel/", "cancel"])
def test_the_owner_cancels_by_get_and_by_post(alice: User, login: Login, method: str, path: str) -> None:
    job = build.job(submitter=alice)

    answer = getattr(login(alice), method)(f"{JOBS}{job.pk}/{path}")

    job.refresh_from_db()
    assert (answer.status_code, answer.json()) == (200, {"message": f"Job {job.pk} is finished: Canceled."})
    assert (job.state, job.health) == (State.FINISHED, Health.CANCELED)


def test_a_running_job_is_asked_to_stop(alice: User, login: Login) -> None:
    job = build.job(submitter=alice, state=State.RUNNING)

    answer = login(alice).post(f"{JOBS}{job.pk}/cancel/")

    job.refresh_from_db()
    assert answer.json() == {"message": f"Job {job.pk} is asked to stop."}
    assert job.state == State.CANCELING


def test_canceling_a_finished_job_changes_nothing(alice: User, login: Login) -> None:
    job = build.job(submitter=alice, state=State.FINISHED)
    before = build.events_of(job)

    answer = login(alice).post(f"{JOBS}{job.pk}/cancel/")

    assert (answer.status_code, answer.json()) == (200, {"message": f"Job {job.pk} is finished: Complete."})
    assert build.events_of(job) == before


def test_a_stranger_does_not_cancel(alice: User, mallory: User, login: Login) -> None:
    job = build.job(submitter=alice)

    answer = login(mallory).post(f"{JOBS}{job.pk}/cancel/")

    job.refresh_from_db()
    assert answer.status_code == 403
    assert "alice" in answer.json()["message"]
    assert job.state == State.SUBMITTED


def test_a_hidden_job_cannot_be_canceled_by_a_stranger_who_guesses(
    alice: User, mallory: User, login: Login
) -> None:
    job = build.job(submitter=alice, visibility="personal")

    assert login(mallory).post(f"{JOBS}{job.pk}/cancel/").status_code == 404


def test_an_administrator_cancels_what_is_hidden(alice: User, admin: User, login: Login) -> None:
    job = build.job(submitter=alice, visibility="personal")

    assert login(admin).post(f"{JOBS}{job.pk}/cancel/").status_code == 200


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_session_alone_cancels_nothing(alice: User, browser: APIClient, method: str) -> None:
    job = build.job(submitter=alice)
    browser.login(username="alice", password=build.PASSWORD)

    answer = getattr(browser, method)(f"{JOBS}{job.pk}/cancel/")

    job.refresh_from_db()
    assert answer.status_code == 403
    assert job.state == State.SUBMITTED


def test_looking_at_the_head_of_cancel_cancels_nothing(alice: User, login: Login) -> None:
    job = build.job(submitter=alice)

    answer = login(alice).head(f"{JOBS}{job.pk}/cancel/")

    job.refresh_from_db()
    assert answer.status_code == 405
    assert job.state == State.SUBMITTED


def test_a_job_that_was_deleted_meanwhile_is_not_found(
    alice: User, login: Login, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = build.job(submitter=alice, state=State.FINISHED)

    def deleted(job_id: int, **_: Any) -> Job:
        Job.objects.filter(pk=job_id).delete()
        found: Job = Job.objects.get(pk=job_id)
        return found

    monkeypatch.setattr(lifecycle, "cancel", deleted)

    assert login(alice).post(f"{JOBS}{job.pk}/cancel/").status_code == 404


def test_whoever_sees_a_job_runs_it_again_as_a_job_of_their_own(alice: User, bob: User, login: Login) -> None:
    job = build.job(submitter=alice, state=State.FINISHED)

    answer = login(bob).post(f"{JOBS}{job.pk}/resubmit/")

    new = Job.objects.get(pk=answer.json()["job_ids"][0])
    assert answer.status_code == 201
    assert (new.submitter, new.definition, new.resubmitted_from) == (bob, job.definition, job)


def test_a_hidden_job_is_not_run_again_by_a_stranger(alice: User, mallory: User, login: Login) -> None:
    job = build.job(submitter=alice, visibility="personal", state=State.FINISHED)

    assert login(mallory).post(f"{JOBS}{job.pk}/resubmit/").status_code == 404
    assert Job.objects.count() == 1


def test_a_job_is_not_run_again_by_looking(alice: User, login: Login) -> None:
    job = build.job(submitter=alice, state=State.FINISHED)

    assert login(alice).get(f"{JOBS}{job.pk}/resubmit/").status_code == 405
    assert Job.objects.count() == 1


def test_a_job_whose_devices_are_gone_is_not_run_again(alice: User, login: Login) -> None:
    job = build.job(submitter=alice, state=State.FINISHED)
    DeviceType.objects.get().devices.all().delete()

    answer = login(alice).post(f"{JOBS}{job.pk}/resubmit/")

    assert answer.status_code == 400
    assert "no device of type qemu" in answer.json()["message"]


# Validating.


def test_everybody_may_ask_whether_a_definition_is_valid(anyone: APIClient) -> None:
    build.device()

    answer = anyone.post(f"{JOBS}validate/", {"definition": build.definition(), "strict": True})

    assert (answer.status_code, answer.json()) == (200, {"message": "Job valid."})
    assert not Job.objects.exists()


def test_what_is_invalid_is_answered_with_every_fault(anyone: APIClient) -> None:
    build.device()
    text = build.definition(priority="urgent", visibility="secret")

    answer = anyone.post(f"{JOBS}validate", {"definition": text})

    message = answer.json()["message"]
    assert answer.status_code == 200
    assert message.startswith("Job invalid: ")
    assert "priority: " in message
    assert "visibility: " in message
