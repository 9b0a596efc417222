"""`/job/<id>/log?follow=1`: the text as it is written, for `curl -N`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse, IncompleteRead
from typing import Any

import pytest
from django.contrib.auth.models import User

from accounts.models import Token
from jobs import lifecycle
from jobs.lifecycle import Ending
from jobs.log_live import watching
from jobs.models import Job
from jobs.states import State
from tests import build
from tests.jobs.log_live.writing import whole, write
from tests.serving import PATIENCE, Site, do, token

BROKEN = Ending(passed=False, error_type="Infrastructure", errors="the power was cut")


@contextmanager
def following(site: Site, job: int, query: str = "follow=1", **headers: str) -> Iterator[HTTPResponse]:
    line = HTTPConnection("127.0.0.1", site.port, timeout=PATIENCE)
    try:
        line.request("GET", f"/job/{job}/log?{query}", headers=headers)
        yield line.getresponse()
    finally:
        line.close()


def running(**of_job: Any) -> Job:
    job: Job = do(lambda: build.job(state=State.RUNNING, **of_job))
    return job


def test_the_text_comes_as_it_is_written_and_ends_with_the_job(site: Site) -> None:
    job = running()
    write(job, "grüße")
    with following(site, job.pk) as answer:
        assert answer.readline() == "grüße\n".encode()

        write(job, "login: ", partial=True)
        assert answer.read(7) == b"login: "

        write(job, "root")
        do(lambda: lifecycle.finish(job.pk, Ending(passed=True), worker="worker01"))
        assert answer.read() == b"root\n"
    assert whole(job) == "grüße\nlogin: root\n"


def test_it_is_plain_text_that_nobody_keeps(site: Site) -> None:
    with following(site, running().pk) as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Accel-Buffering"] == "no"


def test_it_begins_at_a_byte(site: Site) -> None:
    job = running()
    write(job, "one", "two")
    do(lambda: lifecycle.finish(job.pk, Ending(passed=True), worker="worker01"))

    with following(site, job.pk, "follow=1&start=4") as answer:
        assert answer.read() == b"two\n"


def test_it_stays_with_the_attempt_that_it_began_with(site: Site) -> None:
    job = running(lava_lite={"retry": 2})
    write(job, "the first attempt")
    with following(site, job.pk) as answer:
        answer.readline()

        do(lambda: lifecycle.finish(job.pk, BROKEN, worker="worker01"))

        assert answer.read() == b""


@pytest.mark.parametrize("query", ["", "follow=0", "follow=false"])
def test_without_follow_it_is_the_text_as_it_is_now(query: str, site: Site) -> None:
    job = running()
    write(job, "hello")

    with following(site, job.pk, query) as answer:
        assert answer.headers["Content-Length"] == "6"
        assert answer.read() == b"hello\n"


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ("follow=1&start=x", 400, b"start: expected a whole number, 0 or more, got 'x'\n"),
        ("follow=1&attempt=2", 404, b"has had no attempt 2"),
    ],
)
def test_what_cannot_be_is_refused_in_plain_text(query: str, status: int, words: bytes, site: Site) -> None:
    with following(site, running().pk, query) as answer:
        assert answer.status == status
        assert words in answer.read()


def test_a_hidden_log_looks_as_if_there_were_none(site: Site, alice: User, mallory: User) -> None:
    job = running(submitter=alice, visibility="personal")
    write(job, "hush")

    for headers in ({}, token(Token.objects.issue(mallory))):
        with following(site, job.pk, **headers) as answer:
            assert answer.status == 404
            assert b"hush" not in answer.read()
    with following(site, job.pk, **token(Token.objects.issue(alice))) as answer:
        assert answer.readline() == b"hush\n"


def test_a_token_that_opens_nothing_is_refused(site: Site) -> None:
    with following(site, running().pk, **token("zzzz")) as answer:
        assert answer.status == 401
        assert answer.read() == b"This token is unknown, expired or revoked.\n"


def test_a_log_that_is_hidden_meanwhile_breaks_off(
    site: Site, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "ALLOWED_SECONDS", 0.0)
    job = running(submitter=alice)
    write(job, "shown")
    with following(site, job.pk) as answer:
        answer.readline()

        Job.objects.filter(pk=job.pk).update(visibility="personal")
        write(job, "hush")

        with pytest.raises((IncompleteRead, ConnectionResetError)):
            answer.read()
