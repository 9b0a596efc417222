"""The whole lab in one command: what `lava-lite up` does, from an empty directory to running roles."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from lava_lite import claims, first_start, options, roles
from lava_lite.claims import NotStarted
from lava_lite.first_start import Secrets
from lava_lite.supervisor import Role, Supervisor, end_with

# How long each role may take to end, in seconds. The worker gives its jobs 10 s to end and be reported, and what is
# left of them 2 s more: it must not be killed just then.
WORKER_PATIENCE = 15.0
ENGINE_PATIENCE = 5.0
WEB_PATIENCE = 6.0


def up() -> None:
    """Run the lab until it is told to end. NotStarted and options.BadSetting say why it cannot be."""
    data = options.data_directory()
    chosen = options.load(data)
    host, port = chosen["LISTEN"], chosen["PORT"]
    lock = claims.claim_directory(data, options.address(host, port))
    listener = claims.listen(host, port)
    if chosen["EVENT_NOTIFICATION"]:
        claims.check_event_socket(chosen["EVENT_SOCKET"])
    unseen = _prepare(data)
    config = roles.own_worker(data, chosen, end_jobs_on_stop=True)
    supervisor = Supervisor(
        [
            Role(name="web", run=partial(roles.web, listener), patience=WEB_PATIENCE),
            Role(name="engine", run=roles.engine, patience=ENGINE_PATIENCE),
            Role(name="worker", run=partial(roles.worker, config), patience=WORKER_PATIENCE),
        ]
    )
    supervisor.run(partial(_welcome, data, chosen, unseen))
    lock.release()


def _prepare(data: Path) -> Secrets | None:
    """Make the data directory a lab's, load the program, and leave no database connection open."""
    try:
        first_start.make_key(data)
        roles.set_up_django()
        from django.db import DatabaseError, connections

        try:
            with _in_child(first_start.set_up, data):
                roles.load()
            unseen = first_start.secrets_to_show(data)
        except DatabaseError as error:
            raise NotStarted(_bad_database(error)) from error
    except OSError as error:
        raise NotStarted(claims.unusable(data, error)) from error
    connections.close_all()
    return unseen


@contextmanager
def _in_child(work: Callable[[Path], None], data: Path) -> Iterator[None]:
    """In a process of its own, meanwhile: what migrations leave in memory would stay in every role of the lab.

    Raises what `work` raises, and NotStarted if the process is killed.
    """
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool
    from multiprocessing import get_context

    fork, ourselves = get_context("fork"), (os.getpid(),)
    with ProcessPoolExecutor(1, mp_context=fork, initializer=end_with, initargs=ourselves) as child:
        working = child.submit(work, data)
        yield
        try:
            working.result()
        except BrokenProcessPool:
            raise NotStarted(
                "What makes the tables was killed. Nothing was changed half-way; the same command goes on."
            ) from None


def _bad_database(error: Exception) -> str:
    from django.db import connection

    return (
        f"The database {connection.settings_dict['NAME']} cannot be used: {error}.\n"
        "Nothing was changed half-way. When the cause is gone, the same command goes on."
    )


def _welcome(data: Path, chosen: dict[str, Any], unseen: Secrets | None) -> None:
    address = options.address(chosen["LISTEN"], chosen["PORT"])
    lines = [("Lab", address)]
    if unseen:
        lines += [
            ("Live job", f"{address}job/{unseen.job}/"),
            (
                "Log in as",
                f"{first_start.ADMINISTRATOR}   password {unseen.password}   (shown only this once)",
            ),
            ("API token", f"{unseen.token}   (shown only this once)"),
        ]
    if chosen["EVENT_NOTIFICATION"]:
        lines.append(("Events", f"{chosen['EVENT_SOCKET']} (ZMQ)"))
    lines.append(("Data", str(data)))
    text = "\n".join(f"  {name:<10} {value}" for name, value in lines)
    _show(f"\nThe lab is running.\n\n{text}\n\nCtrl-C ends it.\n")
    first_start.forget_secrets(data)


def _show(text: str) -> None:
    """On standard output, and out of this process when it returns: what follows may forget what was shown."""
    print(text, flush=True)  # noqa: T201  (the one thing that this command has to say)
