"""No secret of a job can be read in its log, however its lines are cut into pieces and posts."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs import logs
from jobs.logs import Masker, Record
from jobs.logs.masking import SHORTEST
from jobs.logs.open_line import ENDS_NAME
from tests.jobs.logs.support import record

KEY = "-----BEGIN KEY-----\nMIIEowIBAAKCAQEA\nabc\n-----END KEY-----\n"


def pieces_of(text: str, *cuts: int) -> list[Record]:
    """One line in pieces."""
    edges = [0, *cuts, len(text)]
    pieces = [record(text[start:end], partial=True) for start, end in pairwise(edges)]
    return [*pieces[:-1], replace(pieces[-1], partial=False)]


def write(log: Path, masker: Masker, posts: Iterable[Sequence[Record]]) -> str:
    for post in posts:
        logs.append(log, logs.next_index(log), post, masker=masker)
    return (log / "output.log").read_text()


def masked(*records: Record, secrets: Sequence[str] = ("hunter2x",)) -> str:
    """The text when each record is a post of its own."""
    with TemporaryDirectory() as name:
        return write(Path(name), Masker(secrets), [[each] for each in records])


def test_a_secret_in_the_middle_of_a_line_is_masked() -> None:
    assert masked(record("login ci:hunter2x@lab")) == "login ci:[masked]@lab\n"


def test_each_line_of_a_secret_is_masked_wherever_it_comes() -> None:
    lines = [*KEY.splitlines(), "cat: MIIEowIBAAKCAQEA"]

    assert masked(*map(record, lines), secrets=[KEY]) == "[masked]\n[masked]\nabc\n[masked]\ncat: [masked]\n"
    assert masked(record("\n".join(lines)), secrets=[KEY]) == masked(*map(record, lines), secrets=[KEY])


def test_the_line_ends_of_a_terminal_do_not_hide_a_secret() -> None:
    assert masked(record(KEY.replace("\n", "\r\n")), secrets=[KEY]).count("[masked]") == 3


@pytest.mark.parametrize("secret", ["a", "ab", "abc", "", " \n "])
def test_what_is_shorter_than_four_characters_is_no_secret(secret: str) -> None:
    assert masked(record("a ab abc  "), secrets=[secret]) == "a ab abc  \n"


def test_secrets_that_overlap_leave_nothing_of_each_other() -> None:
    assert masked(record("xabcdefghy"), secrets=["abcde", "defgh"]) == "x[masked]y\n"
    assert masked(record("xabcdefghy"), secrets=["abcd", "abcdefg"]) == "x[masked]hy\n"


def test_in_a_structured_message_keys_values_and_numbers_are_masked_and_it_stays_json() -> None:
    message = {"case": 'say "hi" now', "n": 123456, "list": [{"key-1234": None}], "ok": True}

    text = masked(record(message, "results"), secrets=['say "hi"', "1234"])

    assert text == '{"case":"[masked] now","n":"[masked]","list":[{"key-[masked]":null}],"ok":true}\n'


def test_a_prompt_is_shown_at_once_and_as_it_is() -> None:
    assert masked(record("password: ", partial=True)) == "password: "
    assert masked(record("with hun", partial=True)) == "with hun"


def test_a_secret_that_comes_in_pieces_is_masked_from_its_fourth_character_on() -> None:
    assert masked(*pieces_of("is hunter2x!", 6)) == "is hun[masked]!\n"
    assert masked(*pieces_of("is hunter2x!", *range(1, 12))) == "is hun[masked]!\n"
    assert masked(*pieces_of("is hunter2x!", 8)) == "is [masked]!\n"


def test_an_end_that_only_looked_like_a_secret_costs_itself_alone() -> None:
    assert masked(*pieces_of("hunting", 3)) == "hunting\n"
    assert masked(*pieces_of("a hunter in the woods", 8)) == "a [masked] in the woods\n"
    assert masked(record("a hunter"), record("2x in the woods")) == "a hunter\n2x in the woods\n"


def test_what_was_half_a_secret_begins_another() -> None:
    assert masked(*pieces_of("huhuhunter2x!", 3, 5, 9)) == "huhuh[masked]!\n"


def test_another_s_line_ends_the_open_one() -> None:
    records = [record("hun", partial=True), record("hi", "debug"), record("ter2x")]

    assert masked(*records) == "hun\nhi\nter2x\n"


# Sent again


@pytest.mark.parametrize("stored", range(5))
def test_records_that_are_sent_again_give_the_same_text_whatever_was_stored(
    stored: int, tmp_path: Path
) -> None:
    masker = Masker(["hunter2x"])
    first, *rest = pieces_of("is hunter2x, hunter2x", 5, 8, 15, 18)
    expected = write(tmp_path / "once", masker, [[first], rest])
    log = tmp_path / "again"
    write(log, masker, [[first]])
    logs.append(log, 1, rest, masker=masker)
    cut_after(log, 1 + stored)

    logs.append(log, 1, rest[:1], masker=masker)
    logs.append(log, 0, [first, *rest], masker=masker)

    assert (log / "output.log").read_text() == expected


def cut_after(log: Path, records: int) -> None:
    """As a crash leaves it that came when only these had reached the index."""
    with (log / "output.idx").open("r+b") as index:
        index.truncate(16 * (1 + records))


def test_the_repeated_records_are_given_back_without_secrets(tmp_path: Path) -> None:
    masker = Masker(["hunter2x"])
    batch = [record("a hunter2x"), record({"case": "hunter2x"}, "results")]

    for _ in range(2):
        appended = logs.append(tmp_path, 0, batch, masker=masker)
        assert [each.message for each in appended.records] == ["a [masked]", {"case": "[masked]"}]


def test_no_file_of_a_log_has_a_part_of_a_secret_that_was_masked(tmp_path: Path) -> None:
    write(tmp_path, Masker(["hunter2x"]), [pieces_of("is hunter2x", 9)[:1]])

    assert (tmp_path / ENDS_NAME).exists()
    assert all(b"hunt" not in file.read_bytes() for file in tmp_path.iterdir())


@pytest.mark.parametrize("content", [b"", b"[]", b'{"1": [0]}', b'{"1": [9, 3, false]}', b"\xff"])
def test_a_broken_file_of_ends_keeps_no_record_out_of_the_log(content: bytes, tmp_path: Path) -> None:
    masker = Masker(["hunter2x"])
    write(tmp_path, masker, [[record("hun", partial=True)]])
    (tmp_path / ENDS_NAME).write_bytes(content)

    assert write(tmp_path, masker, [[record("ter2x")]]) == "hunter2x\n"


# Whatever the splits are


def test_a_thousand_random_splits_of_an_output_tell_no_secret() -> None:
    secrets = ["hunter2x", "huntress", "ter2ter2", KEY]
    text = "hunter2xhuntresster2ter2hunter2 hunhunter2xter2ter2ter2\n" + KEY
    lines = [line for secret in secrets for line in secret.splitlines() if len(line) >= SHORTEST]
    chance = random.Random(36)
    for _ in range(1000):
        cuts = chance.sample(range(1, len(text)), chance.randint(1, 30))

        written = in_pieces(Masker(secrets), text, sorted(cuts))

        assert [line for line in lines if line in written] == [], cuts


def in_pieces(masker: Masker, text: str, cuts: Sequence[int]) -> str:
    written, end = "", None
    for start, stop in pairwise([0, *cuts, len(text)]):
        piece, end = masker.piece(text[start:stop], end, is_open=True)
        written += piece
    return written


SECRETS = st.lists(st.text("ab-x", min_size=SHORTEST, max_size=9), min_size=1, max_size=4)


@st.composite
def outputs(draw: st.DrawFn) -> tuple[list[str], str, list[int], list[int]]:
    """Secrets, an output that has some of them among much that looks like them, its cuts, and the posts' cuts."""
    secrets = draw(SECRETS)
    noise = st.text("ab-x\n", max_size=5)
    text = draw(noise) + "".join(
        draw(st.sampled_from(secrets)) + draw(noise) for _ in range(draw(st.integers(0, 4)))
    )
    cuts = draw(st.lists(st.integers(0, len(text)), max_size=len(text)))
    posts = draw(st.lists(st.integers(0, len(cuts) + 1), max_size=6))
    return secrets, text, sorted(cuts), sorted(posts)


@settings(max_examples=150, deadline=None)
@given(outputs())
def test_no_secret_can_be_read_whatever_the_splits_are_and_only_secrets_are_masked(output: Any) -> None:
    secrets, text, cuts, posts = output
    records = pieces_of(text, *cuts)
    edges = [0, *posts, len(records)]
    with TemporaryDirectory() as name:
        written = write(Path(name), Masker(secrets), [records[a:b] for a, b in pairwise(edges) if a < b])

    assert [secret for secret in secrets if secret in written] == []
    if not any(secret[:SHORTEST] in text for secret in secrets):
        assert written == f"{text}\n"
    assert written.count("\n") == text.count("\n") + 1


@settings(max_examples=50, deadline=None)
@given(outputs())
def test_a_record_is_written_at_once_but_for_what_looks_like_a_secret(output: Any) -> None:
    """Nothing waits: with no secret in sight, all that was sent is there after each post."""
    secrets, text, cuts, _ = output
    innocent = text.translate({ord(letter): ord(letter) + 300 for letter in "abx-"})
    sent = ""
    with TemporaryDirectory() as name:
        for piece in pieces_of(innocent, *cuts)[:-1]:
            sent += piece.message
            assert write(Path(name), Masker(secrets), [[piece]]) == sent
