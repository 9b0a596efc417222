"""`/ws/`: LAVA's frames for whoever may hear them, behind the real server."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connections, transaction
from django.test import Client
from django.utils import timezone
from websockets.sync.client import ClientConnection

from accounts.models import Scope, Token
from devices import lifecycle as devices
from events import live, numbering, outbox, publisher, retention
from events.outbox import News
from events.sockets import connection, lava
from jobs import lifecycle
from jobs.models import Job
from jobs.states import State
from tests import build
from tests.lab import eventually
from tests.serving import PATIENCE, Site, basic, do, farewell, hear, serving, token

PERSONAL = "personal"
HIDDEN_WORDS = "hush"
BEFORE = {"previous_state": "Offline", "previous_health": "Active"}


def told(client: ClientConnection) -> tuple[str, dict[str, Any]]:
    """The kind of the next event, and its data."""
    topic, _, _, _, data = hear(client)
    return topic.rpartition(".")[2], json.loads(data)


def test_a_frame_is_a_list_of_lavas_five_texts(site: Site, alice: User) -> None:
    do(build.device)
    client = site.connect("/ws/")

    job = do(lambda: build.job(submitter=alice))

    frame = hear(client)
    assert all(isinstance(part, str) for part in frame)
    topic, _, _, user, data = frame
    assert (topic, user) == ("org.lavasoftware.testjob", "alice")
    assert json.loads(data)["job"] == job.pk


def test_lavacli_gets_the_number_of_a_job_as_the_text_that_it_compares_with(site: Site, alice: User) -> None:
    do(build.device)
    client = site.connect("/ws/", agent="lavacli v3.1.0")

    job = do(lambda: build.job(submitter=alice))

    assert told(client)[1]["job"] == str(job.pk)


@pytest.mark.parametrize("way", ["basic", "token", "query", "cookie"])
def test_whoever_shows_who_they_are_hears_what_they_may_see(way: str, site: Site, alice: User) -> None:
    secret = Token.objects.issue(alice, scope=Scope.READ)
    browser = Client()
    browser.force_login(alice)
    session = browser.cookies[settings.SESSION_COOKIE_NAME].value
    client = {
        "basic": lambda: site.connect("/ws/", headers=basic("alice", secret)),
        "token": lambda: site.connect("/ws/", headers=token(secret)),
        "query": lambda: site.connect(f"/ws/?token={secret}"),
        "cookie": lambda: site.connect(
            "/ws/", headers={"Cookie": f"{settings.SESSION_COOKIE_NAME}={session}"}
        ),
    }[way]()
    do(build.device)
    build.job(visibility=PERSONAL, name=HIDDEN_WORDS)

    do(lambda: build.job(submitter=alice))

    kinds = [told(client) for _ in range(2)]
    assert ("testjob", HIDDEN_WORDS) in [(kind, data.get("description")) for kind, data in kinds]


def test_a_stranger_hears_nothing_of_a_hidden_job_and_of_its_device_not_the_number(
    site: Site, alice: User, mallory: User
) -> None:
    do(build.device)
    clients = [
        site.connect("/ws/"),
        site.connect("/ws/", headers=basic("mallory", Token.objects.issue(mallory))),
    ]

    do(lambda: build.job(submitter=alice, state=State.RUNNING, visibility=PERSONAL))
    do(lambda: devices.worker_seen("worker01", version="the last word"))
    do(lambda: build.job(submitter=alice, device="qemu02", name="shown"))

    for client in clients:
        heard: list[dict[str, Any]] = []
        while not heard or heard[-1].get("description") != "shown":
            heard.append(told(client)[1])
        assert {data["event"] for data in heard} == {"device.changed", "job.submitted"}
        assert not any("job" in data for data in heard[:-1])


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (token("zzzz"), "This token is unknown, expired or revoked."),
        (basic("bob", "zzzz"), "This token is unknown, expired or revoked."),
        ({"Authorization": "Basic ?"}, "The Authorization header cannot be read."),
    ],
    ids=["token", "basic", "nonsense"],
)
def test_a_wrong_token_is_told_so_in_lavas_words_for_an_error(
    header: dict[str, str], words: str, site: Site
) -> None:
    client = site.connect("/ws/", headers=header)

    assert farewell(client) == ([{"error": words}], 4401, words)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("since=now", "since='now': expected the sequence of the last event that you have, as 12"),
        ("since=-1", "since='-1': expected the sequence of the last event that you have, as 12"),
        ("since=99999999999999999999", "expected the sequence"),
        ("filter=state%3Drunnning", "no state is called 'runnning'"),
        ("since=7", "the last one here is 0"),
    ],
)
def test_what_cannot_be_understood_is_refused_with_what_would_be_right(
    query: str, words: str, site: Site
) -> None:
    (last,), code, _ = farewell(site.connect(f"/ws/?{query}"))

    assert words in last["error"]
    assert code in (4400, 4410)


def test_a_filter_chooses(site: Site, alice: User) -> None:
    do(build.device)
    client = site.connect("/ws/?filter=device.%23+state%3Dreserved")

    do(lambda: build.job(submitter=alice, state=State.RUNNING))

    assert told(client)[1]["state"] == "Reserved"


def test_whoever_was_away_hears_all_that_was_missed_once_and_in_order(site: Site, alice: User) -> None:
    do(build.device)
    client = site.connect("/ws/?filter=job.%23")
    do(lambda: build.job(submitter=alice))
    last = told(client)[1]["sequence"]
    client.close()
    for _ in range(3):
        do(lambda: build.job(submitter=alice))

    again = site.connect(f"/ws/?filter=job.%23&since={last}")

    do(lambda: build.job(submitter=alice))
    numbers = [told(again)[1]["sequence"] for _ in range(4)]
    assert numbers == list(range(last + 1, last + 5))


def test_a_cursor_whose_events_are_gone_is_refused_with_the_oldest_that_is_left(
    site: Site, alice: User
) -> None:
    do(lambda: build.job(submitter=alice))
    far = timezone.now() + timedelta(days=1)
    retention.clear(retention.due(before=far, at_most=0, kept_jobs=Job.objects.none()))
    gone = numbering.last_number()
    do(lambda: build.job(submitter=alice))

    (last,), code, _ = farewell(site.connect("/ws/?since=0"))

    assert code == 4410
    assert f"from {gone + 1} on they are" in last["error"]


@pytest.mark.parametrize("end", ["revoked", "locked out"])
def test_a_socket_is_closed_with_the_token_that_opened_it(
    end: str, site: Site, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "WELCOME_SECONDS", 0.05)
    client = site.connect("/ws/", headers=token(Token.objects.issue(alice)))

    if end == "revoked":
        Token.objects.all().delete()
    else:
        User.objects.filter(pk=alice.pk).update(is_active=False)

    _, code, reason = farewell(client)
    assert (code, reason) == (4401, "What opened this stream is expired or revoked.")


def test_whoever_leaves_does_not_disturb_others(site: Site, alice: User) -> None:
    do(build.device)
    leaves, stays = site.connect("/ws/"), site.connect("/ws/")
    leaves.socket.close()

    do(lambda: lifecycle.cancel(build.job(submitter=alice).pk, by="alice"))

    assert [told(stays)[1]["event"] for _ in range(2)] == ["job.submitted", "job.removed"]


def test_a_socket_that_fails_is_closed_and_does_not_disturb_others(
    site: Site, alice: User, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    do(build.device)
    monkeypatch.setattr(lava, "_for_lavacli", lambda event: 1 / 0)
    fails, goes_on = site.connect("/ws/", agent="lavacli v3.1.0"), site.connect("/ws/")

    do(lambda: lifecycle.cancel(build.job(submitter=alice).pk, by="alice"))

    assert [told(goes_on)[1]["event"] for _ in range(2)] == ["job.submitted", "job.removed"]
    assert farewell(fails) == ([{"error": connection.OUR_FAULT}], 1011, connection.OUR_FAULT)
    assert "division by zero" in caplog.text


def test_whoever_comes_back_after_the_lab_was_away_hears_what_was_missed(
    transactional_db: None, alice: User
) -> None:
    do(build.device)
    with serving() as site:
        client = site.connect("/ws/?filter=job.%23")
        do(lambda: build.job(submitter=alice))
        last = told(client)[1]["sequence"]
        site.server.should_exit = True
        assert farewell(client)[1] == 1012
    for _ in range(3):
        do(lambda: build.job(submitter=alice))

    with serving() as again:
        client = again.connect(f"/ws/?filter=job.%23&since={last}")
        assert [told(client)[1]["sequence"] for _ in range(3)] == [last + 1, last + 2, last + 3]


def test_nothing_is_lost_or_told_twice_between_what_was_and_what_is(site: Site, alice: User) -> None:
    do(build.device)
    stop = threading.Event()
    busy = threading.Thread(target=happens_until, args=(stop,))
    busy.start()
    try:
        assert eventually(lambda: numbering.last_number() > 200)
        clients = [site.connect("/ws/?since=100") for _ in range(3)]
        heard = [[told(client)[1]["sequence"] for _ in range(1000)] for client in clients]
    finally:
        stop.set()
        busy.join(PATIENCE)

    assert heard == [list(range(101, 1101))] * 3


def happens_until(stop: threading.Event) -> None:
    """Event after event, as fast as they can be written."""
    news = News(type="worker.changed", subject="worker01", data=build.OF_A_WORKER | BEFORE)
    try:
        while not stop.is_set():
            with transaction.atomic():
                outbox.record_all([news] * 5, cause=build.CAUSE)
            publisher.run_once([])
    finally:
        connections.close_all()
