"""`lava-lite events …`: what happens in the lab, as it happens."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from lava_lite.client.api import Row, segment
from lava_lite.client.context import Context
from lava_lite.client.errors import OutOfTime
from lava_lite.client.exits import Exit
from lava_lite.client.follow import FINISHED, Steady, Timer, sentence
from lava_lite.client.messages import Message
from lava_lite.client.shapes import clean
from lava_lite.client.stream import Tail

TYPES = "lava_lite."  # what begins the type of a CloudEvent


def tail(context: Context) -> Exit:
    """Until somebody ends it."""
    words, console = context.words, context.console
    for event in _tail(context, Timer(), since=words.since, chosen=words.filter):
        if console.as_json:
            console.json_line(event)
        else:
            console.say("\t".join(map(clean, line(event))))
    return Exit.OK


def wait(context: Context) -> Exit:
    words, timer = context.words, context.timer()
    steady = Steady(timer, context.console.status)
    address = f"jobs/{segment(words.job)}/"
    try:
        # From before the look at the job, so that nothing falls in between.
        start = steady(lambda: context.api.get("events/", limit=1))["last_sequence"]
        job = steady(lambda: context.api.get(address))
        if (state := _reached(job["state"], words.state)) is None:
            context.console.status(sentence(job))
            state = _first_of(context, timer, job, start)
        job = steady(lambda: context.api.get(address))
    except OutOfTime as over:
        raise OutOfTime(f"{over} Job {words.job} goes on.") from None
    finally:
        context.console.clear_status()
    if context.console.as_json:
        context.console.json(job)
    else:
        context.console.say(f"{job['number']}\t{state}")
    return Exit.OK if state in words.state else Exit.MISSED


def _first_of(context: Context, timer: Timer, job: Row, start: int) -> str:
    """The state that ends the waiting, which the job may have left again."""
    for event in _tail(context, timer, since=start, chosen=f"job.# job={job['uuid']}"):
        if state := _reached(event["data"].get("state", ""), context.words.state):
            return state
    raise AssertionError("a tail has no end")


def _reached(state: str, wanted: list[str]) -> str | None:
    """The state, if it is wanted, or nothing can come after it."""
    return state if state in wanted or state == FINISHED else None


def _tail(context: Context, timer: Timer, *, since: int | None, chosen: str) -> Iterator[Row]:
    def source(since: int | None) -> Iterator[Message]:
        return context.api.events(lambda: timer.left, since=since, chosen=chosen)

    return iter(Tail(source, timer, context.console.note, since=since))


def line(event: Row) -> list[str]:
    """When, which number, what, of what, and a few words."""
    return [
        event["time"],
        str(int(event["sequence"])),
        str(event["type"]).removeprefix(TYPES),
        str(event.get("subject", "")),
        _words(event["data"]),
    ]


def _words(data: Row) -> str:
    told = [_change(data, "state"), _change(data, "health"), _on(data), *map(_text(data), ("text", "reason"))]
    return ", ".join(filter(None, told))


def _change(data: Row, name: str) -> str:
    now, before = data.get(name), data.get(f"previous_{name}")
    return f"{before} → {now}" if before and before != now else str(now or "")


def _on(data: Row) -> str:
    return f"on {data['device']}" if data.get("job") and data.get("device") else ""


def _text(data: Row) -> Callable[[str], str]:
    return lambda name: str(data.get(name) or "")
