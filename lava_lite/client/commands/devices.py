"""`lava-lite device …`"""

from __future__ import annotations

from collections.abc import Callable

from lava_lite.client.api import segment
from lava_lite.client.context import Context
from lava_lite.client.exits import Exit
from lava_lite.client.shapes import Row, ago, column

LIST = (
    column("NAME", "name"),
    column("TYPE", "device_type"),
    column("STATE", "state", toned=True),
    column("HEALTH", "health", toned=True),
    column("WORKER", "worker"),
    column("JOB", "job"),
    column("REASON", "health_reason"),
)

FILTERS = ("device_type", "worker", "state", "health", "tag", "q")


def list_devices(context: Context) -> Exit:
    words = context.words
    fields = {name: getattr(words, name) for name in FILTERS}
    rows = context.api.items("devices/", limit=words.limit, **fields, all=int(words.all) or None)
    return context.show_rows(LIST, rows)


def show(context: Context) -> Exit:
    device = context.api.get(f"devices/{segment(context.words.device)}/")
    if context.console.as_json:
        context.console.json(device)
        return Exit.OK
    worker = f"{device['worker']} ({device['worker_state']})" if device["worker"] else ""
    context.console.facts(
        [
            ("device", device["name"]),
            ("page", context.address(device["url"])),
            ("description", device["description"]),
            ("type", device["device_type"]),
            ("tags", ", ".join(device["tags"])),
            ("worker", worker),
            ("state", device["state"]),
            ("job", str(device["job"] or "")),
            ("health", device["health"]),
            ("reason", device["health_reason"]),
            ("by", device["health_by"] or ""),
            ("since", ago(device["health_since"])),
            ("closed since", ago(device.get("closed_since"))),
            ("last used", ago(device["last_used"])),
            ("last check", _last_check(device)),
        ]
    )
    return Exit.OK


def act(verb: str) -> Callable[[Context], Exit]:
    """The command that does this to one device, for a reason."""

    def post(context: Context) -> Exit:
        name = segment(context.words.device)
        device = context.api.post(f"devices/{name}/{verb}/", {"reason": context.words.reason or ""})
        if context.console.as_json:
            context.console.json(device)
        else:
            context.console.table(LIST, [device])
        return Exit.OK

    return post


def change_health(health: str) -> Callable[[Context], Exit]:
    """The command that says this of one device or many, all or none of them."""

    def change(context: Context) -> Exit:
        fields = {"devices": context.words.devices, "health": health, "reason": context.words.reason}
        answer = context.api.post("devices/health/", fields)
        if context.console.as_json:
            context.console.json_list(answer["items"])
        else:
            context.console.table(LIST, answer["items"])
        return Exit.OK

    return change


def _last_check(device: Row) -> str:
    time = ago(device.get("last_check_time"))
    number = device.get("last_check")
    return f"job {number}, {time}" if number and time else time
