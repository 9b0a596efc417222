from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jobs import logs
from jobs.logs import format
from tests.jobs.logs.support import lines, record, text_of

# What logs are made of, and what breaks readers: characters of 1 to 4 bytes, pieces of them, invalid bytes.
CHARACTERS = ["a", "\n", "\r\n", "\0", "é", "€", "😀"]
BYTES = [b"\xff", b"\xc3", b"\xe2\x82", b"\xf0\x9f\x98", b"\x80", b"\xc0\xaf", b"\xed\xa0\x80", b""]
contents = st.lists(st.sampled_from([*(each.encode() for each in CHARACTERS), *BYTES]), max_size=30).map(
    b"".join
)

MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # 10,000 logs need no disk


def write(directory: Path, content: bytes) -> None:
    """A log of one record with just these bytes."""
    (directory / "output.log").write_bytes(content)
    commit(directory, len(content))


def commit(directory: Path, size: int) -> None:
    """Makes this many bytes of the text belong to the log."""
    entry = format.pack([format.entry_word(size, format.LEVEL_CODES["target"], 0), 0])
    (directory / "output.idx").write_bytes(format.header() + entry)


@settings(max_examples=10_000, deadline=None)
@given(
    content=contents,
    schedule=st.lists(st.tuples(st.integers(0, 12), st.integers(0, 9)), max_size=12),
)
@example(content="😀".encode(), schedule=[(1, 9), (1, 9), (1, 9), (1, 9)])
@example(content=b"\xf0\x9f\x98", schedule=[(3, 9), (0, 9)])
def test_pieces_read_while_the_log_grows_are_the_whole_log(
    content: bytes, schedule: list[tuple[int, int]]
) -> None:
    shown, offset, length = "", 0, 0
    with TemporaryDirectory(dir=MEMORY) as name:
        directory = Path(name)
        write(directory, content)
        for grown, limit in schedule:
            length = min(length + grown, len(content))
            commit(directory, length)
            piece = logs.read(directory, offset, limit)
            # At most the first bytes of one character wait for the rest of it.
            assert piece.at_end or piece.new_size >= min(length, offset + max(limit, 4)) - 3
            assert piece.at_end == (piece.new_size == length)
            shown, offset = shown + piece.content, piece.new_size
        commit(directory, len(content))
        at_end = False
        while not at_end:
            piece = logs.read(directory, offset, 7, finished=True)
            shown, offset, at_end = shown + piece.content, piece.new_size, piece.at_end

    assert shown == content.decode("utf-8", "replace")
    assert offset == len(content)


def test_no_log_is_empty(tmp_path: Path) -> None:
    assert logs.read(tmp_path, 0) == logs.Tail(content="", new_size=0, at_end=True)
    assert logs.read(tmp_path / "none", 7) == logs.Tail(content="", new_size=0, at_end=True)
    assert logs.last_part(tmp_path) == logs.LastPart(start=0, text="", end=0)
    assert (logs.size(tmp_path), logs.next_index(tmp_path), logs.record_count(tmp_path)) == (0, 0, 0)


def test_a_start_beyond_the_end_gives_the_real_size(tmp_path: Path) -> None:
    write(tmp_path, b"abc\n")

    assert logs.read(tmp_path, 100) == logs.Tail(content="", new_size=4, at_end=True)


def test_a_start_at_the_end_gives_nothing_new(tmp_path: Path) -> None:
    write(tmp_path, b"abc\n")

    assert logs.read(tmp_path, 4) == logs.Tail(content="", new_size=4, at_end=True)


def test_a_start_in_the_middle_of_a_character_shows_where_it_is(tmp_path: Path) -> None:
    write(tmp_path, "a€b".encode())

    assert logs.read(tmp_path, 2) == logs.Tail(content="\ufffd\ufffdb", new_size=5, at_end=True)


def test_a_negative_start_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="start: expected a number of bytes, 0 or more, got -1"):
        logs.read(tmp_path, -1)


def test_the_rest_beyond_the_limit_is_left_for_the_next_read(tmp_path: Path) -> None:
    write(tmp_path, b"abcdefgh")

    assert logs.read(tmp_path, 2, 5) == logs.Tail(content="cdefg", new_size=7, at_end=False)


def test_an_unfinished_character_waits_and_is_shown_at_the_end(tmp_path: Path) -> None:
    write(tmp_path, b"a\xe2\x82")

    assert logs.read(tmp_path, 0) == logs.Tail(content="a", new_size=1, at_end=False)
    assert logs.read(tmp_path, 1, finished=True) == logs.Tail(content="\ufffd", new_size=3, at_end=True)


def test_text_that_no_entry_speaks_of_is_not_shown(tmp_path: Path) -> None:
    logs.append(tmp_path, 0, lines(2))
    with (tmp_path / "output.log").open("a") as file:
        file.write("not yet")

    assert logs.read(tmp_path, 0).content == text_of(lines(2))
    assert logs.last_part(tmp_path).text == text_of(lines(2))


def test_a_text_that_is_gone_reads_as_empty(tmp_path: Path) -> None:
    logs.append(tmp_path, 0, lines(2))
    (tmp_path / "output.log").unlink()

    assert logs.read(tmp_path, 0) == logs.Tail(content="", new_size=0, at_end=True)


def test_the_size_is_right_when_the_index_ends_with_a_checkpoint(tmp_path: Path) -> None:
    with mock.patch.object(format, "BLOCK", 4):
        logs.append(tmp_path, 0, lines(4))
        os.truncate(tmp_path / "output.idx", 5 * format.SLOT)

        assert logs.size(tmp_path) == len(text_of(lines(3)))
        assert (logs.next_index(tmp_path), logs.record_count(tmp_path)) == (3, 3)


def test_the_last_part_of_a_short_log_is_all_of_it(tmp_path: Path) -> None:
    logs.append(tmp_path, 0, lines(2))

    assert logs.last_part(tmp_path) == logs.LastPart(start=0, text=text_of(lines(2)), end=14)


@pytest.mark.parametrize("max_bytes", range(7, 14))
def test_the_last_part_begins_with_a_line(tmp_path: Path, max_bytes: int) -> None:
    logs.append(tmp_path, 0, lines(3))

    assert logs.last_part(tmp_path, max_bytes) == logs.LastPart(start=14, text="line 2\n", end=21)


def test_the_last_part_of_one_long_line_begins_with_a_character(tmp_path: Path) -> None:
    logs.append(tmp_path, 0, [record("€" * 100)])

    part = logs.last_part(tmp_path, 9)

    assert (part.start, part.text, part.end) == (294, "€€\n", 301)


@settings(deadline=None)
@given(contents, st.integers(1, 40))
def test_a_tail_goes_on_where_the_last_part_ends(content: bytes, max_bytes: int) -> None:
    with TemporaryDirectory(dir=MEMORY) as name:
        write(Path(name), content)
        part = logs.last_part(Path(name), max_bytes)
        rest = logs.read(Path(name), part.end, finished=True)

    assert part.text + rest.content == content[part.start :].decode("utf-8", "replace")
    assert rest.at_end


def test_a_read_costs_the_same_in_a_small_and_in_a_huge_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []

    def counting_pread(descriptor: int, length: int, offset: int) -> bytes:
        data = real(descriptor, length, offset)
        read.append(len(data))
        return data

    real = os.pread
    costs = []
    for megabytes in (1, 1024):
        directory = tmp_path / str(megabytes)
        directory.mkdir()
        write(directory, b"")
        os.truncate(directory / "output.log", megabytes << 20)
        commit(directory, megabytes << 20)
        read.clear()
        monkeypatch.setattr(os, "pread", counting_pread)
        logs.read(directory, (megabytes << 20) - 100)
        monkeypatch.undo()
        costs.append(list(read))

    assert costs == [[16, 16, 100]] * 2


def test_readers_of_a_growing_log_see_whole_records_only(tmp_path: Path) -> None:
    sizes = [0]
    for first in range(0, 3000, 500):
        sizes.append(logs.append(tmp_path, first, lines(500, first=first)).size)

    pieces = [logs.read(tmp_path, start, end - start).content for start, end in pairwise(sizes)]

    assert all(piece.endswith("\n") for piece in pieces)
    assert "".join(pieces) == text_of(lines(3000))
