"""A connection to RabbitMQ, of which nothing is left open."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import amqp


@contextmanager
def connected(connection: amqp.Connection) -> Iterator[amqp.Connection]:
    """The client itself leaves its socket open after some of the ways in which a broker hangs up."""
    try:
        connection.connect()
        yield connection
        connection.close()
    finally:
        connection.collect()
