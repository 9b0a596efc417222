"""core4's WebSocket, behind the real server."""

from __future__ import annotations

import json
from itertools import count, takewhile
from typing import Any

import pytest
from django.contrib.auth.models import User
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection

from accounts.models import Scope, Token
from api.core4 import counting, messages
from events import live, numbering, retention, visibility
from events.catalogue import CATALOGUE
from events.models import Event
from jobs import lifecycle, queue_now
from jobs.history import summary
from jobs.states import State
from tests import build
from tests.events import everything
from tests.serving import Site, do, farewell, hear

FAR = 10**12
FIELDS = {"_id", "author", "channel", "created", "data", "name"}


def say(client: ClientConnection, **frame: Any) -> None:
    client.send(json.dumps(frame))


def joined(site: Site, user: User | None = None, **interest: Any) -> ClientConnection:
    """A client that has announced its interest, by default in the queue."""
    secret = f"?token={Token.objects.issue(user)}" if user else ""
    client = site.connect(f"/core4/api/v1/event{secret}")
    say(client, **{"type": "interest", "data": ["queue"]} | interest)
    assert hear(client)["type"] == "interest"
    return client


def next_of(client: ClientConnection, *, summary: bool = False) -> dict[str, Any]:
    """The next event, or the next summary; the other ones are passed over."""
    while True:
        frame: dict[str, Any] = hear(client)
        if (frame.get("name") == "summary") == summary:
            return frame


def names(client: ClientConnection, count: int) -> list[str]:
    return [next_of(client)["name"] for _ in range(count)]


@pytest.mark.parametrize("path", ["/api/v1/event", "/core4/api/v1/event", "/core4//api/v1/event/"])
def test_interest_is_confirmed_in_core4s_words(path: str, site: Site) -> None:
    client = site.connect(path)

    say(client, type="interest", data=["queue"])

    assert hear(client) == {
        "data": ["queue"],
        "message": "processed interest in ['queue']",
        "type": "interest",
    }


def test_the_queue_is_summed_up_at_once_and_then_when_it_has_changed(site: Site, alice: User) -> None:
    do(build.device)
    client = joined(site, alice)
    first = hear(client)
    assert (first["name"], first["data"]) == ("summary", [])

    job = do(lambda: build.job(submitter=alice))

    event, summary = next_of(client), next_of(client, summary=True)
    assert set(event) == FIELDS
    assert event["_id"] == Event.objects.get(type="job.submitted").uid.hex[:24]
    assert event["data"] == {"_id": job.uuid.hex[:24], "queue": {"pending": 1}}
    assert (event["author"], event["channel"], event["name"]) == ("alice", "queue", "enqueue_job")
    assert set(summary) == FIELDS - {"_id"}
    assert summary["data"] == [
        {
            "killed": False,
            "n": 1,
            "name": "hello",
            "removed": False,
            "state": "pending",
            "wall": False,
            "zombie": False,
        }
    ]


def test_a_job_is_told_of_from_its_first_to_its_last_event(site: Site, alice: User) -> None:
    do(build.device)
    client = joined(site, alice)
    told = []
    job = do(lambda: build.job(submitter=alice))
    told.append(next_of(client))
    for deed in (
        lambda: lifecycle.schedule(job.pk, "qemu01"),
        lambda: lifecycle.start(job.pk, worker="worker01"),
        lambda: lifecycle.finish(job.pk, build.PASSED, worker="worker01"),
    ):
        do(deed)
        told.append(next_of(client))

    assert [(event["name"], event["data"]["queue"]) for event in told] == [
        ("enqueue_job", {"pending": 1}),
        ("request_start_job", {"running": 1}),
        ("start_job", {"running": 1}),
        ("complete_job", {}),
    ]
    assert {event["data"]["_id"] for event in told} == {job.uuid.hex[:24]}


def test_a_hidden_job_is_one_of_the_unauthorized_and_its_events_are_not_told(
    site: Site, alice: User, mallory: User
) -> None:
    do(build.device)
    hers, his = joined(site, alice), joined(site, mallory)
    for name in ("one", "two"):
        do(lambda name=name: build.job(submitter=alice, name=name, visibility="personal"))

    assert names(hers, 2) == ["enqueue_job", "enqueue_job"]
    summary = next_of(his, summary=True)
    while sum(row["n"] for row in summary["data"]) < 2:
        summary = next_of(his, summary=True)
    assert [(row["name"], row["n"]) for row in summary["data"]] == [("UnauthorizedJob", 2)]
    do(lambda: build.job(submitter=alice))
    assert next_of(his)["data"]["queue"] == {"pending": 1}


@pytest.mark.parametrize("order", [("alice", "mallory"), ("mallory", "alice")])
def test_what_one_may_not_see_is_hidden_whoever_came_first(
    order: tuple[str, str], site: Site, alice: User, mallory: User
) -> None:
    do(lambda: build.job(submitter=alice, name="secret", visibility="personal"))
    users = {"alice": alice, "mallory": mallory}
    clients = {name: joined(site, users[name]) for name in order}

    shown = {name: next_of(client, summary=True)["data"][0]["name"] for name, client in clients.items()}

    assert shown == {"alice": "secret", "mallory": "UnauthorizedJob"}


def test_a_topic_is_told_with_its_whole_payload_and_number(site: Site, alice: User) -> None:
    do(build.device)
    client = joined(site, alice, data=["device.*", "queue"])

    do(lambda: build.job(submitter=alice, state=State.SCHEDULED))

    events = [next_of(client) for _ in range(3)]
    device = next(event for event in events if event["channel"] == "device")
    assert device["name"] == "device.changed"
    assert device["data"]["state"] == "Reserved"
    assert device["sequence"] == device["data"]["sequence"]
    assert {event["name"] for event in events} == {"enqueue_job", "device.changed", "request_start_job"}


def test_a_filter_chooses(site: Site, alice: User) -> None:
    do(build.device)
    client = joined(site, alice, filter="state=running")

    do(lambda: build.job(submitter=alice, state=State.RUNNING))

    assert names(client, 1) == ["start_job"]


def test_whoever_was_away_hears_all_that_was_missed_once_and_in_order(site: Site, alice: User) -> None:
    do(lambda: build.job(submitter=alice, state=State.FINISHED))
    whole = joined(site, alice, data=["#"], since=0)
    last = numbering.last_number()
    heard = [next_of(whole)["sequence"] for _ in range(last)]

    rest = joined(site, alice, data=["#"], since=3)

    assert heard == list(range(1, last + 1))
    assert [next_of(rest)["sequence"] for _ in range(last - 3)] == heard[3:]


def test_another_interest_takes_the_place_of_the_first_and_nothing_is_told_twice(
    site: Site, alice: User
) -> None:
    do(build.device)
    client = joined(site, alice, data=["job.#"])
    do(lambda: build.job(submitter=alice))
    assert names(client, 1) == ["job.submitted"]

    say(client, type="interest", data=["device.#"])
    assert hear(client)["data"] == ["device.#"]

    do(lambda: build.job(submitter=alice, state=State.SCHEDULED))
    assert names(client, 1) == ["device.changed"]


def test_a_cursor_whose_events_are_gone_is_answered_with_a_reset(site: Site, alice: User) -> None:
    do(lambda: build.job(submitter=alice))
    retention.clear(Event.objects.filter(sequence__isnull=False))
    gone = numbering.last_number()
    do(lambda: build.job(submitter=alice))
    client = joined(site, alice, data=["#"], since=0)

    reset = hear(client)

    assert (reset["type"], reset["oldest"]) == ("reset", gone + 1)
    say(client, type="interest", data=["#"], since=reset["oldest"] - 1)
    assert hear(client)["type"] == "interest"
    assert next_of(client)["sequence"] == gone + 1


def test_a_cursor_that_was_never_given_is_answered_with_a_reset(site: Site, alice: User) -> None:
    client = site.connect("/api/v1/event")

    say(client, type="interest", data=["queue"], since=FAR)

    assert hear(client)["type"] == "reset"


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        ("nonsense", "this is no JSON"),
        ("[" * 10_000, "this is no JSON"),
        ("[]", "expected an object with a type"),
        ('{"type": "gossip"}', 'there is no type "gossip"; expected "interest" or "message"'),
        ('{"type": ["message"]}', 'there is no type ["message"]'),
        ('{"type": "message", "channel": "chat"}', "expected a message with a channel and a text"),
        (
            '{"type": "message", "channel": "chat", "text": ""}',
            "expected a message with a channel and a text",
        ),
        ('{"type": "message", "channel": 1, "text": "hi"}', "expected a message with a channel and a text"),
        ('{"type": "message", "channel": "a b", "text": "hi"}', "'a b' is no name of an event"),
        ('{"type": "message", "channel": "queue", "text": "hi"}', "only the lab itself speaks on 'queue'"),
        ('{"type": "message", "channel": "Job.x", "text": "hi"}', "only the lab itself speaks on 'job'"),
        ('{"type": "message", "channel": "chat", "text": "\\u0000"}', "the message holds a NUL"),
        (json.dumps({"type": "message", "channel": "chat", "text": "x" * 4097}), "at most 4,096"),
        ('{"type": "interest", "data": "queue"}', "expected a list of channels"),
        ('{"type": "interest", "data": ["a b"]}', "'a b' is no topic"),
        ('{"type": "interest", "data": ["queue"], "since": true}', "expected the sequence"),
        ('{"type": "interest", "data": ["queue"], "filter": "sate=x"}', "there is no 'sate' to choose by"),
        ('{"type": "interest", "data": ["queue"], "filter": 1}', "filter: expected a text"),
        (json.dumps({"type": "interest", "data": ["a"] * 101}), "101 channels are too many"),
    ],
)
def test_a_frame_that_makes_no_sense_is_answered_and_the_conversation_goes_on(
    frame: str, words: str, site: Site
) -> None:
    client = site.connect("/api/v1/event")

    client.send(frame)

    answer = hear(client)
    assert answer["type"] == "error"
    assert words in answer["error"]
    say(client, type="interest", data=[])
    assert hear(client)["type"] == "interest"


def test_a_frame_that_is_too_long_ends_the_conversation(site: Site) -> None:
    client = site.connect("/api/v1/event")

    client.send("x" * 100_000)

    assert farewell(client)[1] == 1009


def test_a_wrong_token_is_refused(site: Site) -> None:
    with pytest.raises(InvalidStatus) as refused:
        site.connect("/core4/api/v1/event?token=zzzz")

    assert refused.value.response.status_code == 401
    assert refused.value.response.body == b"This token is unknown, expired or revoked.\n"


def test_the_conversation_ends_with_the_token_that_began_it(
    site: Site, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "WELCOME_SECONDS", 0.05)
    client = joined(site, alice)

    Token.objects.all().delete()

    told, code, reason = farewell(client)
    assert told[-1] == {"type": "error", "error": "What opened this stream is expired or revoked."}
    assert (code, reason) == (4401, "What opened this stream is expired or revoked.")


def test_all_sockets_of_a_user_share_one_count_and_an_idle_lab_is_not_counted_again(
    site: Site, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[Any] = []
    count = queue_now.of
    monkeypatch.setattr(queue_now, "of", lambda user: counted.append(user) or count(user))
    monkeypatch.setattr(counting, "RIGHTS_SECONDS", 3600.0)
    clients = [joined(site, alice) for _ in range(5)]

    assert [next_of(client, summary=True)["data"] for client in clients] == [[]] * 5
    assert len(counted) == 1
    do(lambda: build.job(submitter=alice))
    assert [names(client, 1) for client in clients] == [["enqueue_job"]] * 5
    assert [len(next_of(client, summary=True)["data"]) for client in clients] == [1] * 5
    assert len(counted) <= 3


def test_every_name_that_core4_has_is_told_by_it(site: Site, alice: User, admin: User) -> None:
    do(lambda: everything.happens(alice))
    over = do(lambda: build.job(submitter=alice, state=State.FINISHED, device="qemu10"))
    do(lambda: lifecycle.resubmit(over, by=alice))
    wanted = [name for name, entry in CATALOGUE.items() if entry.core4 and entry.subject == "job"]
    count = len(visibility.seen_by(admin, list(Event.objects.filter(type__in=wanted))))

    client = joined(site, admin, since=0)

    assert set(names(client, count)) == {CATALOGUE[name].core4 for name in wanted}


# What clients say to each other


def spoken(client: ClientConnection, text: str, channel: str = "chat") -> dict[str, Any]:
    """Say it, and hear what the lab answers."""
    say(client, type="message", channel=channel, text=text)
    answers = (hear(client) for _ in count())
    answer: dict[str, Any] = next(frame for frame in answers if "type" in frame)
    do(lambda: None)  # it is numbered
    return answer


def test_others_who_are_interested_in_a_channel_hear_what_is_said_there(
    site: Site, alice: User, bob: User
) -> None:
    listener, elsewhere = joined(site, bob, data=["chat"]), joined(site, bob, data=["tea"])
    speaker = joined(site, alice, data=["chat"])

    receipt = spoken(speaker, "hello")

    heard = hear(listener)
    event = Event.objects.get(type="custom.chat")
    assert receipt == {"type": "message", "message_id": event.uid.hex[:24], "message": "OK"}
    assert set(heard) == FIELDS
    assert heard["_id"] == receipt["message_id"]
    assert (heard["author"], heard["channel"], heard["name"]) == ("alice", "chat", "message")
    assert heard["data"] == "hello"
    assert (event.cause, event.actor, event.data["public"]) == ("user", "alice", True)
    spoken(speaker, "milk?", "tea")
    assert hear(elsewhere)["data"] == "milk?"


def test_whoever_speaks_on_a_channel_hears_the_others_there_and_not_themselves(
    site: Site, alice: User, bob: User
) -> None:
    one, other = joined(site, alice, data=[]), joined(site, bob, data=[])

    told = [spoken(one, "is bbb-01 free?", "Chat")["message"], spoken(other, "it is")["message"]]

    assert told == ["OK, added interest in channel"] * 2
    assert hear(one)["data"] == "it is"
    assert spoken(one, "thanks")["message"] == "OK"
    heard = list(takewhile(lambda said: said != "thanks", (hear(other)["data"] for _ in count())))
    assert "it is" not in heard


def test_a_message_is_kept_for_whoever_was_away(site: Site, alice: User, bob: User) -> None:
    spoken(joined(site, alice), "hello")

    client = joined(site, bob, data=["chat"], since=0)

    heard = hear(client)
    assert (heard["data"], heard["sequence"]) == ("hello", Event.objects.get(type="custom.chat").sequence)


def test_a_message_that_a_channel_tells_of_is_not_told_again_by_a_topic(
    site: Site, alice: User, bob: User
) -> None:
    client = joined(site, bob, data=["chat", "custom.#"])
    speaker = joined(site, alice)

    spoken(speaker, "first")
    spoken(speaker, "second")

    assert [hear(client)["data"] for _ in range(2)] == ["first", "second"]


@pytest.mark.parametrize("scope", [None, Scope.READ])
def test_whoever_may_only_look_says_nothing(scope: Scope | None, site: Site, alice: User) -> None:
    secret = f"?token={Token.objects.issue(alice, scope=scope)}" if scope else ""
    client = site.connect(f"/core4/api/v1/event{secret}")

    answer = spoken(client, "hello")

    assert answer["type"] == "error"
    assert "token" in answer["error"]
    assert not Event.objects.filter(type="custom.chat").exists()


def test_whoever_says_too_much_is_not_passed_on(
    site: Site, alice: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages, "MOST_PER_MINUTE", 2)
    talker, other = joined(site, alice), joined(site, bob)

    answers = [spoken(talker, f"number {number}")["type"] for number in range(3)]

    assert answers == ["message", "message", "error"]
    assert spoken(other, "at last")["type"] == "message"
    assert Event.objects.filter(type="custom.chat").count() == 3


def test_the_lab_s_own_summary_is_told_to_those_alone_who_are_told_none_of_their_own(
    site: Site, alice: User
) -> None:
    with_queue = joined(site, alice, data=["queue", "#"])
    without = joined(site, alice, data=["queue.*"])

    do(lambda: build.job(submitter=alice))
    do(summary.run_once)
    do(lambda: build.worker("last"))

    told = hear(without)
    assert (told["name"], told["channel"], told["data"]["states"]) == (
        "queue.summary",
        "queue",
        {"Submitted": 1},
    )
    frames = takewhile(lambda frame: "last" not in str(frame), (next_of(with_queue) for _ in count()))
    heard = [frame["name"] for frame in frames]
    assert "enqueue_job" in heard
    assert "queue.summary" not in heard
