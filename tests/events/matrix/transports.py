"""Every way on which an event leaves the lab: what came over it, as text, and the numbers of the events that it told.

A new transport is listed here (TRANSPORTS, or AUDIENCES if it has one audience), and the module that asks for its
events in ASKED_BY.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import zmq
from django.contrib.auth.models import User
from websockets.sync.client import ClientConnection

from api.core4.dialect import name_in_queue
from events import catalogue, publisher, pulp
from events.models import Event
from events.subscriptions import lifecycle as subscriptions
from events.transports import Transport
from events.transports.amqp import TopicExchange
from events.transports.zmq import PublicSocket, TrustedSocket
from events.webhooks import lifecycle
from tests.events import rabbit
from tests.events.listening import PATIENCE, free_address
from tests.events.matrix.stage import CAST, Person, Stage
from tests.events.streaming import Listening
from tests.events.webhooks.endpoint import Endpoint, listening
from tests.events.webhooks.office import Office
from tests.lab import eventually
from tests.serving import Site

EVENTS = "/api/v1/events"
COMMAND = Path(sys.executable).with_name("lava-lite")
SOME = ("mallory", "bob")  # for what takes long and asks as its neighbours do
HIDDEN = "UnauthorizedJob"
OF_A_LINE = re.compile(r'id="event-(\d+)"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    numbers: list[int]
    text: str
    ids: list[str] = field(default_factory=list)  # of the events, in the same order


def everything(event: Event) -> bool:
    return True


def in_lavas_words(event: Event) -> bool:
    entry = catalogue.find(event.type)
    return entry is not None and entry.lava is not None


def in_core4s_words(event: Event) -> bool:
    return name_in_queue(event) is not None


def in_pulps_words(event: Event) -> bool:
    return event.type in pulp.REPORTED


# For whoever connects


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A transport that is asked by each person."""

    by: Callable[[Site, Stage, Person], Told]
    has: Callable[[Event], bool] = everything  # the events that it has words for
    cast: tuple[str, ...] = CAST


def _with_token(path: str, person: Person) -> str:
    return f"{path}{'&' if '?' in path else '?'}token={person.secret}" if person.secret else path


def _frames(client: ClientConnection) -> Iterator[str]:
    while True:
        yield str(client.recv(PATIENCE))


def _of_lava(site: Site, stage: Stage, person: Person) -> Told:
    numbers, texts, ids = list[int](), list[str](), list[str]()
    for text in _frames(site.connect(_with_token("/ws/?since=0", person))):
        texts.append(text)
        _, uuid, _, _, data = json.loads(text)
        numbers.append(json.loads(data)["sequence"])
        ids.append(uuid)
        if numbers[-1] == stage.last:
            break
    return Told(numbers=numbers, text="\n".join(texts), ids=ids)


def _of_core4(*channels: str) -> Callable[[Site, Stage, Person], Told]:
    def told(site: Site, stage: Stage, person: Person) -> Told:
        client = site.connect(_with_token("/core4/api/v1/event", person))
        client.send(json.dumps({"type": "interest", "data": channels, "since": 0}))
        numbers, texts, ids = list[int](), list[str](), list[str]()
        for text in _frames(client):
            texts.append(text)
            frame = json.loads(text)
            if "_id" in frame:
                numbers.append(frame["sequence"])
                ids.append(frame["_id"])
            if frame.get("sequence") == stage.last and "_id" in frame:
                break
        return Told(numbers=numbers, text="\n".join(texts), ids=ids)

    return told


def _summary(site: Site, stage: Stage, person: Person) -> Told:
    """The queue as it is: what is hidden is one row for each state, and nothing is left out."""
    client = site.connect(_with_token("/core4/api/v1/event", person))
    client.send(json.dumps({"type": "interest", "data": ["queue"]}))
    text = next(text for text in _frames(client) if json.loads(text).get("name") == "summary")
    rows = json.loads(text)["data"]
    shown = [job["description"] for job in person.unfinished]
    of_hidden = [tuple(row[key] for key in row if key != "n") for row in rows if row["name"] == HIDDEN]
    assert {row["name"] for row in rows} - {HIDDEN} == set(shown), person.name
    assert sum(row["n"] for row in rows if row["name"] != HIDDEN) == len(shown), person.name
    assert sum(row["n"] for row in rows) == len(stage.person("admin").unfinished), person.name
    assert len(of_hidden) == len(set(of_hidden)), person.name
    return Told(numbers=[], text=text)


def _streamed(site: Site, stage: Stage, person: Person) -> Told:
    numbers, texts, ids = list[int](), list[str](), list[str]()
    with _stream(site, "?since=0", person) as stream:
        for message in stream.messages():
            texts.append(f"{message.id} {message.kind} {json.dumps(message.data)}")
            numbers.append(message.sequence)
            ids.append(message.data["id"])
            if numbers[-1] == stage.last:
                break
    return Told(numbers=numbers, text="\n".join(texts), ids=ids)


def _snapshot_of_a_stream(site: Site, stage: Stage, person: Person) -> Told:
    with _stream(site, "?snapshot=1", person) as stream:
        (snapshot,) = stream.take(1)
    return _of_snapshot(snapshot.data, person)


def _snapshot(site: Site, stage: Stage, person: Person) -> Told:
    return _of_snapshot(person.client.get(EVENTS, {"snapshot": 1}).json()["snapshot"], person)


def _of_snapshot(snapshot: dict[str, Any], person: Person) -> Told:
    unfinished = {job["uuid"] for job in person.unfinished}
    assert {job["uuid"] for job in snapshot["jobs"]} == unfinished, person.name
    assert {device["device"] for device in snapshot["devices"]} == person.devices, person.name
    return Told(numbers=[], text=json.dumps(snapshot))


def _stream(site: Site, query: str, person: Person) -> Any:
    connection = HTTPConnection("127.0.0.1", site.port, timeout=PATIENCE)
    connection.request("GET", EVENTS + query, headers={"Accept": "text/event-stream"} | person.headers)
    return closing(Listening(connection, connection.getresponse()))


def _pages_of_json(way: str, onward: str, start: Callable[[Stage], int]) -> Callable[..., Told]:
    def told(site: Site, stage: Stage, person: Person) -> Told:
        numbers, texts, ids, place = list[int](), list[str](), list[str](), start(stage)
        while True:
            answer = person.client.get(EVENTS, {way: place, "limit": 500})
            texts.append(answer.content.decode())
            page = answer.json()
            numbers += [int(event["sequence"]) for event in page["events"]]
            ids += [event["id"] for event in page["events"]]
            if page[onward] in (None, place, page["last_sequence"]):
                break
            place = page[onward]
        step = 1 if way == "since" else -1
        return Told(numbers=numbers[::step], text="\n".join(texts), ids=ids[::step])

    return told


def _subscribed(site: Site, stage: Stage, person: Person) -> Told:
    """Fetched twice before it is acknowledged, which must tell the same."""
    user = User.objects.get(username=person.name)
    subscriptions.add(user, "matrix", since="oldest")
    numbers, texts, ids = list[int](), list[str](), list[str]()
    while not numbers or numbers[-1] != stage.last:
        first, again = (_posted(person, "fetch", {"limit": 200}) for _ in range(2))
        assert first["events"] == again["events"]
        texts.append(json.dumps(again))
        numbers += [int(event["sequence"]) for event in again["events"]]
        ids += [event["id"] for event in again["events"]]
        if again["ack"]:
            texts.append(json.dumps(_posted(person, "ack", again["ack"])))
    return Told(numbers=numbers, text="\n".join(texts), ids=ids)


def _posted(person: Person, deed: str, body: dict[str, Any]) -> Any:
    address = f"/api/v1/subscriptions/matrix/{deed}/"
    answer = person.client.post(address, body, content_type="application/json")
    assert answer.status_code == 200, answer.content
    return answer.json()


def _one_by_one(client: Callable[[Person], Any], address: str) -> Callable[..., Told]:
    """One of each type: what is refused is not told."""

    def told(site: Site, stage: Stage, person: Person) -> Told:
        numbers, texts = list[int](), list[str]()
        for event in stage.one_of_each:
            answer = client(person).get(address.format(event.sequence))
            texts.append(answer.content.decode())
            if answer.status_code == 200:
                numbers.append(event.sequence or 0)
        return Told(numbers=sorted(numbers), text="\n".join(texts))

    return told


def _pages(site: Site, stage: Stage, person: Person) -> Told:
    numbers, texts, place = list[int](), list[str](), stage.last + 1
    while True:
        text = person.browser.get("/events/", {"before": place}).content.decode()
        texts.append(text)
        numbers += map(int, OF_A_LINE.findall(text))
        older = re.search(r'id="older-page"[^>]*before=(\d+)', text)
        if older is None:
            return Told(numbers=numbers[::-1], text="\n".join(texts))
        place = int(older[1])


def _command(site: Site, stage: Stage, person: Person) -> Told:
    words = [COMMAND, "events", "tail", "--json", "--since", "0", "--server", f"http://127.0.0.1:{site.port}"]
    environment = {**os.environ, "LAVA_LITE_TOKEN": person.secret}
    numbers, texts = list[int](), list[str]()
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        for line in process.stdout:
            texts.append(line)
            numbers.append(int(json.loads(line)["sequence"]))
            if numbers[-1] == stage.last:
                break
        process.kill()
    return Told(numbers=numbers, text="".join(texts))


def _numbers_of_the_queue(site: Site, stage: Stage, person: Person) -> Told:
    """core4's history: nothing but counts, of all jobs."""
    answer = person.client.get("/core4/api/v1/jobs/history", {"per_page": 1000})
    keys = {key for row in answer.json()["data"] for key in row}
    assert keys <= {"created", "total", "pending", "running", "deferred", "failed"}
    return Told(numbers=[], text=answer.content.decode())


def nothing(event: Event) -> bool:
    return False


TRANSPORTS = {
    "/ws/": Asked(by=_of_lava, has=in_lavas_words),
    "core4's queue, with summaries": Asked(by=_of_core4("queue"), has=in_core4s_words),
    "core4's topics": Asked(by=_of_core4("#")),
    "core4's summary": Asked(by=_summary, has=nothing),
    "core4's history": Asked(by=_numbers_of_the_queue, has=nothing),
    "SSE": Asked(by=_streamed),
    "SSE, snapshot": Asked(by=_snapshot_of_a_stream, has=nothing),
    "JSON": Asked(by=_pages_of_json("since", "next_since", lambda stage: 0)),
    "JSON, newest first": Asked(by=_pages_of_json("before", "next_before", lambda stage: stage.last + 1)),
    "JSON, snapshot": Asked(by=_snapshot, has=nothing),
    "JSON, one event": Asked(by=_one_by_one(lambda person: person.client, EVENTS + "/{}/"), cast=SOME),
    "subscription": Asked(by=_subscribed, cast=("mallory", "bob", "alice", "admin")),
    "page of events": Asked(by=_pages, cast=SOME),
    "page of one event": Asked(by=_one_by_one(lambda person: person.browser, "/events/{}/"), cast=SOME),
    "lava-lite events tail": Asked(by=_command, cast=("bob",)),
}
ONE_OF_EACH = ("JSON, one event", "page of one event")


# For an audience


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What came over a transport that has one audience: that of a person, or all."""

    to: str
    told: Told
    has: Callable[[Event], bool] = everything


ALL = "whoever the lab trusts"
AUDIENCES = {
    "ZMQ": "anonymous",
    "ZMQ, trusted": ALL,
    "AMQP": "anonymous",
    "AMQP, task reports": "anonymous",
    "AMQP, trusted": ALL,
    "webhooks of mallory": "mallory",
    "webhooks of bob": "bob",
}


@dataclass
class Outgoing:
    """The transports that the lab drives: begun before anything happens, read when it has."""

    stack: ExitStack = field(default_factory=ExitStack)

    def begin(self) -> None:
        context = self.stack.enter_context(zmq.Context())
        self._public, self._trusted = PublicSocket(free_address()), TrustedSocket(free_address())
        self._sub = self._socket(context, zmq.SUB)
        self._sub.setsockopt(zmq.SUBSCRIBE, b"")
        self._sub.connect(self._public._address)
        self._pull = self._socket(context, zmq.PULL)
        self._pull.bind(self._trusted._address)
        self._public.bind()
        assert self._public._socket is not None
        assert self._public._socket.poll(int(PATIENCE * 1000)), "nobody subscribed"
        open_, trusted = (self.stack.enter_context(rabbit.exchange()) for _ in range(2))
        self._queues = {"AMQP": open_.bind(), "AMQP, trusted": trusted.bind()}
        self._brokers: list[Transport] = [
            TopicExchange(rabbit.URL, open_.name),
            TopicExchange(rabbit.URL, trusted.name, tells_all=True),
        ]
        self._all: list[Transport] = [self._public, self._trusted, *self._brokers]
        for transport in self._all:
            self.stack.callback(transport.close)
        publisher.number()
        publisher.prepare(self._all)
        self._endpoints = {name: self._hooked(name) for name in ("mallory", "bob")}

    def _socket(self, context: zmq.Context[Any], kind: int) -> zmq.Socket[bytes]:
        socket = self.stack.enter_context(context.socket(kind))
        socket.setsockopt(zmq.RCVHWM, 0)
        socket.setsockopt(zmq.RCVTIMEO, int(PATIENCE * 1000))
        return socket

    def _hooked(self, name: str) -> Endpoint:
        endpoint = self.stack.enter_context(listening())
        lifecycle.add(User.objects.get(username=name), address=endpoint.address)
        return endpoint

    def sent(self, last: int) -> dict[str, Sent]:
        publisher.run_once([self._public, *self._brokers])
        assert eventually(self._has_pushed, PATIENCE), "the trusted listener hears nothing"
        found = {
            "ZMQ": _of_frames(self._sub, last, "anonymous"),
            "ZMQ, trusted": _of_frames(self._pull, last, ALL),
        }
        for name, queue in self._queues.items():
            found |= _of_messages(name, queue.all())
        office = Office()
        office.run()
        office.close()
        for name, endpoint in self._endpoints.items():
            found[f"webhooks of {name}"] = _of_requests(endpoint, name)
        return found

    def _has_pushed(self) -> bool:
        publisher.run_once([self._trusted])
        return bool(self._pull.poll(20))


def _of_frames(socket: zmq.Socket[bytes], last: int, to: str) -> Sent:
    numbers, texts, ids = list[int](), list[str](), list[str]()
    while not numbers or numbers[-1] != last:
        frames = [frame.decode() for frame in socket.recv_multipart()]
        texts.append(" ".join(frames))
        numbers.append(json.loads(frames[4])["sequence"])
        ids.append(frames[1])
    return Sent(to=to, told=Told(numbers=numbers, text="\n".join(texts), ids=ids), has=in_lavas_words)


def _of_messages(name: str, messages: list[rabbit.Message]) -> dict[str, Sent]:
    """Events and Task Reports apart."""
    to = AUDIENCES[name]
    reports = [message for message in messages if message.key.startswith("tasks.")]
    events = [message for message in messages if message not in reports]
    found = {name: Sent(to=to, told=_told_by(events))}
    if to != ALL:
        found["AMQP, task reports"] = Sent(to=to, told=_told_by(reports), has=in_pulps_words)
    return found


def _told_by(messages: list[rabbit.Message]) -> Told:
    texts = [f"{message.key} {message.properties} {json.dumps(message.body)}" for message in messages]
    numbers = [int(message.body["sequence"]) for message in messages]
    return Told(numbers=numbers, text="\n".join(texts), ids=[message.id for message in messages])


def _of_requests(endpoint: Endpoint, to: str) -> Sent:
    texts = [f"{request.headers} {request.body.decode()}" for request in endpoint.requests]
    numbers = [int(request.event["sequence"]) for request in endpoint.requests]
    ids = [request.id for request in endpoint.requests]
    return Sent(to=to, told=Told(numbers=numbers, text="\n".join(texts), ids=ids))


# The modules that read events to hand them on, and what carries them.
ASKED_BY = {
    "api.core4.conversation": "core4's queue, core4's topics",
    "api.v1.events": "JSON",
    "events.history": "JSON, and the pages of events",
    "events.live": "/ws/, SSE and core4",
    "events.plugins": "the bus inside the lab, whose handlers are the lab's own: they hear of everything",
    "events.publisher": "ZMQ and AMQP",
    "events.sockets.lava": "/ws/",
    "events.subscriptions.delivery": "subscription",
    "events.subscriptions.waiting": "none: a fetch that waits is woken, and asks then",
    "events.snapshots": "SSE, snapshot; JSON, snapshot",
    "events.sse": "SSE, lava-lite events tail",
    "events.status": "none: it looks how far the transports are",
    "events.transports.amqp": "AMQP",
    "events.transports.zmq": "ZMQ",
    "events.views": "page of events, page of one event",
    "events.webhooks.lifecycle": "webhooks: one that is sent again",
    "events.webhooks.sender": "webhooks",
    "jobs.log_live.watching": "none: who watches a log is woken, and its rights are asked then",
    "workers.ending_runs": "none: it only has workers rung",
    "workers.wakeup": "none: it only rings workers",
}
