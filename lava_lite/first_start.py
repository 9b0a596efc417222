"""What a lab has after its first start: an administrator, three devices on this machine, and a job that runs.

It may be killed at any line. Tables and contents are made in one transaction; the secrets that belong to them are
in private files before that transaction ends, and are removed only after they were shown.
"""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from core.private import make_password, write_private
from lava_lite.roles import OUR_WORKER

log = logging.getLogger(__name__)

ADMINISTRATOR = "admin"
DEVICE_TYPE = "local"
DEVICES = ("local-01", "local-02", "local-03")
DICTIONARY = "executor: shell\n"
FIRST_JOB = "hello.yaml"

_SECRETS_NAME = "first-start.json"
_KEY_NAME = "secret.key"


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """What is shown once."""

    password: str
    token: str
    job: int


def make_key(data: Path) -> None:
    """Django's secret key, which must be there before the settings are loaded."""
    if not (data / _KEY_NAME).exists():
        write_private(data / _KEY_NAME, secrets.token_urlsafe(50) + "\n")


def set_up(data: Path) -> None:
    """Bring the database to this version, and fill it if nobody has used it yet."""
    from django.contrib.auth.models import User
    from django.core.management import call_command

    with _one_transaction():
        call_command("migrate", interactive=False, verbosity=0)
        if not User.objects.exists():
            _fill(data)


def secrets_to_show(data: Path) -> Secrets | None:
    """Those that nobody has seen yet."""
    path = data / _SECRETS_NAME
    try:
        unseen = Secrets(**json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    if _are_of_this_database(unseen):
        return unseen
    log.warning("%s belongs to another database and is removed", path)
    forget_secrets(data)
    return None


def forget_secrets(data: Path) -> None:
    (data / _SECRETS_NAME).unlink(missing_ok=True)


@contextmanager
def _one_transaction() -> Iterator[None]:
    """For migrations too: by itself, Django commits many of them before it writes down that they were applied."""
    from django.db import connection, transaction

    # SQLite's schema cannot be changed while it checks foreign keys, and that cannot be switched in a transaction.
    with connection.constraint_checks_disabled(), transaction.atomic():
        yield


def _fill(data: Path) -> None:
    from django.conf import settings
    from django.contrib.auth.models import User

    from accounts.models import Token
    from jobs import lifecycle

    password = make_password()
    definition = (settings.EXAMPLES / FIRST_JOB).read_text(encoding="utf-8")
    administrator = User.objects.create_superuser(ADMINISTRATOR, password=password)
    token = Token.objects.issue(administrator, description="made at the first start")
    worker_token = _make_devices()
    job = lifecycle.submit(definition, by=administrator)
    # Written before the commit: killed after it, nobody could make these secrets again.
    write_private(data / "worker" / "token", worker_token)
    unseen = Secrets(password=password, token=token, job=job.pk)
    write_private(data / _SECRETS_NAME, json.dumps(asdict(unseen)))


def _make_devices() -> str:
    """The worker, its devices and their type; returns the worker's token."""
    from devices.models import Device, DeviceType, Worker
    from devices.states import DeviceHealth

    worker = Worker(name=OUR_WORKER, description="Runs commands on the machine of this lab.")
    token = worker.new_token()
    worker.save()
    device_type = DeviceType.objects.create(
        name=DEVICE_TYPE, description="Commands on the machine of this lab.", dictionary=DICTIONARY
    )
    for name in DEVICES:
        Device(name=name, device_type=device_type, worker=worker, health=DeviceHealth.GOOD).save()
    return token


def _are_of_this_database(unseen: Secrets) -> bool:
    from accounts.models import Token

    token = Token.of(unseen.token)
    return token is not None and token.user.username == ADMINISTRATOR
