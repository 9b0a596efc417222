"""Events as CloudEvents: valid, the same every time, in order as text."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from cloudevents.core.formats.json import JSONFormat
from django.contrib.auth.models import User
from pytest_django import Settings

from events import catalogue, cloud, numbering, visibility
from events.catalogue import CATALOGUE, EventType
from events.models import Event
from jobs.states import State
from tests import build
from tests.events import checking, everything

pytestmark = pytest.mark.django_db


def event(**fields: object) -> Event:
    usual = {
        "sequence": 12,
        "type": "worker.added",
        "time": datetime(2026, 11, 22, 6, 10, 40, 154866, tzinfo=UTC),
        "actor": "alice",
        "cause": "user",
        "subject": "worker01",
        "data": build.OF_A_WORKER,
    }
    return Event(**usual | fields)


def entry_of(type: str) -> EventType:
    entry = catalogue.find(type)
    assert entry is not None, type
    return entry


def all_numbered() -> list[Event]:
    numbering.number_committed()
    return list(Event.objects.order_by("id"))


def test_every_type_happens_and_is_a_valid_cloud_event(alice: User) -> None:
    everything.happens(alice)

    told = [cloud.rendered(each) for each in all_numbered()]

    assert {entry_of(each["data"]["event"]).name for each in told} == set(CATALOGUE)
    for each in told:
        assert checking.faults_in_cloud_event(each) == []
        assert JSONFormat().read(None, json.dumps(each)).get_id() == each["id"]


def test_every_field_that_is_listed_is_told_by_something(alice: User) -> None:
    everything.happens(alice)

    told = {(entry_of(each.type).family.name, key) for each in all_numbered() for key in each.payload}

    assert told == {
        (entry.family.name, field.name) for entry in CATALOGUE.values() for field in entry.payload
    }


def test_what_is_left_of_an_event_for_a_stranger_is_valid_too(alice: User, mallory: User) -> None:
    build.job(submitter=alice, state=State.FINISHED, visibility="personal")

    shown = visibility.seen_by(mallory, all_numbered())

    assert {each.type for each in shown} >= {"device.added", "device.changed"}
    assert not any("job" in each.data for each in shown)
    assert [fault for each in shown for fault in checking.faults_in_cloud_event(cloud.rendered(each))] == []


def test_an_event_has_the_attributes_of_cloud_events_and_the_lab_s_own(settings: Settings) -> None:
    settings.LAB_URL = "https://lab.example.org"
    ours = event(type="job.progress", subject="7", job_id=7, job_sequence=3, attempt=1, data={"percent": 40})

    assert cloud.rendered(ours) == {
        "specversion": "1.0",
        "id": str(ours.uid),
        "source": "https://lab.example.org",
        "type": "lava_lite.job.progress",
        "subject": "7",
        "time": "2026-11-22T06:10:40.154866+00:00",
        "datacontenttype": "application/json",
        "dataschema": "https://lab.example.org/api/v1/schemas/job.progress",
        "sequence": "0000000000000000012",
        "jobsequence": 3,
        "attempt": 1,
        "cause": "user",
        "actor": "alice",
        "data": {"event": "job.progress", "sequence": 12, "job_sequence": 3, "percent": 40},
    }


def test_what_an_event_does_not_have_is_left_out() -> None:
    told = cloud.rendered(event(actor="", cause="timer"))

    assert not {"actor", "jobsequence", "attempt"} & told.keys()


def test_an_event_is_rendered_the_same_every_time() -> None:
    build.worker()
    numbering.number_committed()

    first, again = (cloud.rendered(Event.objects.get(type="worker.added")) for _ in range(2))

    assert first == again


@pytest.mark.parametrize(("earlier", "later"), [(9, 10), (99, 1000), (1, 2**63 - 1)])
def test_sequences_compare_as_text_as_their_numbers_do(earlier: int, later: int) -> None:
    assert (
        cloud.rendered(event(sequence=earlier))["sequence"]
        < cloud.rendered(event(sequence=later))["sequence"]
    )


def test_an_event_without_a_number_is_not_told() -> None:
    with pytest.raises(ValueError, match=r"unnumbered worker\.added worker01 cannot be told before"):
        cloud.rendered(event(sequence=None))
