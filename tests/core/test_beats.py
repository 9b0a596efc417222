"""A loop notes that it goes on, and others read it."""

from __future__ import annotations

import time
from pathlib import Path

from core import beats
from core.beats import Beat, Pulse

TRANSPORT = "zmq push tcp://10.0.0.7:5501/" + "x" * 300


def test_a_beat_is_read_by_the_name_of_its_loop(tmp_path: Path) -> None:
    Pulse(tmp_path, TRANSPORT, poll=2.0).beat()

    assert beats.read(tmp_path)[TRANSPORT].poll == 2.0


def test_a_loop_that_never_ran_has_no_beat(tmp_path: Path) -> None:
    assert beats.read(tmp_path) == {}
    assert beats.read(tmp_path / "nowhere") == {}


def test_a_failed_pass_is_no_beat_but_says_why(tmp_path: Path) -> None:
    pulse = Pulse(tmp_path, "scheduler", poll=1.0)
    pulse.beat()
    before = beats.read(tmp_path)["scheduler"]

    pulse.fail("OperationalError: the database is away")

    after = beats.read(tmp_path)["scheduler"]
    assert after.at == before.at
    assert after.trouble == "OperationalError: the database is away"


def test_a_good_pass_forgets_the_trouble_at_once(tmp_path: Path) -> None:
    pulse = Pulse(tmp_path, "scheduler", poll=1.0)
    pulse.fail("no")

    pulse.beat()

    assert beats.read(tmp_path)["scheduler"].trouble == ""


def test_many_passes_are_few_notes(tmp_path: Path) -> None:
    pulse = Pulse(tmp_path, "scheduler", poll=1.0)
    pulse.beat()
    path = tmp_path / beats.file_name("scheduler")
    before = path.stat().st_ino

    pulse.beat()

    assert path.stat().st_ino == before


def test_a_beat_of_an_earlier_boot_is_long_ago() -> None:
    beat = Beat(loop="scheduler", at=time.monotonic() + 1000, poll=1.0)

    assert beat.silent_for() == float("inf")


def test_a_file_that_is_no_beat_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / beats.file_name("scheduler")).write_text("half of")

    assert beats.read(tmp_path) == {}


def test_a_run_directory_that_cannot_be_written_ends_no_loop(tmp_path: Path) -> None:
    Pulse(tmp_path / "gone", "scheduler", poll=1.0).beat()
