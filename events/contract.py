"""The catalogue as JSON Schemas (2020-12), for those who listen. No ORM.

They are open: a listener passes over what it does not know, as payloads grow. A closed one finds what is not listed.
"""

from __future__ import annotations

import re
from typing import Any, Final

from events import catalogue, topics
from events.catalogue import CATALOGUE, CAUSES, EventType
from events.payloads import Field, Kind

Schema = dict[str, Any]

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
PATH: Final = "/api/v1/schemas/"  # where a lab serves them
ENVELOPE: Final = "event"  # the name of the envelope's; the others have those of their types
SINCE: Final = "x-since"  # the version of lava_lite that had it first

# What begins the type in a CloudEvent, and says who gives the names their meaning. There is no domain of the project's
# that could stand there in reverse, and LAVA's is LAVA's.
PREFIX: Final = "lava_lite"

# CloudEvents compares `sequence` as text, so it has zeros in front: as many digits as the column can have.
DIGITS: Final = 19

_KINDS: Final[dict[Kind, Schema]] = {
    Kind.TEXT: {"type": "string"},
    Kind.WHOLE: {"type": "integer"},
    Kind.NUMBER: {"type": "number"},
    Kind.FLAG: {"type": "boolean"},
    Kind.TIME: {"type": "string", "format": "date-time"},
    Kind.UUID: {"type": "string", "format": "uuid"},
    Kind.TEXTS: {"type": "array", "items": {"type": "string"}},
    Kind.PLACES: {"type": "array", "items": {"type": "integer"}},
    Kind.JOB: {"type": ["integer", "string"]},
    Kind.OBJECT: {"type": "object"},
}

# The attributes of CloudEvents 1.0, of its extension for sequences, and the lab's own extensions.
_ATTRIBUTES: Final[Schema] = {
    "specversion": {"const": "1.0"},
    "id": {"type": "string", "format": "uuid", "description": "the same on every transport"},
    "source": {"type": "string", "format": "uri", "minLength": 1, "description": "the address of the lab"},
    "type": {
        "type": "string",
        "pattern": rf"^{PREFIX}\.",
        "description": f"{PREFIX}. and the canonical type",
    },
    "subject": {
        "type": "string",
        "minLength": 1,
        "description": "id of the job, with / and its level for a step; name of the device or worker; who has said it, "
        "if no job has",
    },
    "time": {"type": "string", "format": "date-time", "description": "when it happened, in UTC"},
    "datacontenttype": {"const": "application/json"},
    "dataschema": {"type": "string", "format": "uri", "description": "where the schema of `data` is fetched"},
    "sequence": {
        "type": "string",
        "pattern": f"^[0-9]{{{DIGITS}}}$",
        "description": "lab-wide number without gaps, with zeros in front so that texts compare as numbers do",
    },
    "jobsequence": {"type": "integer", "description": "number within the job's events, from 1"},
    "attempt": {"type": "integer", "description": "which run of the job, from 1"},
    "cause": {
        "enum": list(CAUSES),
        "description": "what kind of thing made it happen",
    },
    "actor": {"type": "string", "minLength": 1, "description": "the user or worker that made it happen"},
    "data": {"type": "object", "description": "the payload; `dataschema` describes it"},
}
_OPTIONAL: Final = frozenset({"jobsequence", "attempt", "actor"})
_BY_SCHEMA: Final = {entry.schema: entry for entry in CATALOGUE.values()}


def address(name: str) -> str:
    """Of a schema, below the address of the lab."""
    return f"{PATH}{name}"


def address_for(type: str) -> str:
    """Of the schema of what events of a canonical type say."""
    entry = catalogue.find(type)
    return address(entry.schema if entry else type)


def names() -> list[str]:
    return [ENVELOPE, *_BY_SCHEMA]


def entry(name: str) -> EventType:
    """Whose payload a schema describes. KeyError if there is none of this name."""
    return _BY_SCHEMA[name]


def schema(name: str) -> Schema:
    """By its name, as it is published. KeyError if there is none."""
    described = envelope() if name == ENVELOPE else payload(entry(name))
    return {"$schema": DIALECT, "$id": address(name), **described}


def envelope() -> Schema:
    return {
        "title": "An event of a lab, as CloudEvents 1.0",
        "type": "object",
        "properties": _ATTRIBUTES,
        "required": [name for name in _ATTRIBUTES if name not in _OPTIONAL],
    }


def payload(entry: EventType) -> Schema:
    described = {
        field.name: value(field) | {"description": field.meaning, SINCE: field.since}
        for field in entry.payload
    }
    described["event"] = canonical_type(entry)
    return {
        "title": entry.schema,
        "description": entry.fires,
        SINCE: entry.since,
        "type": "object",
        "properties": described,
        "required": [field.name for field in entry.payload if field.always],
    }


def canonical_type(entry: EventType, *, before: str = "") -> Schema:
    """As an event says it, perhaps after something else."""
    if not entry.prefix:
        return {"const": f"{before}{entry.name}"}
    beginning = f"{before}{entry.prefix}"
    return {
        "type": "string",
        "pattern": rf"^{re.escape(beginning)}{topics.PLAIN}$",
        "examples": [f"{beginning}flashed"],
        "description": f"{beginning} and a name",
    }


def value(field: Field) -> Schema:
    """What the field's value may be."""
    kind = dict(_KINDS[field.kind])
    if field.words:
        kind["enum"] = list(field.words)
    if field.or_null:
        return {"anyOf": [kind, {"type": "null"}]}
    return kind


def closed(described: Schema) -> Schema:
    """The same, without room for what is not listed."""
    return described | {"additionalProperties": False}
