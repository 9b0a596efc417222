"""A lab in which everything happened to jobs and devices of every visibility, and what REST answers each of the cast.

What is hidden from somebody has words that begin with `hush`, and jobs have numbers that nothing else has: a text
that holds such a word or number betrays the thing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.contrib.auth.models import Group, User
from django.db import connection, transaction
from django.test import Client

from accounts.models import Token
from devices.models import Right
from events import catalogue, custom, numbering, outbox, payloads
from events.catalogue import EventType
from events.models import Event
from jobs.models import Job, Visibility
from tests import build
from tests.events import everything
from tests.serving import do

CAST = ("anonymous", "mallory", "bob", "alice", "admin")
BOARDS = 12
FIRST_JOB = 7_300_001
KERNEL = {"group": ["kernel"]}

# A type of a later version, with words in each dialect, that nobody has made a rule for.
NEW = EventType(
    name="planet.found", subject="planet", fires="one was found", family=payloads.WORKER, lava="event"
)

# How the settings differ in which everything happens, by who sees it.
SETTINGS: dict[str, dict[str, Any]] = {
    "everybody": {},
    "its submitter": {"boards": "lent", "top": {"visibility": "personal", "name": "hushpersonal"}},
    "a group": {"boards": "board", "top": {"visibility": KERNEL, "name": "hushgroup"}},
    "who sees the device": {"boards": "hushboard", "top": {"name": "hushrun"}},
    "who sees the type": {"boards": "hushtyped", "kind": "hushtype", "top": {"name": "hushkind"}},
}
OWNERS = {"its submitter": "alice", "a group": "hushcarol"}  # else alice


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A job as it was, for it may be gone."""

    pk: int
    uuid: str
    description: str
    submitter: str


@dataclass
class Person:
    """One of the cast, and what REST shows them."""

    name: str
    secret: str = field(repr=False)

    @cached_property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Token {self.secret}"} if self.secret else {}

    @cached_property
    def client(self) -> Client:
        return Client(headers=self.headers)

    @cached_property
    def browser(self) -> Client:
        """With a session, as pages know no tokens."""
        client = Client()
        if self.secret:
            client.force_login(User.objects.get(username=self.name))
        return client

    @cached_property
    def jobs(self) -> dict[int, dict[str, Any]]:
        """Those that REST shows, by their ids."""
        return {row["id"]: row for row in self._listed("jobs")}

    @property
    def unfinished(self) -> list[dict[str, Any]]:
        return [job for job in self.jobs.values() if job["state"] != "Finished"]

    @cached_property
    def devices(self) -> set[str]:
        return {row["name"] for row in self._listed("devices")}

    @cached_property
    def types(self) -> set[str]:
        return {row["name"] for row in self._listed("device-types")}

    def _listed(self, kind: str) -> list[dict[str, Any]]:
        answer = self.client.get(f"/api/v1/{kind}/", {"limit": 200}).json()
        assert answer["next"] is None
        rows: list[dict[str, Any]] = answer["items"]
        return rows

    def sees(self, address: str) -> bool:
        return bool(self.client.get(address).status_code == 200)

    def may_hear(self, event: Event) -> bool:
        """As REST shows what the event is about; of what is gone, as docs/events.md says."""
        is_admin = self.name == "admin"
        if event.type == "job.deleted":
            is_public = event.data["visibility"] == Visibility.PUBLIC.label
            return is_admin or (is_public and event.data["device"] in self.devices)
        if event.type == "device.deleted":
            return is_admin or (event.data["device_type"] in self.types and not event.data["restricted"])
        if event.job_id is not None:
            return event.job_id in self.jobs
        subject = catalogue.find(event.type).subject  # type: ignore[union-attr]
        if subject == "device":
            return event.subject in self.devices
        if subject == "custom":
            return is_admin or event.data["public"]
        return subject in ("worker", "queue")  # they are everybody's


@dataclass
class Stage:
    events: list[Event]
    cast: list[Person]
    jobs: list[Known]
    devices: set[str]
    settings: dict[str, tuple[int, int]]  # the first and the last event of each

    def of(self, who: str) -> list[Event]:
        """What happened to things that are for them."""
        first, last = self.settings[who]
        return [event for event in self.events if first <= (event.sequence or 0) <= last]

    def id_of(self, number: int, length: int) -> str:
        """Of an event, in as many characters as a transport has for it: core4 has 24, without hyphens."""
        uid = self.events[number - (self.events[0].sequence or 0)].uid
        return str(uid) if length == len(str(uid)) else uid.hex[:length]

    @property
    def last(self) -> int:
        """The number of the last event, which everybody hears on every transport."""
        return self.events[-1].sequence or 0

    @property
    def one_of_each(self) -> list[Event]:
        """Of each type one that few may see."""
        found = {event.type: event for event in self.events}
        found |= {event.type: event for event in self.events if event.data.get("submitter") == "hushcarol"}
        return list(found.values())

    def person(self, name: str) -> Person:
        return next(person for person in self.cast if person.name == name)

    def words_hidden_from(self, person: Person) -> set[str]:
        """Numbers, ids and names of jobs, boards and people of which this person hears nothing."""
        told = {event.job_id for event in self.events if event.job_id and person.may_hear(event)}
        hidden = [job for job in self.jobs if job.pk not in person.jobs.keys() | told]
        words = {word for job in hidden for word in (str(job.pk), job.uuid, job.uuid.replace("-", "")[:24])}
        shown = [job for job in self.jobs if job not in hidden]
        names = {job.description for job in self.jobs} | {job.submitter for job in self.jobs}
        names -= {job.description for job in shown} | {job.submitter for job in shown}
        told_of = {
            event.subject for event in self.events if person.may_hear(event)
        }  # the last of a device, too
        names.add("hushplanet")
        names |= (self.devices - person.devices - told_of) | ({"hushtype"} - person.types)
        return words | {name for name in names if name.startswith("hush")}


def built(group: Group, alice: User) -> Stage:
    """With the fixtures' bob, mallory and admin in the lab already."""
    _number_jobs_from(FIRST_JOB)
    build.user("hushcarol", group)
    settings = dict[str, tuple[int, int]]()
    for who, setting in SETTINGS.items():
        before = numbering.last_number()
        _hide(group, setting)
        owner = User.objects.get(username=OWNERS.get(who, "alice"))
        named = setting.get("top", {}).get("name", "hello")
        top = {"steps": (f"echo {named}",)} | setting.get("top", {})
        do(lambda of=setting | {"top": top}, by=owner: everything.happens(by, **of))
        settings[who] = (before + 1, numbering.last_number())
    do(_happens_without_a_rule)
    do(lambda: custom.say("hushed", "hushwords", by="ups"))
    do(lambda: build.job(submitter=alice, device_type="open", device="open01", name="the last"))
    users = {user.username: user for user in User.objects.all()}
    events = list(Event.objects.order_by("sequence"))
    return Stage(
        events=events,
        cast=[Person(name, Token.objects.issue(users[name]) if name in users else "") for name in CAST],
        jobs=list(_known(events)),
        devices={event.subject for event in events if event.type.startswith("device.")},
        settings=settings,
    )


def _happens_without_a_rule() -> None:
    with transaction.atomic():
        outbox.record(NEW.name, subject="hushplanet", data=build.OF_A_WORKER, cause=build.CAUSE)


def _hide(group: Group, setting: dict[str, Any]) -> None:
    if "kind" in setting:
        build.right(group, setting["kind"], Right.VIEW)
    elif setting.get("boards", "").startswith("hush"):
        for number in range(1, BOARDS):
            board = build.device(f"{setting['boards']}{number:02}")
            build.right(group, board.pk, Right.VIEW)


def _known(events: list[Event]) -> Iterator[Known]:
    seen: set[int] = set()
    for event in events:
        if event.job_id and "description" in event.data and event.job_id not in seen:
            seen.add(event.job_id)
            yield Known(
                pk=event.job_id,
                uuid=event.data["uuid"],
                description=event.data["description"],
                submitter=event.data["submitter"],
            )


def _number_jobs_from(first: int) -> None:
    """By a number that is found again in any text."""
    table = Job._meta.db_table
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("DELETE FROM sqlite_sequence WHERE name = %s", [table])
            cursor.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (%s, %s)", [table, first - 1])
        else:
            cursor.execute("SELECT setval(pg_get_serial_sequence(%s, 'id'), %s)", [table, first - 1])
