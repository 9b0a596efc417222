"""The stage of the access matrix: the cast, and things of each kind that only some of them may see or change.

Whatever is hidden from somebody carries a word that begins with `hush` wherever it could be shown: in names,
descriptions, definitions, logs and results. An answer that holds such a word betrays the thing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from django.contrib.auth.models import AnonymousUser, User

from accounts.models import RemoteToken, Token
from accounts.rights import Anyone
from devices.models import Alias, DeviceRight, DeviceType, DeviceTypeRight, Right
from events import publisher
from events.models import Event
from events.subscriptions import lifecycle as subscriptions
from events.webhooks import lifecycle as webhooks
from jobs import logs, sayings
from jobs.history import summary
from jobs.logs import Record
from jobs.models import Job
from jobs.states import State
from tests import build

# carol looks after qemu01 and hushboard; sam may enter the admin site, and has no other right.
CAST = ("anonymous", "mallory", "bob", "alice", "carol", "sam", "admin")
EVERYBODY = frozenset(CAST)
LOGGED_IN = EVERYBODY - {"anonymous"}
STAFF = frozenset({"sam", "admin"})
SUPERUSERS = frozenset({"admin"})
NOBODY: frozenset[str] = frozenset()

KERNEL = frozenset({"alice", "bob"}) | SUPERUSERS  # who sees what is for the group
KEEPERS = frozenset({"carol"}) | SUPERUSERS  # who looks after the boards
NOON = datetime(2026, 11, 22, 12)  # naive UTC, as records have it


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """A row that addresses name, and who of the cast may see and change it."""

    parameters: Mapping[str, Any] = field(default_factory=dict)  # of the addresses that lead to it
    seen_by: frozenset[str] = EVERYBODY
    changed_by: frozenset[str] = SUPERUSERS
    word: str = ""  # that betrays it


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    users: Mapping[str, Anyone]
    things: Mapping[str, list[Thing]]  # by kind

    def words_hidden_from(self, who: str) -> set[str]:
        things = [thing for of_kind in self.things.values() for thing in of_kind]
        return {thing.word for thing in things if thing.word and who not in thing.seen_by}


def build_world() -> World:
    kernel, keepers = build.group("kernel"), build.group("keepers")
    users: dict[str, Anyone] = {
        "anonymous": AnonymousUser(),
        "mallory": build.user("mallory"),
        "bob": build.user("bob", kernel),
        "alice": build.user("alice", kernel),
        "carol": build.user("carol", keepers),
        "sam": build.user("sam"),
        "admin": build.admin(),
    }
    User.objects.filter(username="sam").update(is_staff=True)
    User.objects.filter(username="alice").update(email="hushmail@example.org")
    RemoteToken.objects.create(user=build.user("alice"), name="store", secret="hers")
    inventory, jobs, members = _inventory(), _jobs(), _members()
    _say_something(jobs)
    summary.run_once()
    of_jobs = {"job": [*jobs, *members], "step": _steps(jobs), "member": members, "custom": jobs}
    things = inventory | of_jobs | {"event": _events(jobs)} | _account()
    return World(users=users, things=things)


def _inventory() -> dict[str, list[Thing]]:
    kernel, keepers = build.group("kernel"), build.group("keepers")
    build.worker(
        "worker01", dispatcher_config="dispatcher_ip: 10.0.0.1", env="purge: true", env_dut="purge: true"
    )
    build.device("qemu01", dictionary="executor: shell\n")
    build.device("hushboard", dictionary="executor: hushdictionary\n")
    build.device("lentboard", dictionary="access: hushaccess\n")
    hidden_type = build.device_type("hushtype", description="hushtype")
    Alias.objects.create(name="hushtype-alias", device_type=hidden_type)
    Alias.objects.create(name="kvm", device_type_id="qemu")
    DeviceType.objects.update(health_check=build.definition())
    build.right(kernel, "hushboard", Right.VIEW)
    build.right(keepers, "hushboard", Right.CHANGE)
    build.right(keepers, "qemu01", Right.CHANGE)
    build.right(kernel, "hushtype", Right.VIEW)
    return {
        "device": [
            Thing(parameters={"name": "qemu01"}, changed_by=KEEPERS),
            Thing(
                parameters={"name": "hushboard"},
                seen_by=KERNEL | KEEPERS,
                changed_by=KEEPERS,
                word="hushboard",
            ),
        ],
        "dictionary": [
            Thing(seen_by=KEEPERS, word="hushdictionary"),
            Thing(seen_by=frozenset({"alice"}) | SUPERUSERS, word="hushaccess"),
        ],
        "type": [
            Thing(parameters={"name": "qemu"}),
            Thing(parameters={"name": "hushtype"}, seen_by=KERNEL, word="hushtype"),
        ],
        "alias": [
            Thing(parameters={"name": "kvm"}),
            Thing(parameters={"name": "hushtype-alias"}, seen_by=KERNEL),
        ],
        "tag": [Thing(parameters={"tag_id": build.tag("usb").pk})],
        "device right": [Thing(parameters={"right_id": DeviceRight.objects.first().pk})],
        "type right": [Thing(parameters={"right_id": DeviceTypeRight.objects.first().pk})],
        "person": [Thing(parameters={"group_id": kernel.pk, "user_id": build.user("bob").pk})],
        "worker": [Thing(parameters={"name": "worker01"})],
        "queue": [Thing(parameters={"name": summary.SUBJECT})],
        "schema": [Thing(parameters={"event_type": "job.started"})],
    }


def _jobs() -> list[Thing]:
    """Each by alice, with a log and a result; finished, but for a board that she holds."""
    hers = frozenset({"alice"}) | SUPERUSERS
    return [
        _job("open", hers | KEEPERS, EVERYBODY),
        _job("hushpersonal", hers, hers, visibility="personal"),
        _job("hushgroup", hers, KERNEL, visibility={"group": ["kernel"]}),
        _job("hushrun", hers | KEEPERS, KERNEL | KEEPERS, device="hushboard"),
        _thing_of(build.reservation(by=build.user("alice"), device="lentboard"), "lent", hers, EVERYBODY),
    ]


def _members() -> list[Thing]:
    """A job of a group that everybody sees, and one of a group that is alice's alone."""
    alice, hers, done = build.user("alice"), frozenset({"alice"}) | SUPERUSERS, State.FINISHED
    _, of_all = build.members("server", "client", submitter=alice, state=done, name="together")
    _, of_alice = build.members(
        "server", "client", submitter=alice, state=done, name="hushmember", visibility="personal"
    )
    return [
        _thing_of(of_all, "together", hers, EVERYBODY),
        _thing_of(of_alice, "hushmember", hers, hers),
    ]


def _job(
    word: str, changed_by: frozenset[str], seen_by: frozenset[str], *, device: str = "qemu01", **of_job: Any
) -> Thing:
    steps = (f"echo {word}",)
    job = build.job(
        submitter=build.user("alice"), state=State.FINISHED, device=device, name=word, steps=steps, **of_job
    )
    return _thing_of(job, word, changed_by, seen_by)


def _thing_of(job: Job, word: str, changed_by: frozenset[str], seen_by: frozenset[str]) -> Thing:
    case = build.case(job, name=word, suite=f"0_{word}", metadata={"definition": word, "case": word})
    record = Record(time=NOON, level="target", message=word, partial=False)
    logs.append(job.log_directory(), 0, [record])
    build.log(job, f"start: 1 {word}")
    return Thing(
        parameters={
            "pk": job.pk,
            "job_id": job.pk,
            "job": job.pk,
            "number": job.number,
            "rest": "log",
            "suite_id": case.suite_id,
            "test_id": case.pk,
        },
        seen_by=seen_by,
        changed_by=changed_by & seen_by,
        word=word if word.startswith("hush") else "",
    )


def _steps(jobs: list[Thing]) -> list[Thing]:
    return [replace(job, parameters={"pk": f"{job.parameters['pk']}/1"}) for job in jobs]


def _say_something(jobs: list[Thing]) -> None:
    for job in jobs:
        sayings.say_for(Job.objects.get(pk=job.parameters["pk"]), build.user("alice"), "flashed", job.word)


def _events(jobs: list[Thing]) -> list[Thing]:
    """The first event of each job."""
    publisher.run_once([])
    first = {event.job_id: event.sequence for event in Event.objects.filter(job_sequence=1)}
    return [replace(job, parameters={"sequence": first[job.parameters["pk"]]}) for job in jobs]


def _account() -> dict[str, list[Thing]]:
    hers = frozenset({"alice"})
    Token.objects.issue(build.user("alice"), description="hushtoken")
    token = Token.objects.get(description="hushtoken").pk
    remote = RemoteToken.objects.create(user=build.user("alice"), name="hushstore", secret="hushaway").pk
    # Where nobody listens and nothing is sent.
    hook = webhooks.add(build.user("alice"), address="http://127.0.0.1:9/hushhook", description="hushhook")
    subscriptions.add(build.user("alice"), "hushplace")
    delivery = webhooks.ping(hook, by=build.user("alice"))
    return {
        "token": [Thing(parameters={"pk": token, "token_id": token}, seen_by=hers, changed_by=hers)],
        "remote token": [Thing(parameters={"pk": remote, "token_id": remote}, seen_by=hers, changed_by=hers)],
        "webhook": [
            Thing(
                parameters={"uuid": hook.uuid, "pk": delivery.pk, "delivery_id": delivery.pk},
                seen_by=hers,
                changed_by=hers,
            )
        ],
        "subscription": [Thing(parameters={"name": "hushplace"}, seen_by=hers, changed_by=hers)],
        "user": [Thing(parameters={"username": "alice"})],
        "secret": [
            Thing(seen_by=hers | SUPERUSERS, word=word)
            for word in ("hushtoken", "hushmail", "hushhook", "hushplace", "hushstore")
        ]
        + [Thing(seen_by=NOBODY, word="hushaway")],
    }
