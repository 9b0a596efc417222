"""Streams of events over HTTP, by real sockets."""

from __future__ import annotations

import logging
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta
from statistics import median

import pytest
from django.contrib.auth.models import User
from django.db import connections, transaction
from django.utils import timezone

from accounts.models import Token
from events import live, numbering, outbox, publisher, retention, sse
from events.models import Event
from jobs import lifecycle
from jobs.models import Job
from jobs.states import State
from lava_lite import server as lab_server
from tests import build
from tests.events import checking
from tests.events.streaming import Listening, StreamServer, serving
from tests.lab import eventually

EVENTS_PER_SECOND = 500
BYTES_OF_ONE = 128 * 1024  # that may wait for a listener, of the millions that he could have
BEFORE = {"previous_state": "Offline", "previous_health": "Active"}

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def server(db: None) -> Iterator[StreamServer]:
    with serving() as running:
        yield running


def numbered() -> None:
    publisher.run_once([])


def jobs(count: int, submitter: User, **of_job: object) -> list[Job]:
    made = [build.job(submitter=submitter, **of_job) for _ in range(count)]  # type: ignore[arg-type]
    numbered()
    return made


def bearer(user: User) -> str:
    return f"Bearer {Token.objects.issue(user)}"


def forget_all() -> None:
    """As if all events had been kept for long enough."""
    numbered()
    far = timezone.now() + timedelta(days=1)
    retention.clear(retention.due(before=far, at_most=0, kept_jobs=Job.objects.none()))


def sequences(listening: Listening, count: int) -> list[int]:
    return [message.sequence for message in listening.take(count)]


def test_each_event_is_told_as_a_cloud_event_with_its_number_as_the_id(
    server: StreamServer, alice: User
) -> None:
    (job,) = jobs(1, alice)
    with server.listening("?since=0") as listening:
        messages = listening.take(numbering.last_number())

    assert [message.kind for message in messages][-1] == "job.submitted"
    assert [int(message.id) for message in messages] == [message.sequence for message in messages]
    assert [fault for message in messages for fault in checking.faults_in_cloud_event(message.data)] == []
    assert messages[-1].data["data"]["job"] == job.pk
    assert listening.headers["Content-Type"] == "text/event-stream"


def test_who_names_no_event_hears_from_now_on(server: StreamServer, alice: User) -> None:
    jobs(1, alice)
    with server.listening() as listening:
        listening.wait_for_ping()
        (job,) = jobs(1, alice)
        (message,) = listening.take(1)

    assert message.data["data"]["job"] == job.pk


def test_a_stream_tells_at_once_from_where_it_can_be_taken_up(server: StreamServer, alice: User) -> None:
    jobs(1, alice)
    last = numbering.last_number()
    with server.listening() as listening:
        listening.wait_for_ping()
        assert int(listening.last_id) == last


@pytest.mark.parametrize("query", ["", "?since=1"], ids=["alone", "before since"])
def test_the_header_of_a_browser_that_comes_back_is_heeded(
    query: str, server: StreamServer, alice: User
) -> None:
    jobs(4, alice)
    with server.listening(query, Last_Event_ID="3") as listening:
        assert sequences(listening, 2) == [4, 5]


def test_who_was_cut_off_again_and_again_hears_everything_once_and_in_order(
    server: StreamServer, alice: User
) -> None:
    heard, last = list[int](), "0"
    for _ in range(5):
        jobs(3, alice)
        with server.listening(Last_Event_ID=last) as listening:
            heard += sequences(listening, 2)
            last = listening.last_id
    with server.listening(Last_Event_ID=last) as listening:
        heard += sequences(listening, numbering.last_number() - len(heard))

    assert heard == list(range(1, numbering.last_number() + 1))


def test_who_comes_back_to_a_lab_that_was_started_anew_hears_what_was_missed(db: None, alice: User) -> None:
    with serving() as server:
        jobs(1, alice)
        with server.listening("?since=0") as listening:
            heard = sequences(listening, numbering.last_number())
            server.close()
            assert list(listening.messages()) == []
    jobs(3, alice)

    with serving() as again, again.listening(Last_Event_ID=listening.last_id) as listening:
        heard += sequences(listening, numbering.last_number() - len(heard))

    assert heard == list(range(1, numbering.last_number() + 1))


def test_nothing_is_lost_or_told_twice_between_what_was_and_what_is(
    server: StreamServer, alice: User
) -> None:
    many(build.job(submitter=alice), 1_000)
    begin = numbering.last_number()
    with busy(EVENTS_PER_SECOND):
        assert eventually(lambda: numbering.last_number() > begin)
        with ExitStack() as stack:
            late = [stack.enter_context(server.listening(f"?since={since}")) for since in (0, 500, begin)]
            end = numbering.last_number() + EVENTS_PER_SECOND
            heard = [sequences(each, end - since) for each, since in zip(late, (0, 500, begin), strict=True)]

    assert heard == [list(range(since + 1, end + 1)) for since in (0, 500, begin)]


def test_a_filter_chooses(server: StreamServer, alice: User) -> None:
    first, _ = jobs(2, alice)
    lifecycle.cancel(first.pk, by="alice")
    numbered()
    with server.listening(f"?since=0&filter=job.%23+job={first.pk}") as listening:
        messages = listening.take(3)

    assert [message.kind for message in messages] == ["job.submitted", "job.removal_requested", "job.removed"]


def test_a_ping_moves_on_the_place_of_a_listener_for_whom_nothing_happens(
    server: StreamServer, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse, "PING_SECONDS", 0.05)
    with server.listening("?filter=worker.deleted") as listening:
        listening.wait_for_ping()
        jobs(1, alice)
        while int(listening.last_id) < numbering.last_number():
            listening.wait_for_ping()


def test_everybody_hears_what_they_may_see(server: StreamServer, alice: User, mallory: User) -> None:
    hidden, shown = [*jobs(1, alice, visibility="personal"), *jobs(1, alice)]
    wanted = "?since=0&filter=job.%23"
    with (
        server.listening(wanted, Authorization=bearer(alice)) as hers,
        server.listening(wanted, Authorization=bearer(mallory)) as his,
        server.listening(wanted) as anybodys,
    ):
        assert [message.data["data"]["job"] for message in hers.take(2)] == [hidden.pk, shown.pk]
        assert [message.data["data"]["job"] for message in his.take(1)] == [shown.pk]
        assert [message.data["data"]["job"] for message in anybodys.take(1)] == [shown.pk]


def test_what_is_written_for_who_sees_all_is_not_told_to_who_sees_less(
    server: StreamServer, alice: User, mallory: User
) -> None:
    build.job(submitter=alice, state=State.RUNNING, visibility="personal")
    numbered()
    wanted = "?since=0&filter=device.changed"
    with (
        server.listening(wanted, Authorization=bearer(alice)) as hers,
        server.listening(wanted, Authorization=bearer(mallory)) as his,
    ):
        assert "job" in hers.take(1)[0].data["data"]
        assert "job" not in his.take(1)[0].data["data"]


# What is refused


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("?filter=mood=good", "filter"),
        ("?since=yesterday", "since"),
        ("?since=-1", "since"),
        ("?snapshot=perhaps", "snapshot"),
        ("?sinze=1", "sinze"),
    ],
)
def test_what_makes_no_sense_is_a_problem_that_names_it(query: str, name: str, server: StreamServer) -> None:
    with server.listening(query) as answer:
        problem = answer.problem()

    assert (answer.status, answer.headers["Content-Type"]) == (400, "application/problem+json")
    assert list(problem["errors"]) == [name]


def test_a_token_that_opens_nothing_is_a_problem(server: StreamServer) -> None:
    with server.listening(Authorization="Bearer of-bad-news") as answer:
        problem = answer.problem()

    assert (answer.status, problem["type"]) == (401, "/api/docs/#problem-who-are-you")
    assert answer.headers["WWW-Authenticate"] == 'Token realm="lava_lite"'


@pytest.mark.parametrize("since", [0, 10_000], ids=["too old", "of another lab"])
def test_a_place_from_which_one_cannot_go_on_is_a_problem_that_leads_to_a_snapshot(
    since: int, server: StreamServer, alice: User
) -> None:
    jobs(1, alice)
    forget_all()
    with server.listening(f"?since={since}") as answer:
        problem = answer.problem()

    assert (answer.status, problem["type"]) == (410, "/api/docs/#problem-events-are-gone")
    assert problem["oldest_sequence"] == problem["last_sequence"] + 1 == numbering.last_number() + 1
    with server.listening("?" + problem["snapshot"].partition("?")[2]) as listening:
        assert listening.take(1)[0].kind == "snapshot"


def test_who_wants_no_stream_is_answered_elsewhere(server: StreamServer) -> None:
    with server.listening(Accept="application/json") as answer:
        assert answer.response.read() == b"elsewhere"


# How a stream ends


def test_a_place_that_is_lost_in_mid_stream_is_told_and_ends_it(
    server: StreamServer, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "PIECE", 2)
    monkeypatch.setattr(live, "WINDOW", 1)
    jobs(5, alice)
    taken = live._from_table
    monkeypatch.setattr(live, "_from_table", lambda cursor: (forget_all(), taken(cursor))[1])
    with server.listening("?since=0") as listening:
        (*_, last) = listening.messages()

    assert last.kind == "reset"
    assert last.data["oldest_sequence"] == numbering.last_number() + 1
    assert last.data["snapshot"] == "/api/v1/events?snapshot=1"


def test_a_stream_ends_with_a_reason_when_its_token_is_revoked(
    server: StreamServer, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "WELCOME_SECONDS", 0.05)
    with server.listening("?filter=job.%23", Authorization=bearer(alice)) as listening:
        listening.wait_for_ping()
        Token.objects.all().delete()
        (last,) = listening.messages()

    assert (last.kind, "revoked" in last.data["reason"]) == ("end", True)


def test_a_listener_that_leaves_is_forgotten(server: StreamServer, alice: User) -> None:
    with server.listening() as listening:
        listening.wait_for_ping()
        assert live.live.listeners

    assert eventually(lambda: not live.live.listeners)


def test_a_server_that_ends_does_not_wait_for_its_listeners(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lab_server, "LAST_ANSWERS", 3600)
    with serving() as server, server.listening() as listening:
        listening.wait_for_ping()
        server.close()
        assert list(listening.messages()) == []


# A snapshot


def test_a_snapshot_is_followed_by_exactly_the_events_after_it(server: StreamServer, alice: User) -> None:
    running = build.job(submitter=alice, state=State.RUNNING)
    build.job(submitter=alice, state=State.FINISHED, device="qemu02")
    numbered()
    with server.listening("?snapshot=1") as listening:
        (snapshot,) = listening.take(1)
        lifecycle.finish(running.pk, build.PASSED, worker="worker01")
        numbered()
        first, *_ = listening.take(2)

    assert [job["job"] for job in snapshot.data["jobs"]] == [running.pk]
    assert [device["device"] for device in snapshot.data["devices"]] == ["qemu01", "qemu02"]
    assert [worker["hostname"] for worker in snapshot.data["workers"]] == ["worker01"]
    assert int(snapshot.id) == snapshot.data["as_of_sequence"] == first.sequence - 1


def test_who_comes_back_to_a_snapshot_goes_on_and_gets_no_other(server: StreamServer, alice: User) -> None:
    jobs(3, alice)
    with server.listening("?snapshot=1", Last_Event_ID="3") as listening:
        assert sequences(listening, 2) == [4, 5]


def test_who_comes_back_too_late_to_a_snapshot_gets_another(server: StreamServer, alice: User) -> None:
    (job,) = jobs(1, alice)
    forget_all()
    with server.listening("?snapshot=1", Last_Event_ID="1") as listening:
        (snapshot,) = listening.take(1)

    assert [each["job"] for each in snapshot.data["jobs"]] == [job.pk]


def test_a_listener_that_leaves_while_much_is_told_is_told_no_more(
    server: StreamServer, alice: User, caplog: pytest.LogCaptureFixture
) -> None:
    many(build.job(submitter=alice), 2_000)
    for _ in range(20):
        leaves = server.connect("?since=0", receive_buffer=1024 * 1024)
        while b"event:" not in leaves.recv(4096):
            pass
        leaves.close()

    assert eventually(lambda: not live.live.listeners)
    assert (
        "socket.send() raised exception" not in caplog.text
    )  # asyncio's words for who writes on all the same


# Listeners that stop reading


def test_a_listener_that_takes_nothing_is_dropped_holds_up_nobody_and_goes_on_later(
    server: StreamServer, alice: User, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sse, "PATIENCE", 0.5)
    caplog.set_level(logging.INFO, logger="events.sse")
    job = build.job(submitter=alice)
    many(job, 8_000)
    stalled = server.connect("?since=0", receive_buffer=4096)
    with server.listening(f"?since={numbering.last_number()}") as other:
        other.wait_for_ping()
        lifecycle.cancel(job.pk, by="alice")
        numbered()
        assert [message.kind for message in other.take(2)] == ["job.removal_requested", "job.removed"]
    assert eventually(lambda: "took nothing for 0.5 s" in caplog.text)
    assert eventually(lambda: not live.live.listeners)

    last = re.findall(rb"^id: (\d+)$", all_of(stalled), re.MULTILINE)[-1].decode()
    with server.listening(Last_Event_ID=last) as listening:
        assert sequences(listening, 3) == [int(last) + 1, int(last) + 2, int(last) + 3]


@contextmanager
def busy(pace: int) -> Iterator[None]:
    """So many events in a second meanwhile, or as many as can be written if that is less."""
    news = [outbox.News(type="worker.changed", subject="worker01", data=build.OF_A_WORKER | BEFORE)] * 10
    stop = threading.Event()

    def happen() -> None:
        began, pieces = time.monotonic(), 0
        try:
            while not stop.wait(max(0.0, began + pieces * len(news) / pace - time.monotonic())):
                with transaction.atomic():
                    outbox.record_all(news, cause=build.CAUSE)
                numbered()
                pieces += 1
        finally:
            connections.close_all()

    thread = threading.Thread(target=happen)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_a_listener_that_takes_nothing_costs_little_and_delays_others_by_less_than_a_second(
    server: StreamServer, alice: User
) -> None:
    many(build.job(submitter=alice), 8_000)
    delays = []
    with (
        server.connect("?since=0", receive_buffer=4096),
        server.listening(f"?since={numbering.last_number()}") as other,
    ):
        assert eventually(lambda: server.unsent > 0)
        for _ in range(9):
            began = time.monotonic()
            jobs(1, alice)
            other.take(1)
            delays.append(time.monotonic() - began)
        unsent = server.unsent

    assert median(delays) < 1.0, delays
    assert 0 < unsent < BYTES_OF_ONE


def all_of(connection: socket.socket) -> bytes:
    """What had come before the server cut the connection."""
    pieces = list[bytes]()
    with connection, suppress(ConnectionResetError):
        while piece := connection.recv(65536):
            pieces.append(piece)
    return b"".join(pieces)


def many(job: Job, count: int) -> None:
    """Events of a job, as if its test had told of so many things."""
    with transaction.atomic():
        told = Event.objects.filter(job_id=job.pk).order_by("-job_sequence")[0]
        news = [outbox.News(type=told.type, subject=told.subject, data=told.data)] * count
        outbox.record_all(news, cause=build.CAUSE, job_id=job.pk, attempt=1)
    while numbering.number_committed():
        pass
