"""Which logs are looked at, without a server."""

from __future__ import annotations

import asyncio

import pytest

from accounts.visitors import ANONYMOUS
from jobs.log_live import watching
from jobs.log_live.watching import Watcher, Which, viewing


def test_who_leaves_while_the_watching_begins_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(self: Watcher, begun: asyncio.Future[None]) -> None:
        await asyncio.Event().wait()

    async def look() -> None:
        async with viewing(Which(1), ANONYMOUS):
            pass

    async def story() -> None:
        looking = asyncio.create_task(look())
        await asyncio.sleep(0)
        assert watching.watcher.watched

        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)

        assert not watching.watcher.watched

    monkeypatch.setattr(Watcher, "_hear", never)
    monkeypatch.setattr(watching, "watcher", Watcher())
    asyncio.run(story())
