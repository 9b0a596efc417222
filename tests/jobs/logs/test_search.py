"""Searching a log: every hit, once, wherever it is and whatever stands between its letters."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs import logs
from jobs.logs import Record, packing, search_sources
from jobs.logs.index import TEXT_NAME
from jobs.logs.lines import LINES_NAME
from jobs.logs.search import Found, Query, search
from jobs.logs.search_patterns import ESCAPE, BadPattern, matcher
from tests.jobs.logs.support import record

LONG = 60.0  # seconds; no test waits for it


def append(directory: Path, *entries: str | Record) -> None:
    records = [record(entry) if isinstance(entry, str) else entry for entry in entries]
    logs.append(directory, logs.next_index(directory), records)


def found(directory: Path, text: str = "", **fields: Any) -> Found:
    return search(directory, Query(text=text, **fields), seconds=LONG)


def lines_of(result: Found) -> list[int]:
    return [hit.line for hit in result.hits]


def test_a_hit_says_its_line_and_its_bytes_and_shows_the_line(tmp_path: Path) -> None:
    append(tmp_path, "grüße", "the kernel panics", "end")

    (hit,) = found(tmp_path, "KERNEL").hits

    assert (hit.line, hit.text) == (2, "the kernel panics")
    assert (tmp_path / TEXT_NAME).read_bytes()[hit.start : hit.end] == b"kernel"


def test_a_line_with_two_hits_is_found_once(tmp_path: Path) -> None:
    append(tmp_path, "ab ab", "ab")

    assert (lines_of(found(tmp_path, "ab")), found(tmp_path, "ab").total) == ([1, 2], 2)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (Query(text="Error"), [1, 2]),
        (Query(text="Error", matches_case=True), [1]),
        (Query(text="GRÜSSE"), []),
        (Query(text="GRÜN"), [3]),
        (Query(text="GRÜN", matches_case=True), []),
        (Query(text="a.b"), []),
        (Query(text="^e.*r$", is_regex=True), [1, 2]),
        (Query(text="ERR|grün", is_regex=True), [1, 2, 3]),
        (Query(text="ERR|grün", is_regex=True, matches_case=True), [3]),
        (Query(text=r"\s", is_regex=True), []),
        (Query(text="x*", is_regex=True), [1, 2, 3]),
    ],
    ids=lambda value: value.text if isinstance(value, Query) else "",
)
def test_case_counts_only_when_it_is_asked_for(tmp_path: Path, query: Query, expected: list[int]) -> None:
    append(tmp_path, "Error", "error", "grün")

    assert lines_of(search(tmp_path, query, seconds=LONG)) == expected


def test_colours_do_not_hide_a_hit(tmp_path: Path) -> None:
    append(tmp_path, "fine", "\x1b[1mker\x1b[31mnel\x1b[0m pa\x1b]0;title\x07nic")

    (hit,) = found(tmp_path, "kernel panic").hits

    assert (hit.line, hit.text) == (2, "kernel panic")
    raw = (tmp_path / TEXT_NAME).read_bytes()[hit.start : hit.end]
    assert raw == b"ker\x1b[31mnel\x1b[0m pa\x1b]0;title\x07nic"


def test_what_an_escape_sequence_is_made_of_is_not_found(tmp_path: Path) -> None:
    append(tmp_path, "\x1b[31mred\x1b[0m")

    assert found(tmp_path, "31m").total == 0


def test_a_pattern_finds_the_end_of_a_line_that_a_serial_port_ended(tmp_path: Path) -> None:
    append(tmp_path, "login ok\r", "other")

    assert lines_of(found(tmp_path, "ok$", is_regex=True)) == [1]


def test_a_prompt_without_a_newline_is_found(tmp_path: Path) -> None:
    append(tmp_path, "one", record("login: ", partial=True))

    assert lines_of(found(tmp_path, "login")) == [2]


@pytest.mark.parametrize(
    ("fields", "lines", "first", "more"),
    [
        ({}, [1, 3, 5], 1, True),
        ({"after": 3}, [5, 7, 9], 3, False),
        ({"after": 4}, [5, 7, 9], 3, False),
        ({"after": 9}, [], None, False),
        ({"before": 9}, [3, 5, 7], 2, True),
        ({"before": 6}, [1, 3, 5], 1, False),
        ({"before": 1}, [], None, False),
        ({"before": 99}, [5, 7, 9], 3, True),
        ({"limit": 5}, [1, 3, 5, 7, 9], 1, False),
    ],
)
def test_hits_are_listed_from_a_line_on_in_either_direction(
    tmp_path: Path, fields: dict[str, int], lines: list[int], first: int | None, more: bool
) -> None:
    append(tmp_path, *["hit", "miss"] * 5)

    result = found(tmp_path, "hit", **({"limit": 3} | fields))

    assert (lines_of(result), result.first, result.more, result.total) == (lines, first, more, 5)


def test_levels_narrow_a_search(tmp_path: Path) -> None:
    append(
        tmp_path,
        record("boot failed", "debug"),
        record("boot failed\nbecause", "error"),
        record("boot ", partial=True),
        record("failed", "error"),
        record("boot failed", "target"),
    )

    assert lines_of(found(tmp_path, "failed", levels=["error"])) == [2, 5]
    assert lines_of(found(tmp_path, "failed", levels=["debug", "target"])) == [1, 6]


def test_without_a_text_the_records_of_the_levels_are_found_by_their_first_lines(tmp_path: Path) -> None:
    append(
        tmp_path,
        "one",
        record("Traceback\n  line\n  line", "exception"),
        record("log", partial=True),
        record("in", partial=True),
        record("no", "error"),
        record("yes", "error"),
    )

    result = found(tmp_path, levels=["error", "exception"])

    assert [(hit.line, hit.text) for hit in result.hits] == [(2, "Traceback"), (6, "no"), (7, "yes")]
    assert lines_of(found(tmp_path, levels=["error", "exception"], after=2, limit=1)) == [6]
    assert lines_of(found(tmp_path, levels=["error", "exception"], before=6, limit=1)) == [2]
    assert lines_of(found(tmp_path, levels=["target"])) == [1, 5]


def test_a_long_line_is_shown_around_its_hit(tmp_path: Path) -> None:
    append(tmp_path, "ü" * 3000 + "needle" + "ö" * 3000)

    (hit,) = found(tmp_path, "needle").hits

    assert hit.text == "ü" * 200 + "needle" + "ö" * 294


def test_the_end_of_a_long_line_is_shown_when_the_hit_is_there(tmp_path: Path) -> None:
    append(tmp_path, "u" * 3000 + "needle")

    (hit,) = found(tmp_path, "needle").hits

    assert hit.text == "u" * 494 + "needle"


def test_of_an_endless_line_only_the_beginning_is_searched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_sources, "BLOCK", 16)
    monkeypatch.setattr(search_sources, "LONGEST_LINE", 64)
    append(tmp_path, "hit", "x" * 32 + "hit" + "x" * 32, "x" * 96 + "hit", "hit")

    assert lines_of(found(tmp_path, "hit")) == lines_of(found(tmp_path, "hit", before=5)) == [1, 2, 4]


def test_hits_beyond_what_anybody_counts_are_said_to_be_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.logs.search.MOST_COUNTED", 10)
    monkeypatch.setattr(search_sources, "BLOCK", 64)
    append(tmp_path, *["hit"] * 100)

    result = found(tmp_path, "hit", limit=5, after=50)

    assert (lines_of(result), result.more, result.total_is_more) == ([51, 52, 53, 54, 55], True, True)
    assert 10 < result.total < 100


def test_a_search_whose_time_is_over_says_what_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_sources, "BLOCK", 16)
    append(tmp_path, *["hit"] * 10)

    result = search(tmp_path, Query(text="hit"), seconds=-1)

    assert (lines_of(result), result.first) == ([1, 2, 3, 4], None)
    assert (result.more, result.total, result.total_is_more) == (True, 4, True)


def test_a_pattern_that_would_take_ages_elsewhere_is_over_at_once(tmp_path: Path) -> None:
    append(tmp_path, "a" * 50_000 + "!")

    assert found(tmp_path, "(a+)+(a+)+$", is_regex=True).total == 0


def test_a_packed_log_is_searched_as_it_was_before(tmp_path: Path) -> None:
    append(tmp_path, *[f"line {number} \x1b[1mof\x1b[0m many" for number in range(20_000)])
    queries = [Query(text="7 OF", limit=9, before=15_000), Query(text="99.*many$", is_regex=True, after=300)]
    before = [search(tmp_path, query, seconds=LONG) for query in queries]

    packing.pack(tmp_path)

    assert not (tmp_path / TEXT_NAME).exists()
    assert [search(tmp_path, query, seconds=LONG) for query in queries] == before
    assert before[0].total == 2000


def test_a_log_that_is_not_there_has_no_hits(tmp_path: Path) -> None:
    assert found(tmp_path / "1", "x").total == found(tmp_path / "1", levels=["error"]).total == 0


@pytest.mark.parametrize(
    ("text", "is_regex", "words"),
    [
        ("", False, "q: expected 1 to 1000 characters, got 0"),
        ("x" * 1001, False, "q: expected 1 to 1000 characters, got 1001"),
        ("a\nb", False, "q: expected a text without line ends"),
        ("a(b", True, "q: missing ) at character 1, in 'a(b'"),
        ("ab[c", True, "q: missing ] at character 3, in '[c'"),
        ("ab**", True, "q: bad repetition operator at character 3, in '**'"),
        ("ab(?=c)", True, "q: invalid perl operator at character 3, in '(?='"),
        ("ab\\", True, "q: trailing \\ at character 3, in '\\\\'"),
        ("(a{1000}){1000}", True, "q: invalid repetition size"),
    ],
)
def test_what_cannot_be_searched_for_is_refused_with_its_place(text: str, is_regex: bool, words: str) -> None:
    with pytest.raises(BadPattern, match=re.escape(words)):
        matcher(text, is_regex=is_regex, matches_case=False)


pieces = st.sampled_from(["a", "b", "ab", "B", "ü", "\x1b[31m", "\x1b[0m", "\x1b", " ", "x" * 40])
texts = st.lists(st.lists(pieces, max_size=6).map("".join), max_size=30)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=texts,
    query=st.sampled_from(
        [Query(text="ab"), Query(text="b", matches_case=True), Query(text="a+ ?b", is_regex=True)]
    ),
    direction=st.sampled_from(["after", "before"]),
    pivot=st.integers(0, 31),
    limit=st.integers(1, 8),
)
def test_any_search_finds_what_a_search_of_each_line_finds(
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    texts: list[str],
    query: Query,
    direction: str,
    pivot: int,
    limit: int,
) -> None:
    monkeypatch.setattr(search_sources, "BLOCK", 32)
    directory = tmp_path_factory.mktemp("log")
    append(directory, *texts)
    flags = 0 if query.matches_case else re.IGNORECASE
    pattern = re.compile(query.text, flags)
    seen = [ESCAPE.sub(b"", text.encode()).decode() for text in texts]
    expected = [number for number, text in enumerate(seen, 1) if pattern.search(text)]

    result = search(directory, replace(query, limit=limit, **{direction: pivot}), seconds=LONG)  # type: ignore[arg-type]

    if direction == "after":
        assert lines_of(result) == [line for line in expected if line > pivot][:limit]
    else:
        assert lines_of(result) == [line for line in expected if line < pivot][-limit:]
    assert result.total == len(expected)
    raw = (directory / TEXT_NAME).read_bytes()
    for hit in result.hits:
        assert pattern.fullmatch(ESCAPE.sub(b"", raw[hit.start : hit.end]).decode())
        assert raw.count(b"\n", 0, hit.start) == hit.line - 1
    assert not (directory / LINES_NAME).exists()  # a short log needs none
