"""A long-lived loop: passes over the database, woken by a doorbell, by the clock, or told to stop."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from django.db import close_old_connections

from core.beats import Pulse
from core.doorbell import Doorbell

log = logging.getLogger(__name__)

FIRST_BACK_OFF = 0.1
LONGEST_BACK_OFF = 5.0
READY_FOR = 1.0  # seconds for which what was made ready for one good pass serves those that follow it


class Daemon:
    """Calls a pass at once, then at every ring of `bell` and at least every `poll` seconds, until `stop` is set.

    `before_pass` makes the thread ready for a pass: by default it gives up database connections that are stale,
    so that a restart of the database costs one failed pass at most. It is not called for passes that follow a good
    one at once: to ask the database whether it is there takes as long as many a pass does.

    After a good pass it rests for `rest` seconds, whatever rings: what happens meanwhile is one pass's work.

    Each good pass is a beat in the bell's directory; `pulse` is for a pass that takes long, to beat at its steps.
    """

    def __init__(
        self,
        role: str,
        bell: Doorbell,
        *,
        poll: float,
        stop: threading.Event,
        rest: float = 0.0,
        before_pass: Callable[[], None] = close_old_connections,
    ) -> None:
        self._role = role
        self._bell = bell
        self._poll = poll
        self._rest = rest
        self._stop = stop
        self._before_pass = before_pass
        self._failures = 0
        self._ready_at = float("-inf")
        self.pulse = Pulse(bell.directory, role, poll=poll)

    def run(
        self, pass_once: Callable[[], object], *, until_next: Callable[[], float | None] = lambda: None
    ) -> None:
        """Return after `stop` is set, never in the middle of a pass. A pass that raises is logged and tried again.

        `until_next` is asked after each pass in how many seconds there is something to do, if that is known.
        """
        threading.Thread(target=self._ring_at_stop, name=f"{self._role}-stop", daemon=True).start()
        self.pulse.beat()
        while not self._stop.is_set():
            pause = self._attempt(pass_once, until_next)
            if pause is not None:
                self._stop.wait(min(self._rest, pause))
                self._bell.wait(pause - self._rest)
            else:
                # Only stopping ends this wait: a bell that goes on ringing must not turn a failure into a busy loop.
                self._stop.wait(self._back_off)

    def _attempt(
        self, pass_once: Callable[[], object], until_next: Callable[[], float | None]
    ) -> float | None:
        """The seconds until the next pass; None after a failure."""
        try:
            self._make_ready()
            pass_once()
            wanted = until_next()
        except Exception as error:
            self._failures += 1
            self._log_failure(error)
            self.pulse.fail(f"{type(error).__name__}: {error}")
            return None
        if self._failures:
            log.info("The %s works again after %d failed passes", self._role, self._failures)
        self._failures = 0
        self.pulse.beat()
        return self._poll if wanted is None else min(self._poll, max(0.0, wanted))

    def _make_ready(self) -> None:
        now = time.monotonic()
        if self._failures or now - self._ready_at > READY_FOR:
            self._before_pass()
            self._ready_at = now

    @property
    def _back_off(self) -> float:
        return min(FIRST_BACK_OFF * 2.0 ** min(self._failures - 1, 16), LONGEST_BACK_OFF)

    def _log_failure(self, error: Exception) -> None:
        log.error(
            "A pass of the %s failed (%s: %s); it tries again in %.1f s",
            self._role,
            type(error).__name__,
            error,
            self._back_off,
            # The first of a row tells where; the same trace every few seconds would only bury other lines.
            exc_info=error if self._failures == 1 else None,
            extra={"action": "pass_failed", "role": self._role, "failures": self._failures},
        )

    def _ring_at_stop(self) -> None:
        self._stop.wait()
        try:
            self._bell.press()
        except OSError:
            log.debug("The %s had left its doorbell before it was told to stop", self._role)
