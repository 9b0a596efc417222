from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.matching import Candidate, Cause, Idle, Pair, Standing, Waiting, match, why

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
TAGS = ("usb", "hdmi", "lab-2")


def a_job(
    number: int,
    *tags: str,
    priority: int = 50,
    after: int = 0,
    of: str = "qemu",
    device: str | None = None,
    allowed: frozenset[str] | None = None,
) -> Waiting:
    return Waiting(
        id=number,
        device_type=of,
        tags=frozenset(tags),
        priority=priority,
        submitted=NOON + timedelta(seconds=after),
        device=device,
        allowed=allowed,
    )


def a_device(
    name: str, *tags: str, of: str = "qemu", worker: str | None = "w1", used: int | None = None
) -> Idle:
    last_used = None if used is None else NOON + timedelta(seconds=used)
    return Idle(name=name, device_type=of, tags=frozenset(tags), worker=worker, last_used=last_used)


def matched(jobs: Sequence[Waiting], idle: Sequence[Idle], **room: int | None) -> dict[int, str]:
    return {pair.job: pair.device for pair in match(jobs, idle, room or {"w1": None})}


def fits(job: Waiting, device: Idle) -> bool:
    return (
        job.device_type == device.device_type
        and job.tags <= device.tags
        and job.device in (None, device.name)
        and (job.allowed is None or device.name in job.allowed)
    )


def plainly_matched(jobs: Sequence[Waiting], idle: Sequence[Idle], room: dict[str, int | None]) -> list[Pair]:
    """The rule as one would tell it, with a walk over all devices for every job."""
    left: dict[str | None, int | None] = dict(room.items())
    free, pairs = list(idle), []
    for job in sorted(jobs, key=lambda job: (-job.priority, job.submitted, job.id)):
        able = [
            device
            for device in free
            if fits(job, device) and (left.get(device.worker, 0) != 0 or not job.needs_worker)
        ]
        if not able:
            continue
        best = min(able, key=lambda d: (len(d.tags), d.last_used or datetime.min.replace(tzinfo=UTC), d.name))
        free.remove(best)
        in_room = left.get(best.worker)
        if job.needs_worker and in_room is not None:
            left[best.worker] = in_room - 1
        pairs.append(Pair(job=job.id, device=best.name))
    return pairs


names = [f"d{number}" for number in range(8)]
tag_sets = st.frozensets(st.sampled_from(TAGS), max_size=2)
types = st.sampled_from(["qemu", "bbb"])
jobs_of_a_lab = st.lists(
    st.builds(
        Waiting,
        id=st.integers(1, 1000),
        device_type=types,
        tags=tag_sets,
        priority=st.sampled_from([0, 50, 100]),
        submitted=st.integers(0, 3).map(lambda seconds: NOON + timedelta(seconds=seconds)),
        device=st.none() | st.sampled_from(names),
        allowed=st.none() | st.frozensets(st.sampled_from(names)),
        needs_worker=st.booleans(),
    ),
    max_size=12,
    unique_by=lambda job: job.id,
)
devices_of_a_lab = st.lists(
    st.builds(
        Idle,
        name=st.sampled_from(names),
        device_type=types,
        tags=tag_sets,
        worker=st.sampled_from(["w1", "w2", "w3", None]),
        last_used=st.none() | st.integers(0, 3).map(lambda seconds: NOON + timedelta(seconds=seconds)),
    ),
    max_size=8,
    unique_by=lambda device: device.name,
)
rooms = st.fixed_dictionaries({"w1": st.none() | st.integers(0, 3), "w2": st.none() | st.integers(0, 3)})


def test_a_job_gets_a_device_of_its_type() -> None:
    assert matched([a_job(1)], [a_device("bbb01", of="bbb"), a_device("qemu01")]) == {1: "qemu01"}


def test_nothing_waits_or_nothing_is_idle() -> None:
    assert match([], [a_device("qemu01")], {"w1": None}) == []
    assert match([a_job(1)], [], {"w1": None}) == []


@pytest.mark.parametrize(
    "jobs",
    [
        [a_job(1, priority=50, after=0), a_job(2, priority=100, after=9)],
        [a_job(1, after=5), a_job(2, after=4)],
        [a_job(3), a_job(2)],
    ],
    ids=["priority", "time", "number"],
)
def test_priority_then_time_then_number_decides_who_is_first(jobs: list[Waiting]) -> None:
    assert matched(jobs, [a_device("qemu01")]) == {2: "qemu01"}


def test_a_job_needs_all_of_its_tags_on_one_device() -> None:
    idle = [a_device("qemu01", "usb"), a_device("qemu02", "hdmi"), a_device("qemu03", "usb", "hdmi")]

    assert matched([a_job(1, "usb", "hdmi"), a_job(2, "usb", "lab-2")], idle) == {1: "qemu03"}


def test_special_boards_stay_free_for_who_needs_them() -> None:
    idle = [a_device("qemu01", "usb", "hdmi"), a_device("qemu02", "usb"), a_device("qemu03")]

    pairs = matched([a_job(1), a_job(2, "usb"), a_job(3, "hdmi")], idle)

    assert pairs == {1: "qemu03", 2: "qemu02", 3: "qemu01"}


def test_the_device_that_rested_longest_is_next_and_an_unused_one_before_it() -> None:
    idle = [a_device("qemu01", used=30), a_device("qemu02", used=10), a_device("qemu03")]

    assert matched([a_job(1), a_job(2), a_job(3)], idle) == {1: "qemu03", 2: "qemu02", 3: "qemu01"}


def test_a_job_may_ask_for_one_device_alone() -> None:
    assert matched([a_job(1, device="qemu02")], [a_device("qemu01"), a_device("qemu02")]) == {1: "qemu02"}


def test_a_job_gets_no_device_that_its_submitter_may_not_use() -> None:
    idle = [a_device("qemu01"), a_device("qemu02")]
    jobs = [a_job(1, allowed=frozenset()), a_job(2, allowed=frozenset({"qemu02", "gone"}))]

    assert matched(jobs, idle) == {2: "qemu02"}


def test_a_worker_gets_no_more_jobs_than_it_takes() -> None:
    idle = [a_device("qemu01"), a_device("qemu02"), a_device("qemu03", worker="w2")]

    assert matched([a_job(n) for n in range(4)], idle, w1=1, w2=None) == {0: "qemu01", 1: "qemu03"}


def test_the_room_of_a_worker_is_shared_between_the_types() -> None:
    idle = [a_device("qemu01"), a_device("bbb01", of="bbb")]

    assert matched([a_job(1), a_job(2, of="bbb")], idle, w1=1) == {1: "qemu01"}


def test_a_device_without_a_usable_worker_gets_nothing() -> None:
    idle = [
        a_device("qemu01", worker="gone"),
        a_device("qemu02", worker=None),
        a_device("qemu03", worker="w2"),
    ]

    assert matched([a_job(1)], idle, w1=None, w2=0) == {}


def test_a_job_that_cannot_be_served_holds_up_nobody() -> None:
    assert matched([a_job(1, "lab-2", priority=100), a_job(2)], [a_device("qemu01")]) == {2: "qemu01"}


def test_what_needs_no_worker_gets_a_device_of_a_worker_that_takes_no_more() -> None:
    by_hand = replace(a_job(1), needs_worker=False)

    assert matched([by_hand, a_job(2)], [a_device("qemu01"), a_device("qemu02")], w1=0) == {1: "qemu01"}


def test_what_needs_no_worker_takes_no_room_from_those_that_do() -> None:
    by_hand = replace(a_job(1), needs_worker=False)

    found = matched([by_hand, a_job(2)], [a_device("qemu01"), a_device("qemu02")], w1=1)

    assert found == {1: "qemu01", 2: "qemu02"}


@settings(max_examples=500)
@given(jobs=jobs_of_a_lab, idle=devices_of_a_lab, room=rooms)
def test_the_pairs_are_those_of_the_plain_rule(
    jobs: list[Waiting], idle: list[Idle], room: dict[str, int | None]
) -> None:
    assert match(jobs, idle, room) == plainly_matched(jobs, idle, room)


@given(jobs=jobs_of_a_lab, idle=devices_of_a_lab, room=rooms, random=st.randoms(use_true_random=False))
def test_any_order_of_the_input_gives_the_same_pairs(
    jobs: list[Waiting], idle: list[Idle], room: dict[str, int | None], random: Random
) -> None:
    pairs = match(jobs, idle, room)
    random.shuffle(jobs)
    random.shuffle(idle)

    assert match(jobs, idle, room) == pairs


@given(jobs=jobs_of_a_lab, idle=devices_of_a_lab, room=rooms)
def test_no_job_and_no_device_is_given_twice_and_all_that_is_given_fits(
    jobs: list[Waiting], idle: list[Idle], room: dict[str, int | None]
) -> None:
    pairs = match(jobs, idle, room)

    job_of = {job.id: job for job in jobs}
    device_of = {device.name: device for device in idle}
    assert len({pair.job for pair in pairs}) == len({pair.device for pair in pairs}) == len(pairs)
    assert all(fits(job_of[pair.job], device_of[pair.device]) for pair in pairs)
    for worker, limit in room.items():
        taken = [pair for pair in pairs if device_of[pair.device].worker == worker]
        assert limit is None or len([pair for pair in taken if job_of[pair.job].needs_worker]) <= limit


@given(jobs=jobs_of_a_lab, idle=devices_of_a_lab)
def test_nobody_is_overtaken_by_a_lower_job_on_a_device_that_would_do(
    jobs: list[Waiting], idle: list[Idle]
) -> None:
    idle = [replace(device, worker=device.worker or "w1") for device in idle]
    pairs = match(jobs, idle, {"w1": None, "w2": None, "w3": None})

    served = {pair.job: pair.device for pair in pairs}
    device_of = {device.name: device for device in idle}
    order = sorted(jobs, key=lambda job: (-job.priority, job.submitted, job.id))
    for place, job in enumerate(order):
        if job.id in served:
            continue
        later = [served[other.id] for other in order[place:] if other.id in served]
        assert not [name for name in later if fits(job, device_of[name])]


@given(number=st.integers(1, 8), rounds=st.integers(1, 4), order=st.randoms(use_true_random=False))
def test_devices_that_are_alike_take_turns(number: int, rounds: int, order: Random) -> None:
    idle = [a_device(f"q{place}") for place in range(number)]
    uses: Counter[str] = Counter()
    for turn in range(number * rounds):
        order.shuffle(idle)
        (pair,) = match([a_job(turn)], idle, {"w1": None})
        uses[pair.device] += 1
        idle = [a_device(d.name, used=turn) if d.name == pair.device else d for d in idle]

    assert set(uses.values()) == {rounds}


@given(jobs=jobs_of_a_lab, idle=devices_of_a_lab)
def test_every_job_that_a_device_fits_has_its_turn_however_many_come_later(
    jobs: list[Waiting], idle: list[Idle]
) -> None:
    """In each pass all devices are idle again, and one more job has come for each of them."""
    room = {"w1": None, "w2": None, "w3": None}
    wanted = {job.id for job in jobs if any(fits(job, device) for device in idle if device.worker in room)}
    waiting, number = list(jobs), 2_000
    for _ in range(len(jobs)):
        served = {pair.job for pair in match(waiting, idle, room)}
        wanted -= served
        waiting = [job for job in waiting if job.id not in served]
        for device in idle:
            number += 1
            waiting.append(a_job(number, priority=0, after=number, of=device.device_type, device=device.name))

    assert not wanted


def a_candidate(name: str, *tags: str, standing: Standing = Standing.BUSY, of: str = "qemu") -> Candidate:
    return Candidate(name=name, device_type=of, tags=frozenset(tags), standing=standing)


@pytest.mark.parametrize(
    ("job", "candidates", "cause", "sentence"),
    [
        (a_job(1), [a_candidate("b", of="bbb")], Cause.NO_DEVICE, "There is no device of the type qemu."),
        (
            a_job(1, device="q9"),
            [a_candidate("q1")],
            Cause.NO_DEVICE,
            "There is no device q9 of the type qemu.",
        ),
        (
            a_job(1, "usb", "hdmi"),
            [a_candidate("q1", "usb")],
            Cause.NO_TAG,
            "No device of the type qemu has the tag hdmi.",
        ),
        (
            a_job(1, "usb", "hdmi"),
            [a_candidate("q1")],
            Cause.NO_TAG,
            "No device of the type qemu has the tags hdmi, usb.",
        ),
        (
            a_job(1, "usb", "hdmi"),
            [a_candidate("q1", "usb"), a_candidate("q2", "hdmi")],
            Cause.NO_TAG,
            "No device of the type qemu has all of the tags hdmi, usb.",
        ),
        (
            a_job(1, allowed=frozenset({"q2"})),
            [a_candidate("q1")],
            Cause.NOT_ALLOWED,
            "Its submitter may not use any device that fits.",
        ),
        (
            a_job(1),
            [
                a_candidate("q1"),
                a_candidate("q2"),
                a_candidate("q3", standing=Standing.MAINTENANCE),
                a_candidate("q4", standing=Standing.FULL),
            ],
            Cause.BUSY,
            "It waits for a device that fits: 2 busy, 1 on a worker that takes no more jobs now, 1 in maintenance.",
        ),
        (
            a_job(1),
            [a_candidate("q1", standing=Standing.OFFLINE), a_candidate("q2", standing=Standing.BAD)],
            Cause.UNAVAILABLE,
            "No device that fits is in service: 1 on a worker that is offline, 1 in bad health.",
        ),
        (
            a_job(1),
            [a_candidate("q1"), a_candidate("q2", standing=Standing.IDLE)],
            Cause.NEXT,
            "A device that fits is free: it starts next, after the jobs before it.",
        ),
    ],
)
def test_a_waiting_job_says_why_it_waits(
    job: Waiting, candidates: list[Candidate], cause: Cause, sentence: str
) -> None:
    reason = why(job, candidates)

    assert (reason.cause, reason.sentence) == (cause, sentence)
    assert bool(reason.at_work) == (cause in (Cause.BUSY, Cause.NEXT))
