"""The roles of a lab. Each is a function that is a whole process: it returns when SIGTERM or SIGINT has come.

`web` and `engine` are called after `set_up_django`; `worker` needs no Django.
"""

from __future__ import annotations

import importlib
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from lava_lite import options

if TYPE_CHECKING:
    from workers.builtin.config import WorkerConfig

log = logging.getLogger(__name__)

Work = Callable[[threading.Event], None]

OUR_WORKER = "local"
STOPPING = (signal.SIGTERM, signal.SIGINT)


class RoleFailed(Exception):
    """A part of a role ended although nobody had told it to."""


def set_up_django() -> None:
    """Load settings and models. BadSetting for a setting that cannot be used."""
    options.load(options.data_directory())
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lava_lite.settings")
    import django

    django.setup()


def load() -> None:
    """Import now what the roles need, so that processes forked afterwards start at once and share it."""
    from django.urls import get_resolver

    for module in (
        "lava_lite.asgi",
        "lava_lite.server",
        "jobs.scheduler",
        "jobs.retention",
        "events.publisher",
        "events.plugins",
        "events.webhooks.sender",
        "workers.builtin.worker",
    ):
        importlib.import_module(module)
    for module in ("httptools_impl", "flow_control"):
        importlib.import_module(f"uvicorn.protocols.http.{module}")
    importlib.import_module("lava_lite.patience")
    importlib.import_module("uvicorn.lifespan.on")
    get_resolver().url_patterns  # noqa: B018  (reading it imports every view)


def web(listener: socket.socket) -> None:
    """Pages, APIs, worker endpoints and sockets."""
    from lava_lite import server
    from lava_lite.asgi import application

    server.run(application, listener, stopping=STOPPING)


def engine() -> None:
    """The scheduler, the publisher, the webhooks, what keeps and clears away history, and the plugins."""
    from django.conf import settings

    from events import plugins, publisher
    from events.webhooks import sender
    from jobs import retention, scheduler
    from jobs.history import keeper

    works: dict[str, Work] = {
        "scheduler": scheduler.run,
        "publisher": publisher.run,
        "webhooks": sender.run,
        "history": keeper.run,
        "retention": retention.run,
    }
    if settings.PLUGINS:
        works["plugins"] = plugins.run
    _work_until_told(works)


def worker(config: WorkerConfig) -> None:
    """The built-in worker."""
    from workers.builtin.worker import Worker

    _work_until_told({"worker": Worker(config).run})


def own_worker(data: Path, chosen: Mapping[str, Any], *, end_jobs_on_stop: bool) -> WorkerConfig:
    """The configuration of the worker that a lab has from its first start; `chosen`: the lab's settings."""
    from workers.builtin.config import WorkerConfig

    return WorkerConfig(
        url=options.address(chosen["LISTEN"], chosen["PORT"]).rstrip("/"),
        name=OUR_WORKER,
        directory=data / "worker",
        end_jobs_on_stop=end_jobs_on_stop,
        allow_file_repositories=chosen["WORKER_FILE_REPOSITORIES"],
    )


def _work_until_told(works: Mapping[str, Work]) -> None:
    """Run each in a thread of its own until SIGTERM or SIGINT. RoleFailed if one ends before."""
    stop = threading.Event()
    # A handler may run in the middle of anything in this thread; of all queues only this kind allows a put then.
    ended: SimpleQueue[str | None] = SimpleQueue()
    for number in STOPPING:
        signal.signal(number, lambda *_: ended.put(None))
    threads = [
        threading.Thread(target=_work, args=(name, work, stop, ended), name=name)
        for name, work in works.items()
    ]
    for thread in threads:
        thread.start()
    failed = ended.get()
    stop.set()
    for thread in threads:
        thread.join()
    if failed:
        raise RoleFailed(f"the {failed} ended by itself")


def _work(name: str, work: Work, stop: threading.Event, ended: SimpleQueue[str | None]) -> None:
    try:
        work(stop)
    except Exception:
        log.exception("The %s failed", name)
    if not stop.is_set():
        ended.put(name)
