"""Groups among the jobs that wait: a device for each member, or none at all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.matching import AtWork, Group, Idle, Pair, Waiting, match, most_at_once
from tests.jobs.test_matching import (
    a_device,
    a_job,
    devices_of_a_lab,
    fits,
    jobs_of_a_lab,
    names,
    plainly_matched,
    rooms,
)

ROOM = {"w1": None, "w2": None, "w3": None}


def a_group(number: int, *members: Waiting, is_impatient: bool = False) -> list[Waiting]:
    """Its number is that of its first member; they have the priority and the time of the first."""
    group = Group(id=number, size=len(members), is_impatient=is_impatient)
    first = members[0]
    return [
        replace(job, id=number + place, group=group, priority=first.priority, submitted=first.submitted)
        for place, job in enumerate(members)
    ]


def two_qemus(
    number: int, *, after: int = 0, priority: int = 50, is_impatient: bool = False
) -> list[Waiting]:
    job = a_job(0, after=after, priority=priority)
    return a_group(number, job, job, is_impatient=is_impatient)


def given_to(
    jobs: Sequence[Waiting], idle: Sequence[Idle], *, busy: Sequence[Idle] = (), **room: int | None
) -> dict[int, str]:
    limits = room or {"w1": None}
    found = match(jobs, idle, limits, AtWork(devices=[*idle, *busy], limits=limits))
    return {pair.job: pair.device for pair in found}


def test_all_members_get_a_device() -> None:
    assert given_to(two_qemus(1), [a_device("a"), a_device("b")]) == {1: "a", 2: "b"}


def test_no_member_gets_one_if_there_is_none_for_another() -> None:
    assert given_to(two_qemus(1), [a_device("a")]) == {}


def test_a_group_may_want_devices_of_several_types() -> None:
    group = a_group(1, a_job(0), a_job(0, of="bbb"))

    assert given_to(group, [a_device("a"), a_device("b", of="bbb")]) == {1: "a", 2: "b"}


def test_a_type_that_has_no_idle_device_keeps_the_whole_group_waiting() -> None:
    assert given_to(a_group(1, a_job(0), a_job(0, of="bbb")), [a_device("a")]) == {}


def test_a_member_leaves_the_special_board_to_the_one_that_needs_it() -> None:
    group = a_group(1, a_job(0), a_job(0, "usb"))

    assert given_to(group, [a_device("a", "usb"), a_device("b", "usb", "hdmi")]) in (
        {1: "b", 2: "a"},
        {1: "a", 2: "b"},
    )
    assert given_to(group, [a_device("a", "usb"), a_device("b")]) == {1: "b", 2: "a"}


def test_a_group_has_its_place_in_the_queue() -> None:
    idle = [a_device("a"), a_device("b")]

    before = given_to([a_job(9, after=0), *two_qemus(1, after=1)], idle)
    after = given_to([a_job(9, after=2), *two_qemus(1, after=1)], idle)
    urgent = given_to([a_job(9, after=0), *two_qemus(1, after=1, priority=90)], idle)

    assert set(before) == {9}
    assert set(after) == set(urgent) == {1, 2}


def test_the_room_of_a_worker_is_for_all_members_or_for_none() -> None:
    assert given_to(two_qemus(1), [a_device("a"), a_device("b")], w1=1) == {}
    assert given_to(two_qemus(1), [a_device("a"), a_device("b", worker="w2")], w1=1, w2=1) == {1: "a", 2: "b"}


def test_what_a_group_cannot_use_yet_goes_to_those_after_it() -> None:
    assert given_to([*two_qemus(1), a_job(9, after=1)], [a_device("a")], busy=[a_device("b")]) == {9: "a"}


def test_an_impatient_group_keeps_what_it_could_use() -> None:
    waiting = [*two_qemus(1, is_impatient=True), a_job(9, after=1)]

    assert given_to(waiting, [a_device("a")], busy=[a_device("b")]) == {}


def test_an_impatient_group_keeps_a_place_on_a_worker_too() -> None:
    waiting = [*two_qemus(1, is_impatient=True), a_job(9, after=1, of="bbb")]
    idle = [a_device("a"), a_device("c", of="bbb")]

    found = match(waiting, idle, {"w1": 1}, AtWork(devices=[*idle, a_device("b")], limits={"w1": 2}))

    assert found == []


def test_an_impatient_group_does_not_hinder_those_before_it() -> None:
    waiting = [a_job(9, priority=90), *two_qemus(1, is_impatient=True)]

    assert given_to(waiting, [a_device("a")], busy=[a_device("b")]) == {9: "a"}


@pytest.mark.parametrize(
    "members",
    [
        (a_job(0), a_job(0), a_job(0)),  # the lab has two
        (a_job(0), a_job(0, "usb")),  # and none with this tag
        (a_job(0), a_job(0, of="bbb")),
    ],
)
def test_a_group_that_the_lab_cannot_serve_keeps_nothing(members: tuple[Waiting, ...]) -> None:
    waiting = [*a_group(1, *members, is_impatient=True), a_job(9, after=1)]

    assert given_to(waiting, [a_device("a")], busy=[a_device("b")]) == {9: "a"}


def test_a_group_that_is_too_large_for_its_worker_keeps_nothing() -> None:
    waiting = [*two_qemus(1, is_impatient=True), a_job(9, after=1)]

    assert given_to(waiting, [a_device("a"), a_device("b")], w1=1) == {9: "a"}


def test_the_more_urgent_of_two_impatient_groups_is_served_first() -> None:
    first, second = two_qemus(1, is_impatient=True), two_qemus(5, after=1, is_impatient=True)

    assert given_to([*second, *first], [a_device("a")], busy=[a_device("b")]) == {}
    assert given_to([*second, *first], [a_device("a"), a_device("b")]) == {1: "a", 2: "b"}


def test_a_group_of_which_not_all_wait_gets_nothing() -> None:
    first, _ = two_qemus(1, is_impatient=True)

    assert given_to([first, a_job(9, after=1)], [a_device("a"), a_device("b")]) == {9: "a"}


def test_how_many_of_a_group_a_lab_could_serve_at_once() -> None:
    group = a_group(1, a_job(0), a_job(0), a_job(0, of="bbb"))

    assert most_at_once(group, AtWork(devices=[a_device("a"), a_device("b")], limits={"w1": None})) == 2
    assert most_at_once(group, AtWork(devices=[a_device("a"), a_device("b")], limits={"w1": 1})) == 1


# Whatever waits, and whatever is idle


@st.composite
def queues(draw: st.DrawFn, jobs_in_it: st.SearchStrategy[list[Waiting]] = jobs_of_a_lab) -> list[Waiting]:
    """Jobs, of which some belong to groups."""
    jobs = [replace(job, id=100 * place) for place, job in enumerate(draw(jobs_in_it))]
    sizes = draw(st.lists(st.integers(1, 4), max_size=4))
    queue: list[Waiting] = []
    for size in sizes:
        members, jobs = jobs[:size], jobs[size:]
        if members:
            needing = [replace(job, needs_worker=True) for job in members]
            queue += a_group(members[0].id + 1, *needing, is_impatient=draw(st.booleans()))
    return queue + jobs


# Few devices, and jobs that have the choice between two of them: often there is one way to serve a group, or none.
few = names[:5]
choosy_jobs = st.lists(
    st.builds(
        a_job,
        st.just(0),
        priority=st.sampled_from([50, 50, 50, 90]),
        after=st.integers(0, 3),
        allowed=st.frozensets(st.sampled_from(few), min_size=1, max_size=2),
    ),
    max_size=8,
)
few_devices = st.lists(st.sampled_from(["w1", "w2", "w3"]), min_size=len(few), max_size=len(few)).map(
    lambda workers: [a_device(name, worker=worker) for name, worker in zip(few, workers, strict=True)]
)
limits_of_workers = st.fixed_dictionaries(
    {"w1": st.none() | st.integers(1, 3), "w2": st.integers(1, 2), "w3": st.none()}
)
labs = st.one_of(
    st.tuples(queues(), devices_of_a_lab, rooms),
    st.tuples(queues(choosy_jobs), few_devices, limits_of_workers),
)


def by_group(pairs: Iterable[Pair]) -> dict[object, list[Pair]]:
    found = defaultdict(list)
    for pair in pairs:
        if pair.group is not None:
            found[pair.group].append(pair)
    return found


@settings(max_examples=300)
@given(queue=queues(), idle=devices_of_a_lab, busy=st.integers(0, 4), room=rooms)
def test_groups_are_served_whole_and_nothing_is_given_twice(
    queue: list[Waiting], idle: list[Idle], busy: int, room: dict[str | None, int | None]
) -> None:
    pairs = match(queue, idle[busy:], room, AtWork(devices=idle, limits=ROOM))

    jobs = {job.id: job for job in queue}
    devices = {device.name: device for device in idle[busy:]}
    assert len({pair.job for pair in pairs}) == len({pair.device for pair in pairs}) == len(pairs)
    assert all(fits(jobs[pair.job], devices[pair.device]) for pair in pairs)
    for members in by_group(pairs).values():
        group = jobs[members[0].job].group
        assert group is not None
        assert len(members) == group.size
    for worker, limit in room.items():
        at_work = [p for p in pairs if devices[p.device].worker == worker and jobs[p.job].needs_worker]
        assert limit is None or len(at_work) <= limit


@given(jobs=jobs_of_a_lab, idle=devices_of_a_lab, room=rooms)
def test_a_job_that_is_a_group_of_its_own_is_served_as_any_job(
    jobs: list[Waiting], idle: list[Idle], room: dict[str | None, int | None]
) -> None:
    alone = [replace(job, needs_worker=True) for job in jobs]
    grouped = [replace(job, group=Group(id=job.id, size=1)) for job in alone]

    found = {pair.job: pair.device for pair in match(grouped, idle, room)}

    assert found == {pair.job: pair.device for pair in plainly_matched(alone, idle, room)}  # type: ignore[arg-type]


@settings(max_examples=300, deadline=None)
@given(lab=labs)
def test_each_is_served_if_those_before_it_left_a_way_to_do_it(
    lab: tuple[list[Waiting], list[Idle], dict[str | None, int | None]],
) -> None:
    queue, idle, room = lab
    patient = [replace(job, group=job.group and replace(job.group, is_impatient=False)) for job in queue]
    given_ = {pair.job: pair.device for pair in match(patient, idle, room)}

    free, left = {device.name: device for device in idle}, dict(room)
    for mates in in_turn(patient):
        taken = [given_[job.id] for job in mates if job.id in given_]
        assert (len(taken) == len(mates)) == can_be_served(mates, list(free.values()), left)
        for job, name in zip(mates, taken, strict=False):
            take(job, free.pop(name), left)


def in_turn(queue: Sequence[Waiting]) -> list[list[Waiting]]:
    """What is served together, in the order of the queue."""
    together = defaultdict(list)
    for job in sorted(queue, key=lambda job: (-job.priority, job.submitted, job.id)):
        together[("group", job.group.id) if job.group else ("job", job.id)].append(job)
    return list(together.values())


def can_be_served(
    mates: Sequence[Waiting], free: Sequence[Idle], left: Mapping[str | None, int | None]
) -> bool:
    """By trying everything."""
    return any(is_a_way(mates, devices, left) for devices in permutations(free, len(mates)))


def is_a_way(
    mates: Sequence[Waiting], devices: Sequence[Idle], left: Mapping[str | None, int | None]
) -> bool:
    room = dict(left)
    for job, device in zip(mates, devices, strict=True):
        if not fits(job, device) or (job.needs_worker and room.get(device.worker, 0) == 0):
            return False
        take(job, device, room)
    return True


def take(job: Waiting, device: Idle, left: dict[str | None, int | None]) -> None:
    if job.needs_worker and (room := left.get(device.worker)) is not None:
        left[device.worker] = room - 1


@settings(max_examples=300, deadline=None)
@given(lab=labs, length=st.integers(1, 3))
def test_everything_that_the_lab_can_serve_is_served_at_last(
    lab: tuple[list[Waiting], list[Idle], dict[str | None, int | None]], length: int
) -> None:
    """Other jobs have all devices at first, these come free one by one, and for each a later job is there at once."""
    queue, devices, limits = lab
    impatient = [replace(job, group=job.group and replace(job.group, is_impatient=True)) for job in queue]
    wanted = {
        job.id for mates in in_turn(impatient) for job in mates if can_be_served(mates, devices, limits)
    }
    at_work = AtWork(devices=devices, limits=limits)
    waiting = [a_late_job(0, device) for device in devices]
    free = {device.name: device for device in devices}
    running: list[tuple[int, Waiting, Idle]] = []  # with when it ends
    for now in range(1, 3 * (length + len(devices)) * (len(queue) + 2)):
        if running and running[0][0] <= now:
            _, _, device = running.pop(0)
            free[device.name] = device
            waiting.append(a_late_job(now, device))
        room = dict(limits)
        for _, job, device in running:
            take(job, device, room)
        jobs = {job.id: job for job in waiting}
        for pair in match(waiting, list(free.values()), room, at_work):
            running.append((now + length, jobs.pop(pair.job), free.pop(pair.device)))
            wanted.discard(pair.job)
        waiting = [*jobs.values(), *(impatient if now == 1 else [])]

    assert not wanted


def a_late_job(now: int, device: Idle) -> Waiting:
    number = 10_000 + 10 * now + int(device.name[1:])
    return a_job(number, priority=0, after=number, of=device.device_type, device=device.name)
