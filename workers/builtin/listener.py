"""The socket that wakes the worker, so that an order need not wait for the next ping. A lost frame costs time only."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from typing import Final

from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

from workers.builtin.config import own_version
from workers.messages import USER_AGENT

log = logging.getLogger(__name__)

_RECONNECT: Final = 1.0  # seconds
_ALIVE: Final = 20.0  # seconds between pings on a silent socket, and until a missing answer counts
_LONGEST_FRAME: Final = 1_000_000  # bytes
_ORDERS: Final = ("Scheduled", "Canceling")


class Listener:
    """Calls `wake` when the server has something for the worker called `name`, and after each new connection."""

    def __init__(self, url: str, *, name: str, token: str, wake: Callable[[], object]) -> None:
        self._url = url
        self._name = name
        self._token = token
        self._wake = wake
        self._closing = threading.Event()
        self._connection: ClientConnection | None = None
        self._thread = threading.Thread(target=self._run, name="wake-up", daemon=True)
        self.is_connected = False

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._closing.set()
        connection = self._connection
        if connection is not None:
            connection.close()
        self._thread.join(5)

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                self._listen()
            except (OSError, WebSocketException) as error:
                log.debug("No wake-up socket: %s", error)
            finally:
                self.is_connected = False
                self._connection = None
            self._closing.wait(_RECONNECT)

    def _listen(self) -> None:
        with connect(
            self._url,
            user_agent_header=f"{USER_AGENT} {own_version()}",
            additional_headers={"LAVA-Token": self._token},
            compression=None,
            proxy=None,
            open_timeout=10,
            close_timeout=1,
            ping_interval=_ALIVE,
            ping_timeout=_ALIVE,
            max_size=_LONGEST_FRAME,
        ) as connection:
            self._connection = connection
            if self._closing.is_set():
                return
            self.is_connected = True
            self._wake()  # for what was sent while there was no connection
            for frame in connection:
                if is_for(self._name, frame):
                    self._wake()


def is_for(name: str, frame: str | bytes) -> bool:
    """Whether a frame says that this worker has something to do.

    LAVA's frame is a JSON list of five texts: topic, id, time, user and the event itself, as JSON text.
    """
    try:
        topic, _, _, _, text = json.loads(frame)
        event = json.loads(text)
        return topic.endswith(".testjob") and event["worker"] == name and event["state"] in _ORDERS
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return False
