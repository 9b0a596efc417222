"""What the lab lets go of by itself, and what it keeps."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts.rights import NotAllowed
from devices import lifecycle as devices
from events import numbering
from events import retention as event_retention
from events.models import Event
from jobs import logs, retention, upkeep
from jobs.logs import disk
from jobs.logs.records import Record
from jobs.models import DiscardedLog, Job
from jobs.models import TestCase as Case
from jobs.retention import Policy
from jobs.states import State
from tests import build

pytestmark = pytest.mark.django_db

Keep = Callable[..., None]

OLD = timedelta(days=40)
MONTH = 30


def finished(alice: User, *, ago: timedelta = timedelta(0), text: str = "hello") -> Job:
    """A job that ended so long ago, with a log and a result."""
    job = build.job(submitter=alice, state=State.FINISHED)
    build.case(job)
    record = Record(time=timezone.now().replace(tzinfo=None), level="target", message=text)
    logs.append(job.log_directory(), 0, [record])
    Job.objects.filter(pk=job.pk).update(end_time=timezone.now() - ago)
    return again(job)


def again(job: Job) -> Job:
    found: Job = Job.objects.get(pk=job.pk)
    return found


def is_there(job: Job) -> bool:
    return bool(Job.objects.filter(pk=job.pk).exists())


def has_log(job: Job) -> bool:
    return job.log_directory().exists()


@pytest.fixture
def keep(django_capture_on_commit_callbacks: Any) -> Keep:
    """A pass with these limits."""

    def run_once(**limits: int) -> None:
        numbering.number_committed()
        with django_capture_on_commit_callbacks(execute=True):
            retention.let_go(retention.due(Policy(**limits)))

    return run_once


# What goes


def test_a_new_lab_keeps_everything(alice: User) -> None:
    job = finished(alice, ago=timedelta(days=10_000))

    assert retention.let_go(retention.due(Policy.of_lab())) == 0

    assert is_there(job)
    assert has_log(job)


def test_an_old_job_goes_with_its_results_and_its_log(alice: User, keep: Keep) -> None:
    old, young = finished(alice, ago=OLD), finished(alice)

    keep(jobs_days=MONTH)

    assert not is_there(old)
    assert not has_log(old)
    assert not Case.objects.filter(attempt__job=old.pk).exists()
    assert is_there(young)
    assert has_log(young)


def test_listeners_are_told_that_a_job_is_gone_and_why(alice: User, keep: Keep) -> None:
    job = finished(alice, ago=OLD)

    keep(jobs_days=MONTH)

    told = Event.objects.get(job_id=job.pk, type="job.deleted")
    assert (told.cause, told.actor) == ("policy", "")
    assert told.data["reason"] == "the lab keeps jobs for 30 days"


def test_more_jobs_than_wanted_go_the_oldest_first(alice: User, keep: Keep) -> None:
    jobs = [finished(alice) for _ in range(4)]

    keep(jobs_number=2)

    assert [is_there(job) for job in jobs] == [False, False, True, True]


def test_an_old_log_goes_and_its_job_stays(alice: User, client: Client, keep: Keep) -> None:
    job = finished(alice, ago=OLD)

    keep(logs_days=MONTH)

    assert not has_log(job)
    assert again(job).log_removed is not None
    assert Case.objects.filter(attempt__job=job).exists()
    assert "The lab let go of this log" in client.get(job.get_absolute_url()).content.decode()
    assert client.get(f"{job.get_absolute_url()}log-tail?start=0").json() == {
        "content": "",
        "new_size": 0,
        "is_finished": True,
    }


def test_logs_that_take_too_much_go_the_oldest_first(alice: User, settings: Settings, keep: Keep) -> None:
    jobs = [finished(alice, text="x" * 10_000) for _ in range(4)]
    room = sum(one.size for one in disk.stored(settings.LOGS)) // 2

    keep(logs_bytes=room)

    assert [has_log(job) for job in jobs] == [False, False, True, True]
    assert all(is_there(job) for job in jobs)


def test_old_events_go(alice: User, keep: Keep) -> None:
    job = finished(alice)
    numbering.number_committed()
    Event.objects.update(time=timezone.now() - OLD)
    last = Event.objects.latest("sequence").sequence

    keep(events_days=MONTH)

    assert not Event.objects.exists()
    assert event_retention.last_cleared() == last
    build.job(submitter=alice)
    numbering.number_committed()
    assert Event.objects.earliest("sequence").sequence == last + 1
    assert is_there(job)


def test_more_events_than_wanted_go_the_oldest_first(alice: User, keep: Keep) -> None:
    finished(alice)
    numbering.number_committed()
    newest = list(Event.objects.order_by("-sequence").values_list("sequence", flat=True)[:3])

    keep(events_number=3)

    assert list(Event.objects.order_by("-sequence").values_list("sequence", flat=True)) == newest
    assert event_retention.last_cleared() == newest[-1] - 1


# What stays


def test_a_pinned_job_stays_with_its_log_and_events(alice: User, keep: Keep) -> None:
    job = finished(alice, ago=OLD)
    upkeep.pin(job, by=alice)
    events = Event.objects.filter(job_id=job.pk).count()

    keep(jobs_days=MONTH, jobs_number=1, logs_days=MONTH, logs_bytes=1, events_number=1)

    assert is_there(job)
    assert has_log(job)
    assert Event.objects.filter(job_id=job.pk).count() == events


@pytest.mark.parametrize(
    "state", [state for state in State if state not in (State.SCHEDULING, State.FINISHED)]
)
def test_a_job_that_is_not_finished_stays(state: State, alice: User, keep: Keep) -> None:
    job = build.job(submitter=alice, state=state)
    Job.objects.filter(pk=job.pk).update(submit_time=timezone.now() - OLD)
    events = Event.objects.filter(job_id=job.pk).count()

    keep(jobs_days=1, jobs_number=1, logs_days=1, logs_bytes=1, events_number=1)

    assert is_there(job)
    assert Event.objects.filter(job_id=job.pk).count() == events


def test_a_job_for_which_a_device_is_closed_stays_until_it_is_free(alice: User, keep: Keep) -> None:
    job = build.given_up(submitter=alice)
    Job.objects.filter(pk=job.pk).update(end_time=timezone.now() - OLD)

    keep(jobs_days=MONTH)
    assert is_there(job)

    devices.free("qemu01", by="admin")
    keep(jobs_days=MONTH)
    assert not is_there(job)


def test_a_job_that_is_pinned_in_the_last_moment_stays(alice: User) -> None:
    job = finished(alice, ago=OLD)
    due = list(retention.due(Policy(jobs_days=MONTH, logs_days=MONTH)))

    upkeep.pin(job, by=alice)
    retention.let_go(due)

    assert due
    assert is_there(job)
    assert has_log(job)


def test_an_event_that_was_told_to_nobody_yet_stays(alice: User) -> None:
    finished(alice)
    Event.objects.update(sequence=None, time=timezone.now() - OLD)
    number = Event.objects.count()

    retention.let_go(retention.due(Policy(events_days=MONTH)))

    assert Event.objects.count() == number


def test_files_that_are_no_logs_are_left_alone(alice: User, settings: Settings, keep: Keep) -> None:
    job = finished(alice)
    strange = [settings.LOGS / "readme.txt", settings.LOGS / "2026" / "notes" / "x"]
    for path in strange:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine")

    keep(logs_bytes=1)

    assert not has_log(job)
    assert all(path.exists() for path in strange)


# Nothing half deleted


def test_a_kill_before_the_files_are_gone_is_made_up_for(alice: User, monkeypatch: Any, keep: Keep) -> None:
    job = finished(alice, ago=OLD)
    with monkeypatch.context() as killed:
        killed.setattr(upkeep, "remove_files", lambda discarded: None)
        keep(jobs_days=MONTH)
    assert not is_there(job)
    assert has_log(job)

    keep()

    assert not has_log(job)
    assert not DiscardedLog.objects.exists()


def test_files_that_cannot_be_removed_are_tried_again(
    alice: User, monkeypatch: Any, caplog: Any, keep: Keep
) -> None:
    job = finished(alice, ago=OLD)
    with monkeypatch.context() as broken:
        broken.setattr(disk.shutil, "rmtree", _refuse)
        keep(logs_days=MONTH)
    assert "cannot be removed: read-only" in caplog.text
    assert DiscardedLog.objects.count() == 1

    keep()

    assert not has_log(job)


def _refuse(path: Path) -> None:
    raise PermissionError("read-only")


def test_a_pass_ends_between_two_things_when_the_lab_stops(alice: User) -> None:
    jobs = [finished(alice, ago=OLD) for _ in range(2)]
    stop = threading.Event()
    stop.set()

    retention.let_go(retention.due(Policy(jobs_days=MONTH)), stop)

    assert all(is_there(job) for job in jobs)


# Who pins, and how an administrator looks first


def test_whoever_may_cancel_a_job_may_pin_it(alice: User, mallory: User) -> None:
    job = finished(alice)

    with pytest.raises(NotAllowed):
        upkeep.pin(job, by=mallory)
    assert not again(job).pinned

    upkeep.pin(job, by=alice, reason="the reference")
    assert again(job).pinned
    assert build.audit_trail()[-1] == f"alice: {job}: Pinned: the reference"


def test_the_page_pins_and_unpins(alice: User, client: Client) -> None:
    job = finished(alice)
    client.force_login(alice)

    client.post(f"{job.get_absolute_url()}pin/")
    assert again(job).pinned
    assert "Unpin" in client.get(job.get_absolute_url()).content.decode()

    client.post(f"{job.get_absolute_url()}unpin/")
    assert not again(job).pinned


def test_a_dry_run_names_what_is_due_and_lets_nothing_go(alice: User, settings: Settings) -> None:
    settings.KEEP_JOBS_DAYS = MONTH
    job = finished(alice, ago=OLD)

    said = StringIO()
    call_command("retention", "--dry-run", stdout=said)
    assert said.getvalue() == f"job {job.pk}: the lab keeps jobs for 30 days\n"
    assert is_there(job)

    call_command("retention", stdout=StringIO())
    assert not is_there(job)
    said = StringIO()
    call_command("retention", stdout=said)
    assert said.getvalue() == "Nothing is due.\n"
