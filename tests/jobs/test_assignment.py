"""A device for each of several jobs: if there is a way to serve them all, it is found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.assignment import assign

ANY = {"w1": None, "w2": None}
ON_ONE = {"a": "w1", "b": "w1", "c": "w1", "d": "w1"}
DEVICES = "abcdef"


def served(given: Sequence[str | None]) -> int:
    return sum(device is not None for device in given)


def most_that_can_be_served(
    wanted: Sequence[Sequence[str]], worker_of: Mapping[str, str], room: Mapping[str, int | None]
) -> int:
    """By trying everything."""
    ways = product(*([*devices, None] for devices in wanted))
    return max(served(way) for way in ways if is_allowed(way, worker_of, room))


def is_allowed(
    way: Sequence[str | None], worker_of: Mapping[str, str], room: Mapping[str, int | None]
) -> bool:
    devices = [device for device in way if device is not None]
    busy = Counter(worker_of[device] for device in devices)
    limits = {worker: room.get(worker, 0) for worker in busy}
    fits = all(limit is None or busy[worker] <= limit for worker, limit in limits.items())
    return fits and len(set(devices)) == len(devices)


def test_each_job_gets_the_device_that_it_wants_most() -> None:
    assert assign([["b", "a"], ["a", "b"]], ON_ONE, ANY) == ["b", "a"]


def test_who_came_first_moves_for_one_who_has_no_choice() -> None:
    assert assign([["a", "b"], ["a"]], ON_ONE, ANY) == ["b", "a"]


def test_a_whole_chain_moves() -> None:
    assert assign([["a", "b"], ["b", "c"], ["c", "d"], ["a"]], ON_ONE, ANY) == ["b", "c", "d", "a"]


def test_who_could_go_to_another_worker_leaves_the_last_place_to_one_who_cannot() -> None:
    workers = {"a": "w1", "b": "w2", "c": "w1"}

    assert assign([["a", "b"], ["c"]], workers, {"w1": 1, "w2": 1}) == ["b", "c"]


@pytest.mark.parametrize("room", [{}, {"w1": 0}])
def test_a_worker_that_is_full_or_away_has_no_place(room: dict[str | None, int | None]) -> None:
    assert assign([["a"]], ON_ONE, room) == [None]


def test_who_cannot_be_served_does_not_keep_the_others_from_it() -> None:
    assert served(assign([["a"], ["a"], ["b"]], ON_ONE, ANY)) == 2


@settings(max_examples=500)
@given(
    wanted=st.lists(st.lists(st.sampled_from(DEVICES), unique=True, max_size=4), max_size=5),
    workers=st.lists(st.sampled_from(["w1", "w2", "w3"]), min_size=len(DEVICES), max_size=len(DEVICES)),
    room=st.fixed_dictionaries({"w1": st.none() | st.integers(0, 3), "w2": st.integers(0, 2)}),
)
def test_nobody_can_serve_more(
    wanted: list[list[str]], workers: list[str], room: dict[str | None, int | None]
) -> None:
    worker_of = dict(zip(DEVICES, workers, strict=True))

    given_ = assign(wanted, worker_of, room)

    assert is_allowed(given_, worker_of, room)  # type: ignore[arg-type]
    assert all(device is None or device in wishes for device, wishes in zip(given_, wanted, strict=True))
    assert served(given_) == most_that_can_be_served(wanted, worker_of, room)  # type: ignore[arg-type]
