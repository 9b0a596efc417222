from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.builtin import spool
from workers.builtin.spool import SpoolReader, SpoolWriter


def write(path: Path, *lines: str) -> None:
    with SpoolWriter(path) as writer:
        writer.write(lines)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "spool"


@pytest.fixture
def read(path: Path) -> Callable[[], SpoolReader]:
    return lambda: SpoolReader(path, path.with_name("sent"))


def waiting(reader: SpoolReader) -> list[str]:
    batch = reader.next_batch()
    return [] if batch is None else [line.decode() for line in batch.lines]


def test_what_was_written_is_read_in_order(path: Path, read: Callable[[], SpoolReader]) -> None:
    write(path, "a", "b")
    write(path, "c")

    batch = read().next_batch()

    assert batch is not None
    assert (batch.index, batch.wire) == (0, "- a\n- b\n- c")


def test_an_empty_spool_has_nothing_to_send(read: Callable[[], SpoolReader]) -> None:
    assert read().next_batch() is None


def test_the_same_batch_comes_again_until_it_is_accepted(path: Path, read: Callable[[], SpoolReader]) -> None:
    write(path, "a", "b", "c")
    reader = read()
    batch = reader.next_batch()
    assert batch is not None

    assert reader.next_batch() == batch
    reader.accept(batch, 2)

    assert waiting(reader) == ["c"]


def test_a_new_reader_goes_on_where_the_last_one_was(path: Path, read: Callable[[], SpoolReader]) -> None:
    write(path, "a", "b", "c")
    reader = read()
    batch = reader.next_batch()
    assert batch is not None
    reader.accept(batch, 1)
    reader.close()

    successor = read()

    assert successor.index == 1
    assert waiting(successor) == ["b", "c"]


def test_a_position_that_fits_no_record_is_not_believed(path: Path, read: Callable[[], SpoolReader]) -> None:
    write(path, "abc", "d")
    path.with_name("sent").write_bytes(spool._POSITION.pack(1, 2))

    assert waiting(read()) == ["abc", "d"]


def test_a_batch_has_at_most_a_thousand_records(path: Path, read: Callable[[], SpoolReader]) -> None:
    write(path, *map(str, range(2500)))
    reader = read()
    sizes = []
    while (batch := reader.next_batch()) is not None:
        assert batch.lines[0] == str(batch.index).encode()
        sizes.append(len(batch.lines))
        reader.accept(batch, len(batch.lines))

    assert sizes == [1000, 1000, 500]


def test_a_batch_is_about_a_megabyte_unless_one_record_is_more(
    path: Path, read: Callable[[], SpoolReader]
) -> None:
    write(path, "x" * 600_000, "y" * 600_000, "z" * 5_000_000)
    reader = read()
    sizes = []
    while (batch := reader.next_batch()) is not None:
        sizes.append([len(line) for line in batch.lines])
        reader.accept(batch, len(batch.lines))

    assert sizes == [[600_000], [600_000], [5_000_000]]


def test_a_torn_last_record_is_not_sent_and_cut_by_the_next_writer(
    path: Path, read: Callable[[], SpoolReader]
) -> None:
    write(path, "whole")
    with path.open("ab") as file:
        file.write(b"to")
    assert waiting(read()) == ["whole"]

    write(path, "next")

    assert waiting(read()) == ["whole", "next"]


def test_the_last_record_can_be_asked_for(path: Path) -> None:
    with SpoolWriter(path) as writer:
        assert writer.last_line() == ""
        writer.write(["first", "x" * 200_000])
        assert writer.last_line() == "x" * 200_000


def test_a_write_that_fails_leaves_whole_records(
    path: Path, read: Callable[[], SpoolReader], monkeypatch: pytest.MonkeyPatch
) -> None:
    pwrite = os.pwrite
    calls = []

    def full_after_three_bytes(file: int, data: memoryview, offset: int) -> int:
        calls.append(offset)
        if len(calls) > 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        return pwrite(file, data[:3], offset)

    with SpoolWriter(path) as writer:
        writer.write(["before"])
        with monkeypatch.context() as patch:
            patch.setattr(os, "pwrite", full_after_three_bytes)
            with pytest.raises(OSError, match="No space left"):
                writer.write(["lost"])
        writer.write(["after"])

    assert waiting(read()) == ["before", "after"]


@given(
    sizes=st.lists(st.integers(0, 200_000), max_size=12),
    target=st.integers(0, 14),
)
@settings(max_examples=50, deadline=None)
def test_rewinding_finds_every_record_there_is(sizes: list[int], target: int) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "spool"
        lines = [f"{number}" + "x" * size for number, size in enumerate(sizes)]
        with SpoolWriter(path) as writer:
            for line in lines:
                writer.write([line])
        reader = SpoolReader(path, path.with_name("sent"))

        found = reader.rewind(target)

        assert found is (target <= len(lines))
        if target < len(lines):
            assert waiting(reader)[0] == lines[target]
        reader.close()
