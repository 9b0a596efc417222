"""`lava-lite doctor` of a server: whether it can be reached, what it is, and what the token is good for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from lava_lite.client import targets
from lava_lite.client.api import Api
from lava_lite.client.context import Context
from lava_lite.client.errors import ClientError
from lava_lite.client.exits import Exit
from lava_lite.client.findings import Finding, bad, ok, tell, warn

CLOCK_TOLERANCE = 60.0  # seconds; beyond it, ages and expiries are told wrong
SLOW = 1.0


def examine(context: Context) -> Exit:
    """The server that the command line names, or else the installation on this machine."""
    wanted = context.wanted
    if wanted.server or wanted.identity:
        return tell(context.console, findings(context))
    return tell(context.console, context.here.findings())


def findings(context: Context) -> Iterator[Finding]:
    try:
        target = context.target
    except ClientError as error:
        yield bad("address", str(error), f"name another one: --server URL, or mend {targets.FILE_NAME}")
        return
    yield ok("address", target.server)
    for finding in server(context.api, time.time):
        yield finding
        if finding.level == "bad":
            return
    yield from token(context)


def server(api: Api, clock: Callable[[], float]) -> Iterator[Finding]:
    begun = clock()
    try:
        answer, system = api.system()
    except ClientError as error:
        yield bad(
            "server",
            str(error),
            "is the lab running, and the address right? On its machine: lava-lite doctor",
        )
        return
    took = clock() - begun
    if took > SLOW:
        yield warn("server", f"answers after {took:.1f} s", "on its machine: lava-lite doctor")
    else:
        yield ok("server", f"answers after {took * 1000:.0f} ms")
    yield _version(str(system.get("version")))
    if date := answer.headers.get("date"):
        yield _clock(date, clock())


def token(context: Context) -> Iterator[Finding]:
    source = context.target.source
    if not source:
        yield warn("token", "there is none: only what is public can be seen", "lava-lite token login")
        return
    try:
        me = context.api.get("whoami/")
    except ClientError as error:
        yield bad("token", f"{error} (from {source})", "make a new one: lava-lite token login")
        return
    yield ok("token", f"good for {me['user']} (from {source})")
    if me["scope"] == "read":
        yield warn("scope", "read: it cannot submit", "lava-lite token login --scope submit")
    else:
        yield ok("scope", str(me["scope"]))


def _version(theirs: str) -> Finding:
    from importlib.metadata import version

    ours = version("lava-lite")
    if theirs == ours:
        return ok("version", theirs)
    return warn("version", f"{theirs}; this command is of version {ours}", "update the older one")


def _clock(date: str, now: float) -> Finding:
    from email.utils import parsedate_to_datetime

    ahead = parsedate_to_datetime(date).timestamp() - now
    if abs(ahead) <= CLOCK_TOLERANCE:
        return ok("clock", "that of the server and that of this machine agree")
    word = "ahead of" if ahead > 0 else "behind"
    return warn(
        "clock",
        f"that of the server is {abs(ahead):.0f} s {word} this machine's",
        "set both by NTP: timedatectl set-ntp true",
    )
