"""Who may hear of an event: asked at delivery, by every transport, of the package that owns the subject."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django.contrib.auth.models import AnonymousUser

from events import catalogue
from events.models import Event

# Each is asked about many events at once, all of its subject, and answers with as many queries as for one.
Rule = Callable[[Sequence[Event], Any], list[Event]]
Mask = Callable[[Sequence[Event], Any], list[Event]]

_rules: dict[str, Rule] = {}
_masks: dict[str, Mask] = {}


def register(subject: str, rule: Rule) -> None:
    """`rule(events, user)` gives those that the user may hear of, of all events of a subject (job, device, worker …)."""
    _rules[subject] = rule


def register_mask(subject: str, mask: Mask) -> None:
    """`mask(events, user)` gives each event, or in its place a copy without what this user may not know of it."""
    _masks[subject] = mask


def may_see(event: Event, user: Any) -> bool:
    return bool(seen_by(user, [event]))


def seen_by(user: Any, events: Sequence[Event]) -> list[Event]:
    """Those that the user may see, in their order, as far as the user may know them.

    A type that is unknown, or whose subject has no rule, is for nobody.
    """
    places = {event.uid: place for place, event in enumerate(events)}
    seen = [
        event for subject, group in _by_subject(events).items() for event in seen_of(subject, group, user)
    ]
    return sorted(seen, key=lambda event: places[event.uid])


def public(events: Sequence[Event]) -> list[Event]:
    """What an anonymous visitor may hear."""
    return seen_by(AnonymousUser(), events)


def _by_subject(events: Sequence[Event]) -> dict[str, list[Event]]:
    groups: dict[str, list[Event]] = {}
    for event in events:
        if (entry := catalogue.find(event.type)) is not None:
            groups.setdefault(entry.subject, []).append(event)
    return groups


def seen_of(subject: str, events: Sequence[Event], user: Any) -> list[Event]:
    """As `seen_by`, of events that are all of one subject."""
    rule, mask = _rules.get(subject), _masks.get(subject)
    seen = rule(events, user) if rule else []
    return mask(seen, user) if mask and seen else seen
