"""`lava-lite doctor`: what is wrong with this installation, and how to mend it. It changes nothing."""

from __future__ import annotations

import os
import shutil
import socket
import stat
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lava_lite import claims, options
from lava_lite.claims import NotStarted
from lava_lite.client.api import Api
from lava_lite.client.errors import ClientError
from lava_lite.client.findings import Finding, bad, ok, warn
from lava_lite.client.wire import Wire

GIBIBYTE = 1024**3
LITTLE_SPACE, NO_SPACE = GIBIBYTE, GIBIBYTE // 10
OLDEST_PYTHON = (3, 11)
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)  # before this program was written
ANSWER_TIMEOUT = 5.0
SKEW = timedelta(minutes=1)  # between two clocks that are right
NOT_YET = "it is made by the first start: lava-lite up"

SAID_ALREADY = ("lava_lite.E001", "lava_lite.W002")  # of the data directory and the secret key

Checks = Iterator[Finding]


@dataclass(kw_only=True)
class Lab:
    """The installation that is looked at."""

    data: Path
    settings: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def claimed(self) -> str | None:
        """The address of the lab that was started here by one command."""
        return claims.running_lab(self.data)

    @cached_property
    def address(self) -> str:
        expected = options.address(self.settings["LISTEN"], self.settings["PORT"])
        return (self.claimed or expected).rstrip("/")

    @cached_property
    def answer(self) -> dict[str, Any] | ClientError:
        """What a lab says at the address, or why it says nothing."""
        try:
            return Api(Wire(self.address, timeout=ANSWER_TIMEOUT, proxies=dict).send).system()[1]
        except ClientError as error:
            return error

    @property
    def is_running(self) -> bool:
        return self.claimed is not None or isinstance(self.answer, dict)

    @property
    def has_database(self) -> bool:
        return bool(self.settings["DATABASE_URL"]) or (self.data / "lava_lite.sqlite3").exists()


def findings() -> Checks:
    data = options.data_directory()
    for check in BEFORE_SETTINGS:
        yield from _carefully(check, Lab(data=data))
    try:
        lab = Lab(data=data, settings=options.load(data))
    except options.BadSetting as wrong:
        yield bad("settings", str(wrong), "docs/settings.md lists names and values; then ask again")
        return
    yield ok("settings", f"{data / 'settings.yaml'} and the environment can be used")
    for check in WITH_SETTINGS:
        yield from _carefully(check, lab)


def python(lab: Lab) -> Checks:
    found = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info >= OLDEST_PYTHON:
        yield ok("python", found)
    else:
        yield bad(
            "python", f"{found} is too old", "install Python 3.11 or newer, remove .venv, and run make again"
        )


def directory(lab: Lab) -> Checks:
    data = lab.data
    if not data.exists():
        yield warn("data directory", f"{data} is not there yet", NOT_YET)
        return
    if not data.is_dir() or not os.access(data, os.R_OK | os.W_OK | os.X_OK):
        yield bad("data directory", f"{data} cannot be written", f"sudo chown -R $USER {data}")
        return
    mode = stat.S_IMODE(data.stat().st_mode)
    if mode & 0o022:
        yield bad("data directory", f"others can write into {data} ({mode:o})", f"chmod 700 {data}")
    elif mode & 0o055:
        yield warn("data directory", f"others can look into {data} ({mode:o})", f"chmod 700 {data}")
    else:
        yield ok("data directory", str(data))


def space(lab: Lab) -> Checks:
    place = next(place for place in (lab.data, *lab.data.parents) if place.exists())
    free = shutil.disk_usage(place).free
    text = f"{free / GIBIBYTE:.1f} GiB free"
    remedy = "make room, or move the data directory to a larger disk (LAVA_LITE_DATA)"
    if free < NO_SPACE:
        yield bad("disk", text, remedy)
    elif free < LITTLE_SPACE:
        yield warn("disk", text, remedy)
    else:
        yield ok("disk", text)


def secret_key(lab: Lab) -> Checks:
    path = lab.data / "secret.key"
    if not path.exists():
        yield warn("secret key", f"{path} is not there yet", NOT_YET)
        return
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        yield bad(
            "secret key", f"others can read {path} ({mode:o}), and log in as anybody", f"chmod 600 {path}"
        )
    else:
        yield ok("secret key", "for its owner's eyes only")


def log_directory(lab: Lab) -> Checks:
    path = lab.data / "logs"
    if path.exists() and not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        yield bad("logs", f"{path} cannot be written", f"sudo chown -R $USER {path}")
    elif path.exists():
        yield ok("logs", f"{path} can be written")


def lab_answers(lab: Lab) -> Checks:
    """The port is free, or a lab answers on it."""
    if not lab.is_running:
        yield from _port_is_free(lab)
        return
    if isinstance(lab.answer, ClientError):
        yield bad("lab", f"runs, but: {lab.answer}", "look at what it printed; stop it and start it again")
        return
    running, installed = str(lab.answer.get("version")), version("lava-lite")
    if running != installed:
        text = f"{lab.address} runs version {running}; installed is {installed}"
        yield warn("lab", text, "stop it and start it again: lava-lite up")
    elif lab.claimed:
        yield ok("lab", f"answers at {lab.address}")
    else:
        yield ok("lab", f"one answers at {lab.address}: started role by role, or on another data directory")


def events_socket(lab: Lab) -> Checks:
    address = lab.settings["EVENT_SOCKET"]
    if not lab.settings["EVENT_NOTIFICATION"]:
        yield ok("events", "switched off (EVENT_NOTIFICATION)")
    elif not lab.is_running:
        yield from _events_port_is_free(address)
    elif not address.startswith("tcp://") or _is_open(address):
        yield ok("events", f"{address} is open")
    else:
        text = f"nothing listens at {address}; perhaps the lab was started with another EVENT_SOCKET"
        yield warn(
            "events", text, "put the setting into settings.yaml, and start the lab again: lava-lite up"
        )


def django_checks(lab: Lab) -> Checks:
    """What `lava-lite check` says, and for a served lab what `check --deploy` says."""
    from django.core import checks

    from lava_lite import roles

    roles.set_up_django()
    found = checks.run_checks(include_deployment_checks=lab.settings["SERVED"])
    messages = [message for message in found if message.id not in SAID_ALREADY]
    for message in messages:
        level = bad if message.level >= checks.ERROR else warn
        yield level(
            "check",
            message.msg.strip(),
            (message.hint or f"look for {message.id} in Django's documentation").strip(),
        )
    if not messages:
        yield ok("check", "finds nothing")


def database(lab: Lab) -> Checks:
    """Reachable, whole, and of this version. What needs its contents comes afterwards."""
    if not lab.has_database:
        yield warn("database", f"there is none in {lab.data} yet", NOT_YET)
        return
    from django.db import DatabaseError, connection

    from lava_lite.health import checks as health

    try:
        connection.ensure_connection()
        yield from _sqlite_is_whole(connection)
        yield from health.migrations()
        if lab.is_running:
            yield from health.loops()
            yield from health.of_contents()
        yield from _clock()
    except DatabaseError as error:
        yield bad("database", f"cannot be used: {error}", _mend_database(lab))
    finally:
        connection.close()


BEFORE_SETTINGS: tuple[Callable[[Lab], Checks], ...] = (python, directory, space, secret_key, log_directory)
WITH_SETTINGS: tuple[Callable[[Lab], Checks], ...] = (lab_answers, events_socket, django_checks, database)


def _carefully(check: Callable[[Lab], Checks], lab: Lab) -> Checks:
    """A check that fails is a finding, and the others go on."""
    try:
        yield from check(lab)
    except Exception as error:
        what = check.__name__.replace("_", " ")
        yield bad(
            what, f"could not be looked at: {type(error).__name__}: {error}", "mend that, then ask again"
        )


def _port_is_free(lab: Lab) -> Checks:
    try:
        claims.listen(lab.settings["LISTEN"], lab.settings["PORT"]).close()
    except NotStarted as taken:
        text, _, remedy = str(taken).partition(" Choose another: ")
        yield bad("lab", f"does not run. {text}", remedy)
        return
    yield ok("lab", f"does not run; its port {lab.settings['PORT']} is free")


def _events_port_is_free(address: str) -> Checks:
    try:
        claims.check_event_socket(address)
    except NotStarted as taken:
        text, _, remedy = str(taken).partition(" Choose another: ")
        yield bad("events", text, remedy or "write it like tcp://127.0.0.1:5500")
        return
    yield ok("events", f"{address} is free")


def _is_open(address: str) -> bool:
    host, _, port = address.removeprefix("tcp://").rpartition(":")
    host = {"*": "127.0.0.1", "0.0.0.0": "127.0.0.1", "[::]": "::1"}.get(host, host.strip("[]"))
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except (OSError, ValueError):
        return False
    return True


def _sqlite_is_whole(connection: Any) -> Checks:
    if connection.vendor != "sqlite":
        yield ok("database", f"{connection.display_name} answers")
        return
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA quick_check(1)")
        said = cursor.fetchone()[0]
    if said == "ok":
        yield ok("database", "SQLite, whole")
    else:
        yield bad(
            "database", f"is damaged: {said}", "stop the lab, and put a backup of the file in its place"
        )


def _clock() -> Checks:
    """Whether time goes on: nothing that is written down may be in the future."""
    from events.models import Event

    now = datetime.now(UTC)
    newest = Event.objects.order_by("-pk").values_list("time", flat=True).first()
    remedy = "set it by NTP: timedatectl set-ntp true"
    if now < EPOCH:
        yield bad("clock", f"says that it is {now:%Y-%m-%d}", remedy)
    elif newest and newest > now + SKEW:
        yield bad("clock", f"is behind the newest event, which is of {newest:%Y-%m-%d %H:%M} UTC", remedy)
    else:
        yield ok("clock", f"{now:%Y-%m-%d %H:%M:%S} UTC")


def _mend_database(lab: Lab) -> str:
    if lab.settings["DATABASE_URL"]:
        return "is the server running, and DATABASE_URL right?"
    return f"is {lab.data} yours, and its disk not full?"
