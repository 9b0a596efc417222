"""Events of somebody's own that are not about a job, and what cannot be told at all."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from events import catalogue, cloud, custom, numbering, outbox, topics, visibility
from events.custom import BadSaying
from events.models import Event
from tests import build
from tests.events import checking

NAMES = st.from_regex(topics.PLAIN, fullmatch=True).filter(lambda name: len(name) <= custom.LONGEST_NAME)
DATA = st.dictionaries(st.text(), st.recursive(st.none() | st.integers() | st.text(), st.lists), max_size=5)


@given(name=NAMES)
def test_every_name_makes_a_type_that_the_catalogue_knows(name: str) -> None:
    assert catalogue.find(custom.type_of(name)) is catalogue.CATALOGUE["custom.*"]


@given(name=st.text(max_size=70))
def test_what_is_no_name_makes_no_type(name: str) -> None:
    if topics.is_plain(name) and len(name) <= custom.LONGEST_NAME:
        return

    assert catalogue.find(f"custom.{name}") is None
    with pytest.raises(BadSaying, match="is no name of an event"):
        custom.type_of(name)


@pytest.mark.parametrize("type", ["custom", "custom.", "custom.*", "custom.#", "custom.a b", "customs.a"])
def test_what_only_looks_like_a_custom_event_is_none(type: str) -> None:
    assert catalogue.find(type) is None


@given(text=st.text())
def test_whatever_a_test_says_has_a_name(text: str) -> None:
    name, data = custom.understood(text)

    assert catalogue.find(custom.type_of(name)) is not None
    assert data is None or isinstance(data, dict)


@given(name=NAMES, data=DATA)
def test_what_can_be_told_is_understood_when_a_test_says_it(name: str, data: dict[str, Any]) -> None:
    try:
        custom.check_data(data)
    except BadSaying:
        return

    assert custom.understood(f"{name}: {json.dumps(data, ensure_ascii=False)}") in (
        (name, data),
        (name, None),  # written with its spaces it may be too long
    )


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ({1: "x"}, "the data has a key that is no text"),
        ({"x": float("nan")}, "the data cannot be written as JSON"),
        ({"x": object()}, "the data cannot be written as JSON"),
        ({"x": "\0"}, "the data holds a NUL or half a character"),
        ({"\ud800": 1}, "the data holds a NUL or half a character"),
        ({"x": "ä" * 2048}, "the data has 4,105 bytes; an event holds at most 4,096"),
    ],
    ids=["key", "no number", "no value", "NUL", "half a character", "long"],
)
def test_data_that_cannot_be_told_are_refused_with_the_reason(data: dict[Any, Any], why: str) -> None:
    with pytest.raises(BadSaying, match=why):
        custom.check_data(data)


def test_data_without_an_end_are_refused() -> None:
    data: dict[str, Any] = {}
    data["itself"] = data

    with pytest.raises(BadSaying, match="the data has more than 32 levels"):
        custom.check_data(data)


@pytest.mark.django_db
def test_a_plugin_speaks_in_its_own_name() -> None:
    custom.say("power-cut", "the lab is dark", {"volts": 0}, by="ups")
    numbering.number_committed()

    event = Event.objects.get()
    assert (event.type, event.subject, event.actor, event.job_id) == ("custom.power-cut", "ups", "ups", None)
    assert event.payload == {
        "event": "custom.power-cut",
        "sequence": event.sequence,
        "name": "power-cut",
        "message": "the lab is dark",
        "data": {"volts": 0},
        "public": False,
    }
    assert checking.faults_in_cloud_event(cloud.rendered(event)) == []


@pytest.mark.django_db
@pytest.mark.parametrize("public", [True, False])
def test_who_hears_a_plugin_is_for_it_to_say(public: bool, alice: User, admin: User) -> None:
    event = custom.say("power-cut", by="ups", public=public)

    assert visibility.may_see(event, admin)
    assert visibility.may_see(event, alice) is public
    assert visibility.may_see(event, AnonymousUser()) is public


@pytest.mark.django_db
def test_a_custom_event_that_has_no_rule_is_for_nobody(admin: User, monkeypatch: pytest.MonkeyPatch) -> None:
    event = custom.say("power-cut", by="ups", public=True)
    monkeypatch.delitem(visibility._rules, "custom")

    assert not visibility.may_see(event, admin)


@pytest.mark.django_db(transaction=True)
def test_a_type_that_is_no_custom_event_cannot_be_recorded() -> None:
    with pytest.raises(LookupError, match=r"'custom\.a b' is not in events\.catalogue"):
        outbox.record("custom.a b", subject="ups", data={}, cause=build.CAUSE)


@pytest.mark.django_db
def test_the_admin_site_finds_all_custom_events_as_one_kind(admin: User, client: Client) -> None:
    build.worker()
    custom.say("power-cut", by="ups")
    client.force_login(admin)

    shown = client.get("/admin/events/event/", {"type": "custom.*"}).content.decode()

    assert "custom.power-cut" in shown
    assert "worker01" not in shown
