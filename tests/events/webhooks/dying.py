"""A process that sends webhooks and is killed as soon as the first endpoint has answered; test_sender judges."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping

from tests import children

children.join_the_lab()

from events.webhooks.client import Client, Reply  # noqa: E402
from events.webhooks.sender import Sender  # noqa: E402


class Fatal(Client):
    def post(self, address: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        super().post(address, body, headers)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("it outlived its end")


if __name__ == "__main__":
    sender = Sender(client=Fatal())
    sender.run_once()
    sender.settle()
