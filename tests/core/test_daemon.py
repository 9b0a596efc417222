import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from core.daemon import FIRST_BACK_OFF, LONGEST_BACK_OFF, Daemon
from core.doorbell import Doorbell, ring
from tests.lab import eventually

ROLE = "scheduler"


def nothing() -> None:
    """The database is not part of these tests."""


@contextmanager
def running(
    directory: Path,
    pass_once: Callable[[], object],
    *,
    poll: float = 60.0,
    rest: float = 0.0,
    before_pass: Callable[[], None] = nothing,
    until_next: Callable[[], float | None] = lambda: None,
) -> Iterator[threading.Event]:
    """The daemon in a thread of its own; it has ended when the block is left."""
    stop = threading.Event()

    def work() -> None:
        with Doorbell(directory, ROLE) as bell:
            daemon = Daemon(ROLE, bell, poll=poll, rest=rest, stop=stop, before_pass=before_pass)
            daemon.run(pass_once, until_next=until_next)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield stop
    finally:
        stop.set()
        thread.join(10)
    assert not thread.is_alive()


def test_the_first_pass_waits_for_nothing(tmp_path: Path) -> None:
    passed = threading.Event()

    with running(tmp_path, passed.set):
        assert passed.wait(5)


def test_a_ring_starts_a_pass_at_once(tmp_path: Path) -> None:
    passes: list[float] = []

    with running(tmp_path, lambda: passes.append(time.monotonic())):
        assert eventually(lambda: len(passes) == 1)
        rung = time.monotonic()
        ring(tmp_path, ROLE)

        assert eventually(lambda: len(passes) == 2)
    assert passes[1] - rung < 10.0


@pytest.mark.parametrize("seconds", [0.01, 0.0, -5.0])
def test_a_pass_is_made_when_there_is_something_to_do_though_nobody_rings(
    seconds: float, tmp_path: Path
) -> None:
    passes: list[int] = []

    with running(tmp_path, lambda: passes.append(1), until_next=lambda: seconds):
        assert eventually(lambda: len(passes) >= 2)


def test_what_is_to_be_done_in_an_hour_delays_no_pass(tmp_path: Path) -> None:
    passes: list[int] = []

    with running(tmp_path, lambda: passes.append(1), poll=0.01, until_next=lambda: 3600.0):
        assert eventually(lambda: len(passes) >= 2)


def test_a_ring_during_a_pass_leads_to_another_pass(tmp_path: Path) -> None:
    passes: list[int] = []

    def pass_once() -> None:
        passes.append(1)
        if len(passes) == 1:
            ring(tmp_path, ROLE)

    with running(tmp_path, pass_once):
        assert eventually(lambda: len(passes) == 2)


def test_what_rings_while_it_rests_is_the_work_of_one_pass(tmp_path: Path) -> None:
    passes: list[float] = []

    with running(tmp_path, lambda: passes.append(time.monotonic()), rest=0.5):
        assert eventually(lambda: len(passes) == 1)
        while time.monotonic() - passes[0] < 0.4:
            ring(tmp_path, ROLE)

        assert eventually(lambda: len(passes) == 2)
    assert len(passes) == 2
    assert passes[1] - passes[0] >= 0.5


def test_stop_ends_a_long_rest_at_once(tmp_path: Path) -> None:
    passed = threading.Event()

    with running(tmp_path, passed.set, rest=600.0, poll=600.0) as stop:
        assert passed.wait(5)
        began = time.monotonic()
        stop.set()
    assert time.monotonic() - began < 10.0


def test_without_any_ring_the_clock_starts_the_passes(tmp_path: Path) -> None:
    passes: list[int] = []

    with running(tmp_path, lambda: passes.append(1), poll=0.01):
        assert eventually(lambda: len(passes) >= 3)


def test_stop_ends_a_long_wait_at_once(tmp_path: Path) -> None:
    passed = threading.Event()

    with running(tmp_path, passed.set, poll=600.0) as stop:
        assert passed.wait(5)
        began = time.monotonic()
        stop.set()

    assert time.monotonic() - began < 10.0


def test_stop_waits_for_the_pass_that_is_under_way(tmp_path: Path) -> None:
    begun, told, ended = threading.Event(), threading.Event(), threading.Event()

    def pass_once() -> None:
        begun.set()
        told.wait(5)
        ended.set()

    with running(tmp_path, pass_once) as stop:
        assert begun.wait(5)
        stop.set()
        told.set()

    assert ended.is_set()


def test_a_daemon_that_was_stopped_before_it_began_passes_never(tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()
    passes: list[int] = []

    with Doorbell(tmp_path, ROLE) as bell:
        Daemon(ROLE, bell, poll=60.0, stop=stop, before_pass=nothing).run(lambda: passes.append(1))

    assert passes == []


def test_a_raising_pass_is_logged_with_a_sentence_and_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    passes: list[int] = []

    def pass_once() -> None:
        passes.append(1)
        if len(passes) < 3:
            raise ConnectionError("the database has gone away")

    caplog.set_level(logging.INFO, "core.daemon")
    with running(tmp_path, pass_once):
        assert eventually(lambda: len(caplog.records) == 3)

    assert [record.getMessage() for record in caplog.records] == [
        "A pass of the scheduler failed (ConnectionError: the database has gone away); it tries again in 0.1 s",
        "A pass of the scheduler failed (ConnectionError: the database has gone away); it tries again in 0.2 s",
        "The scheduler works again after 2 failed passes",
    ]


def test_a_bell_that_goes_on_ringing_does_not_shorten_the_back_off(tmp_path: Path) -> None:
    attempts: list[float] = []

    def pass_once() -> None:
        attempts.append(time.monotonic())
        ring(tmp_path, ROLE)
        raise OSError("no")

    with running(tmp_path, pass_once):
        assert eventually(lambda: len(attempts) == 3)

    gaps = [later - earlier for earlier, later in itertools.pairwise(attempts)]
    assert gaps[0] >= FIRST_BACK_OFF * 0.9
    assert gaps[1] >= FIRST_BACK_OFF * 1.9


def test_stop_ends_a_back_off(tmp_path: Path) -> None:
    failed = threading.Event()

    def pass_once() -> None:
        failed.set()
        raise OSError("no")

    with running(tmp_path, pass_once) as stop:
        assert failed.wait(5)
        stop.set()


def test_the_back_off_grows_to_its_longest_and_no_further(tmp_path: Path) -> None:
    with Doorbell(tmp_path, ROLE) as bell:
        daemon = Daemon(ROLE, bell, poll=60.0, stop=threading.Event(), before_pass=nothing)
        waits = []
        for failures in (1, 2, 3, 6, 7, 5000):
            daemon._failures = failures
            waits.append(daemon._back_off)

    assert waits == [0.1, 0.2, 0.4, 3.2, LONGEST_BACK_OFF, LONGEST_BACK_OFF]


def test_each_pass_is_made_ready_first_and_a_failure_there_is_survived(tmp_path: Path) -> None:
    order: list[str] = []

    def before_pass() -> None:
        order.append("ready")
        if len(order) == 1:
            raise OSError("a stale connection")

    with running(tmp_path, lambda: order.append("pass"), before_pass=before_pass):
        assert eventually(lambda: len(order) == 3)

    assert order == ["ready", "ready", "pass"]


def test_passes_that_follow_a_good_one_at_once_need_not_be_made_ready(tmp_path: Path) -> None:
    order: list[str] = []

    with running(tmp_path, lambda: order.append("pass"), before_pass=lambda: order.append("ready"), poll=0.0):
        assert eventually(lambda: order.count("ready") == 2)

    first, second = (place for place, word in enumerate(order) if word == "ready")
    assert second - first > 2


def test_after_a_failed_pass_it_is_made_ready_again(tmp_path: Path) -> None:
    order: list[str] = []

    def pass_once() -> None:
        order.append("pass")
        if len(order) == 2:
            raise OSError("the database was restarted")

    with running(tmp_path, pass_once, before_pass=lambda: order.append("ready")):
        assert eventually(lambda: len(order) == 4)

    assert order == ["ready", "pass", "ready", "pass"]
