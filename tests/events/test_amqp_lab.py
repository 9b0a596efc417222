"""A whole lab whose events go to RabbitMQ."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from tests.events import rabbit
from tests.events.cable import Cable
from tests.events.rabbit import Exchange
from tests.lab import Lab, eventually
from tests.statements.visitors import has_ended, rows, submit

pytestmark = pytest.mark.lab


@pytest.fixture
def lab(tmp_path: Path, exchange: Exchange, cable: Cable) -> Iterator[Lab]:
    running = Lab(
        tmp_path,
        EVENT_AMQP_ENABLED="true",
        EVENT_AMQP_URL=rabbit.url(cable.port),
        EVENT_AMQP_EXCHANGE=exchange.name,
        EVENT_AMQP_AUDIENCE="all",
    )
    running.start()
    try:
        yield running
    finally:
        running.stop()


def test_a_kill_loses_nothing_and_a_broker_that_hangs_does_not_keep_the_lab_from_ending(
    lab: Lab, exchange: Exchange, cable: Cable
) -> None:
    queue = exchange.bind()
    assert eventually(lambda: rows(lab, "SELECT 1 FROM events_position WHERE transport LIKE 'amqp%'"))

    with cable.held():
        first = submit(lab, "while the broker hangs", "true")
        lab.kill("engine")
    last = submit(lab, "afterwards", "true")
    assert has_ended(lab, last)
    told = ids_between(lab, first, last)
    heard = [message.id for message in queue.wait_for(told)]

    with cable.held():
        submit(lab, "never heard of", "true")
        assert lab.stop() == 0

    assert [each for each in dict.fromkeys(heard) if each in set(told)] == told
    assert "did not end in time" not in lab.errors.read_text()


def ids_between(lab: Lab, first: int, last: int) -> list[str]:
    """Of all events from the first of one job to the last of another."""
    begin = f"(SELECT MIN(sequence) FROM events_event WHERE job_id = {first})"
    end = f"(SELECT MAX(sequence) FROM events_event WHERE job_id = {last})"
    found = rows(
        lab, f"SELECT uid FROM events_event WHERE sequence BETWEEN {begin} AND {end} ORDER BY sequence"
    )
    return [str(UUID(row["uid"])) for row in found]
