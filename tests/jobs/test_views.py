from __future__ import annotations

import re
import shutil
from datetime import datetime, timedelta
from html import unescape

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from devices import lifecycle as devices
from devices.models import DeviceTypeRight, Right, Worker
from devices.states import WorkerState
from jobs import attempts, lifecycle, logs, models
from jobs.logs import Record
from jobs.models import Job
from jobs.states import Health, Requeue, State
from tests import build

pytestmark = pytest.mark.django_db


def page(client: Client, address: str, status: int = 200) -> str:
    response = client.get(address)
    assert response.status_code == status
    return response.content.decode()


def main_of(html: str) -> str:
    return html.partition("<main")[2]


def hidden_job(submitter: User, state: State = State.SUBMITTED) -> Job:
    return build.job(submitter=submitter, state=state, name="hush", visibility="personal")


def report(job: Job, name: str, result: str, **fields: object) -> None:
    attempt = build.attempt(job)
    suite, _ = models.TestSuite.objects.get_or_create(attempt=attempt, name="0_smoke")
    models.TestCase.objects.create(
        attempt=attempt, index=attempt.cases.count(), suite=suite, name=name, result=result, **fields
    )


def write(job: Job, *lines: str) -> None:
    records = [Record(time=datetime(2026, 3, 1), level="target", message=line) for line in lines]
    logs.append(job.log_directory(), logs.next_index(job.log_directory()), records)


def words_of(html: str) -> str:
    """What a person reads, without the tags."""
    return " ".join(unescape(re.sub(r"<[^>]*>", "", main_of(html))).split())


# The lab at a glance


def queries(client: Client, address: str) -> int:
    """How often the page asks the database; once it was loaded, what it remembers is there."""
    page(client, address)
    with CaptureQueriesContext(connection) as asked:
        page(client, address)
    return len(asked)


def test_an_empty_lab_says_how_to_begin(client: Client) -> None:
    html = page(client, "/")

    assert "No job yet." in html
    assert "No device yet." in html


def test_the_lab_shows_what_runs_and_what_needs_a_person(client: Client) -> None:
    build.job(state=State.RUNNING, name="boot the kernel")
    build.device("qemu02")
    devices.maintenance("qemu02", by="admin", reason="fan is loud")

    html = page(client, "/")

    assert "boot the kernel" in html
    assert "fan is loud" in html


def test_the_lab_says_how_far_a_job_is_and_why_the_next_ones_wait(client: Client) -> None:
    build.job(state=State.RUNNING)
    build.job(name="waits")

    html = page(client, "/")

    assert 'aria-label="Time used of job' in html
    assert "It waits for a device that fits: 1 busy." in html


def test_the_lab_counts_what_runs_what_waits_and_what_is_free(client: Client) -> None:
    build.job(state=State.FINISHED)
    build.job(state=State.RUNNING)
    build.job()
    build.device("qemu02")
    build.device("qemu03")
    devices.maintenance("qemu03", by="admin", reason="fan is loud")

    words = words_of(page(client, "/"))

    assert "1running" in words
    assert "1queued" in words
    assert "1 of 3devices free" in words
    assert "1needs a person" in words


def test_the_longest_wait_is_that_of_a_job_which_waits_for_a_device(client: Client) -> None:
    now = timezone.now()
    waiting = Job.objects.filter
    waiting(pk=build.job().pk).update(submit_time=now - timedelta(minutes=30))
    put_off = {"not_before": now + timedelta(hours=1), "requeue": Requeue.DEFERRAL.value}
    waiting(pk=build.job().pk).update(submit_time=now - timedelta(hours=2), **put_off)
    back = {"queued_since": now - timedelta(minutes=10)}
    waiting(pk=build.job().pk).update(submit_time=now - timedelta(hours=3), **back)

    assert "3queued, longest 30 min" in words_of(page(client, "/"))


def test_a_job_that_waits_says_its_place_in_the_queue(client: Client) -> None:
    build.job(state=State.RUNNING)
    build.job()
    last = build.job()

    assert "Place 2 of 2 in the queue for qemu." in page(client, last.get_absolute_url())


def test_the_lab_names_workers_that_are_offline(client: Client) -> None:
    build.worker("rack-b", state=WorkerState.OFFLINE)

    assert "rack-b" in page(client, "/")


def test_the_lab_shows_everybody_the_own_jobs(client: Client, alice: User, bob: User) -> None:
    build.job(submitter=alice, name="hers")
    build.job(submitter=bob, name="his", device="qemu02", state=State.FINISHED)
    client.force_login(bob)

    mine = page(client, "/").partition("My jobs")[2]

    assert "his" in mine
    assert "hers" not in mine.partition("Needs a person")[0]


def test_the_lab_hides_jobs_and_their_number_from_those_who_may_not_see_them(
    client: Client, alice: User
) -> None:
    hidden_job(alice)

    html = page(client, "/")

    assert "hush" not in html
    assert "<strong>0</strong>" in html


# Lists


def test_the_list_has_the_newest_job_first(client: Client) -> None:
    for name in ("first", "second", "third"):
        build.job(name=name)

    html = page(client, "/jobs/")

    assert re.findall(r"</span> (\w+)</a>", main_of(html)) == ["third", "second", "first"]


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("status=queued", "waits"),
        ("status=running", "runs"),
        ("status=passed", "went well"),
        ("status=failed", "broke"),
        ("status=lab-error", "met a broken lab"),
        ("status=canceled", "was stopped"),
        ("q=WENT", "went well"),
        ("q=%23{broke}", "broke"),
        ("type=arm", "waits"),
        ("device=qemu03", "met a broken lab"),
        ("submitter=bob", "runs"),
        ("tag=hdmi", "waits"),
        ("status=failed&device=qemu01&submitter=alice&type=qemu", "broke"),
    ],
)
def test_the_address_says_which_jobs_are_listed(client: Client, bob: User, query: str, name: str) -> None:
    build.device("arm01", device_type="arm", tags=("hdmi",))
    build.job(name="waits", device="arm01", device_type="arm", tags=["hdmi"])
    build.job(name="went well", state=State.FINISHED)
    broke = build.job(name="broke", state=State.FINISHED, ending=build.FAILED)
    build.job(name="met a broken lab", state=State.FINISHED, ending=build.BROKEN, device="qemu03")
    lifecycle.cancel(build.job(name="was stopped").pk, by="alice")
    build.job(name="runs", state=State.RUNNING, submitter=bob)

    html = main_of(page(client, f"/jobs/?{query.format(broke=broke.pk)}"))

    assert re.findall(r"</span> ([\w ]+)</a>", html) == [name]


def test_a_complete_job_with_a_failed_test_is_listed_as_failed(client: Client) -> None:
    job = build.job(name="boots badly", state=State.RUNNING)
    report(job, "usb", "fail")
    lifecycle.finish(job.pk, build.PASSED, worker="worker01")

    assert "boots badly" in page(client, "/jobs/?status=failed")
    assert "boots badly" not in page(client, "/jobs/?status=passed")
    assert "Tests failed" in page(client, "/jobs/")


def test_each_filter_can_be_removed_by_itself(client: Client) -> None:
    html = page(client, "/jobs/?status=failed&q=boot&device=qemu01")

    chips = re.findall(r'<li><a href="([^"]+)"><span class="soft">([\w ]+)</span> (\w+)', unescape(html))
    assert chips == [
        ("/jobs/?status=failed&device=qemu01", "Text", "boot"),
        ("/jobs/?status=failed&q=boot", "Device", "qemu01"),
    ]


def test_whoever_is_logged_in_finds_the_own_jobs_by_a_word(client: Client, alice: User) -> None:
    client.force_login(alice)

    assert 'href="?submitter=alice">Mine</a>' in page(client, "/jobs/")


@pytest.mark.parametrize(
    "query", ["q=%00", "q=%25", "q=" + "x" * 9999, "tag=%F0", f"before={10**25}", f"after={10**25}&q=x"]
)
def test_an_odd_filter_finds_nothing_and_breaks_nothing(client: Client, query: str) -> None:
    build.job()

    page(client, f"/jobs/?{query}")


def test_a_search_without_an_index_ends_somewhere_and_says_where_to_look_on(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.views.LOOKED_THROUGH", 3)
    jobs = [build.job(name=name) for name in ("needle", *["hay"] * 5)]

    first = page(client, "/jobs/?q=needle")
    second = page(client, f"/jobs/?q=needle&before={jobs[3].pk}")

    assert f"No job among #{jobs[3].pk} to #{jobs[5].pk} fits." in first
    assert f"?q=needle&amp;before={jobs[3].pk}" in first
    assert f'href="/job/{jobs[0].pk}/"' in second


def test_an_unknown_status_is_not_found(client: Client) -> None:
    page(client, "/jobs/?status=asleep", 404)


def test_older_and_newer_pages_lead_to_each_other(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobs.views.JOBS_OF_PAGE", 2)
    jobs = [build.job(name=f"job {number}") for number in range(3)]

    newest = page(client, "/jobs/?status=queued")
    oldest = page(client, f"/jobs/?status=queued&before={jobs[1].pk}")

    assert f"?status=queued&amp;before={jobs[1].pk}" in newest
    assert 'rel="prev"' not in newest
    assert f"?status=queued&amp;after={jobs[0].pk}" in oldest
    assert 'rel="next"' not in oldest


def test_the_last_page_is_one_click_away_and_leads_back(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.views.JOBS_OF_PAGE", 2)
    jobs = [build.job(name=f"job {number}") for number in range(5)]

    last = page(client, "/jobs/?status=queued&after=0")

    assert 'href="?status=queued&amp;after=0">Oldest</a>' in page(client, "/jobs/?status=queued")
    assert re.findall(r'href="/job/(\d+)/"', last) == [str(jobs[1].pk), str(jobs[0].pk)]
    assert 'rel="next"' not in last
    assert 'href="/jobs/?status=queued">Newest</a>' in last


@pytest.mark.parametrize("address", ["/", "/jobs/", "/jobs/?status=failed&q=hello", "/submit/"])
def test_a_page_asks_the_database_as_often_for_many_rows_as_for_one(
    client: Client, admin: User, address: str
) -> None:
    client.force_login(admin)
    build.job(submitter=admin, state=State.FINISHED, ending=build.FAILED)
    build.job(submitter=admin, state=State.RUNNING)
    build.job()
    for_one = queries(client, address)

    for number in range(4):
        name = f"qemu1{number}"
        build.device(name, device_type=f"type{number}")
        build.job(device=name, device_type=f"type{number}", state=State.RUNNING, submitter=build.user(name))
        build.job(device_type=f"type{number}", device=name)
        build.device(f"{name}b", worker=None)
        failed = build.job(state=State.RUNNING, device=f"good{number}", submitter=admin)
        report(failed, "usb", "fail")
        lifecycle.finish(failed.pk, build.PASSED, worker="worker01")

    assert queries(client, address) == for_one


@pytest.mark.parametrize("tab", ["log", "results", "definition"])
def test_a_job_asks_the_database_as_often_for_many_results_as_for_one(client: Client, tab: str) -> None:
    job = build.job(state=State.RUNNING)
    report(job, "usb", "fail")
    for_one = queries(client, f"/job/{job.pk}/?tab={tab}")

    for number in range(5):
        report(job, f"case {number}", "fail")

    assert queries(client, f"/job/{job.pk}/?tab={tab}") == for_one


# One job


def test_the_page_of_a_job_shows_state_device_and_log(client: Client) -> None:
    job = build.job(state=State.RUNNING, name="boot the kernel")
    write(job, "Linux version 6.12")

    html = page(client, f"/job/{job.pk}/")

    assert "boot the kernel" in html
    assert "Running" in html
    assert '<a href="/device/qemu01/">qemu01</a>' in html
    assert "<pre>\nLinux version 6.12\n</pre>" in html


def test_the_page_leads_the_poller_on_from_the_end_of_what_it_shows(client: Client) -> None:
    job = build.job(state=State.RUNNING)
    write(job, "äöü")

    html = page(client, f"/job/{job.pk}/")

    assert f'data-url="/job/{job.pk}/log-tail?start="' in html
    assert (
        f'data-socket="/ws/job/{job.pk}/log?start=" data-begin="0" data-start="7" data-state="live"' in html
    )


def test_a_finished_job_tells_the_poller_that_nothing_will_come(client: Client) -> None:
    job = build.job(state=State.FINISHED)

    assert 'data-state="finished"' in page(client, f"/job/{job.pk}/")


def test_a_failed_job_says_why(client: Client) -> None:
    job = build.job(state=State.FINISHED, ending=build.FAILED)

    html = page(client, f"/job/{job.pk}/")

    assert "<strong>Job error.</strong> the kernel did not boot" in html


def test_a_complete_job_with_failed_tests_says_so_at_first_sight(client: Client) -> None:
    job = build.job(state=State.RUNNING)
    for name, result in (("boot", "pass"), ("usb", "fail"), ("rtc", "fail")):
        report(job, name, result)
    lifecycle.finish(job.pk, build.PASSED, worker="worker01")

    head = page(client, f"/job/{job.pk}/").partition('id="job-head"')[2].partition("</p>")[0]

    assert "Complete" in head
    assert "2 of 3 tests failed" in head


def test_a_failed_test_is_shown_with_its_last_lines(client: Client) -> None:
    job = build.job(state=State.RUNNING)
    write(job, *[f"line {number}" for number in range(30)])
    report(job, "usb", "fail", log_start=10, log_end=25)

    failure = page(client, f"/job/{job.pk}/").partition("First failure")[2].partition("</section>")[0]

    assert "usb" in failure
    assert re.findall(r"^line (\d+)", failure, re.MULTILINE) == [str(number) for number in range(17, 25)]
    assert 'href="?tab=log&amp;record=10"' in failure


@pytest.mark.parametrize(
    ("record", "place"),
    [("0", "?tab=log#L1"), ("2", "?tab=log#L5"), ("3", "?tab=log"), ("9" * 30, "?tab=log")],
)
def test_a_record_is_gone_to_by_the_line_with_which_it_begins(
    client: Client, record: str, place: str
) -> None:
    job = build.job(state=State.RUNNING)
    write(job, "one line", "a record\nof three\nlines", "the last one")

    answer = client.get(f"/job/{job.pk}/", {"tab": "log", "record": record})

    assert (answer.status_code, answer["Location"]) == (302, f"/job/{job.pk}/{place}")


def test_an_action_of_the_dispatcher_that_failed_once_is_no_failed_test(client: Client) -> None:
    job = build.job(state=State.RUNNING)
    suite = models.TestSuite.objects.create(attempt=build.attempt(job), name="lava")
    models.TestCase.objects.create(
        attempt=build.attempt(job), index=1, suite=suite, name="login-action", result="fail"
    )

    html = page(client, f"/job/{job.pk}/")

    assert "tests failed" not in html
    assert "First failure" not in html


def test_results_are_chosen_by_result_and_suite_in_the_address(client: Client) -> None:
    job = build.job(state=State.RUNNING)
    for name, result in (("boot", "pass"), ("usb", "fail")):
        report(job, name, result, log_start=3)

    failed = page(client, f"/job/{job.pk}/?tab=results&result=fail&suite=0_smoke")
    none = page(client, f"/job/{job.pk}/?tab=results&suite=1_perf")

    assert re.findall(r'<td class="name">(\w+)</td>', failed) == ["usb"]
    assert 'href="?tab=log&amp;record=3" data-failure' in failed
    assert "No result is like that." in none


def test_a_queued_job_says_why_it_waits(client: Client) -> None:
    build.job(state=State.RUNNING)
    job = build.job()

    assert "1 busy" in page(client, f"/job/{job.pk}/")


def test_output_that_looks_like_markup_stays_text(client: Client) -> None:
    job = build.job(state=State.RUNNING, name="<img src=x onerror=alert(1)>")
    write(job, "</pre><script>alert(1)</script>")

    html = page(client, f"/job/{job.pk}/")

    assert "<script>alert" not in html
    assert "<img" not in html


def test_a_long_log_offers_its_beginning_in_the_page(client: Client) -> None:
    job = build.job(state=State.FINISHED)
    write(job, *[f"line {number:06}" for number in range(10_000)])

    last = page(client, f"/job/{job.pk}/")
    whole = page(client, f"/job/{job.pk}/?full=1")

    assert 'href="?full=1"' in last
    assert "line 000000" not in last
    assert "line 000000" in whole
    assert re.search(r"data-log-earlier [^>]*hidden>", whole)


def test_a_log_too_long_for_a_page_is_offered_as_a_file(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.page_parts.WHOLE_IN_PAGE", 100_000)
    job = build.job(state=State.FINISHED)
    write(job, *[f"line {number:06}" for number in range(10_000)])

    html = page(client, f"/job/{job.pk}/?full=1")

    assert f'class="earlier" data-log-earlier href="/job/{job.pk}/log"' in html


def test_a_job_whose_log_file_is_gone_says_so(client: Client) -> None:
    job = build.job(state=State.RUNNING)
    write(job, "hello")
    lifecycle.finish(job.pk, build.PASSED, worker="worker01")
    shutil.rmtree(job.log_directory())

    assert "There is no file with the output of this job any more." in page(client, f"/job/{job.pk}/")


def test_results_are_shown_with_measurement_and_unit(client: Client) -> None:
    job = build.job(state=State.RUNNING)
    attempt = build.attempt(job)
    suite = models.TestSuite.objects.create(attempt=attempt, name="0_net")
    models.TestCase.objects.create(
        attempt=attempt,
        index=1,
        suite=suite,
        name="iperf",
        result="pass",
        measurement="941.25",
        units="Mbit/s",
    )

    for address in (f"/job/{job.pk}/", f"/job/{job.pk}/?tab=results"):
        html = page(client, address)
        assert "0_net" in html
        assert "941.25 Mbit/s" in html


def test_the_definition_is_shown_as_it_was_submitted(client: Client) -> None:
    job = build.job(name="boot & run")

    html = page(client, f"/job/{job.pk}/?tab=definition")
    assert '<li id="line-1">' in html
    assert "<code>job_name: boot &amp; run</code>" in html
    assert page(client, f"/job/{job.pk}/definition") == job.definition


@pytest.mark.parametrize(
    "query", ["tab=secrets", "tab=results&result=odd", "attempt=2", "attempt=0", "attempt=x"]
)
def test_a_part_that_a_job_does_not_have_is_not_found(client: Client, query: str) -> None:
    page(client, f"/job/{build.job().pk}/?{query}", 404)


def test_a_hidden_job_is_shown_to_its_submitter_only(client: Client, alice: User, mallory: User) -> None:
    job = hidden_job(alice)
    addresses = [f"/job/{job.pk}/", f"/job/{job.pk}/definition"]

    assert [client.get(address).status_code for address in addresses] == [404, 404]
    client.force_login(mallory)
    assert [client.get(address).status_code for address in addresses] == [404, 404]
    client.force_login(alice)
    assert [client.get(address).status_code for address in addresses] == [200, 200]


def test_the_parts_that_change_come_without_the_page_around_them(client: Client) -> None:
    job = build.job(state=State.RUNNING)

    html = page(client, f"/job/{job.pk}/?fragment=live")

    assert 'id="job-head" data-live' in html
    assert 'id="job-aside" data-live' in html
    assert "<html" not in html
    assert "data-log-lines" not in html


def test_the_parts_that_change_are_the_same_until_something_changes(client: Client, alice: User) -> None:
    job = build.job(submitter=alice)
    client.force_login(alice)
    address = f"/job/{job.pk}/?fragment=live"
    without_times = re.compile(r"waits for .*?</span>")

    first, second = (without_times.sub("", page(client, address)) for _ in range(2))

    assert first == second


@pytest.mark.parametrize("slash", ["", "/"])
def test_lavas_address_of_a_job_leads_to_its_page(client: Client, slash: str) -> None:
    response = client.get(f"/scheduler/job/12{slash}")

    assert (response.status_code, response.headers["Location"]) == (302, "/job/12/")


# Changing a job


def test_the_submitter_cancels_a_job(client: Client, alice: User) -> None:
    job = build.job(submitter=alice, state=State.RUNNING)
    client.force_login(alice)

    response = client.post(f"/job/{job.pk}/cancel/")

    job.refresh_from_db()
    assert response.headers["Location"] == f"/job/{job.pk}/"
    assert job.state == State.CANCELING


def test_a_reason_for_canceling_is_told_with_the_job(client: Client, alice: User) -> None:
    job = build.job(submitter=alice)
    client.force_login(alice)

    client.post(f"/job/{job.pk}/cancel/", {"reason": "wrong kernel"})

    assert "wrong kernel" in page(client, f"/job/{job.pk}/")


def test_a_reason_that_is_too_long_cancels_nothing_and_says_so(client: Client, alice: User) -> None:
    job = build.job(submitter=alice)
    client.force_login(alice)

    response = client.post(f"/job/{job.pk}/cancel/", {"reason": "x" * 201}, follow=True)

    job.refresh_from_db()
    assert "more than 200 characters" in response.content.decode()
    assert job.state == State.SUBMITTED


def test_a_stranger_cancels_nothing_and_reads_why(client: Client, alice: User, mallory: User) -> None:
    job = build.job(submitter=alice)
    client.force_login(mallory)

    response = client.post(f"/job/{job.pk}/cancel/")

    job.refresh_from_db()
    assert response.status_code == 403
    assert "you may not cancel it" in response.content.decode()
    assert job.state == State.SUBMITTED


def test_who_is_not_logged_in_is_led_back_to_the_job_after_logging_in(client: Client) -> None:
    job = build.job()

    for verb in ("cancel", "resubmit"):
        response = client.post(f"/job/{job.pk}/{verb}/")
        assert response.headers["Location"] == f"/login/?next=/job/{job.pk}/"
    job.refresh_from_db()
    assert job.state == State.SUBMITTED


def test_canceling_a_job_that_ended_meanwhile_changes_nothing_and_says_so(
    client: Client, alice: User
) -> None:
    job = build.job(submitter=alice, state=State.FINISHED)
    client.force_login(alice)

    response = client.post(f"/job/{job.pk}/cancel/", follow=True)

    job.refresh_from_db()
    assert "was finished already" in response.content.decode()
    assert job.health == Health.COMPLETE


def test_a_job_is_only_changed_by_post_and_with_a_token_of_the_form(alice: User) -> None:
    job = build.job(submitter=alice)
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)

    assert client.get(f"/job/{job.pk}/cancel/").status_code == 405
    refused = client.post(f"/job/{job.pk}/cancel/")
    assert refused.status_code == 403
    assert "Nothing was changed." in refused.content.decode()


def test_running_a_job_again_makes_a_new_one_that_knows_the_old(
    client: Client, alice: User, bob: User
) -> None:
    job = build.job(submitter=alice, state=State.FINISHED)
    client.force_login(bob)

    response = client.post(f"/job/{job.pk}/resubmit/")

    new = Job.objects.get(resubmitted_from=job)
    assert response.headers["Location"] == f"/job/{new.pk}/"
    assert new.submitter == bob


def test_a_job_whose_devices_are_gone_is_not_run_again_and_its_text_is_kept(
    client: Client, alice: User
) -> None:
    job = build.job(submitter=alice, state=State.FINISHED)
    devices.retire("qemu01", by="admin")
    client.force_login(alice)

    response = client.post(f"/job/{job.pk}/resubmit/")

    html = response.content.decode()
    assert response.status_code == 400
    assert "no device of type qemu is in service" in html
    assert "job_name: hello" in html


def test_buttons_are_shown_to_those_who_may_press_them(client: Client, alice: User, mallory: User) -> None:
    job = build.job(submitter=alice)

    def buttons() -> list[str]:
        return re.findall(r'form="(\w+)"', page(client, f"/job/{job.pk}/"))

    assert buttons() == []
    client.force_login(mallory)
    assert buttons() == ["resubmit"]
    client.force_login(alice)
    assert sorted(set(buttons())) == ["cancel", "defer", "pin", "resubmit"]
    attempts.defer(job.pk, timezone.now() + timedelta(hours=1), by="alice")
    assert sorted(set(buttons())) == ["cancel", "defer", "hurry", "pin", "resubmit"]


# Another attempt, or a later one


def test_a_job_that_is_tried_again_says_when_and_shows_its_attempts(client: Client, alice: User) -> None:
    job = build.tried_again(submitter=alice)

    html = page(client, f"/job/{job.pk}/")

    assert "It is tried again at" in html
    assert "attempt 1 of 3 failed (Infrastructure error)" in html
    assert 'href="?attempt=1"' in html
    assert "the power switch is gone" in html
    assert "Retry later" in page(client, "/jobs/")


def test_a_job_that_was_canceled_while_it_waited_shows_the_attempt_that_it_had(
    client: Client, alice: User
) -> None:
    job = build.tried_again(submitter=alice)
    lifecycle.cancel(job.pk, by="alice")

    html = page(client, f"/job/{job.pk}/")

    assert "/log-tail?start=" in html
    assert "Complete log" in html
    assert "Attempt 1" not in html


@pytest.mark.parametrize("is_canceled", [False, True], ids=["waits", "canceled"])
def test_a_job_says_that_something_of_an_earlier_attempt_may_still_run(
    is_canceled: bool, client: Client, alice: User
) -> None:
    retry = {"attempts": 2, "errors": ["Job"]}
    job = build.given_up(submitter=alice, lava_lite={"retry": retry})
    if is_canceled:
        lifecycle.cancel(job.pk, by="alice")

    assert "not confirmed that an earlier attempt stopped" in page(client, f"/job/{job.pk}/")


def test_a_job_is_deferred_on_its_page_and_told_to_run_now(client: Client, alice: User) -> None:
    job = build.job(submitter=alice)
    client.force_login(alice)

    client.post(f"/job/{job.pk}/defer/", {"minutes": "60", "reason": "the lab is full"})
    assert "UTC: the lab is full." in page(client, f"/job/{job.pk}/")

    client.post(f"/job/{job.pk}/hurry/")
    assert "Deferred" not in page(client, f"/job/{job.pk}/")


@pytest.mark.parametrize("minutes", ["", "0", "soon", "999999999999"])
def test_without_minutes_nothing_is_deferred_and_the_page_says_so(
    minutes: str, client: Client, alice: User
) -> None:
    job = build.job(submitter=alice)
    client.force_login(alice)

    response = client.post(f"/job/{job.pk}/defer/", {"minutes": minutes}, follow=True)

    assert "is not deferred" in response.content.decode()
    assert Job.objects.get().not_before is None


def test_a_time_beyond_the_limit_is_refused_on_the_page(client: Client, alice: User) -> None:
    job = build.job(submitter=alice)
    client.force_login(alice)

    response = client.post(f"/job/{job.pk}/defer/", {"minutes": "9999"}, follow=True)

    assert "may be put off until" in response.content.decode()


@pytest.mark.parametrize("verb", ["defer", "hurry"])
def test_a_stranger_neither_defers_nor_hurries_on_a_page(
    verb: str, client: Client, alice: User, mallory: User
) -> None:
    job = build.tried_again(submitter=alice)
    client.force_login(mallory)

    response = client.post(f"/job/{job.pk}/{verb}/")

    assert response.status_code == 403
    assert f"you may not {verb} it" in response.content.decode()


def test_the_page_of_a_type_says_how_its_jobs_are_tried_again(client: Client) -> None:
    build.device_type(retry_attempts=3)

    assert "3 attempts in all, the second after 1 min" in page(client, "/device-type/qemu/")


# Submitting


def test_a_submitted_definition_becomes_a_job(client: Client, alice: User) -> None:
    build.device()
    client.force_login(alice)

    response = client.post("/submit/", {"definition": build.definition("by form")})

    job = Job.objects.get()
    assert response.headers["Location"] == f"/job/{job.pk}/"
    assert (job.description, job.submitter) == ("by form", alice)


def test_line_ends_of_a_browser_are_not_kept(client: Client, alice: User) -> None:
    build.device()
    client.force_login(alice)
    text = build.definition()

    client.post("/submit/", {"definition": text.replace("\n", "\r\n")})

    assert Job.objects.get().definition == text


def test_faults_are_listed_with_their_line_and_the_text_is_kept(client: Client, alice: User) -> None:
    build.device()
    client.force_login(alice)
    text = build.definition().replace("minutes: 5", "minutes: soon") + "priorty: high\n"

    response = client.post("/submit/", {"definition": text})

    html = response.content.decode()
    assert response.status_code == 400
    assert not Job.objects.exists()
    assert "2 things keep this job out of the queue" in html
    assert "timeouts.job.minutes</code>" in html
    assert re.search(r">Line \d+</a>: <code>priorty</code>", html)
    assert "priorty: high" in html.partition("<textarea")[2]


def test_checking_only_makes_no_job(client: Client, alice: User) -> None:
    build.device()
    client.force_login(alice)

    response = client.post("/submit/", {"definition": build.definition(), "check": "1"})

    assert "Nothing keeps this job out of the queue." in response.content.decode()
    assert not Job.objects.exists()


def test_a_text_is_checked_while_it_is_written(client: Client, alice: User) -> None:
    build.device()
    client.force_login(alice)

    good = client.post("/submit/check/", {"definition": build.definition()}).content.decode()
    bad = client.post(
        "/submit/check/", {"definition": build.definition() + "priorty: high\n"}
    ).content.decode()
    empty = client.post("/submit/check/", {"definition": ""}).content.decode()

    assert "Nothing keeps this job out of the queue." in good
    assert re.search(r'data-line="\d+"[^>]*>Line \d+</a>: <code>priorty</code>', bad)
    assert "<html" not in bad
    assert "note" not in empty
    assert client.get("/submit/check/").status_code == 405


def test_a_file_is_submitted_instead_of_the_text(client: Client, alice: User) -> None:
    build.device()
    client.force_login(alice)
    file = SimpleUploadedFile("job.yaml", build.definition("from a file").encode())

    client.post("/submit/", {"definition": "", "file": file})

    assert Job.objects.get().description == "from a file"


def test_a_file_with_a_fault_is_put_into_the_form(client: Client, alice: User) -> None:
    client.force_login(alice)
    file = SimpleUploadedFile("job.yaml", b"job_name: \xff\n")

    response = client.post("/submit/", {"definition": "", "file": file})

    assert response.status_code == 400
    assert "job_name: \N{REPLACEMENT CHARACTER}" in response.content.decode().partition("<textarea")[2]


def test_the_form_says_what_each_device_type_has_for_the_user(
    client: Client, alice: User, mallory: User
) -> None:
    build.job(state=State.RUNNING)
    build.device("qemu02")
    build.job(device="qemu02")
    build.device("secret01", device_type="secret")
    DeviceTypeRight.objects.create(device_type_id="secret", group=alice.groups.get(), right=Right.VIEW)
    client.force_login(mallory)

    html = page(client, "/submit/").partition("Device types now")[2].partition("</table>")[0]

    assert re.findall(r"(?:<td[^>]*>|/\">)(\w+)<", html) == ["qemu", "1", "1", "0", "1"]


def test_commands_name_this_lab_and_no_token(client: Client, alice: User) -> None:
    client.force_login(alice)

    html = unescape(page(client, "/submit/"))

    assert (
        'curl -H "Authorization: Token $TOKEN" -F definition=@job.yaml http://testserver/api/v0.2/jobs/'
        in html
    )
    assert 'lavacli --uri "http://alice:$TOKEN@testserver/RPC2" jobs submit job.yaml' in html
    assert 'LAVA_LITE_SERVER=http://testserver LAVA_LITE_TOKEN="$TOKEN" lava-lite job submit job.yaml' in html


@pytest.mark.parametrize("text", ["", "   ", "nul \0 byte"])
def test_a_text_that_is_no_definition_is_refused(client: Client, alice: User, text: str) -> None:
    client.force_login(alice)

    response = client.post("/submit/", {"definition": text})

    assert response.status_code == 400
    assert "keeps this job out of the queue" in response.content.decode()


def test_a_definition_beyond_the_limit_is_refused(client: Client, alice: User, settings: Settings) -> None:
    settings.DEFINITION_LIMIT = 1000
    client.force_login(alice)

    response = client.post("/submit/", {"definition": build.definition() + "#" * 1000})

    assert response.status_code == 400
    assert "larger than 1,000 bytes" in response.content.decode()


def test_the_form_begins_with_an_example(client: Client, alice: User, settings: Settings) -> None:
    client.force_login(alice)
    hello = (settings.EXAMPLES / "hello.yaml").read_text()

    html = page(client, "/submit/?example=hello")

    assert hello.strip() in unescape(html)
    assert 'href="?example=hello" aria-current="true"' in html


@pytest.mark.parametrize("name", ["nothing", "../pyproject", "/etc/passwd", ""])
def test_no_file_but_an_example_is_shown(client: Client, alice: User, name: str) -> None:
    client.force_login(alice)

    html = page(client, f"/submit/?example={name}")

    assert re.search(r"<textarea[^>]*>\s*</textarea>", html)


def test_the_form_begins_with_the_definition_of_a_job_that_one_may_see(
    client: Client, alice: User, mallory: User
) -> None:
    job = hidden_job(alice)

    client.force_login(alice)
    assert "job_name: hush" in page(client, f"/submit/?job={job.pk}")
    client.force_login(mallory)
    page(client, f"/submit/?job={job.pk}", 404)


def test_what_was_written_before_logging_in_is_in_the_form_afterwards(client: Client, alice: User) -> None:
    response = client.post("/submit/", {"definition": "job_name: kept\n"})
    assert response.headers["Location"] == "/login/?next=/submit/"

    client.post("/login/", {"username": "alice", "password": build.PASSWORD})

    assert "job_name: kept" in page(client, "/submit/")
    assert "job_name: kept" not in page(client, "/submit/")


def test_another_window_that_renews_itself_takes_no_draft(client: Client, alice: User) -> None:
    client.post("/submit/", {"definition": "job_name: kept\n"})
    client.post("/login/", {"username": "alice", "password": build.PASSWORD})

    page(client, "/submit/?fragment=live")

    assert "job_name: kept" in page(client, "/submit/")


# Logging in, and errors


def test_logging_in_leads_where_one_wanted_to_go(client: Client, alice: User) -> None:
    response = client.post("/login/", {"username": "alice", "password": build.PASSWORD, "next": "/job/1/"})

    assert response.headers["Location"] == "/job/1/"


def test_logging_in_leads_to_no_other_site(client: Client, alice: User) -> None:
    response = client.post(
        "/login/", {"username": "alice", "password": build.PASSWORD, "next": "https://evil.example/"}
    )

    assert response.headers["Location"] == "/"


def test_a_wrong_password_is_told_and_the_name_is_kept(client: Client, alice: User) -> None:
    response = client.post("/login/", {"username": "alice", "password": "guess"})

    html = response.content.decode()
    assert "do not belong together" in html
    assert 'value="alice"' in html


def test_logging_out_is_a_post(client: Client, alice: User) -> None:
    client.force_login(alice)

    assert client.get("/logout/").status_code == 405
    assert client.post("/logout/").headers["Location"] == "/"
    assert "Log in" in page(client, "/")


def test_an_unknown_address_has_a_page_for_people(client: Client) -> None:
    assert "There is nothing here" in page(client, "/nowhere/", 404)
    assert "There is nothing here" in page(client, f"/job/{10**25}/", 404)


def test_a_locked_database_is_answered_with_a_page_that_says_nothing_is_lost(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(*arguments: object, **options: object) -> None:
        raise OperationalError("database is locked")

    monkeypatch.setattr("jobs.views.page", locked)

    response = client.get("/jobs/", headers={"Accept": "text/html"})

    assert response.status_code == 503
    assert response.headers["Retry-After"] == "5"
    assert "The lab is busy" in response.content.decode()


def test_an_error_of_the_server_has_a_page_without_a_trace(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr("jobs.views.page", fail)
    client.raise_request_exception = False

    html = page(client, "/jobs/", 500)

    assert "Something broke in the lab" in html
    assert "secret detail" not in html


@pytest.mark.parametrize("address", ["/", "/jobs/", "/job/1/", "/devices/", "/login/", "/nowhere/"])
def test_no_page_needs_an_inline_script_or_style(client: Client, address: str) -> None:
    build.job(state=State.RUNNING)

    response = client.get(address)

    html = response.content.decode()
    assert "default-src 'self'" in response.headers["Content-Security-Policy"]
    assert "unsafe-inline" not in response.headers["Content-Security-Policy"]
    assert not re.search(r"<script(?![^>]*\bsrc=)|\sstyle=|<style|\son\w+=|javascript:", html)
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//", html)


# What the lab does by itself


def test_a_lost_job_says_so_and_when_it_will_be_ended(client: Client) -> None:
    job = build.job(state=State.RUNNING)
    Worker.objects.filter(pk="worker01").update(state=WorkerState.OFFLINE)
    lifecycle.flag_lost(job.pk)

    told = words_of(page(client, f"/job/{job.pk}/"))

    deadline = Job.objects.get(pk=job.pk).deadline
    assert "Lost. Its worker worker01 fell silent" in told
    assert f"the lab ends it at {deadline:%Y-%m-%d %H:%M:%S} UTC (LOST_JOB_GRACE)" in told


def test_a_lost_job_is_seen_in_the_list(client: Client) -> None:
    job = build.job(state=State.RUNNING)
    Worker.objects.filter(pk="worker01").update(state=WorkerState.OFFLINE)
    lifecycle.flag_lost(job.pk)

    assert "Lost" in words_of(page(client, "/jobs/"))


def test_a_job_over_its_wall_time_says_so_while_it_runs(client: Client) -> None:
    job = build.job(state=State.RUNNING, lava_lite={"wall_time": {"seconds": 1}})
    Job.objects.filter(pk=job.pk).update(start_time="2026-11-22T03:00:00Z")
    lifecycle.flag_overtime(job.pk)

    told = words_of(page(client, f"/job/{job.pk}/"))
    lifecycle.finish(job.pk, build.PASSED, worker="worker01")
    finished = words_of(page(client, f"/job/{job.pk}/"))

    assert "It runs for longer than its wall time of 1 s" in told
    assert "wall time" not in finished


def test_a_job_that_is_asked_to_stop_says_how_long_the_lab_waits(client: Client) -> None:
    job = build.job(state=State.CANCELING)

    assert "the lab ends the job without it (CANCEL_GRACE)" in words_of(page(client, f"/job/{job.pk}/"))


def test_a_job_that_the_lab_ended_says_by_which_rule_until_when_its_device_is_closed(client: Client) -> None:
    job = build.job(state=State.RUNNING)
    lifecycle.end_overdue(build.overdue(job).pk)

    ended = words_of(page(client, f"/job/{job.pk}/"))
    lifecycle.finish(job.pk, build.PASSED, worker="worker01")
    confirmed = words_of(page(client, f"/job/{job.pk}/"))

    assert "Job error. It ran for longer than its 5 min (timeouts.job)" in ended
    assert "Until it has, qemu01 gets no other job." in ended
    assert "Job error. It ran for longer than its 5 min (timeouts.job)" in confirmed
    assert "gets no other job" not in confirmed
