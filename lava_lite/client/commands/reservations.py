"""`lava-lite device reserve` and `lava-lite reservation …`"""

from __future__ import annotations

from lava_lite.client import follow
from lava_lite.client.api import Row, segment
from lava_lite.client.commands.jobs import Job, LogViewer
from lava_lite.client.context import Context
from lava_lite.client.errors import OutOfTime, Usage
from lava_lite.client.exits import Exit, of_outcome
from lava_lite.client.shapes import ago, column, duration

UNFINISHED = "Submitted,Scheduling,Scheduled,Running,Canceling"

LIST = (
    column("ID", "id"),
    column("STATE", "state", toned=True),
    column("DEVICE", lambda row: row.get("device") or row.get("wanted_device") or row.get("device_type")),
    column("HOLDER", "submitter"),
    column("UNTIL", "deadline"),
    column("PURPOSE", "description"),
)


def reserve(context: Context) -> Exit:
    words = context.words
    if bool(words.device) == bool(words.device_type):
        raise Usage("Name either a device, or with --type the type of which any device will do.")
    what = {"device": words.device} if words.device else {"device_type": words.device_type}
    wish = what | {"duration": words.length, "purpose": words.purpose, "tags": words.tag or []}
    row = context.api.post("reservations/", wish)
    if words.wait:
        return _until_held(context, row)
    if context.console.as_json:
        context.console.json(row)
    else:
        context.console.say(f"{row['id']}\t{context.address(row['url'])}")
    return Exit.OK


def list_reservations(context: Context) -> Exit:
    words = context.words
    rows = context.api.items(
        "jobs/",
        limit=words.limit,
        kind="reservation",
        state=None if words.all else UNFINISHED,
        submitter=words.submitter,
        device=words.device,
    )
    return context.show_rows(LIST, rows)


def show(context: Context) -> Exit:
    return _tell(context, context.api.get(f"jobs/{segment(context.words.reservation)}/"))


def extend(context: Context) -> Exit:
    name = segment(context.words.reservation)
    return _tell_shortly(
        context, context.api.post(f"jobs/{name}/extend/", {"duration": context.words.length})
    )


def release(context: Context) -> Exit:
    return _tell_shortly(context, context.api.post(f"jobs/{segment(context.words.reservation)}/release/", {}))


def _until_held(context: Context, row: Row) -> Exit:
    console, number = context.console, row["id"]
    console.note(f"Reservation {number}: {context.address(row['url'])}")
    try:
        row = follow.wait(
            Job(api=context.api, id=number),
            LogViewer(console=console),
            context.timer(),
            until=(follow.RUNNING, follow.FINISHED),
        )
    except OutOfTime as over:
        raise OutOfTime(f"{over} {_still_waits(number)}") from None
    except KeyboardInterrupt:
        console.note(f"\n{_still_waits(number)}")
        raise
    finally:
        console.clear_status()
    _tell(context, row)
    return of_outcome(row["outcome"]) if row["state"] == follow.FINISHED else Exit.OK


def _still_waits(number: int) -> str:
    return f"Reservation {number} still waits. Cancel it with: lava-lite job cancel {number}"


def _tell(context: Context, row: Row) -> Exit:
    if context.console.as_json:
        context.console.json(row)
        return Exit.OK
    context.console.facts(
        [
            ("reservation", str(row["id"])),
            ("page", context.address(row["url"])),
            ("purpose", row["description"]),
            ("state", row["state"]),
            ("reason", row["reason"]),
            ("holder", row["submitter"]),
            ("device", row["device"] or row["wanted_device"] or f"any {row['device_type']}"),
            *(("access", line) for line in row["access"]),
            ("held since", ago(row["start_time"])),
            ("until", ago(row["deadline"])),
            ("ended", ago(row["end_time"])),
            ("held for", duration(row["duration"])),
        ]
    )
    return Exit.OK


def _tell_shortly(context: Context, row: Row) -> Exit:
    if context.console.as_json:
        context.console.json(row)
    else:
        context.console.table(LIST, [row])
    return Exit.OK
