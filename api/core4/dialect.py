"""Events and jobs in core4's words."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from api.core4.envelope import naive
from events import catalogue
from events.custom import PREFIX
from events.models import Event
from jobs.queue_now import Kind, QueueNow

AUTHOR = "lava_lite"  # of what no user and no worker did
QUEUE = "queue"  # the channel of all that happens to jobs
MESSAGE = "message"  # what somebody says of their own
ID_DIGITS = 24  # of an id of MongoDB's


def id_of(uuid: str) -> str:
    """The first hexadecimal digits of a uuid: of an event its `id`, of a job its `uuid`."""
    return uuid.replace("-", "")[:ID_DIGITS]


def name_in_queue(event: Event) -> str | None:
    """What core4 calls it; None for what core4 does not know, or does not tell there."""
    entry = catalogue.find(event.type)
    return entry.core4 if entry and entry.subject == "job" else None


def channel_of(event: Event) -> str | None:
    """On which channel it was said; None for what is no message."""
    return event.type.removeprefix(PREFIX) if event.type.startswith(PREFIX) else None


def of_channel(event: Event) -> dict[str, Any]:
    """What somebody has said, to those who listen to its channel."""
    return _told(event, channel=str(channel_of(event)), data=event.data["message"], name=MESSAGE)


def of_queue(event: Event, queue: dict[str, int]) -> dict[str, Any]:
    """An event of the channel `queue`; with the number of jobs in each state that its hearer may see."""
    return _told(
        event,
        channel=QUEUE,
        data={"_id": id_of(event.data["uuid"]), "queue": queue},
        name=str(name_in_queue(event)),
    )


def of_topic(event: Event) -> dict[str, Any]:
    """Any event, with its number and its whole payload: what core4 has no word for has the lab's own."""
    entry = catalogue.find(event.type)
    is_message = entry is not None and entry.core4 == MESSAGE
    name = MESSAGE if is_message else event.type
    frame = _told(event, channel=event.type.partition(".")[0], data=event.payload, name=name)
    return frame | {"sequence": event.sequence}


def summary(now: QueueNow, at: datetime) -> dict[str, Any]:
    rows = [_row(kind, n) for kind, n in sorted(now.rows.items())]
    return {"author": AUTHOR, "channel": QUEUE, "created": naive(at), "data": rows, "name": "summary"}


def _told(event: Event, *, channel: str, data: dict[str, Any], name: str) -> dict[str, Any]:
    return {
        "_id": id_of(event.uid.hex),
        "author": event.actor or AUTHOR,
        "channel": channel,
        "created": naive(event.time),
        "data": data,
        "name": name,
    }


def _row(kind: Kind, n: int) -> dict[str, Any]:
    return {
        "killed": kind.killed,
        "n": n,
        "name": kind.name,
        "removed": False,  # whoever takes a job out of the queue here does not wait for it
        "state": kind.state,
        "wall": kind.wall,
        "zombie": kind.zombie,
    }
