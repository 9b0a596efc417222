"""Jobs in the admin site."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries, DjangoCaptureOnCommitCallbacks

from events.models import Event
from jobs.models import Job
from jobs.states import Health, State
from tests import build
from tests.build import events_of

LIST = reverse("admin:jobs_job_changelist")


@pytest.fixture
def site(client: Client, admin: User) -> Client:
    client.force_login(admin)
    return client


def act(site: Client, action: str, *jobs: Job, **fields: str) -> Any:
    form = {"action": action, "_selected_action": [job.pk for job in jobs], **fields}
    return site.post(LIST, form, follow=True)


def cancel(site: Client, *jobs: Job, reason: str = "") -> Any:
    return act(site, "cancel", *jobs, confirmed="yes", reason=reason)


def delete(site: Client, *jobs: Job) -> Any:
    return act(site, "delete_selected", *jobs, post="yes")


def said(answer: Any) -> list[str]:
    return [str(message) for message in answer.context["messages"]]


def write_log(job: Job) -> Path:
    """A log of the job's first attempt; the directory of all its attempts."""
    directory = job.log_directory()
    directory.mkdir(parents=True)
    (directory / "output.log").write_text("hello\n")
    return directory.parent


def test_canceling_asks_for_a_reason_before_it_changes_anything(site: Client) -> None:
    job = build.job()

    answer = act(site, "cancel", job)

    assert 'name="reason"' in answer.content.decode()
    job.refresh_from_db()
    assert job.state == State.SUBMITTED


def test_canceling_takes_waiting_jobs_out_and_asks_started_ones_to_stop(site: Client) -> None:
    running = build.job(state=State.RUNNING)
    waiting = build.job()

    answer = cancel(site, running, waiting, reason="wrong kernel")

    assert said(answer)[0].startswith("Canceled, or asked to stop: job ")
    running.refresh_from_db()
    waiting.refresh_from_db()
    assert (running.state, waiting.state) == (State.CANCELING, State.FINISHED)
    assert (running.failure_comment, waiting.failure_comment) == ("wrong kernel", "wrong kernel")
    assert events_of(running)[-1] == "job.cancel_requested"
    assert events_of(waiting)[-2:] == ["job.removal_requested", "job.removed"]
    assert Event.objects.filter(type="job.removed").get().actor == "admin"


def test_canceling_leaves_a_finished_job_as_it_is(site: Client) -> None:
    job = build.job(state=State.FINISHED)

    answer = cancel(site, job)

    assert said(answer) == ["All were finished already."]
    job.refresh_from_db()
    assert job.health == Health.COMPLETE


@pytest.mark.parametrize("state", [State.SCHEDULED, State.RUNNING, State.CANCELING])
def test_a_job_at_work_is_not_deleted_and_the_answer_says_what_to_do(site: Client, state: State) -> None:
    job = build.job(state=state)

    answer = site.post(reverse("admin:jobs_job_delete", args=[job.pk]), {"post": "yes"}, follow=True)

    assert said(answer) == [
        f"Nothing was changed: job {job.pk} is {state.label}. Cancel it and wait for its end, then delete it."
    ]
    assert Job.objects.get().state == state


def test_deleting_many_jobs_deletes_none_if_one_is_at_work(
    site: Client, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    finished = build.job(state=State.FINISHED)
    waiting = build.job()
    running = build.job(state=State.RUNNING, device="qemu02")
    log = write_log(finished)

    with django_capture_on_commit_callbacks(execute=True):
        answer = delete(site, finished, waiting, running)

    assert "Cancel it and wait for its end" in said(answer)[0]
    assert Job.objects.count() == 3
    waiting.refresh_from_db()
    assert waiting.state == State.SUBMITTED
    assert log.exists()


def test_a_finished_job_is_deleted_with_its_log_and_an_event(
    site: Client, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    job = build.job(state=State.FINISHED)
    log = write_log(job)

    with django_capture_on_commit_callbacks(execute=True):
        delete(site, job)

    assert not Job.objects.exists()
    assert not log.exists()
    event = Event.objects.get(type="job.deleted")
    assert (event.job_id, event.actor) == (job.pk, "admin")


def test_the_log_stays_until_the_deletion_is_certain(
    site: Client, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    job = build.job(state=State.FINISHED)
    log = write_log(job)

    with django_capture_on_commit_callbacks(execute=False):
        delete(site, job)

    assert not Job.objects.exists()
    assert (log / "1" / "output.log").read_text() == "hello\n"


def test_a_waiting_job_is_canceled_and_then_deleted(site: Client) -> None:
    job = build.job()

    delete(site, job)

    assert not Job.objects.exists()
    assert events_of(job) == ["job.submitted", "job.removal_requested", "job.removed", "job.deleted"]


def test_the_page_before_a_deletion_tells_how_much_goes(site: Client) -> None:
    job = build.job(state=State.FINISHED)
    waiting = build.job()

    page = act(site, "delete_selected", job, waiting).content.decode()

    assert "Jobs: 2" in page
    assert "Results: 0" in page
    assert f"job {waiting.pk}: hello (waits in the queue; it is canceled first)" in page


def test_nothing_of_a_job_can_be_written_in_its_page(site: Client) -> None:
    job = build.job(state=State.RUNNING)

    answer = site.post(reverse("admin:jobs_job_change", args=[job.pk]), {"state": "5", "priority": "100"})

    assert answer.status_code == 403
    job.refresh_from_db()
    assert (job.state, job.priority) == (State.RUNNING, 50)


def test_no_job_is_added_beside_the_verbs(site: Client) -> None:
    assert site.get(reverse("admin:jobs_job_add")).status_code == 403


def test_the_page_of_a_job_shows_its_attempts_and_its_definition(site: Client) -> None:
    job = build.job(state=State.FINISHED, ending=build.BROKEN)

    page = site.get(reverse("admin:jobs_job_change", args=[job.pk])).content.decode()

    assert "the power switch is gone" in page
    assert "job_name: hello" in page
    assert "attempt 1 of job" in page


def test_who_may_only_look_cancels_and_deletes_nothing(client: Client, mallory: User) -> None:
    job = build.job()
    mallory.is_staff = True
    mallory.save()
    mallory.user_permissions.add(Permission.objects.get(codename="view_job"))
    client.force_login(mallory)

    cancel(client, job)
    delete(client, job)

    assert Job.objects.get().state == State.SUBMITTED


@pytest.mark.parametrize("address", ["", "?state__exact=0", "?q=hello", "?q=1"])
def test_the_list_takes_as_many_queries_for_twenty_jobs_as_it_may_for_one(
    site: Client, django_assert_max_num_queries: DjangoAssertNumQueries, address: str
) -> None:
    for number in range(20):
        build.job(submitter=build.user(f"user{number}"), device=f"qemu{number:02}", state=State.SCHEDULED)

    with django_assert_max_num_queries(6):
        assert site.get(LIST + address).status_code == 200


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("nightly", ["nightly kernel", "nightly firmware"]),
        ("alice firm", ["nightly firmware"]),
        ('"nightly kernel"', ["nightly kernel"]),
        ('"kernel nightly"', []),
        ("BOB", ["nightly kernel"]),
        ("7", ["nightly kernel"]),
        ("9" * 5000, []),
    ],
)
def test_jobs_are_found_by_number_words_and_submitter(
    site: Client, alice: User, bob: User, words: str, found: list[str]
) -> None:
    job = build.job(submitter=bob, name="nightly kernel")
    build.job(submitter=alice, name="nightly firmware")
    Job.objects.filter(pk=job.pk).update(id=7)

    shown = site.get(LIST, {"q": words}).context["cl"].result_list

    assert {row.description for row in shown} == set(found)


def test_a_hidden_job_is_hidden_from_staff_with_its_attempts(client: Client, mallory: User) -> None:
    job = build.job(state=State.FINISHED, visibility="personal", name="covert")
    mallory.is_staff = True
    mallory.save()
    mallory.user_permissions.set(
        Permission.objects.filter(codename__in=["view_job", "change_job", "view_attempt"])
    )
    client.force_login(mallory)

    assert "covert" not in client.get(LIST).content.decode()
    assert "covert" not in client.get(reverse("admin:jobs_attempt_changelist")).content.decode()
    assert client.get(reverse("admin:jobs_job_change", args=[job.pk])).status_code == 302


def test_jobs_that_are_put_off_are_told_to_run_now(site: Client) -> None:
    job, other = build.tried_again(), build.job(device="qemu02")

    answer = act(site, "hurry", job, other, confirmed="yes")

    assert said(answer) == [f"Told to run now: {job}"]
    assert not Job.objects.get(pk=job.pk).is_put_off
    assert build.audit_trail() == [f"admin: {job}: Told to run now"]


def test_waiting_jobs_are_put_off_with_a_reason(site: Client) -> None:
    job = build.job()

    asked = act(site, "defer", job)
    answer = act(site, "defer", job, confirmed="yes", minutes="90", reason="at night")

    job.refresh_from_db()
    assert 'name="minutes"' in asked.content.decode()
    assert job.is_put_off
    assert job.not_before_reason == "at night"
    assert said(answer)[0].startswith("Put off until ")


def test_jobs_of_which_one_does_not_wait_are_put_off_together_or_not_at_all(site: Client) -> None:
    waiting, started = build.job(), build.job(device="qemu02", state=State.RUNNING)

    answer = act(site, "defer", waiting, started, confirmed="yes", minutes="90")

    waiting.refresh_from_db()
    assert not waiting.is_put_off
    assert said(answer) == [
        f"Nothing was changed: job {started.pk} is Running; only a job that waits can be deferred"
    ]


def test_jobs_are_run_again_and_a_group_once(site: Client) -> None:
    job, group = build.job(), build.members("server", "client")

    answer = act(site, "resubmit", job, *group, confirmed="yes")

    new = Job.objects.exclude(resubmitted_from=None).order_by("pk")
    assert [each.resubmitted_from_id for each in new] == [job.pk, *(member.pk for member in group)]
    assert said(answer)[0].startswith("Submitted: ")


def test_a_job_that_cannot_be_run_again_says_why(site: Client) -> None:
    job = build.job()
    Job.objects.filter(pk=job.pk).update(definition="job_name: old")

    answer = act(site, "resubmit", job, confirmed="yes")

    assert said(answer)[0].startswith("Nothing was changed: device_type: is required")
    assert Job.objects.count() == 1


def test_canceling_is_noted_in_the_audit_trail_with_its_reason(site: Client) -> None:
    job = build.job()

    cancel(site, job, reason="wrong kernel")

    entry = LogEntry.objects.get()
    assert (entry.object_id, entry.get_change_message()) == (str(job.pk), "Cancel: wrong kernel")


# Groups.


def test_the_jobs_of_a_group_are_listed_by_their_numbers(site: Client) -> None:
    first, second = build.members("server", "client")

    html = site.get(LIST).content.decode()

    assert f">{first.pk}.0</a>" in html
    assert f">{first.pk}.1</a>" in html
    assert f">{second.pk}</a>" not in html


def test_a_list_asks_the_database_as_often_for_many_groups_as_for_one(
    site: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    build.members("server", "client")
    with CaptureQueriesContext(connection) as for_one:
        site.get(LIST)

    for number in (10, 20):
        build.members("server", "client", "client", device=f"qemu{number}")

    with django_assert_num_queries(len(for_one)):
        site.get(LIST)


def test_a_job_leads_to_the_others_of_its_group(site: Client) -> None:
    first, second = build.members("server", "client")
    build.job(name="apart")

    html = site.get(reverse("admin:jobs_job_change", args=[second.pk])).content.decode()
    address = f"{LIST}?group={first.group_id}"

    assert f'<a href="{address}">all jobs of group {first.pk}</a>' in html
    listed = site.get(address).content.decode()
    assert f">{first.pk}.1</a>" in listed
    assert "apart" not in listed


def test_a_job_is_searched_by_its_number_in_the_group(site: Client) -> None:
    first, _ = build.members("server", "client")

    html = site.get(LIST, {"q": f" {first.pk}.1 "}).content.decode()

    assert f">{first.pk}.1</a>" in html
    assert f">{first.pk}.0</a>" not in html


def test_two_jobs_of_a_group_are_canceled_at_once(site: Client) -> None:
    first, second = build.members("server", "client", state=State.RUNNING)

    answer = cancel(site, first, second, reason="wrong kernel")

    assert f"job {first.pk}.0: hello" in said(answer)[0]
    for job in (first, second):
        job.refresh_from_db()
        assert job.state == State.CANCELING
