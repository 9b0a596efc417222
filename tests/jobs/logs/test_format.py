from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.logs import UnknownFormat, format


def test_a_header_is_known_again() -> None:
    assert len(format.header()) == format.SLOT
    format.check_header(format.header())


def test_another_file_is_refused() -> None:
    with pytest.raises(UnknownFormat, match="no index of a job's log"):
        format.check_header(b"\x7fELF" + bytes(12))


def test_a_later_version_is_refused_by_its_number() -> None:
    later = format.header()[:8] + b"\x07\0" + format.header()[10:]

    with pytest.raises(UnknownFormat, match=r"version 7.*version 1"):
        format.check_header(later)


@settings(deadline=None)
@given(
    end=st.integers(0, format.LARGEST_END),
    level=st.sampled_from(sorted(format.LEVEL_NAMES)),
    flags=st.sampled_from(
        [0, format.STRUCTURED, format.PARTIAL, format.HOLE, format.PARTIAL | format.BREAKS]
    ),
    namespace=st.integers(0, format.OTHER_NAMESPACE),
    value=st.integers(-(1 << 63), (1 << 63) - 1),
)
def test_an_entry_comes_back_from_its_slot(
    end: int, level: int, flags: int, namespace: int, value: int
) -> None:
    word = format.entry_word(end, level | flags, namespace)

    packed = format.pack([word, value])

    assert len(packed) == format.SLOT
    assert format.unpack(packed) == [(word, value)]
    assert format.is_entry(word)
    assert (format.low_48(word), format.kind_of(word), format.namespace_of(word)) == (
        end,
        level | flags,
        namespace,
    )


def test_a_checkpoint_and_a_slot_of_zeros_are_no_entries() -> None:
    assert not format.is_entry(format.checkpoint_word(5))
    assert not format.is_entry(0)


def test_the_layout_on_disk_is_the_documented_one() -> None:
    word = format.entry_word(0x010203040506, 0x27, 0x7F)

    assert format.pack([word, -1]).hex() == "060504030201277f" + "ff" * 8
