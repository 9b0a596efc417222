"""Several threads at once, each with its own connection to the database."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import connections

T = TypeVar("T")

PATIENCE = 120.0  # seconds, until a deed that does not end fails the test


def together(*deeds: Callable[[], T], patience: float = PATIENCE) -> list[T]:
    """The results of the deeds, done at the same time; the first one's error if any raised."""

    def done(deed: Callable[[], T]) -> T:
        try:
            return deed()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(deeds)) as threads:
        futures = [threads.submit(done, deed) for deed in deeds]
        return [future.result(patience) for future in futures]
