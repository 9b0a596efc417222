"""Who may hear of an event: asked at delivery, by every transport, of the package that owns the subject."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django.contrib.auth.models import AnonymousUser

from events.catalogue import CATALOGUE
from events.models import Event

Rule = Callable[[Event, Any], bool]

Mask = Callable[[Event, Any], Event]

_rules: dict[str, Rule] = {}
_masks: dict[str, Mask] = {}


def register(subject: str, rule: Rule) -> None:
    """`rule(event, user)` decides for all events of a subject (job, device, worker …)."""
    _rules[subject] = rule


def register_mask(subject: str, mask: Mask) -> None:
    """`mask(event, user)` gives the event, or a copy without what this user may not know of it."""
    _masks[subject] = mask


def may_see(event: Event, user: Any) -> bool:
    """A type that is unknown, or whose subject has no rule, is for nobody."""
    entry = CATALOGUE.get(event.type)
    rule = _rules.get(entry.subject) if entry else None
    return rule is not None and rule(event, user)


def seen_by(user: Any, events: Sequence[Event]) -> list[Event]:
    """Those that the user may see, as far as the user may know them."""
    return [_masked(event, user) for event in events if may_see(event, user)]


def public(events: Sequence[Event]) -> list[Event]:
    """What an anonymous visitor may hear."""
    return seen_by(AnonymousUser(), events)


def _masked(event: Event, user: Any) -> Event:
    mask = _masks.get(CATALOGUE[event.type].subject)
    return mask(event, user) if mask else event
