"""Nobody breaks what listeners count on unknowingly, and what was recorded before is still as the schemas say."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from events import contract
from tests.events import schemas
from tests.events.checking import envelopes, payloads
from tests.events.compatibility import breaks
from tests.events.schemas import Listing

SAMPLES = {
    "string": "text",
    "integer": 1,
    "number": 1.5,
    "boolean": True,
    "array": [],
    "null": None,
    "object": {},
}
OF_FORMAT = {
    "date-time": "2026-11-22T06:10:40+00:00",
    "uuid": "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
    "uri": "http://127.0.0.1:8000",
}
OF_ATTRIBUTE = {"type": "lava_lite.job.started", "sequence": "0000000000000000001"}  # which have a pattern


@pytest.fixture
def before() -> Listing:
    return schemas.listing()


@pytest.fixture
def now(before: Listing) -> Listing:
    return deepcopy(before)


def test_the_schemas_that_are_committed_are_those_of_the_catalogue() -> None:
    committed, wanted = schemas.committed(), schemas.documents()
    stale = {name for name in committed | wanted if committed.get(name) != wanted.get(name)}

    assert stale == set(), "write them anew with: .venv/bin/python -m tests.events.schemas"


def test_the_catalogue_breaks_nothing_of_the_last_release() -> None:
    assert breaks(schemas.released(), schemas.listing()) == []


# Old events


def sample(value: dict[str, Any]) -> Any:
    """Something that may be there."""
    if "const" in value:
        return value["const"]
    if "examples" in value:
        return value["examples"][0]
    if "enum" in value:
        return value["enum"][-1]
    if "anyOf" in value:
        return sample(value["anyOf"][-1])
    kind = value["type"] if isinstance(value["type"], str) else value["type"][-1]
    return OF_FORMAT.get(value.get("format", "")) or SAMPLES[kind]


def recorded(name: str, *, whole: bool) -> dict[str, Any]:
    """A payload of the last release: all that it could say, or only what it always said."""
    fields = schemas.released()[name]["fields"].items()
    return {field: sample(listed["value"]) for field, listed in fields if whole or listed["always"]}


@pytest.mark.parametrize("whole", [True, False], ids=["whole", "least"])
@pytest.mark.parametrize("name", [name for name in schemas.released() if name != contract.ENVELOPE])
def test_a_payload_that_the_last_release_recorded_is_still_as_the_schema_says(name: str, whole: bool) -> None:
    faults = [fault.message for fault in payloads(name).iter_errors(recorded(name, whole=whole))]

    assert faults == []


@pytest.mark.parametrize("whole", [True, False], ids=["whole", "least"])
def test_an_envelope_of_the_last_release_is_still_one(whole: bool) -> None:
    told = recorded(contract.ENVELOPE, whole=whole) | OF_ATTRIBUTE

    assert [fault.message for fault in envelopes().iter_errors(told)] == []


# What is a break, and what is none


def test_a_type_that_is_gone_is_a_break(before: Listing, now: Listing) -> None:
    del now["job.found"]

    (found,) = breaks(before, now)

    assert found.startswith(
        "job.found is gone; listeners wait for it: keep the type, and add another beside it"
    )


def test_a_field_that_is_gone_is_a_break(before: Listing, now: Listing) -> None:
    del now["job.found"]["fields"]["lost_since"]

    (found,) = breaks(before, now)

    assert found.startswith("job.found: lost_since is gone; listeners read it: keep it")


@pytest.mark.parametrize(
    ("type", "field", "value"),
    [
        ("step.finished", "duration", {"anyOf": [{"type": "string"}, {"type": "null"}]}),
        ("step.finished", "duration", {"type": "number"}),
        ("job.started", "priority", {"type": "number"}),
        ("worker.changed", "state", {"type": "string", "enum": ["Online"]}),
        ("worker.changed", "state", {"type": "string"}),
        ("event", "sequence", {"type": "integer"}),
    ],
    ids=["a kind", "never null", "a wider kind", "a word less", "any word", "of the envelope"],
)
def test_a_value_of_another_kind_is_a_break(
    type: str, field: str, value: object, before: Listing, now: Listing
) -> None:
    now[type]["fields"][field]["value"] = value

    (found,) = breaks(before, now)

    assert found.startswith(f"{type}: {field} was {before[type]['fields'][field]['value']} and is {value}; ")
    assert found.endswith("keep it, and add another field for the new")


@pytest.mark.parametrize(
    ("field", "what_to_do"),
    [("reason", "list it with always=False"), ("state", "tell it always, or add another type")],
)
def test_what_is_always_told_stays_so_and_what_was_not_does_too(
    field: str, what_to_do: str, before: Listing, now: Listing
) -> None:
    listed = now["job.started"]["fields"][field]
    listed["always"] = not listed["always"]

    (found,) = breaks(before, now)

    assert found.startswith(f"job.started: {field} ")
    assert found.endswith(what_to_do)


def test_a_new_field_that_old_events_do_not_have_cannot_be_in_all_of_them(
    before: Listing, now: Listing
) -> None:
    now["job.started"]["fields"]["mood"] = {"always": True, "value": {"type": "string"}}

    (found,) = breaks(before, now)

    assert found.endswith("events that are recorded already may lack it: list it with always=False")


@pytest.mark.parametrize(
    ("key", "said"), [("lava", None), ("core4", "begin_job"), ("subject", "device")], ids=str
)
def test_another_name_in_a_dialect_or_another_rule_of_sight_is_a_break(
    key: str, said: str | None, before: Listing, now: Listing
) -> None:
    now["job.started"][key] = said

    (found,) = breaks(before, now)

    assert found.startswith(f"job.started: {key} was {before['job.started'][key]!r} and is {said!r}; ")


def test_what_only_adds_breaks_nothing(before: Listing, now: Listing) -> None:
    now["job.found"]["pulp"] = "running"
    now["job.started"]["fields"]["mood"] = {"always": False, "value": {"type": "string"}}
    now["worker.changed"]["fields"]["state"]["value"]["enum"].append("Asleep")
    now["worker.exploded"] = now["worker.deleted"]

    assert breaks(before, now) == []
