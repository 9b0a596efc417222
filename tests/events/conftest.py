from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.events import rabbit
from tests.events.cable import Cable
from tests.events.rabbit import Exchange


@pytest.fixture
def broker() -> None:
    """The real one, without which there is nothing to test."""
    if reason := rabbit.why_not():
        pytest.skip(reason)


@pytest.fixture
def exchange(broker: None) -> Iterator[Exchange]:
    """A name on the real broker that nothing else uses."""
    with rabbit.exchange() as named:
        yield named


@pytest.fixture
def cable(exchange: Exchange) -> Iterator[Cable]:
    """A line to the broker."""
    with Cable(rabbit.address()) as laid:
        yield laid
