"""A right that is taken away is taken from who listens already: within five seconds, on every stream that stays open."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import Group, User
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone
from websockets.sync.client import ClientConnection

from accounts.models import Token
from api.core4 import counting
from devices.models import Right
from events import live
from jobs import lifecycle, log_access
from jobs.models import Job, Visibility
from jobs.states import State
from tests import build
from tests.events.streaming import ADDRESS, Listening
from tests.serving import PATIENCE, Site, do, farewell, hear, token

ALLOWED = 5.0  # seconds
TURNED_OUT = "What opened this stream is expired or revoked."
FILTER = "job.%23"

Ear = Callable[[], int]  # the id of the job of the next event; raises Ended


class Ended(Exception):
    """With the reason that was told."""


ENDS: dict[str, Callable[[], object]] = {
    "token revoked": lambda: Token.objects.all().delete(),
    "token expired": lambda: Token.objects.update(expires=timezone.now()),
    "user deactivated": lambda: User.objects.filter(username="bob").update(is_active=False),
    "logged out": lambda: Session.objects.all().delete(),
}
NARROWS: dict[str, Callable[[], object]] = {
    "left the group": lambda: User.objects.get(username="bob").groups.clear(),
    "group deleted": lambda: Group.objects.get(name="kernel").delete(),
    "job made personal": lambda: Job.objects.update(visibility=Visibility.PERSONAL),
}


@contextmanager
def sse(site: Site, headers: dict[str, str]) -> Iterator[Ear]:
    connection = HTTPConnection("127.0.0.1", site.port, timeout=PATIENCE)
    connection.request("GET", f"{ADDRESS}?filter={FILTER}", headers={"Accept": "text/event-stream"} | headers)
    with closing(Listening(connection, connection.getresponse())) as stream:
        stream.wait_for_ping()
        messages = stream.messages()

        def ear() -> int:
            message = next(messages)
            if message.kind == "end":
                raise Ended(message.data["reason"])
            return int(message.data["data"]["job"])

        yield ear


@contextmanager
def lava(site: Site, headers: dict[str, str]) -> Iterator[Ear]:
    client = site.connect(f"/ws/?filter={FILTER}", headers=headers)
    yield lambda: int(json.loads(_frame(client)[4])["job"])


@contextmanager
def core4(site: Site, headers: dict[str, str]) -> Iterator[Ear]:
    client = site.connect("/core4/api/v1/event", headers=headers)
    client.send(json.dumps({"type": "interest", "data": ["job.#"]}))
    assert _frame(client)["type"] == "interest"
    yield lambda: int(_frame(client)["data"]["job"])


def _frame(client: ClientConnection) -> Any:
    """The next one; Ended by the last."""
    frame = hear(client)
    if isinstance(frame, dict) and "error" in frame:
        told, code, reason = farewell(client)
        assert (told, code) == ([], 4401)
        raise Ended(reason)
    return frame


def session_of(user: User) -> dict[str, str]:
    browser = Client()
    browser.force_login(user)
    name = django_settings.SESSION_COOKIE_NAME
    return {"Cookie": f"{name}={browser.cookies[name].value}"}


def test_what_takes_longest_to_be_noticed_takes_no_longer_than_is_allowed() -> None:
    assert live.WELCOME_SECONDS + live.SHARED_SECONDS < ALLOWED
    assert counting.RIGHTS_SECONDS < ALLOWED
    assert log_access.PERMISSION_SECONDS <= ALLOWED


@pytest.mark.parametrize("end", ENDS)
def test_every_stream_ends_with_what_opened_it(
    end: str, site: Site, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "WELCOME_SECONDS", 0.05)
    headers = session_of(bob) if end == "logged out" else token(Token.objects.issue(bob))
    with sse(site, headers) as first, lava(site, headers) as second, core4(site, headers) as third:
        ENDS[end]()

        for ear in (first, second, third):
            with pytest.raises(Ended, match=TURNED_OUT):
                ear()


@pytest.mark.parametrize("way", NARROWS)
def test_every_stream_narrows_with_the_rights_of_who_listens(
    way: str, site: Site, alice: User, bob: User
) -> None:
    job = do(lambda: build.job(submitter=alice, visibility={"group": ["kernel"]}))
    headers = token(Token.objects.issue(bob))
    with sse(site, headers) as first, lava(site, headers) as second, core4(site, headers) as third:
        NARROWS[way]()
        do(lambda: lifecycle.cancel(job.pk, by="alice"))
        shown = do(lambda: build.job(submitter=alice))

        assert [ear() for ear in (first, second, third)] == [shown.pk] * 3


def test_every_stream_narrows_when_a_device_is_hidden(site: Site, alice: User, bob: User) -> None:
    job = do(lambda: build.job(submitter=alice, state=State.RUNNING))
    headers = token(Token.objects.issue(bob))
    with sse(site, headers) as first, lava(site, headers) as second, core4(site, headers) as third:
        build.right(build.group("keepers"), "qemu01", Right.VIEW)
        do(lambda: lifecycle.finish(job.pk, build.PASSED, worker="worker01"))
        shown = do(lambda: build.job(submitter=alice, device="qemu02"))

        assert [ear() for ear in (first, second, third)] == [shown.pk] * 3


def test_a_summary_narrows_although_nothing_happens(
    site: Site, alice: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "RIGHTS_SECONDS", 0.05)
    do(lambda: build.job(submitter=alice, name="secret", visibility={"group": ["kernel"]}))
    client = site.connect("/core4/api/v1/event", headers=token(Token.objects.issue(bob)))
    client.send(json.dumps({"type": "interest", "data": ["queue"]}))
    assert hear(client)["type"] == "interest"
    assert [row["name"] for row in hear(client)["data"]] == ["secret"]

    bob.groups.clear()

    assert [row["name"] for row in hear(client)["data"]] == ["UnauthorizedJob"]


def test_a_log_is_shut_when_what_is_remembered_is_forgotten(
    alice: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_access, "PERMISSION_SECONDS", 0)
    job = build.job(submitter=alice, state=State.RUNNING, visibility={"group": ["kernel"]})
    client = Client(headers=token(Token.objects.issue(bob)))
    assert client.get(f"/job/{job.pk}/log-tail", {"start": 0}).status_code == 200

    bob.groups.clear()

    assert client.get(f"/job/{job.pk}/log-tail", {"start": 0}).status_code == 404


@pytest.mark.parametrize("end", ["token revoked", "token expired", "user deactivated"])
def test_a_log_is_shut_at_once_for_a_token_that_opens_nothing_any_more(
    end: str, alice: User, bob: User
) -> None:
    job = build.job(submitter=alice, state=State.RUNNING, visibility={"group": ["kernel"]})
    client = Client(headers=token(Token.objects.issue(bob)))
    assert client.get(f"/job/{job.pk}/log-tail", {"start": 0}).status_code == 200

    ENDS[end]()

    assert client.get(f"/job/{job.pk}/log-tail", {"start": 0}).status_code in (401, 403, 404)
