"""What a change of the catalogue takes from those who listen, or from the events that are recorded already."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.events.schemas import DIALECTS, Listing

# What is wrong, and what to do instead.
TYPE_IS_GONE = "listeners wait for it: keep the type, and add another beside it for what is new"
MEANS_ANOTHER = "listeners know it by that: leave it as it was, and add another type for what is new"
FIELD_IS_GONE = "listeners read it: keep it, and tell what is new in another field, or in another type"
OTHER_VALUE = (
    "listeners and recorded events have the old kind of value: keep it, and add another field for the new"
)
NO_LONGER_SURE = "listeners count on it in every event: tell it always, or add another type"
NOT_IN_OLD_EVENTS = "events that are recorded already may lack it: list it with always=False"


def breaks(before: Listing, now: Listing) -> list[str]:
    """Each with its place and what to do; empty for a change that only adds."""
    return [
        found for name, listed in before.items() for found in _breaks_of_type(name, listed, now.get(name))
    ]


def _breaks_of_type(name: str, before: Listing, now: Listing | None) -> Iterator[str]:
    if now is None:
        yield f"{name} is gone; {TYPE_IS_GONE}"
        return
    for key in ("subject", *DIALECTS):
        if before.get(key) is not None and now.get(key) != before[key]:
            yield f"{name}: {key} was {before[key]!r} and is {now.get(key)!r}; {MEANS_ANOTHER}"
    for field, listed in before["fields"].items():
        yield from _breaks_of_field(f"{name}: {field}", listed, now["fields"].get(field))
    for field in now["fields"].keys() - before["fields"].keys():
        if now["fields"][field]["always"]:
            yield f"{name}: {field} is new and in every event; {NOT_IN_OLD_EVENTS}"


def _breaks_of_field(place: str, before: Listing, now: Listing | None) -> Iterator[str]:
    if now is None:
        yield f"{place} is gone; {FIELD_IS_GONE}"
        return
    if not _holds_all_of(before["value"], now["value"]):
        yield f"{place} was {before['value']} and is {now['value']}; {OTHER_VALUE}"
    if before["always"] and not now["always"]:
        yield f"{place} may now be left out; {NO_LONGER_SURE}"
    if now["always"] and not before["always"]:
        yield f"{place} is now in every event; {NOT_IN_OLD_EVENTS}"


def _holds_all_of(before: Any, now: Any) -> bool:
    """Whether it is the same, but for further words."""
    if not isinstance(before, dict) or not isinstance(now, dict):
        return bool(before == now)
    if before.keys() != now.keys():
        return False
    if "anyOf" in before:
        return all(map(_holds_all_of, before["anyOf"], now["anyOf"]))
    further = set(before.get("enum", ())) <= set(now.get("enum", ()))
    return further and all(before[key] == now[key] for key in before if key != "enum")
