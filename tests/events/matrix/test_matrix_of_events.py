"""Every type of event, of things of every visibility, on every transport: nobody hears of what REST refuses them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from django.contrib.auth.models import Group, User
from pytest_django import Settings

from events import catalogue
from events.catalogue import CATALOGUE
from jobs.history import queue
from tests.events.matrix.stage import NEW, SETTINGS, Stage, built
from tests.events.matrix.transports import ALL, ASKED_BY, AUDIENCES, ONE_OF_EACH, TRANSPORTS, Outgoing, Told
from tests.serving import Site

OF_NOBODY = ("worker", "queue", NEW.subject)  # which are the same whoever sees a job
AROUND = 300  # characters that are shown of what betrays something

# What asks for events, or for whom they are.
ASKS = re.compile(
    r"\b(visibility\.(seen_by|seen_of|public|may_see)|feed\.after|history\.(after|before|one)|snapshots\.taken)\b"
    r"|\blistening(_inside)?\("
)
ROOT = Path(__file__).resolve().parents[3]
PACKAGES = ("accounts", "api", "core", "devices", "events", "jobs", "lava_lite", "workers")


@pytest.fixture
def outgoing(
    broker: None, transactional_db: None, settings: Settings, bob: User, mallory: User
) -> Iterator[Outgoing]:
    settings.WEBHOOK_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    begun = Outgoing()
    with closing(begun.stack):
        begun.begin()
        yield begun


@pytest.fixture
def stage(
    outgoing: Outgoing, group: Group, alice: User, admin: User, monkeypatch: pytest.MonkeyPatch
) -> Stage:
    monkeypatch.setitem(CATALOGUE, NEW.name, NEW)
    stage = built(group, alice)
    queue.run_once()
    return stage


def faults(told: Told, wanted: set[int], words: set[str], stage: Stage) -> list[str]:
    """What was told and must not be, or was not and must."""
    types = {event.sequence: event.type for event in stage.events}
    heard = set(told.numbers)
    found = [f"{number} {types[number]} is betrayed" for number in sorted(heard - wanted)]
    found += [f"{number} {types[number]} is missing" for number in sorted(wanted - heard)]
    found += [
        f"the word {word} is betrayed: {around(word, told.text)}"
        for word in sorted(words)
        if word in told.text
    ]
    if told.ids and told.ids != [stage.id_of(number, len(told.ids[0])) for number in told.numbers]:
        found.append("an id is another one")
    if told.numbers != sorted(told.numbers):
        found.append("the order is wrong")
    return found


def around(word: str, text: str) -> str:
    place = text.index(word)
    return text[max(0, place - AROUND) : place + AROUND]


def audience(stage: Stage, to: str, has: object) -> tuple[set[int], set[str]]:
    """The numbers that are told to them, and the words that are not."""
    known = [event for event in stage.events if has(event)]  # type: ignore[operator]
    if to == ALL:
        return {event.sequence or 0 for event in known}, set()
    person = stage.person(to)
    heard = {event.sequence or 0 for event in known if person.may_hear(event)}
    return heard, stage.words_hidden_from(person)


def check_that_everything_happened(stage: Stage) -> None:
    of_things = {entry for entry in CATALOGUE.values() if entry.subject not in OF_NOBODY}
    for who in SETTINGS:
        assert {catalogue.find(event.type) for event in stage.of(who)} >= of_things, who
    assert {catalogue.find(event.type) for event in stage.events} == set(CATALOGUE.values())


def check_rest(stage: Stage) -> None:
    """The list and the job itself say the same."""
    for person in stage.cast:
        for job in {job.description: job for job in stage.jobs}.values():
            is_shown = person.sees(f"/api/v1/jobs/{job.uuid}/")
            assert is_shown == (job.pk in person.jobs), (person.name, job)
        assert person.sees("/api/v1/workers/worker01/")


def test_nobody_hears_on_any_transport_what_rest_refuses_them(
    outgoing: Outgoing, stage: Stage, site: Site
) -> None:
    check_that_everything_happened(stage)
    check_rest(stage)
    wrong: dict[str, list[str]] = {}
    for name, sent in outgoing.sent(stage.last).items():
        assert sent.to == AUDIENCES[name]
        wrong[name] = faults(sent.told, *audience(stage, sent.to, sent.has), stage)
    for name, asked in TRANSPORTS.items():
        for person in map(stage.person, asked.cast):
            wanted, words = audience(stage, person.name, asked.has)
            if name in ONE_OF_EACH:
                wanted &= {event.sequence or 0 for event in stage.one_of_each}
            wrong[f"{name}, {person.name}"] = faults(asked.by(site, stage, person), wanted, words, stage)

    assert {name: found[:20] for name, found in wrong.items() if found} == {}
    assert set(AUDIENCES) <= wrong.keys()


def test_every_module_that_asks_for_events_is_in_the_matrix() -> None:
    """A new transport asks for its events somewhere: list it, and let the matrix ask it."""
    asking = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        if ASKS.search(path.read_text())
    }

    assert asking == set(ASKED_BY)
