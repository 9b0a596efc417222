"""Whether events are as the catalogue says: their schemas closed, so that a key that is not listed is found."""

from __future__ import annotations

import json
from datetime import datetime
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import ValidationError

from events import catalogue, contract
from events.models import Event

FORMATS = FormatChecker(["uuid"])


@FORMATS.checks("date-time")
def is_time_with_zone(value: object) -> bool:
    if not isinstance(value, str):
        return True
    try:
        return datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def validator(schema: dict[str, Any]) -> Draft202012Validator:
    return Draft202012Validator(schema, format_checker=FORMATS)


@cache
def payloads(name: str) -> Draft202012Validator:
    """Of a canonical type, or of a schema."""
    entry = catalogue.find(name) or contract.entry(name)
    return validator(contract.closed(contract.payload(entry)))


@cache
def envelopes() -> Draft202012Validator:
    return validator(contract.closed(contract.envelope()))


def faults(event: Event) -> list[str]:
    """What in the event's payload is not as its schema says. On PostgreSQL it has no number yet when it is written."""
    told = json.loads(json.dumps(event.payload | {"sequence": event.sequence or 1}))
    return [f"{event.type}: {_said(fault)}" for fault in payloads(event.type).iter_errors(told)]


def faults_in_cloud_event(told: dict[str, Any]) -> list[str]:
    kind = told["type"].removeprefix(f"{contract.PREFIX}.")
    found = [*envelopes().iter_errors(told), *payloads(kind).iter_errors(told["data"])]
    return [_said(fault) for fault in found]


def _said(fault: ValidationError) -> str:
    return f"{'.'.join(map(str, fault.path))}: {fault.message}".removeprefix(": ")
