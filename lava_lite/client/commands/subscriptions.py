"""`lava-lite events subscribe`, `consume` …: events whose place the lab keeps, until they are dealt with."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable

from lava_lite.client.api import Row, segment
from lava_lite.client.commands.events import line
from lava_lite.client.context import Context
from lava_lite.client.exits import Exit
from lava_lite.client.follow import Steady, Timer
from lava_lite.client.shapes import age, clean, column

WAIT = 15.0  # seconds of one fetch; shorter than a connection may be silent
PAUSE = 1.0  # seconds before the next fetch, where a server answers at once that there is nothing

LIST = (
    column("NAME", "name"),
    column("STATE", "state"),
    column("LAG", "lag"),
    column("FETCHED", "fetched", age),
    column("EXPIRES", "expires"),
    column("FILTER", "filter"),
)

Deal = Callable[[Row], Exit]


def subscribe(context: Context) -> Exit:
    words = context.words
    wish = {"name": words.name, "filter": words.filter, "since": words.since, "days": words.days}
    return _tell(context, context.api.post("subscriptions/", wish))


def list_subscriptions(context: Context) -> Exit:
    return context.show_rows(LIST, context.api.items("subscriptions/", limit=context.words.limit))


def renew(context: Context) -> Exit:
    return _tell(
        context, context.api.post(f"{_at(context.words.name)}renew/", {"since": context.words.since})
    )


def unsubscribe(context: Context) -> Exit:
    def delete(name: str) -> tuple[Row, Exit]:
        context.api.delete(_at(name))
        context.console.note(f"The subscription {name} is deleted.")
        return {"name": name}, Exit.OK

    return context.each(context.words.names, delete)


def consume(context: Context) -> Exit:
    """Until somebody ends it, something cannot be dealt with, or with --once there is nothing more."""
    words, timer = context.words, context.timer()
    steady = Steady(timer, context.console.status)
    deal = _printing(context, steady) if words.exec is None else _running(context, steady)
    while True:
        timer.wait(0)
        begun = timer.now()
        batch = steady(lambda: context.api.post(f"{_at(words.name)}fetch/", _wish(context, timer)))
        if batch["events"]:
            if (code := deal(batch)) != Exit.OK:
                return code
        elif batch["lag"]:
            continue  # the rest of a long way is looked through by the next fetch
        elif words.once:
            return Exit.OK
        elif timer.now() - begun < PAUSE:
            timer.wait(PAUSE)


def _wish(context: Context, timer: Timer) -> Row:
    left = timer.left
    wait = WAIT if left is None else max(0.0, min(WAIT, left))
    return {"limit": context.words.batch, "wait": 0 if context.words.once else wait}


def _printing(context: Context, steady: Steady) -> Deal:
    """All of them are acknowledged when all are written."""

    def deal(batch: Row) -> Exit:
        for event in batch["events"]:
            if context.console.as_json:
                context.console.json_line(event)
            else:
                context.console.say("\t".join(map(clean, line(event))))
        _acknowledge(context, steady, batch["ack"])
        return Exit.OK

    return deal


def _running(context: Context, steady: Steady) -> Deal:
    """Each is acknowledged when the command has ended well."""

    def deal(batch: Row) -> Exit:
        for event in batch["events"]:
            done = subprocess.run(context.words.exec, shell=True, input=json.dumps(event), text=True)
            if done.returncode:
                context.console.note(
                    f"The command ended with {done.returncode}. Event {int(event['sequence'])} is not acknowledged: "
                    "it comes again at the next start."
                )
                return Exit.FAIL
            _acknowledge(context, steady, batch["ack"] | {"sequence": int(event["sequence"])})
        return Exit.OK

    return deal


def _acknowledge(context: Context, steady: Steady, ack: Row) -> None:
    steady(lambda: context.api.post(f"{_at(context.words.name)}ack/", ack))


def _tell(context: Context, subscription: Row) -> Exit:
    if context.console.as_json:
        context.console.json(subscription)
    else:
        context.console.say(f"{subscription['name']}\t{subscription['sequence']}")
    return Exit.OK


def _at(name: str) -> str:
    return f"subscriptions/{segment(name)}/"
