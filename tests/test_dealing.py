"""Every worker begins with long tests, and none of these is left for the end."""

from __future__ import annotations

from tests.dealing import deal

LONG = ["browser-1", "browser-2", "lab-1", "lab-2", "chaos-1"]
SHORT = [f"short-{number}" for number in range(16)]
SECONDS = {"browser": 30, "lab": 25, "chaos": 40, "short": 0}


def kind(item: str) -> str:
    return item.partition("-")[0]


def dealt(workers: int) -> list[str]:
    return deal(
        [*SHORT[:4], *LONG, *SHORT[4:]], workers, seconds=lambda item: SECONDS[kind(item)], company=kind
    )


def test_each_worker_begins_with_long_tests_and_those_of_a_kind_stay_together() -> None:
    items = dealt(3)

    shares = [items[:7], items[7:14], items[14:]]
    heads = [[item for item in share if item in LONG] for share in shares]
    assert heads == [["browser-1", "browser-2"], ["lab-1", "lab-2"], ["chaos-1"]]
    assert all(share[: len(head)] == head for share, head in zip(shares, heads, strict=True))


def test_nothing_is_left_out_or_dealt_twice() -> None:
    assert sorted(dealt(3)) == sorted(LONG + SHORT)
    assert sorted(dealt(4)) == sorted(LONG + SHORT)


def test_one_worker_has_the_long_ones_first_and_the_others_in_their_order() -> None:
    assert dealt(1) == [*("browser-1", "browser-2", "lab-1", "lab-2", "chaos-1"), *SHORT]


def test_more_long_tests_than_a_share_are_dealt_all_the_same() -> None:
    assert sorted(deal(LONG, 3, seconds=lambda item: 1, company=lambda item: "")) == sorted(LONG)
