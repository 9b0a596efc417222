"""The settings of lava_lite as a table: name, default, meaning.

Values come from the environment, then from `settings.yaml` in the data directory, then from here.
Names are LAVA's where LAVA has them. `docs/settings.md` lists them all; a test keeps it complete.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parent.parent
TRUE_WORDS = frozenset({"1", "true", "yes", "on"})
MOST_DAYS = 365
FALSE_WORDS = frozenset({"0", "false", "no", "off", ""})


class BadSetting(Exception):
    """A setting that cannot be used; the text names it, its value and what would be right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    name: str
    default: Any
    read: Callable[[str], Any]  # from the environment's text; ValueError says what would be right
    help: str
    is_secret: bool = False  # its value is not repeated in messages


def boolean(text: str) -> bool:
    if text.strip().lower() in TRUE_WORDS:
        return True
    if text.strip().lower() in FALSE_WORDS:
        return False
    raise ValueError("expected true or false")


def words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def port(text: str) -> int:
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise ValueError("expected a port from 1 to 65535")
    return int(text)


def count(text: str) -> int:
    if not text.isdigit():
        raise ValueError("expected a whole number")
    return int(text)


def days(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= MOST_DAYS:
        raise ValueError(f"expected a whole number of days from 1 to {MOST_DAYS}")
    return int(text)


def one_of(*known: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in known:
            raise ValueError(f"expected {' or '.join(known)}")
        return text

    return read


def amqp_address(text: str) -> str:
    wanted = "expected an address such as amqp://user:password@host:5672/ or amqps://host/vhost"
    try:
        found = urlsplit(text)
        usable = found.scheme in ("amqp", "amqps") and found.hostname and found.port != 0
    except ValueError:
        raise ValueError(wanted) from None
    if not usable or found.query or found.fragment:
        raise ValueError(wanted)
    return text


def exchange(text: str) -> str:
    if not text or len(text.encode()) > 127:
        raise ValueError("expected the name of an exchange, of 1 to 127 bytes")
    return text


def networks(text: str) -> list[str]:
    found = words(text)
    for word in found:
        ipaddress.ip_network(word)
    return found


def web_address(text: str) -> str:
    found = urlsplit(text)
    if text and (
        found.scheme not in ("http", "https") or not found.hostname or found.query or found.fragment
    ):
        raise ValueError("expected an address such as https://lab.example.org")
    return text.rstrip("/")


OPTIONS = (
    Option(name="LISTEN", default="127.0.0.1", read=str, help="Address on which the pages and APIs listen."),
    Option(name="PORT", default=8000, read=port, help="Port on which the pages and APIs listen."),
    Option(
        name="ALLOWED_HOSTS",
        default=["localhost", "127.0.0.1", "[::1]"],
        read=words,
        help="Host names by which the lab may be called, separated by commas.",
    ),
    Option(
        name="LAB_URL",
        default="",
        read=web_address,
        help="The lab's address for others (https://lab.example.org), as its events name it; empty: by LISTEN and PORT.",
    ),
    Option(
        name="CSRF_TRUSTED_ORIGINS",
        default=[],
        read=words,
        help="Origins (https://lab.example.org) from which forms are accepted, behind a proxy.",
    ),
    Option(
        name="SERVED",
        default=False,
        read=boolean,
        help="On for a lab behind HTTPS: secure cookies, HSTS, redirect to HTTPS. Off: plain HTTP on loopback.",
    ),
    Option(
        name="DEBUG",
        default=False,
        read=boolean,
        help="Django's debug pages, and scripts served as they were written. Never on a served lab.",
    ),
    Option(
        name="DATABASE_URL",
        default="",
        read=str,
        help="postgres://user:password@host:5432/name; empty: SQLite in the data directory.",
    ),
    Option(
        name="EVENT_NOTIFICATION",
        default=True,
        read=boolean,
        help="Off silences the outgoing transports; events are recorded all the same.",
    ),
    Option(
        name="EVENT_TOPIC", default="org.lavasoftware", read=str, help="First part of every event's topic."
    ),
    Option(
        name="EVENT_SOCKET",
        default="tcp://127.0.0.1:5500",
        read=str,
        help="Where the public ZMQ PUB socket is bound.",
    ),
    Option(
        name="EVENT_ADDITIONAL_SOCKETS",
        default=[],
        read=words,
        help="ZMQ PULL sockets of trusted subscribers, which get every event, separated by commas.",
    ),
    Option(
        name="EVENT_AMQP_ENABLED",
        default=False,
        read=boolean,
        help="On: events go to an exchange of an AMQP 0-9-1 broker, such as RabbitMQ.",
    ),
    Option(
        name="EVENT_AMQP_URL",
        default="amqp://guest:guest@127.0.0.1:5672/",
        read=amqp_address,
        help="The broker: amqp://user:password@host:5672/vhost, or amqps:// for TLS.",
        is_secret=True,
    ),
    Option(
        name="EVENT_AMQP_EXCHANGE",
        default="pulp.api.v2",
        read=exchange,
        help="The topic exchange; it is made, durable, if it is not there.",
    ),
    Option(
        name="EVENT_AMQP_AUDIENCE",
        default="public",
        read=one_of("public", "all"),
        help="`public`: the exchange gets what an anonymous visitor may see. `all`: every event; for a trusted broker.",
    ),
    Option(
        name="PLUGINS",
        default=[],
        read=words,
        help="Python modules that run inside the engine and hear of every event, separated by commas.",
    ),
    Option(
        name="WEBHOOK_ALLOWED_NETWORKS",
        default=[],
        read=networks,
        help="Inner networks (192.168.7.0/24) to which webhooks may be sent, separated by commas; none by default.",
    ),
    Option(
        name="WEBHOOKS_PER_PERSON",
        default=20,
        read=count,
        help="How many webhooks one person may have; 0: none.",
    ),
    Option(
        name="SUBSCRIPTIONS_PER_PERSON",
        default=20,
        read=count,
        help="How many subscriptions to events one person may have; 0: none.",
    ),
    Option(
        name="SUBSCRIPTION_DAYS",
        default=7,
        read=days,
        help="A subscription expires after so many days in which nothing was fetched, unless it says how many itself.",
    ),
    Option(
        name="WORKER_AUTO_REGISTER_NETMASK",
        default=[],
        read=words,
        help="Networks (192.168.7.0/24) from which a worker may register without credentials; none by default.",
    ),
    Option(
        name="WORKER_FILE_REPOSITORIES",
        default=False,
        read=boolean,
        help="On: test definitions may come from git repositories on the built-in worker's machine (file:///...).",
    ),
    Option(
        name="LOG_TAIL_LIMIT",
        default=1024 * 1024,
        read=count,
        help="The most bytes that one answer of log-tail holds.",
    ),
    Option(
        name="LOG_HARD_LIMIT",
        default=2 * 1024**3,
        read=count,
        help="A running job whose log is longer than so many bytes is ended for that. 0: no log is too long.",
    ),
    Option(
        name="LOG_SOFT_LIMIT",
        default=512 * 1024**2,
        read=count,
        help="Of the log of an ended job, so many bytes are kept when it is packed: its beginning and its end. 0: all.",
    ),
    Option(
        name="LOG_PACK_AFTER",
        default=600,
        read=count,
        help="Logs are packed, within an hour, when their job has ended so many seconds ago. 0: never.",
    ),
    Option(
        name="DEFINITION_LIMIT",
        default=1_000_000,
        read=count,
        help="The most bytes that a job definition may have.",
    ),
    Option(
        name="DEVICE_TEMPLATES",
        default=["/etc/lava-server/dispatcher-config/device-types", "/usr/share/lava-server/device-types"],
        read=words,
        help="Directories with templates of device types (*.jinja2), which dictionaries extend; the first that has one.",
    ),
    Option(
        name="EXTRA_CONTEXT_VARIABLES",
        default=[],
        read=words,
        help="Names that `context` of a job may have beside LAVA's own, separated by commas.",
    ),
    Option(
        name="JOB_TIMEOUT_GRACE",
        default=600,
        read=count,
        help="Seconds beyond a job's `timeouts.job` after which the lab ends it, if its worker has not.",
    ),
    Option(
        name="LOST_JOB_GRACE",
        default=300,
        read=count,
        help="Seconds after which the jobs of a worker that fell silent are ended, if it has not come back.",
    ),
    Option(
        name="CANCEL_GRACE",
        default=300,
        read=count,
        help="Seconds after which a job counts as canceled, if its worker has not confirmed that it stopped.",
    ),
    Option(
        name="RESERVATION_LIMIT",
        default=8 * 3600,
        read=count,
        help="Seconds for which a person may hold a device at most, extensions and all; 0: nobody reserves.",
    ),
    Option(
        name="RESERVATIONS_PER_PERSON",
        default=2,
        read=count,
        help="How many reservations one person may hold or wait for at once.",
    ),
    Option(
        name="RESERVATION_WARNING",
        default=600,
        read=count,
        help="Seconds before the end of a reservation at which that is told (`job.expiring`).",
    ),
    Option(
        name="KEEP_EVENTS",
        default=0,
        read=count,
        help="So many events are kept at most, the newest. 0: all.",
    ),
    Option(
        name="KEEP_EVENTS_DAYS",
        default=0,
        read=count,
        help="Events are deleted after so many days. 0: never. Those of pinned and unfinished jobs stay.",
    ),
    Option(
        name="KEEP_LOGS_GB",
        default=0,
        read=count,
        help="So many gigabytes of logs are kept at most, the oldest go first. 0: all.",
    ),
    Option(
        name="KEEP_LOGS_DAYS",
        default=0,
        read=count,
        help="The logs of finished jobs are deleted after so many days; jobs and results stay. 0: never.",
    ),
    Option(
        name="KEEP_JOBS",
        default=0,
        read=count,
        help="So many finished jobs are kept at most, the newest. 0: all.",
    ),
    Option(
        name="KEEP_JOBS_DAYS",
        default=0,
        read=count,
        help="Finished jobs are deleted with their results and logs after so many days. 0: never. Pinned jobs stay.",
    ),
    Option(
        name="MULTINODE_PATIENCE",
        default=300,
        read=count,
        help="Seconds for which a MultiNode group waits until devices that it could use are kept idle for it.",
    ),
    Option(
        name="DEFER_LIMIT",
        default=86_400,
        read=count,
        help="Seconds for which a job may be put off in all, unless its definition has another limit.",
    ),
    Option(
        name="STUCK_AFTER",
        default=30,
        read=count,
        help="Seconds beyond its usual rest after which a loop of the lab that ended no pass counts as stuck.",
    ),
    Option(
        name="METRICS_AUDIENCE",
        default="staff",
        read=one_of("staff", "all"),
        help="Who may read `/metrics`: `staff` (by a token, and whoever asks from this machine), or `all`.",
    ),
    Option(
        name="TIME_ZONE",
        default="UTC",
        read=str,
        help="The zone in which pages show times without JavaScript.",
    ),
)


def data_directory(environ: Mapping[str, str] = os.environ) -> Path:
    """Where database, logs, keys and sockets live: LAVA_LITE_DATA, a checkout's data/, or the user's data directory."""
    if chosen := environ.get("LAVA_LITE_DATA"):
        return Path(chosen).expanduser().absolute()
    if (ROOT / "pyproject.toml").exists():
        return ROOT / "data"
    home = environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(home).expanduser() / "lava_lite"


def load(directory: Path, environ: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """All settings by name. BadSetting for a value, a key or a file that cannot be used."""
    from_file = _from_file(directory / "settings.yaml")
    values = {option.name: _value(option, from_file, environ) for option in OPTIONS}
    if values["SERVED"] and values["DEBUG"]:
        raise BadSetting(
            "DEBUG: on a served lab it shows settings and code to everybody; switch off one of the two"
        )
    return values


def address(host: str, port: int) -> str:
    """Where this machine finds a lab that listens on `host`."""
    host = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def _value(option: Option, from_file: Mapping[str, Any], environ: Mapping[str, str]) -> Any:
    if option.name in environ:
        return _read(option, environ[option.name])
    if option.name not in from_file:
        return option.default
    value = from_file[option.name]
    if isinstance(value, list) and isinstance(option.default, list):
        return _read(option, ",".join(map(str, value)))
    return _read(option, str(value))


def _read(option: Option, text: str) -> Any:
    try:
        return option.read(text)
    except ValueError as wrong:
        got = "something else" if option.is_secret else repr(text)
        raise BadSetting(f"{option.name}: {wrong}, got {got}") from (None if option.is_secret else wrong)


def _from_file(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    from core import yaml  # slow to load, and most labs have no such file

    try:
        values = yaml.load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as wrong:
        raise BadSetting(f"{path}: {wrong}") from wrong
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise BadSetting(f"{path}: expected NAME: value lines")
    known = {option.name for option in OPTIONS}
    for name in values:
        if name not in known:
            raise BadSetting(f"{path}: there is no setting {name!r}; docs/settings.md lists them")
    return values
