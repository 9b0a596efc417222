"""The catalogue as JSON Schemas and as an AsyncAPI document."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from jsonschema import Draft7Validator, Draft202012Validator

from events import asyncapi, contract, outbox
from events.catalogue import CATALOGUE
from events.payloads import Field, Kind
from tests.events.checking import validator


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        yield from [part["$ref"]] if "$ref" in part else []
        part = list(part.values())
    if isinstance(part, list):
        for each in part:
            yield from references(each)


def resolved(document: Any, reference: str) -> Any:
    """What a `#/components/…` leads to; KeyError if nowhere."""
    for step in reference.removeprefix("#/").split("/"):
        document = document[step]
    return document


@pytest.mark.parametrize("name", contract.names())
def test_every_schema_is_one(name: str) -> None:
    schema = contract.schema(name)

    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == Draft202012Validator.META_SCHEMA["$id"]
    assert all("description" in part or "const" in part for part in schema["properties"].values())


def test_there_is_a_schema_for_each_type_and_one_for_the_envelope() -> None:
    assert contract.names() == ["event", *(name for name in CATALOGUE if name != "custom.*"), "custom"]


@pytest.mark.parametrize(
    ("type", "name"),
    [("job.started", "job.started"), ("custom.flashed", "custom"), ("custom.board.flashed", "custom")],
)
def test_the_schema_of_an_event_is_found_by_its_type(type: str, name: str) -> None:
    assert contract.address_for(type) == f"/api/v1/schemas/{name}"


def test_the_schema_of_custom_events_holds_all_of_them_and_no_others() -> None:
    said = {"sequence": 1, "name": "flashed", "message": ""}
    schema = validator(contract.payload(CATALOGUE["custom.*"]))

    assert schema.is_valid(said | {"event": "custom.board.flashed"})
    assert not any(
        schema.is_valid(said | {"event": other}) for other in ("custom", "custom.", "custom.*", "job.started")
    )


def test_a_listener_may_pass_over_what_a_schema_does_not_list() -> None:
    worker = {
        "event": "worker.deleted",
        "sequence": 1,
        "hostname": "w",
        "state": "Online",
        "health": "Active",
    }
    schema = contract.payload(CATALOGUE["worker.deleted"])

    assert validator(schema).is_valid(worker | {"new": True})
    assert not validator(contract.closed(schema)).is_valid(worker | {"new": True})


def test_a_schema_holds_its_own_type_only() -> None:
    worker = {"event": "worker.added", "sequence": 1, "hostname": "w", "state": "Online", "health": "Active"}

    assert validator(contract.payload(CATALOGUE["worker.added"])).is_valid(worker)
    assert not validator(contract.payload(CATALOGUE["worker.deleted"])).is_valid(worker)


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (Kind.TEXT, "x", 1),
        (Kind.WHOLE, 1, 1.5),
        (Kind.NUMBER, 1.5, "1.5"),
        (Kind.FLAG, True, "true"),
        (Kind.TIME, "2026-11-22T06:10:40+00:00", "2026-11-22T06:10:40"),
        (Kind.UUID, "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "6ba7b810"),
        (Kind.PLACES, [1, 2], ["1"]),
        (Kind.JOB, "12.1", None),
        (Kind.OBJECT, {"any": [1]}, [1]),
    ],
)
def test_a_value_is_of_its_kind(kind: Kind, good: object, bad: object) -> None:
    said = validator(contract.value(Field("x", "a thing", kind)))

    assert said.is_valid(good)
    assert not said.is_valid(bad)
    assert not said.is_valid(None)


def test_a_value_may_be_null_where_its_field_says_so() -> None:
    one_of_two = Field("x", "a thing", words=("a", "b"))

    said = validator(contract.value(replace(one_of_two, or_null=True)))

    assert [said.is_valid(value) for value in ("a", None, "c")] == [True, True, False]


def test_the_causes_of_the_envelope_are_those_that_are_recorded() -> None:
    assert contract.envelope()["properties"]["cause"]["enum"] == list(outbox.CAUSES)


def test_the_names_of_the_attributes_are_such_as_cloud_events_allows() -> None:
    for name in contract.envelope()["properties"]:
        assert name.isalnum()
        assert name.islower()
        assert len(name) <= 20


# The document for all events


def test_the_document_has_a_message_for_each_type() -> None:
    document = asyncapi.document()

    assert document["asyncapi"] == "3.0.0"
    assert set(document["channels"]["events"]["messages"]) == {entry.schema for entry in CATALOGUE.values()}
    for entry in CATALOGUE.values():
        message = document["components"]["messages"][entry.schema]
        own = message["payload"]["allOf"][1]["properties"]
        type = f"lava_lite.{entry.name.replace('*', 'flashed')}"
        assert validator(own["type"]).is_valid(type)
        assert not validator(own["type"]).is_valid("lava_lite.job.exploded")
        assert resolved(document, own["data"]["$ref"]) == contract.payload(entry)


def test_the_document_has_a_channel_for_each_topic_of_lava_with_the_types_that_go_there() -> None:
    document = asyncapi.document()

    for topic in ("testjob", "device", "worker", "event"):
        channel = document["channels"][topic]
        (reference,) = channel["messages"].values()
        told = resolved(document, reference["$ref"])["payload"]["oneOf"]
        assert channel["address"] == f"{{topic}}.{topic}"
        assert {resolved(document, each["$ref"])["title"] for each in told} == {
            entry.schema for entry in CATALOGUE.values() if entry.lava == topic
        }


def test_everything_that_the_document_refers_to_is_there() -> None:
    document = asyncapi.document()

    for reference in set(references(document)):
        assert resolved(document, reference)


def test_what_is_sent_in_a_channel_is_a_message_of_that_channel() -> None:
    for operation in asyncapi.document()["operations"].values():
        assert operation["action"] == "send"
        for message in operation["messages"]:
            assert message["$ref"].startswith(f"{operation['channel']['$ref']}/messages/")


@pytest.mark.parametrize("name", contract.names())
def test_the_schemas_of_the_document_are_in_the_dialect_of_asyncapi_too(name: str) -> None:
    """Which is that of draft 7, unless a document says otherwise."""
    Draft7Validator.check_schema(asyncapi.document()["components"]["schemas"][name])
