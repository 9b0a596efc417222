"""What happens elsewhere in the lab while a coroutine listens."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

from django.db import connections

from events import live, publisher

PATIENCE = 20.0  # seconds


async def do(deed: Callable[[], object]) -> None:
    """In another thread, as another process would; on PostgreSQL with the publisher that numbers the events."""

    def whole() -> None:
        try:
            deed()
            publisher.run_once([])
        finally:
            connections.close_all()

    await asyncio.to_thread(whole)


def run(story: Coroutine[Any, Any, None]) -> None:
    """The whole story, in an event loop of its own."""

    async def whole() -> None:
        try:
            await asyncio.wait_for(story, 3 * PATIENCE)
        finally:
            await close_readers()

    asyncio.run(whole())


async def close_readers() -> None:
    """The threads that read for listeners give their connections back: the test's database is to go."""
    all_of_them = threading.Barrier(live.THREADS, timeout=PATIENCE)

    def close() -> None:
        all_of_them.wait()
        connections.close_all()

    await asyncio.gather(*(live.ask(close) for _ in range(live.THREADS)))
