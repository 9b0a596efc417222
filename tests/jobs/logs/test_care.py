"""What is wrong with a log on the disk is told, and mended without losing what can be read."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from jobs import logs
from jobs.logs import care, packed, packing, text
from tests.jobs.logs.support import lines, record

PACKED = "output.log.zst"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    log = tmp_path / "1"
    logs.append(log, 0, [*lines(2000), record("größer", "debug"), record("> ", partial=True)])
    return log


def bytes_of(log: Path) -> bytes:
    with text.opened(log) as opened:
        return opened.read(0, opened.size)


def told(log: Path) -> list[str]:
    return [fault.what for fault in care.faults(log)]


def mend(log: Path) -> None:
    for fault in care.faults(log):
        fault.mend()
    assert told(log) == []


def cut(path: Path, size: int) -> None:
    os.truncate(path, path.stat().st_size - size)


@pytest.mark.parametrize("prepare", [lambda log: None, packing.pack], ids=["plain", "packed"])
def test_nothing_is_wrong_with_a_good_log(prepare: Callable[[Path], object], log: Path) -> None:
    prepare(log)

    assert told(log) == []


def test_a_text_that_is_being_packed_is_left_alone(log: Path) -> None:
    (log / f"{PACKED}.new").touch()
    with (log / "output.log").open("rb") as plain:
        fcntl.flock(plain, fcntl.LOCK_EX)
        assert told(log) == []

    assert len(told(log)) == 1


@pytest.mark.parametrize("name", [f"{PACKED}.new", "output.log.new", PACKED])
def test_what_a_killed_packing_left_is_removed(name: str, log: Path) -> None:
    plain = bytes_of(log)
    (log / name).write_bytes(b"half of it")

    assert told(log) == [f"{name} left over from packing that was cut short; the whole text is there"]
    mend(log)
    assert sorted(os.listdir(log)) == ["output.idx", "output.log"]
    assert bytes_of(log) == plain


def test_text_that_the_index_does_not_know_is_moved_aside(log: Path) -> None:
    plain = bytes_of(log)
    with (log / "output.log").open("ab") as file:
        file.write(b"never answered")

    assert told(log) == ["14 bytes at the end of output.log are not in the index, which a kill may leave"]
    mend(log)
    assert bytes_of(log) == plain
    assert (log / "output.log.rest").read_bytes() == b"never answered"


def test_an_index_that_speaks_of_more_than_there_is_is_cut_back(log: Path) -> None:
    plain = bytes_of(log)
    cut(log / "output.log", 5)

    assert "a power cut may do that" in told(log)[0]
    mend(log)
    assert bytes_of(log) == plain[: len(bytes_of(log))]
    assert logs.record_count(log) == 2000


@pytest.mark.parametrize("pack", [False, True], ids=["plain", "packed"])
@pytest.mark.parametrize("index", [None, b"", b"no index of ours, and long enough to be one"])
def test_a_log_without_its_index_can_be_read_again(index: bytes | None, pack: bool, log: Path) -> None:
    plain = bytes_of(log)
    if pack:
        packing.pack(log)
    os.unlink(log / "output.idx")
    if index is not None:
        (log / "output.idx").write_bytes(index)

    assert len(told(log)) == 1
    mend(log)
    assert bytes_of(log) == plain
    assert logs.record_count(log, finished=True) == 2002
    assert (log / "output.log.orphan").read_bytes() == plain


def test_a_frame_that_the_disk_spoiled_is_replaced_by_words_and_all_else_is_shown(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packed, "FRAME", 1000)
    plain = bytes_of(log)
    packing.pack(log)
    spoil(log / PACKED, 5)

    [what] = told(log)
    mend(log)

    frames = -(-len(plain) // 1000)
    assert what == f"{PACKED}: 1 of {frames} frames cannot be read, the first at byte 0 of the text"
    shown = bytes_of(log)
    assert shown.startswith(care.UNREADABLE)
    assert (len(shown), shown[1000:]) == (len(plain), plain[1000:])
    assert (log / f"{PACKED}.broken").exists()


def test_what_is_no_packed_text_at_all_is_moved_aside(log: Path) -> None:
    packing.pack(log)
    spoil(log / PACKED, -1)

    assert told(log) == [f"{PACKED}: it has no seek table at its end"]
    for fault in care.faults(log):
        fault.mend()
    assert (log / f"{PACKED}.broken").exists()
    assert logs.size(log) == 0


def test_nothing_that_was_moved_aside_before_is_overwritten(log: Path) -> None:
    for rest in (b"first", b"second"):
        with (log / "output.log").open("ab") as file:
            file.write(rest)
        mend(log)

    assert (log / "output.log.rest").read_bytes() == b"first"
    assert (log / "output.log.rest1").read_bytes() == b"second"


def spoil(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 0xFF
    path.write_bytes(content)
