"""What the web server does with a WebSocket whose client does not read."""

from __future__ import annotations

import asyncio
import socket
from asyncio.transports import BaseTransport

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from core.tally import tally

PATIENCE_SECONDS = 60.0  # that a client may leave everything unread that was sent to it
GOODBYE_SECONDS = 10.0  # that the frame has which says so, before the connection is cut
KERNEL_BYTES = 64 * 1024  # that the kernel holds for a client; by itself it takes some megabytes

TRY_AGAIN = 1013
TOO_SLOW = (
    "You have read nothing for a minute. Connect again with since= and the last sequence that you have."
)


class PatientWebSocket(WebSocketsSansIOProtocol):
    """Closes on a client that reads nothing, and cuts off one that does not even read that.

    uvicorn's own one waits for ever until what it has written is read, and so does whoever sends to it.
    """

    _impatient: asyncio.TimerHandle | None = None

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)
        if (connection := transport.get_extra_info("socket")) is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BYTES)

    def connection_lost(self, exc: Exception | None) -> None:
        self._be_patient()
        super().connection_lost(exc)
        self.handshake_complete = True  # who has left is not owed an answer, and it is no error to give none

    async def send(self, message: ASGISendEvent) -> None:
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and not message.get("more_body"):
            # uvicorn forgets to, and writes an error into the log for each connection that was refused.
            self.handshake_complete = True

    def pause_writing(self) -> None:
        super().pause_writing()
        self._impatient = self.loop.call_later(PATIENCE_SECONDS, self._give_up)

    def resume_writing(self) -> None:
        self._be_patient()
        super().resume_writing()

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        self._cut_off_later()

    def _give_up(self) -> None:
        self._impatient = None
        if not (self.close_sent or self.transport.is_closing()):
            tally.count("lava_lite_listeners_dropped_total", "websocket")
            self.stop_keepalive()
            self.conn.fail(TRY_AGAIN, TOO_SLOW)
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.close_sent = True
            self.transport.close()
        self._cut_off_later()

    def _cut_off_later(self) -> None:
        self.loop.call_later(GOODBYE_SECONDS, self.transport.abort)

    def _be_patient(self) -> None:
        if self._impatient is not None:
            self._impatient.cancel()
            self._impatient = None
