"""Who may hear of an event: asked at delivery, by every transport, of the package that owns the subject."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django.contrib.auth.models import AnonymousUser

from events.catalogue import CATALOGUE
from events.models import Event

Rule = Callable[[Event, Any], bool]

_rules: dict[str, Rule] = {}


def register(subject: str, rule: Rule) -> None:
    """`rule(event, user)` decides for all events of a subject (job, device, worker …)."""
    _rules[subject] = rule


def may_see(event: Event, user: Any) -> bool:
    """A type that is unknown, or whose subject has no rule, is for nobody."""
    entry = CATALOGUE.get(event.type)
    rule = _rules.get(entry.subject) if entry else None
    return rule is not None and rule(event, user)


def public(events: Sequence[Event]) -> list[Event]:
    """Those that an anonymous visitor may see."""
    anonymous = AnonymousUser()
    return [event for event in events if may_see(event, anonymous)]
