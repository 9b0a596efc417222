from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from workers.builtin import lines
from workers.builtin.lines import LineCutter


def texts(cutter: LineCutter, *pieces: bytes) -> list[str]:
    return [line.text for piece in pieces for line in cutter.feed(piece)]


def test_a_line_ends_at_its_newline_and_nowhere_else() -> None:
    assert texts(LineCutter(), b"one\ntw", b"o\n10%\r20%\r\nrest") == ["one", "two", "10%\r20%"]


def test_a_character_may_arrive_in_two_parts() -> None:
    assert texts(LineCutter(), b"gr\xc3", b"\xbcn\n") == ["grün"]


def test_a_piece_holds_what_is_new_and_its_end_only_the_rest() -> None:
    cutter = LineCutter()
    cutter.feed(b"login: ")

    piece = cutter.take_piece()
    (line,) = cutter.feed(b"root\n")

    assert (piece, line.text, line.whole) == ("login: ", "root", "login: root")


def test_a_carriage_return_waits_for_what_follows_it() -> None:
    cutter = LineCutter()
    cutter.feed(b"50%\r")

    assert cutter.take_piece() == "50%"
    assert not cutter.has_piece
    assert texts(cutter, b"100%\n") == ["\r100%"]


def test_the_end_gives_the_line_that_is_open_and_a_cut_character() -> None:
    cutter = LineCutter()
    cutter.feed(b"open\xe2\x82")

    assert [line.text for line in cutter.finish()] == ["open�"]
    assert cutter.finish() == []


def test_a_line_given_in_pieces_is_ended_at_the_end() -> None:
    cutter = LineCutter()
    cutter.feed(b"prompt")
    cutter.take_piece()

    assert [line.text for line in cutter.finish()] == [""]


def test_a_line_that_is_too_long_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "LONGEST_LINE", 4)
    cutter = LineCutter()

    assert texts(cutter, b"abcdefghij", b"k\nlm\n") == ["abcd", "efgh", "ijk", "lm"]


def test_pieces_count_towards_the_length_of_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "LONGEST_LINE", 4)
    cutter = LineCutter()
    cutter.feed(b"abc")
    cutter.take_piece()

    assert texts(cutter, b"defg\n") == ["d", "efg"]


TERMINAL_BYTES = st.binary(max_size=12) | st.sampled_from(
    [b"\n", b"\r\n", b"\r", "ä€\U0001f600".encode(), b"\xf0\x9f", b"abc"]
)


@given(st.lists(st.tuples(TERMINAL_BYTES, st.booleans()), max_size=20))
@example([(b"a\r", True), (b"\n", False)])
def test_lines_and_pieces_together_are_what_was_printed(feeds: list[tuple[bytes, bool]]) -> None:
    cutter = LineCutter()
    text = ""
    for data, wants_piece in feeds:
        text += "".join(f"{line.text}\n" for line in cutter.feed(data))
        if wants_piece and cutter.has_piece:
            text += cutter.take_piece()
    text += "".join(f"{line.text}\n" for line in cutter.finish())

    printed = b"".join(data for data, _ in feeds).decode("utf-8", "replace")
    if printed and not printed.endswith("\n"):
        printed += "\n"
    assert text == "".join(f"{line.rstrip(chr(13))}\n" for line in printed.split("\n")[:-1])
