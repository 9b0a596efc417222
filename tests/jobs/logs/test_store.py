from __future__ import annotations

import errno
import fcntl
import multiprocessing
import os
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from multiprocessing.synchronize import Barrier
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs import logs
from jobs.logs import Hole, Record, UnknownFormat, format, lava_yaml
from tests.jobs.logs import support
from tests.jobs.logs.support import joined, lines, record, text_of


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "12" / "1"


def text(directory: Path) -> str:
    return (directory / "output.log").read_bytes().decode()


def levels_and_messages(directory: Path) -> list[tuple[str, Any]]:
    found = logs.parse_lines(b"".join(lava_yaml.stream(directory)).decode())
    return [(each.level, each.message) for each in found]


def test_the_directory_is_named_by_date_job_and_attempt() -> None:
    submitted = datetime(2026, 1, 2, 3, tzinfo=UTC)

    assert logs.directory_for(Path("logs"), submitted, 12, 3) == Path("logs/2026/01/02/12/3")


def test_the_date_of_the_directory_is_in_utc() -> None:
    submitted = datetime(2026, 1, 2, 1, tzinfo=timezone(timedelta(hours=2)))

    assert logs.directory_for(Path("logs"), submitted, 12, 1) == Path("logs/2026/01/01/12/1")


def test_records_become_lines_of_text(log: Path) -> None:
    appended = logs.append(log, 0, [record("one"), record("zwö\r"), record({"case": "é", "n": 1}, "results")])

    assert text(log) == 'one\nzwö\r\n{"case":"é","n":1}\n'
    assert (appended.first, appended.new, appended.next_index) == (0, 3, 3)
    assert appended.size == logs.size(log) == len(text(log).encode())


def test_a_message_of_several_lines_is_one_record(log: Path) -> None:
    logs.append(log, 0, [record("one\ntwo"), record("three")])

    assert text(log) == "one\ntwo\nthree\n"
    assert logs.record_count(log) == 2


def test_a_second_append_of_the_same_batch_changes_nothing(log: Path) -> None:
    logs.append(log, 0, lines(3))
    before = (text(log), (log / "output.idx").read_bytes())

    appended = logs.append(log, 0, lines(3))

    assert (text(log), (log / "output.idx").read_bytes()) == before
    assert (appended.new, appended.next_index, list(appended.numbers)) == (0, 3, [0, 1, 2])


def test_of_an_overlapping_batch_only_the_new_records_are_stored(log: Path) -> None:
    logs.append(log, 0, lines(3))

    appended = logs.append(log, 1, lines(4, first=1))

    assert text(log) == text_of(lines(5))
    assert (appended.first, appended.new, list(appended.numbers)) == (3, 2, [1, 2, 3, 4])


def test_results_of_a_repeated_batch_are_found_again_at_the_same_place(log: Path) -> None:
    batch = [record("x"), record({"case": "a"}, "results"), record({"e": 1}, "event")]
    first = list(logs.append(log, 0, batch).placed("results", "event"))

    again = list(logs.append(log, 0, batch).placed("results", "event"))

    assert again == first
    assert [(each.index, each.number, each.record) for each in again] == [(1, 1, batch[1]), (2, 2, batch[2])]


def test_an_event_is_kept_as_debug(log: Path) -> None:
    logs.append(log, 0, [record({"name": "lunch"}, "event"), record("tea", "event")])

    assert levels_and_messages(log) == [("debug", {"name": "lunch"}), ("debug", "tea")]


def test_a_gap_becomes_a_line_that_counts_what_is_missing(log: Path) -> None:
    logs.append(log, 0, lines(2))

    appended = logs.append(log, 9, lines(2, first=9))

    assert text(log) == text_of([*lines(2), 7, *lines(2, first=9)])
    assert "7 records missing\n" in text(log)
    assert (appended.first, appended.new, appended.next_index) == (9, 2, 11)
    assert list(appended.numbers) == [3, 4]


def test_the_gap_is_written_once(log: Path) -> None:
    logs.append(log, 2, lines(2))

    appended = logs.append(log, 2, lines(3))

    assert text(log) == text_of([2, *lines(3)])
    assert (appended.next_index, list(appended.numbers)) == (5, [1, 2, 3])


def test_a_hole_at_the_beginning_has_the_time_of_what_follows(log: Path) -> None:
    logs.append(log, 5, [record("x", second=30)])

    assert [line.partition(b", ")[0] for line in lava_yaml.stream(log)] == [
        b'- {"dt": "2026-11-22T03:16:36"'
    ] * 2


def test_who_asks_for_it_is_told_of_a_gap_and_nothing_is_stored(log: Path) -> None:
    logs.append(log, 0, lines(2))

    with pytest.raises(Hole) as told:
        logs.append(log, 5, lines(1), strict=True)

    assert (told.value.expected, told.value.got) == (2, 5)
    assert text(log) == text_of(lines(2))


def test_a_huge_gap_costs_one_entry(log: Path) -> None:
    logs.append(log, format.LARGEST_INDEX - 1, lines(1))

    assert logs.next_index(log) == format.LARGEST_INDEX
    assert (log / "output.idx").stat().st_size == 3 * format.SLOT


def test_a_negative_index_is_an_error(log: Path) -> None:
    with pytest.raises(ValueError, match=r"index: expected 0 to .* got -1"):
        logs.append(log, -1, lines(1))


def test_an_empty_batch_stores_nothing(log: Path) -> None:
    assert logs.append(log, 7, []).next_index == 0
    assert text(log) == ""


def test_a_prompt_is_text_before_its_line_has_an_end(log: Path) -> None:
    logs.append(log, 0, [record("login: ", partial=True)])

    assert text(log) == "login: "
    assert (logs.record_count(log), logs.record_count(log, finished=True), logs.next_index(log)) == (0, 1, 1)


def test_pieces_of_a_line_are_one_record(log: Path) -> None:
    pieces = [record("login: ", partial=True), record("ro", partial=True), record("ot")]
    for index, piece in enumerate(pieces):
        logs.append(log, index, [piece])

    assert text(log) == "login: root\n"
    assert levels_and_messages(log) == [("target", "login: root")]


def test_what_does_not_continue_an_open_line_begins_a_line_of_its_own(log: Path) -> None:
    logs.append(log, 0, [record("login: ", partial=True)])

    appended = logs.append(log, 1, [record("start: 2 login", "info"), record("x", namespace="other")])

    assert text(log) == "login: \nstart: 2 login\nx\n"
    assert list(appended.numbers) == [1, 2]


def test_a_structure_is_never_a_piece_of_a_line(log: Path) -> None:
    logs.append(log, 0, [record("login: ", partial=True), record({"a": 1}, partial=True), record("x")])

    assert text(log) == 'login: \n{"a":1}\nx\n'


def test_nul_and_lone_surrogates_do_not_reach_the_disk(log: Path) -> None:
    logs.append(log, 0, [record("a\0b"), record("c\ud800"), record({"d": "\udfff"})])

    assert text(log) == 'a\ufffdb\nc\ufffd\n{"d":"\ufffd"}\n'


def test_namespaces_keep_their_names(log: Path) -> None:
    logs.append(log, 0, [record("a", namespace="common"), record("b"), record("c", namespace="zwö")])
    logs.append(log, 3, [record("d", namespace="again"), record("e", namespace="common")])

    found = logs.parse_lines(b"".join(lava_yaml.stream(log)).decode())

    assert [each.namespace for each in found] == ["common", None, "zwö", "again", "common"]


def test_more_namespaces_than_numbers_share_the_last_one(log: Path) -> None:
    logs.append(log, 0, [record("x", namespace=f"n{number:03}") for number in range(200)])
    logs.append(log, 200, [record("x", namespace="late")])

    found = [each.namespace for each in logs.parse_lines(b"".join(lava_yaml.stream(log)).decode())]

    assert found == [f"n{number:03}" for number in range(126)] + ["other"] * 75


def test_broken_names_of_namespaces_do_not_stop_the_log(log: Path) -> None:
    logs.append(log, 0, [record("a", namespace="common")])
    (log / "namespaces.json").write_text("")

    logs.append(log, 1, [record("b", namespace="common")])

    assert text(log) == "a\nb\n"


def test_times_far_from_ours_are_kept(log: Path) -> None:
    times = [datetime(1, 1, 1), datetime(1970, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999999)]
    logs.append(log, 0, [Record(time=time, level="info", message="x") for time in times])

    found = logs.parse_lines(b"".join(lava_yaml.stream(log)).decode())

    assert [each.time for each in found] == times


def test_a_torn_entry_and_text_without_an_entry_are_cut_off(log: Path) -> None:
    logs.append(log, 0, lines(2))
    with (log / "output.log").open("ab") as file:
        file.write(b"half a li")
    with (log / "output.idx").open("ab") as file:
        file.write(b"half")

    appended = logs.append(log, 2, lines(1, first=2))

    assert text(log) == text_of(lines(3))
    assert (appended.new, logs.next_index(log)) == (1, 3)


def test_a_log_whose_text_is_gone_says_what_is_missing_and_goes_on(log: Path) -> None:
    logs.append(log, 0, lines(5))
    (log / "output.log").unlink()

    logs.append(log, 5, lines(1, first=5))

    assert text(log) == text_of([5, *lines(1, first=5)])


def test_a_text_that_was_cut_short_keeps_its_whole_records(log: Path) -> None:
    logs.append(log, 0, lines(5))
    os.truncate(log / "output.log", len("line 0\nline 1\nlin"))

    logs.append(log, 5, lines(1, first=5))

    assert text(log) == text_of([*lines(2), 3, *lines(1, first=5)])


def test_zeros_that_a_power_cut_left_in_the_index_are_no_entries(log: Path) -> None:
    logs.append(log, 0, lines(2))
    os.truncate(log / "output.idx", 20 * format.SLOT)

    assert logs.size(log) == len(text_of(lines(2)))
    assert logs.append(log, 2, lines(1, first=2)).new == 1
    assert text(log) == text_of(lines(3))


@pytest.mark.parametrize("survived", range(format.SLOT))
def test_a_first_append_may_die_in_the_middle_of_the_header(log: Path, survived: int) -> None:
    logs.append(log, 0, [])
    os.truncate(log / "output.idx", survived)

    logs.append(log, 0, lines(2))

    assert text(log) == text_of(lines(2))
    assert logs.next_index(log) == 2


def test_a_text_without_its_index_is_set_aside(log: Path) -> None:
    for _ in range(2):
        logs.append(log, 0, lines(2))
        (log / "output.idx").unlink()

    logs.append(log, 0, lines(1))

    assert text(log) == text_of(lines(1))
    assert [(log / f"output.log.orphan{n}").read_text() for n in (1, 2)] == [text_of(lines(2))] * 2


def test_an_index_of_another_format_is_not_touched(log: Path) -> None:
    logs.append(log, 0, lines(1))
    (log / "output.idx").write_bytes(b"something else, quite long")

    with pytest.raises(UnknownFormat):
        logs.append(log, 1, lines(1))

    assert text(log) == text_of(lines(1))


@pytest.mark.parametrize("room", [0, 1, 7, 40, 60, 61, 77, 100, 200])
def test_after_a_full_disk_the_same_batch_completes_the_log(
    log: Path, room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs.append(log, 0, lines(2))
    left = room

    def pwrite_until_full(descriptor: int, data: bytes, offset: int) -> int:
        nonlocal left
        if not left:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        part = bytes(data[:left])
        left -= len(part)
        return real(descriptor, part, offset)

    real = os.pwrite
    monkeypatch.setattr(os, "pwrite", pwrite_until_full)
    with pytest.raises(OSError, match="No space left"):
        logs.append(log, 2, lines(20, first=2))
    monkeypatch.undo()
    shown = logs.read(log, 0).content

    logs.append(log, 2, lines(20, first=2))

    assert text(log) == text_of(lines(22))
    assert text(log).startswith(shown)


def test_a_sync_reaches_every_file_of_the_log(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    logs.append(log, 0, [record("x", namespace="common")])
    synced: list[str] = []
    monkeypatch.setattr(
        os, "fsync", lambda descriptor: synced.append(os.readlink(f"/proc/self/fd/{descriptor}"))
    )

    logs.sync(log)

    assert sorted(synced) == sorted([str(log), *(str(path) for path in log.iterdir())])


def test_a_sync_of_no_log_does_nothing(log: Path) -> None:
    logs.sync(log)

    assert not log.exists()


def append_one_by_one(directory: Path, batch: Sequence[Record], start: Barrier) -> None:
    start.wait()
    for index, each in enumerate(batch):
        logs.append(directory, index, [each])


def test_two_processes_that_send_the_same_records_write_them_once(log: Path) -> None:
    batch = lines(1000)
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(2)
    processes = [context.Process(target=append_one_by_one, args=(log, batch, start)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()

    assert [process.exitcode for process in processes] == [0, 0]
    assert text(log) == text_of(batch)
    assert logs.next_index(log) == 1000


def test_while_one_append_writes_no_other_can_begin(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = []

    def pwrite_while_another_asks(descriptor: int, data: bytes, offset: int) -> int:
        with (log / "output.idx").open("rb") as other:
            try:
                fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                refused.append(descriptor)
        return real(descriptor, data, offset)

    real = os.pwrite
    monkeypatch.setattr(os, "pwrite", pwrite_while_another_asks)
    logs.append(log, 0, lines(1))

    assert len(refused) == 3  # header, text, entry


def test_a_reader_beside_a_writer_sees_every_byte_once(log: Path) -> None:
    batch = [record(f"zeile {number} ü€😀 {'x' * (number % 90)}") for number in range(2000)]
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(1)
    writer = context.Process(target=append_one_by_one, args=(log, batch, start))
    writer.start()
    shown, offset, written, at_end = "", 0, False, False

    while not (written and at_end):
        written = not writer.is_alive()
        piece = logs.read(log, offset, 1000)
        shown, offset, at_end = shown + piece.content, piece.new_size, piece.at_end
        time.sleep(0.001 if at_end else 0)

    assert shown == text_of(batch)


def test_numbers_are_right_across_many_checkpoints(log: Path) -> None:
    batch = lines(5 * format.BLOCK)
    for first in range(0, len(batch), 700):
        logs.append(log, first, batch[first : first + 700])

    again = logs.append(log, 1000, batch[1000:3000])

    assert text(log) == text_of(batch)
    assert list(again.numbers) == list(range(1000, 3000))
    assert logs.next_index(log) == logs.record_count(log) == len(batch)


class Sender:
    """A worker that sends batches as workers do, and a store whose process may die at any byte."""

    def __init__(self, directory: Path, records: list[Record], data: st.DataObject) -> None:
        self.directory = directory
        self.records = records
        self.draw = data.draw
        self.stored: list[Record | int] = []  # what the log holds, by our own reckoning
        self.indices: list[int] = []  # where each of them begins on the wire

    @property
    def next_index(self) -> int:
        if not self.stored:
            return 0
        last = self.stored[-1]
        return self.indices[-1] + (last if isinstance(last, int) else 1)

    def post(self) -> None:
        index, batch = self._draw_batch()
        appended = logs.append(self.directory, index, batch)
        self._keep(self._new_entries(index, batch))
        assert appended.next_index == self.next_index
        assert list(appended.numbers) == [self._number(index + place) for place in range(len(batch))]

    def post_and_die(self) -> None:
        """The files are left as they are when the process is killed between any two bytes that it writes."""
        index, batch = self._draw_batch()
        logs.append(self.directory, 0, [])  # an earlier death is recovered from, so that files only grow now
        before = self._files()
        logs.append(self.directory, index, batch)
        after = self._files()
        written = len(after[0]) - len(before[0]) + len(after[1]) - len(before[1])
        survived = self.draw(st.integers(0, written))
        text_end = min(len(after[0]), len(before[0]) + survived)
        index_end = len(before[1]) + max(0, survived - (len(after[0]) - len(before[0])))
        os.truncate(self.directory / "output.log", text_end)
        os.truncate(self.directory / "output.idx", index_end)
        slots = range(len(before[1]) // format.SLOT, index_end // format.SLOT)
        entries = len([slot for slot in slots if slot % format.BLOCK])
        self._keep(self._new_entries(index, batch)[:entries])

    def check(self) -> None:
        expected = text_of(self.stored)
        assert logs.read(self.directory, 0).content == expected
        assert logs.size(self.directory) == len(expected.encode())
        assert logs.next_index(self.directory) == self.next_index
        records = joined(self.stored)
        assert logs.record_count(self.directory, finished=True) == len(records)
        start = self.draw(st.integers(0, len(records)))
        shown = list(lava_yaml.stream(self.directory, start, finished=True))
        found = [each.message for each in logs.parse_lines(b"".join(shown).decode())]
        assert found == [each.message for each in records[start:]]

    def _draw_batch(self) -> tuple[int, list[Record]]:
        usual = st.just(min(self.next_index, len(self.records)))
        index = self.draw(usual | st.integers(0, len(self.records)))
        count = self.draw(st.integers(0, 8))
        return index, self.records[index : index + count]

    def _new_entries(self, index: int, batch: list[Record]) -> list[tuple[int, Record | int]]:
        known = self.next_index
        fresh = [(index + place, each) for place, each in enumerate(batch) if index + place >= known]
        if fresh and index > known:
            return [(known, index - known), *fresh]
        return list(fresh)

    def _keep(self, entries: Sequence[tuple[int, Record | int]]) -> None:
        self.indices += [index for index, _ in entries]
        self.stored += [entry for _, entry in entries]

    def _number(self, index: int) -> int:
        behind = len([begin for begin in self.indices if begin <= index])
        return len(joined(self.stored[:behind])) - 1

    def _files(self) -> tuple[bytes, bytes]:
        return ((self.directory / "output.log").read_bytes(), (self.directory / "output.idx").read_bytes())


@settings(max_examples=300, deadline=None)
@given(sent=st.lists(support.records(), min_size=1, max_size=40), data=st.data())
def test_nothing_answered_is_lost_and_nothing_is_double_whatever_dies(
    sent: list[Record], data: st.DataObject
) -> None:
    with (
        TemporaryDirectory() as directory,
        mock.patch.object(format, "BLOCK", 4),
    ):  # a checkpoint after 3 entries
        sender = Sender(Path(directory), sent, data)
        for deed in data.draw(st.lists(st.sampled_from([sender.post, sender.post_and_die]), max_size=12)):
            deed()
            sender.check()
