"""What follows from how an endpoint answered. No ORM."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from events.webhooks.client import Reply

DELAYS: Final = tuple(
    timedelta(seconds=seconds) for seconds in (5, 30, 2 * 60, 10 * 60, 30 * 60, 60 * 60)
)  # the last one again and again
GIVE_UP_AFTER: Final = timedelta(days=1)
REFUSAL_DELAYS: Final = (timedelta(seconds=10), timedelta(seconds=50))
MOST_REJECTED: Final = 100  # events in a row

GONE: Final = 410
# Of the client errors those that say nothing against the event itself.
TRY_LATER: Final = frozenset({408, 425, 429})


class Outcome(StrEnum):
    """What became of one try."""

    DELIVERED = "delivered"
    RETRY = "will retry"
    REJECTED = "rejected"  # the endpoint refuses this event; the next ones follow
    FAILED = "failed"  # and nothing is tried again by itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How an endpoint has done so far."""

    tries: int = 0  # of the event that is next
    refusals: int = 0  # among them
    rejected: int = 0  # events in a row
    failing_since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    outcome: Outcome
    next_try: datetime | None = None
    failing_since: datetime | None = None
    disabled: str = ""  # why


def judged(
    reply: Reply,
    standing: Standing,
    at: datetime,
    jitter: Callable[[], float] = lambda: random.uniform(0.9, 1.1),
) -> Verdict:
    if reply.is_success:
        return Verdict(outcome=Outcome.DELIVERED)
    since = standing.failing_since or at
    if reply.status == GONE:
        return _disabled(since, "The endpoint says that it is gone for good (410).")
    if is_refusal(reply):
        return _refused(reply, standing, since, at)
    if at - since >= GIVE_UP_AFTER:
        return _disabled(since, f"Nothing could be delivered for a day. The last try: {reply.trouble}")
    delay = DELAYS[min(standing.tries, len(DELAYS) - 1)] * jitter()
    next_try = min(at + max(delay, reply.retry_after), since + GIVE_UP_AFTER)
    return Verdict(outcome=Outcome.RETRY, next_try=next_try, failing_since=since)


def is_refusal(reply: Reply) -> bool:
    """Whether the endpoint is well and does not want this event."""
    return reply.status is not None and 400 <= reply.status < 500 and reply.status not in TRY_LATER


def _refused(reply: Reply, standing: Standing, since: datetime, at: datetime) -> Verdict:
    if standing.refusals < len(REFUSAL_DELAYS):
        return Verdict(
            outcome=Outcome.RETRY, next_try=at + REFUSAL_DELAYS[standing.refusals], failing_since=since
        )
    if standing.rejected + 1 < MOST_REJECTED:
        return Verdict(outcome=Outcome.REJECTED)
    return _disabled(
        since, f"It refused {MOST_REJECTED} events, one after the other. The last time: {reply.trouble}"
    )


def _disabled(since: datetime, why: str) -> Verdict:
    return Verdict(outcome=Outcome.FAILED, failing_since=since, disabled=why)
