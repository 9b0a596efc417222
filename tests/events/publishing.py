"""A publisher at work in a thread of the test's process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connections

from events import publisher
from events.transports import Transport

PATIENCE = 20.0  # seconds


@contextmanager
def publishing(*transports: Transport) -> Iterator[threading.Event]:
    """A publisher at work; what is yielded tells it to end, as SIGTERM does."""
    stop = threading.Event()

    def publish() -> None:
        try:
            publisher.run(stop)
        finally:
            connections.close_all()

    thread = threading.Thread(target=publish)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(publisher, "configured", lambda: list(transports))
        thread.start()
        try:
            yield stop
        finally:
            stop.set()
            thread.join(PATIENCE)
            assert not thread.is_alive(), "the publisher does not end"
