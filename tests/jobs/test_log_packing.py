"""Which logs the lab packs by itself, and that nobody who reads one notices."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
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

from jobs import log_packing, logs, retention
from jobs.log_packing import LEAST, LONGEST_PAUSE, Pace
from jobs.log_search_views import searchers
from jobs.logs import packed, packing, text
from jobs.models import Attempt, Job
from jobs.states import State
from tests import build

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
LINE = "a line of the log"


@pytest.fixture(scope="module", autouse=True)
def _no_process_is_left() -> Iterator[None]:
    yield
    searchers.close()


def ended(alice: User, *, ago: timedelta = HOUR, state: State = State.FINISHED, size: int = 2 * LEAST) -> Job:
    """A job whose attempt ended so long ago, with a log of about this many bytes."""
    job = build.job(submitter=alice, state=state)
    build.log(job, *[LINE] * (size // len(LINE)))
    if state == State.FINISHED:
        Attempt.objects.filter(job=job).update(ended=timezone.now() - ago)
    return job


def is_packed(job: Job) -> bool:
    directory = job.log_directory()
    assert (directory / "output.log.zst").exists() is not (directory / "output.log").exists()
    return (directory / "output.log.zst").exists()


def test_the_log_of_an_ended_job_is_packed(alice: User) -> None:
    job = ended(alice)

    assert log_packing.pack_all() == 1

    assert is_packed(job)
    assert log_packing.pack_all() == 0


@pytest.mark.parametrize(
    "of_job",
    [
        pytest.param({"state": State.RUNNING}, id="a job that runs"),
        pytest.param({"ago": timedelta(seconds=30)}, id="one that has just ended"),
        pytest.param({"size": LEAST // 2}, id="one with a short log"),
    ],
)
def test_other_logs_stay_as_they_are(alice: User, of_job: dict[str, Any]) -> None:
    job = ended(alice, **of_job)

    assert log_packing.pack_all() == 0

    assert not is_packed(job)


def test_the_log_of_an_attempt_that_may_still_run_somewhere_stays(alice: User) -> None:
    job = ended(alice)
    Attempt.objects.filter(job=job).update(unconfirmed_since=timezone.now())

    assert log_packing.pack_all() == 0


def test_an_earlier_attempt_is_packed_while_the_job_goes_on(alice: User) -> None:
    job = build.tried_again(submitter=alice)
    first = Attempt.objects.get(job=job, number=1)
    Attempt.objects.filter(pk=first.pk).update(ended=timezone.now() - HOUR, unconfirmed_since=None)
    record = logs.Record(time=timezone.now().replace(tzinfo=None), level="target", message="x" * 2 * LEAST)
    logs.append(first.log_directory, 0, [record])

    assert log_packing.pack_all() == 1

    assert not (first.log_directory / "output.log").exists()


def test_files_that_belong_to_no_job_are_left_alone(alice: User) -> None:
    job = ended(alice)
    directory = job.log_directory()
    job.delete()

    assert log_packing.pack_all() == 0
    assert (directory / "output.log").exists()


def test_nothing_is_packed_where_the_lab_says_so(alice: User, settings: Settings) -> None:
    settings.LOG_PACK_AFTER = 0
    job = ended(alice)

    assert log_packing.pack_all() == 0
    assert not is_packed(job)


def test_a_log_that_cannot_be_packed_keeps_no_other_from_it(
    alice: User, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = ended(alice), ended(alice)
    pack = packing.pack

    def broken(directory: Path, **more: Any) -> bool:
        if directory == first.log_directory():
            raise OSError(5, "Input/output error")
        return pack(directory, **more)

    monkeypatch.setattr(packing, "pack", broken)

    assert log_packing.pack_all() == 1

    assert (is_packed(first), is_packed(second)) == (False, True)
    assert f"The log in {first.log_directory()} cannot be packed" in caplog.text


class Clock:
    """A time that goes on only when it is told to, and somebody who waits in it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self.pauses: list[float] = []
        monkeypatch.setattr(time, "monotonic", lambda: self.now)

    def wait(self, seconds: float) -> bool:
        self.pauses.append(seconds)
        self.now += seconds
        return False


@pytest.mark.parametrize(
    ("worked", "pause"),
    [
        pytest.param(1.0, 3.0, id="a quarter of the time is for the work"),
        pytest.param(0.0, 0.0, id="nothing was done"),
        pytest.param(900.0, LONGEST_PAUSE, id="the machine was asleep"),
    ],
)
def test_the_packing_that_nobody_waits_for_rests_after_each_piece_of_work(
    monkeypatch: pytest.MonkeyPatch, worked: float, pause: float
) -> None:
    clock = Clock(monkeypatch)
    pace = Pace(clock)  # type: ignore[arg-type]

    clock.now += worked
    assert not pace()
    clock.now += worked
    assert not pace()

    assert clock.pauses == [pause, pause]


def test_the_pass_of_retention_rests_after_each_frame_that_is_packed_and_each_that_is_compared(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = ended(alice, size=5 * packed.FRAME)
    clock = Clock(monkeypatch)

    log_packing.pack_all(clock)  # type: ignore[arg-type]

    frames = -(-logs.size(job.log_directory()) // packed.FRAME)
    assert len(clock.pauses) == 1 + 2 * frames


@pytest.mark.parametrize("looks", range(2, 8))
def test_packing_that_is_stopped_anywhere_leaves_the_text_and_no_draft(
    alice: User, monkeypatch: pytest.MonkeyPatch, looks: int
) -> None:
    job = ended(alice, size=3 * packed.FRAME)
    clock = Clock(monkeypatch)
    monkeypatch.setattr(
        clock, "wait", lambda seconds: clock.pauses.append(seconds) or len(clock.pauses) >= looks
    )
    before = text.read(job.log_directory(), 0, 10**9)

    log_packing.pack_all(clock)  # type: ignore[arg-type]

    assert not is_packed(job)
    assert not list(job.log_directory().glob("*.new"))
    assert text.read(job.log_directory(), 0, 10**9) == before


def test_the_pass_of_retention_packs_until_it_is_stopped(alice: User) -> None:
    job = ended(alice)
    stop = threading.Event()
    stop.set()

    retention.run_once(stop)
    assert not is_packed(job)

    retention.run_once(threading.Event())
    assert is_packed(job)


def test_the_command_says_what_is_due_and_packs_it(alice: User) -> None:
    job = ended(alice)

    said = StringIO()
    call_command("retention", "--dry-run", stdout=said)
    assert said.getvalue() == f"the log in {job.log_directory()}: its job has ended, and it can be packed\n"
    assert not is_packed(job)

    call_command("retention", stdout=StringIO())
    assert is_packed(job)


def test_a_log_that_is_too_long_keeps_its_two_ends_and_reads_at_the_same_offsets(
    alice: User, client: Client, settings: Settings
) -> None:
    settings.LOG_SOFT_LIMIT = LEAST
    job = ended(alice)
    plain = (job.log_directory() / "output.log").read_bytes()

    log_packing.pack_all()

    shown = b"".join(client.get(f"/job/{job.pk}/log"))
    assert len(shown) == len(plain)
    assert shown[:1000] == plain[:1000]
    assert shown[-1000:] == plain[-1000:]
    assert b"were taken out here" in shown
    assert (
        client.get(f"/job/{job.pk}/log-tail?start={len(plain) - 100}").json()["content"].encode()
        == plain[-100:]
    )


def test_who_asks_for_a_packed_log_that_the_disk_spoiled_is_told_what_mends_it(
    alice: User, client: Client
) -> None:
    job = ended(alice)
    log_packing.pack_all()
    path = job.log_directory() / "output.log.zst"
    path.write_bytes(b"\xff" * 8 + path.read_bytes()[8:])

    answer = client.get(f"/job/{job.pk}/log-tail?start=0")

    assert answer.status_code == 503
    assert answer.json()["error"].endswith(f"On the machine of the lab: lava-lite log repair {job.pk}")


# Whoever reads it


ADDRESSES = [
    "log-tail?start=0",
    "log-tail?start=20000",
    "log?follow=0",
    "log-lines?line=900&count=5&text=1",
    "log-search?q=line&limit=3&after=900",
    "",
    "?start=1000",
]


@pytest.mark.parametrize("address", ADDRESSES)
def test_no_address_tells_a_packed_log_from_a_plain_one(address: str, alice: User, client: Client) -> None:
    job = ended(alice)
    url = f"/job/{job.pk}/{address}"

    before = _answer(client, url)
    log_packing.pack_all()

    assert _answer(client, url) == before


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Range": "bytes=100-199"},
        {"Range": "bytes=-50"},
        {"Range": "bytes=999999-"},
        {"Accept-Encoding": "gzip"},
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_downloads_have_the_same_headers_and_bytes(
    method: str, headers: dict[str, str], alice: User, client: Client
) -> None:
    job = ended(alice)

    before = _answer(client, f"/job/{job.pk}/log", method, **headers)
    log_packing.pack_all()

    assert _answer(client, f"/job/{job.pk}/log", method, **headers) == before


def test_who_has_a_plain_log_need_not_load_the_packed_one(alice: User, client: Client) -> None:
    job = ended(alice)
    first = client.head(f"/job/{job.pk}/log")
    log_packing.pack_all()

    assert client.get(f"/job/{job.pk}/log", headers={"If-None-Match": first["ETag"]}).status_code == 304


def test_lava_s_form_of_a_packed_log_is_the_same(alice: User, client: Client) -> None:
    job = ended(alice)
    url = f"/scheduler/job/{job.pk}/log_file/plain"

    before = _answer(client, url)
    log_packing.pack_all()

    assert _answer(client, url) == before
    assert text.exists(job.log_directory())


def _answer(client: Client, url: str, method: str = "GET", **headers: str) -> tuple[int, Any, bytes]:
    answer = client.generic(method, url, headers=headers)
    body = b"".join(answer) if answer.streaming else answer.content
    told = {name: value for name, value in answer.headers.items() if not name.startswith("Content-Security")}
    return answer.status_code, told, body
