from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator

import pytest
from django.http import HttpResponseBase
from django.test import RequestFactory
from hypothesis import given
from hypothesis import strategies as st

from core.downloads import NotThere, download, parse_range

TEXT = b"".join(b"line %05d\n" % number for number in range(100_000))


def read(start: int, end: int) -> Iterator[bytes]:
    yield TEXT[start : min(start + 1000, end)]
    yield TEXT[min(start + 1000, end) : end]


def get(**headers: str) -> HttpResponseBase:
    request = RequestFactory().get("/", headers=headers)
    return download(request, read, size=len(TEXT), version="1-1", content_type="text/plain")


def body(answer: HttpResponseBase) -> bytes:
    pieces: Iterable[bytes] = answer  # type: ignore[assignment]
    return b"".join(pieces)


def test_the_whole_has_its_length_and_says_that_parts_may_be_asked_for() -> None:
    answer = get()

    assert answer.status_code == 200
    assert answer["Content-Length"] == str(len(TEXT))
    assert answer["Accept-Ranges"] == "bytes"
    assert body(answer) == TEXT


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-9", 0, 9),
        ("bytes=10-", 10, len(TEXT) - 1),
        ("bytes=-10", len(TEXT) - 10, len(TEXT) - 1),
        ("bytes=5-99999999999", 5, len(TEXT) - 1),
        ("bytes=-99999999999", 0, len(TEXT) - 1),
    ],
)
def test_a_part_comes_with_its_place(asked: str, first: int, last: int) -> None:
    answer = get(Range=asked)

    assert answer.status_code == 206
    assert answer["Content-Range"] == f"bytes {first}-{last}/{len(TEXT)}"
    assert answer["Content-Length"] == str(last + 1 - first)
    assert body(answer) == TEXT[first : last + 1]


@pytest.mark.parametrize("asked", [f"bytes={len(TEXT)}-", "bytes=-0"])
def test_a_part_of_which_there_is_nothing_is_refused_with_the_size(asked: str) -> None:
    answer = get(Range=asked)

    assert answer.status_code == 416
    assert answer["Content-Range"] == f"bytes */{len(TEXT)}"


@pytest.mark.parametrize("asked", ["bytes=1-2,5-6", "lines=1-2", "bytes=-", "bytes=9-3", "bytes=x-", ""])
def test_what_is_no_single_part_is_answered_with_the_whole(asked: str) -> None:
    answer = get(Range=asked)

    assert answer.status_code == 200


@pytest.mark.parametrize("accepted", ["gzip", "br, GZIP;q=0.5", "deflate,gzip"])
def test_it_is_packed_for_whoever_takes_it_so(accepted: str) -> None:
    answer = get(**{"Accept-Encoding": accepted})

    packed = body(answer)
    assert answer["Content-Encoding"] == "gzip"
    assert "Content-Length" not in answer
    assert gzip.decompress(packed) == TEXT
    assert len(packed) < len(TEXT) / 2


@pytest.mark.parametrize("accepted", ["", "br", "gzip;q=0", "gzip; q=0.00", "identity"])
def test_it_is_not_packed_for_others(accepted: str) -> None:
    answer = get(**{"Accept-Encoding": accepted})

    assert "Content-Encoding" not in answer


def test_a_part_is_never_packed() -> None:
    answer = get(Range="bytes=0-9", **{"Accept-Encoding": "gzip"})

    assert body(answer) == TEXT[:10]


def test_the_two_forms_have_tags_of_their_own_and_caches_are_told_why() -> None:
    plain, packed = get(), get(**{"Accept-Encoding": "gzip"})

    assert (plain["ETag"], packed["ETag"]) == ('"1-1"', '"1-1-gzip"')
    assert plain["Vary"] == packed["Vary"] == "Accept-Encoding"


def test_whoever_has_it_already_is_told_so() -> None:
    assert get(**{"If-None-Match": '"1-1"'}).status_code == 304


@pytest.mark.parametrize(("tag", "status"), [('"1-1"', 206), ('"of another version"', 200)])
def test_a_part_of_another_version_is_not_mixed_with_this_one(tag: str, status: int) -> None:
    answer = get(Range="bytes=0-9", **{"If-Range": tag})

    assert answer.status_code == status


@given(text=st.from_regex(r"bytes=[0-9]{0,3}-[0-9]{0,3}", fullmatch=True), size=st.integers(1, 500))
def test_what_is_asked_for_is_always_in_the_file(text: str, size: int) -> None:
    try:
        part = parse_range(text, size)
    except NotThere:
        return
    assert part is None or 0 <= part[0] <= part[1] < size


@given(text=st.text(max_size=40))
def test_no_text_is_too_strange_for_a_range(text: str) -> None:
    assert parse_range(text, 100) is None or text.startswith("bytes")
