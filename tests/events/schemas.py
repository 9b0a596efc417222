"""The schemas of events as they are committed, and those of the last release.

`python -m tests.events.schemas` writes the former anew, and with `--release` the latter, too: that is for the release.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from events import asyncapi, contract
from events.catalogue import CATALOGUE, EventType

Listing = dict[str, Any]

DIRECTORY = Path(contract.__file__).parent / "schemas"
RELEASED = Path(__file__).with_name("released.json")

WIDTH = 250
EXPLAINING = ("description", contract.SINCE)
DIALECTS = ("lava", "core4", "pulp", "lambdacd")


def documents() -> dict[str, str]:
    """By the names of their files."""
    made = {name: contract.schema(name) for name in contract.names()} | {"asyncapi": asyncapi.document()}
    return {f"{name}.json": _text(document) for name, document in made.items()}


def committed() -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in DIRECTORY.iterdir()}


def listing() -> Listing:
    """All that listeners count on, without the words that explain it."""
    return {contract.ENVELOPE: {"fields": _fields(contract.envelope())}} | {
        entry.schema: _listed(entry) for entry in CATALOGUE.values()
    }


def released() -> Listing:
    listed: Listing = json.loads(RELEASED.read_text(encoding="utf-8"))
    return listed


def write(*, release: bool) -> None:
    DIRECTORY.mkdir(exist_ok=True)
    wanted = documents()
    for name in committed().keys() - wanted.keys():
        (DIRECTORY / name).unlink()
    for name, text in wanted.items():
        (DIRECTORY / name).write_text(text, encoding="utf-8")
    if release:
        RELEASED.write_text(_text(listing()), encoding="utf-8")


def _listed(entry: EventType) -> Listing:
    names = {dialect: getattr(entry, dialect) for dialect in DIALECTS}
    return {"subject": entry.subject, **names, "fields": _fields(contract.payload(entry))}


def _fields(schema: contract.Schema) -> Listing:
    return {
        name: {
            "always": name in schema["required"],
            "value": {key: said for key, said in value.items() if key not in EXPLAINING},
        }
        for name, value in schema["properties"].items()
    }


def _text(document: Any) -> str:
    return "\n".join(_lines(document, "")) + "\n"


def _lines(part: Any, before: str) -> Iterator[str]:
    """JSON in which what fits on a line stays on one, so that a change of a field is a change of its line."""
    short = json.dumps(part, ensure_ascii=False)
    if not isinstance(part, dict) or not part or len(before + short) <= WIDTH:
        yield before + short
        return
    indent = " " * (len(before) - len(before.lstrip()) + 1)
    yield f"{before}{{"
    for position, (key, value) in enumerate(part.items(), start=1):
        *above, last = _lines(value, f"{indent}{json.dumps(key)}: ")
        yield from above
        yield f"{last}," if position < len(part) else last
    yield f"{indent[1:]}}}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Write the schemas of events anew.")
    parser.add_argument("--release", action="store_true", help="also what the next changes are compared with")
    write(release=parser.parse_args().release)
