"""A log that is packed cannot be told from one that is not, and no kill on the way costs a byte of it."""

from __future__ import annotations

import itertools
import os
import random
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs import logs
from jobs.logs import Record, lava_yaml, packed, packing, text
from jobs.logs.packed import FRAME, Unreadable
from jobs.logs.packing import DRAFT
from tests.jobs.logs.support import golden_logs, record

PACKED = "output.log.zst"
LONG = 3 * FRAME  # bytes, a little more


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return written(tmp_path / "log")


def written(log: Path, *, size: int = LONG) -> Path:
    """A log with characters of several bytes, results and an open line, whose frames end somewhere in lines."""
    count = size // 20
    records = [record(f"größer {number:011}", second=number % 60) for number in range(count)]
    records[count // 2] = record({"case": "boot", "result": "pass"}, "results")
    logs.append(log, 0, [*records, record("login: ", partial=True)])
    return log


def bytes_of(log: Path) -> bytes:
    with text.opened(log) as opened:
        return opened.read(0, opened.size)


def everything_read(log: Path) -> list[Any]:
    size = logs.size(log)
    chance = random.Random(34)
    starts = [0, 1, FRAME - 1, FRAME, size - 1, size, size + 9, *[chance.randrange(size) for _ in range(20)]]
    with text.opened(log) as opened:
        return [
            size,
            logs.exists(log),
            text.version_of(opened),
            [opened.read(start, start + chance.choice([1, 100, 2 * FRAME])) for start in starts],
            [logs.read(log, start, 65_536, finished=True) for start in starts],
            logs.last_part(log),
            logs.between(log, 5, 900, 10_000),
            logs.spans(log, {1, 700}),
            b"".join(text.stream(log, 3, size - 3)),
            b"".join(lava_yaml.stream(log, finished=True)),
            logs.record_count(log),
            logs.next_index(log),
        ]


def test_whatever_is_read_of_a_packed_log_is_what_was_read_before(log: Path) -> None:
    before = everything_read(log)

    assert packing.pack(log)

    assert sorted(path.name for path in log.iterdir()) == ["output.idx", PACKED]
    assert everything_read(log) == before


def test_the_file_can_be_unpacked_by_any_program_that_knows_zstandard(log: Path) -> None:
    plain = bytes_of(log)
    packing.pack(log)

    with packed.zstd.open(log / PACKED) as file:
        assert file.read() == plain


@pytest.mark.parametrize("name", golden_logs())
def test_logs_of_lava_take_less_than_a_third(name: str, tmp_path: Path) -> None:
    """Ten times over with other numbers in it: alone, each of them is too short to say much."""
    records = logs.parse_lines(golden_logs()[name].decode())
    chance = random.Random(34)
    for _ in range(10):
        again = [
            Record(time=one.time, level=one.level, message=_other(one.message, chance)) for one in records
        ]
        logs.append(tmp_path, logs.next_index(tmp_path), again)
    size = logs.size(tmp_path)

    packing.pack(tmp_path)

    assert (tmp_path / PACKED).stat().st_size <= 0.32 * size


def _other(message: Any, chance: random.Random) -> Any:
    if not isinstance(message, str):
        return message
    return "".join(str(chance.randrange(10)) if letter.isdigit() else letter for letter in message)


def test_only_its_owner_and_group_can_read_it(log: Path) -> None:
    packing.pack(log)

    assert (log / PACKED).stat().st_mode & 0o007 == 0


# What goes on after all


def test_records_that_come_late_are_appended_where_they_belong(log: Path) -> None:
    plain, index = bytes_of(log), logs.next_index(log)
    packing.pack(log)

    appended = logs.append(log, index, [record("root")])

    assert bytes_of(log) == plain + b"root\n"
    assert appended.size == len(plain) + 5
    assert not (log / PACKED).exists()
    assert packing.pack(log)
    assert bytes_of(log) == plain + b"root\n"


def test_a_text_that_grows_while_it_is_packed_stays_as_it_is(log: Path) -> None:
    index = logs.next_index(log)
    plain = bytes_of(log)

    assert not packing.pack(log, stops=lambda: bool(logs.append(log, index, [record("late")]).new > 1))

    assert [path.name for path in log.iterdir() if "zst" in path.name] == []
    assert bytes_of(log) == plain + b"late\n"


def test_packing_can_be_stopped_between_two_frames(log: Path) -> None:
    plain = bytes_of(log)

    assert not packing.pack(log, stops=lambda: True)

    assert sorted(path.name for path in log.iterdir()) == ["output.idx", "output.log"]
    assert bytes_of(log) == plain


def test_of_two_who_pack_one_does(log: Path) -> None:
    second: list[bool] = []

    assert packing.pack(log, stops=lambda: second.append(packing.pack(log)) or False)  # type: ignore[func-returns-value]

    assert second
    assert not any(second)


def test_there_is_nothing_to_pack_where_there_is_no_text_or_no_index(tmp_path: Path, log: Path) -> None:
    assert not packing.pack(tmp_path / "none")
    os.unlink(log / "output.idx")
    assert not packing.pack(log)
    assert (log / "output.log").stat().st_size > LONG


def test_a_text_of_which_the_index_knows_a_part_alone_stays_whole(log: Path) -> None:
    with (log / "output.log").open("ab") as file:
        file.write(b"never acknowledged")

    assert not packing.pack(log)
    assert (log / "output.log").read_bytes().endswith(b"never acknowledged")


def test_a_disk_that_is_full_leaves_the_text(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    plain = bytes_of(log)
    monkeypatch.setattr(os, "fsync", full)

    with pytest.raises(OSError, match="No space left"):
        packing.pack(log)

    assert sorted(path.name for path in log.iterdir()) == ["output.idx", "output.log"]
    assert bytes_of(log) == plain


# Killed


def killed_at(step: int, deed: Callable[[], object]) -> bool:
    """Whether a child that does this was killed before the line number `step` that it ran of packing.py."""
    child = os.fork()
    if child == 0:
        try:
            sys.settrace(_killer(step))
            deed()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def _killer(step: int) -> Any:
    left = [step]

    def trace(frame: FrameType, event: str, _: object) -> Any:
        if not frame.f_code.co_filename.endswith("/logs/packing.py"):
            return None
        if event == "line":
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    return trace


def test_a_kill_at_any_line_of_packing_loses_no_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed, "FRAME", 1000)
    source, were_left = written(tmp_path / "log", size=1500), set()
    plain = bytes_of(source)
    for step in itertools.count(1):
        log = shutil.copytree(source, tmp_path / str(step))
        if not killed_at(step, lambda log=log: packing.pack(log)):
            break
        were_left.add(frozenset(path.name for path in log.iterdir()))
        assert bytes_of(log) == plain, f"killed at line {step}"
        packing.pack(log)
        assert sorted(path.name for path in log.iterdir()) == ["output.idx", PACKED]
        assert bytes_of(log) == plain, f"packed again after a kill at line {step}"
    assert were_left == {
        frozenset({"output.idx", "output.log"}),
        frozenset({"output.idx", "output.log", f"{PACKED}{DRAFT}"}),
        frozenset({"output.idx", "output.log", PACKED}),
        frozenset({"output.idx", PACKED}),
    }


def test_a_kill_at_any_line_of_a_late_append_loses_no_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packed, "FRAME", 1000)
    source, were_left = written(tmp_path / "log", size=1500), set()
    plain, index = bytes_of(source), logs.next_index(source)
    packing.pack(source)
    for step in itertools.count(1):
        log = shutil.copytree(source, tmp_path / str(step))
        if not killed_at(step, lambda log=log: logs.append(log, index, [record("late")])):
            break
        were_left.add(frozenset(path.name for path in log.iterdir()))
        assert bytes_of(log) in (plain, plain + b"late\n"), f"killed at line {step}"
        logs.append(log, index, [record("late")])
        assert bytes_of(log) == plain + b"late\n", f"sent again after a kill at line {step}"
    assert frozenset({"output.idx", f"output.log{DRAFT}", PACKED}) in were_left
    assert frozenset({"output.idx", "output.log", PACKED}) in were_left


# Broken


@pytest.mark.parametrize("place", [10, -2, -9])
def test_a_byte_that_the_disk_changed_is_told_and_never_shown(place: int, log: Path) -> None:
    packing.pack(log)
    content = bytearray((log / PACKED).read_bytes())
    content[place] ^= 0xFF
    (log / PACKED).write_bytes(content)

    with pytest.raises(Unreadable):
        bytes_of(log)


@given(st.binary(max_size=200))
def test_whatever_is_no_packed_text_is_called_so(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.mktemp("broken") / PACKED
    path.write_bytes(content)

    with pytest.raises(Unreadable):
        bytes_of(path.parent)


# Too long


def test_of_a_text_that_is_too_long_both_ends_stay_where_they_were(log: Path) -> None:
    plain = bytes_of(log)

    assert packing.pack(log, keep=100_000)

    short = bytes_of(log)
    with text.opened(log) as opened:
        assert opened.cut is not None
        start, end = opened.cut
    assert end - start > 200_000
    assert short[:start] == plain[:start]
    assert short[end:] == plain[end:]
    assert plain[:start].endswith(b"\n")
    assert plain[:end].endswith(b"\n")
    assert len(short) == len(plain)


def test_a_line_says_what_was_taken_out_and_the_numbers_of_lines_stay(log: Path) -> None:
    plain = bytes_of(log)
    packing.pack(log, keep=100_000)

    short = bytes_of(log)
    with text.opened(log) as opened:
        start, end = opened.cut or (0, 0)
    told, *blanks = short[start:end].splitlines()
    number = plain[start:end].count(b"\n")
    assert told.startswith(f"[{end - start} bytes of the log, {number} lines, were taken out here".encode())
    assert b"".join(blanks).strip() == b""
    assert short.count(b"\n") == plain.count(b"\n")


def test_what_is_taken_out_takes_no_room(tmp_path: Path) -> None:
    chance = random.Random(35)
    for _ in range(4):
        noise = [record(chance.randbytes(500).hex()) for _ in range(500)]
        logs.append(tmp_path, logs.next_index(tmp_path), noise)

    packing.pack(tmp_path, keep=10_000)

    assert (tmp_path / PACKED).stat().st_size < 15_000


def test_another_version_of_a_text_has_another_name(log: Path) -> None:
    with text.opened(log) as opened:
        whole = text.version_of(opened)
    packing.pack(log, keep=100_000)

    with text.opened(log) as opened:
        assert text.version_of(opened) != whole


def test_a_text_that_is_not_too_long_is_kept_whole(log: Path) -> None:
    plain = bytes_of(log)

    packing.pack(log, keep=len(plain))

    assert bytes_of(log) == plain


@given(
    st.lists(st.sampled_from(["", "a", "word", "x" * 300]), min_size=1, max_size=40),
    st.integers(1, 3000),
)
def test_whatever_the_lines_are_no_offset_moves(
    tmp_path_factory: pytest.TempPathFactory, words: list[str], keep: int
) -> None:
    log = tmp_path_factory.mktemp("log")
    logs.append(log, 0, [record(word) for word in words])
    plain = bytes_of(log)
    packing.pack(log, keep=keep)

    with text.opened(log) as opened:
        start, end = opened.cut or (0, 0)
        short = opened.read(0, opened.size)
        assert [opened.read(at, at + 7) for at in range(len(plain))] == [
            short[at : at + 7] for at in range(len(plain))
        ]
    assert len(short) == len(plain)
    assert (short[:start], short[end:]) == (plain[:start], plain[end:])
