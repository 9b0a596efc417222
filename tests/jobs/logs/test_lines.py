"""Which line of a text is where, and the file that keeps it."""

from __future__ import annotations

import os
import random
from itertools import pairwise
from pathlib import Path

import pytest

from jobs import logs
from jobs.logs import lines
from jobs.logs.index import TEXT_NAME
from jobs.logs.lines import LINES_NAME, STRIDE, Lines
from tests.jobs.logs.support import record


def append(directory: Path, *messages: str, partial: bool = False) -> None:
    logs.append(
        directory, logs.next_index(directory), [record(message, partial=partial) for message in messages]
    )


def long_lines(seed: int, size: int = 5 * STRIDE) -> list[str]:
    """Lines of very different lengths, some of them longer than what is counted at once."""
    choose = random.Random(seed)
    messages: list[str] = []
    while sum(map(len, messages)) < size:
        messages.append("x" * choose.choice([0, 0, 1, 80, 3000, STRIDE - 1, STRIDE, 2 * STRIDE + 7]))
    return messages


def starts(directory: Path) -> list[int]:
    """Where each line begins, reckoned from the whole text."""
    text = (directory / TEXT_NAME).read_bytes()
    return [0] * bool(text) + [at + 1 for at, byte in enumerate(text[:-1]) if byte == 0x0A]


def found_starts(directory: Path) -> list[int]:
    return lines.ask(directory, lambda found: [found.start_of(number + 1) for number in range(found.total)])


@pytest.mark.parametrize("seed", range(5))
def test_every_line_begins_where_the_text_says(tmp_path: Path, seed: int) -> None:
    append(tmp_path, *long_lines(seed))

    assert found_starts(tmp_path) == starts(tmp_path)


@pytest.mark.parametrize("seed", range(3))
def test_every_byte_is_of_the_line_that_it_lies_in(tmp_path: Path, seed: int) -> None:
    append(tmp_path, *long_lines(seed))
    bounds = [*starts(tmp_path), logs.size(tmp_path)]

    def check(found: Lines) -> None:
        for number, (start, end) in enumerate(pairwise(bounds), 1):
            assert {found.number_at(start), found.number_at(end - 1)} == {number}

    lines.ask(tmp_path, check)


def test_a_prompt_without_a_newline_is_a_line(tmp_path: Path) -> None:
    append(tmp_path, "hello")
    append(tmp_path, "login: ", partial=True)

    assert found_starts(tmp_path) == [0, 6]
    assert lines.ask(tmp_path, lambda found: found.total) == 2


def test_a_log_that_is_not_there_has_no_lines_and_stays_away(tmp_path: Path) -> None:
    assert lines.ask(tmp_path / "1", lambda found: (found.total, found.start_of(7), found.number_at(9))) == (
        0,
        0,
        1,
    )
    assert not (tmp_path / "1").exists()


def test_what_was_counted_is_kept_and_goes_on_with_the_log(tmp_path: Path) -> None:
    append(tmp_path, *long_lines(1))
    found_starts(tmp_path)
    kept = (tmp_path / LINES_NAME).read_bytes()

    append(tmp_path, *long_lines(2))

    assert found_starts(tmp_path) == starts(tmp_path)
    longer = (tmp_path / LINES_NAME).read_bytes()
    assert longer.startswith(kept)
    assert len(longer) == 16 + logs.size(tmp_path) // STRIDE * 8


def test_a_counted_text_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    append(tmp_path, *["x" * 999] * 1000)
    found_starts(tmp_path)
    read: list[int] = []
    pread = os.pread
    monkeypatch.setattr(os, "pread", lambda *args: read.append(args[1]) or pread(*args))

    assert lines.ask(tmp_path, lambda found: found.start_of(601)) == 600_000

    assert sum(read) < 4 * STRIDE


@pytest.mark.parametrize(
    "spoil",
    [
        lambda kept: b"",
        lambda kept: kept[:5],
        lambda kept: kept[:16],
        lambda kept: kept[:-3],
        lambda kept: b"other" + kept[5:],
        lambda kept: kept + kept[-8:],
        lambda kept: kept[:24] + bytes(len(kept) - 24),
        lambda kept: kept[:16] + bytes(len(kept) - 16),
        lambda kept: kept[:16] + b"\x01" + kept[17:],
    ],
    ids=["empty", "torn header", "header", "torn word", "other", "longer", "zeros", "all zeros", "wrong"],
)
def test_a_file_that_does_not_fit_is_made_anew(tmp_path: Path, spoil) -> None:  # type: ignore[no-untyped-def]
    append(tmp_path, *["x" * 1023] * 400)
    found_starts(tmp_path)
    kept = (tmp_path / LINES_NAME).read_bytes()
    (tmp_path / LINES_NAME).write_bytes(spoil(kept))

    assert found_starts(tmp_path) == starts(tmp_path)

    assert (tmp_path / LINES_NAME).read_bytes() == kept


def test_a_text_that_was_cut_back_by_a_crash_is_counted_anew(tmp_path: Path) -> None:
    append(tmp_path, *long_lines(1))
    index = (tmp_path / "output.idx").read_bytes()
    append(tmp_path, *long_lines(2))
    found_starts(tmp_path)

    (tmp_path / "output.idx").write_bytes(index)
    append(tmp_path, *long_lines(3))

    assert found_starts(tmp_path) == starts(tmp_path)


def test_lines_are_found_where_nothing_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(tmp_path, *long_lines(1))
    open_file = os.open

    def refuse(path: str, flags: int, *mode: int) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR):
            raise OSError(30, "Read-only file system")
        return open_file(path, flags, *mode)

    monkeypatch.setattr(os, "open", refuse)

    assert found_starts(tmp_path) == starts(tmp_path)
    assert not (tmp_path / LINES_NAME).exists()
