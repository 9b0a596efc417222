"""The ways in which Debian's `lava-worker` comes by its token."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.lab import eventually
from tests.lava_worker.ring import Ring
from tests.lava_worker.worker import LavaWorker

pytestmark = [pytest.mark.lava_worker, pytest.mark.timeout(120)]

PATIENCE = 30.0


@contextmanager
def worker(ring: Ring, name: str, *options: str, directory: str = "") -> Iterator[LavaWorker]:
    place = ring.directory / (directory or name)
    found = LavaWorker(place, ring.lab.url, name, "--ping-interval", "1", *options)
    try:
        yield found
    finally:
        found.stop()


def is_online(ring: Ring, name: str) -> bool:
    _, answer = ring.lab.get(f"/api/v0.2/workers/{name}/")
    return bool(json.loads(answer).get("state") == "Online")


def test_a_worker_from_a_trusted_address_registers_by_itself(ring: Ring) -> None:
    with worker(ring, "by-address") as found:
        found.start()

        assert eventually(lambda: is_online(ring, "by-address"), PATIENCE, pause=0.1)


def test_a_name_that_is_taken_needs_a_superuser_s_password_and_the_old_token_ends(ring: Ring) -> None:
    token = ring.administrator("add_workers", {"taken": []})["taken"]
    with worker(ring, "taken", "--token", token) as first:
        first.start()
        assert eventually(lambda: is_online(ring, "taken"), PATIENCE, pause=0.1)

        with worker(ring, "taken", directory="stranger") as stranger:
            stranger.start()
            assert eventually(lambda: "already registered" in stranger.log, PATIENCE, pause=0.1)
        with worker(ring, "taken", "--username", "admin", directory="heir") as heir:
            heir.start(says=ring.lab.password)
            assert eventually(lambda: heir.log.count("PING => server") > 2, PATIENCE, pause=0.1)
            assert "server error" not in heir.log

        assert eventually(lambda: "Invalid 'token'" in first.log, PATIENCE, pause=0.1)
        assert first.is_alive
