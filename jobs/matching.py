"""Which waiting job gets which idle device, and why the others wait. Pure: values in, values out.

The most urgent job chooses first. It takes the fitting device with the fewest tags, so that special boards
stay free for the jobs that need them, and of those the one that has rested longest.

A group is one job with several places: when its turn comes, it takes a device for each of its members or none. One
that has waited for long claims as many of the idle devices as it could use together, so that those after it do not take
them one by one for ever; if the lab could serve the whole group at all. Which ones it claims makes no difference. They
stay idle and are weighed again in each pass, with all that is idle then, so their number can only grow: what would help
the group on is claimed as it comes free. If only the last place on its worker is missing, claimed for another device
there, then no job can take it either, and it is there when that place is free for it. Those before a group are not
hindered by its claims, so no two wait for each other.

The idle devices of one type stand in that order, whoever asks, and each is one bit of an integer, the first
device the lowest. What has a tag, what is free, what hangs on a full worker: each is such an integer, so a job
finds its device by a few operations on them and not by a walk over the devices.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from jobs.assignment import assign

Room = dict[str | None, int | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Jobs that begin together. One value for all of them."""

    id: Hashable
    size: int
    is_impatient: bool = False  # it has waited for long


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A job in the queue."""

    id: int
    device_type: str
    tags: frozenset[str] = frozenset()
    priority: int
    submitted: datetime
    device: str | None = None  # the only one that will do
    allowed: frozenset[str] | None = (
        None  # the devices its submitter may use; None: all. One set for many jobs
    )
    needs_worker: bool = True  # a reservation needs none
    group: Group | None = None  # its members need workers, and have all the same priority and time


@dataclass(frozen=True, slots=True, kw_only=True)
class Idle:
    """A device that could begin a job now, or be held by a person."""

    name: str
    device_type: str
    tags: frozenset[str] = frozenset()
    worker: str | None
    last_used: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    job: int
    device: str
    group: Hashable = None  # those of one group follow each other, and only all of them are to be had


@dataclass(frozen=True, slots=True, kw_only=True)
class AtWork:
    """All that could serve a group some day: the devices that are idle or come free by themselves."""

    devices: Sequence[Idle]
    limits: Mapping[str | None, int | None]  # how many jobs their workers take in all; None: any number


NOTHING = AtWork(devices=(), limits={})


def match(
    waiting: Iterable[Waiting],
    idle: Iterable[Idle],
    room: Mapping[str | None, int | None],
    at_work: AtWork = NOTHING,
) -> list[Pair]:
    """Pairs in the order in which the jobs chose.

    `room` says how many more jobs each usable worker takes (None: any number; never below 0); a device whose
    worker is not in it gets none that needs a worker. The order of `waiting` and `idle` makes no difference.
    `at_work` is asked only for groups that are impatient.
    """
    lab = _Lab(idle, room)
    whole = _Lab(at_work.devices, at_work.limits)
    jobs = [job for job in waiting if job.group or job.device_type in lab.shelves]
    members = _members(jobs)
    pairs: list[Pair] = []
    for job in sorted(jobs, key=_urgency):
        if job.group is None:
            pairs += lab.serve(job)
        elif mates := members.pop(job.group.id, None):  # at the turn of the first
            pairs += _serve_group(mates, job.group, lab, whole)
    return pairs


def _members(jobs: Iterable[Waiting]) -> dict[Hashable, list[Waiting]]:
    members: defaultdict[Hashable, list[Waiting]] = defaultdict(list)
    for job in jobs:
        if job.group is not None:
            members[job.group.id].append(job)
    return {group: sorted(mates, key=_urgency) for group, mates in members.items()}


def _serve_group(mates: Sequence[Waiting], group: Group, lab: _Lab, whole: _Lab) -> list[Pair]:
    if len(mates) != group.size:
        return []  # somebody changed one of them by hand: until all wait, none gets a device
    found = lab.devices_for(mates)
    given = [device for device in found if device is not None]
    is_whole = len(given) == group.size
    if is_whole or (given and group.is_impatient and whole.could_serve(mates)):
        lab.take(given)
    if not is_whole:
        return []
    return [
        Pair(job=job.id, device=device.name, group=group.id) for job, device in zip(mates, given, strict=True)
    ]


def most_at_once(mates: Sequence[Waiting], lab: AtWork) -> int:
    """How many of them could have a device at the same time."""
    given = _Lab(lab.devices, lab.limits).devices_for(mates)
    return len(given) - given.count(None)


def _urgency(job: Waiting) -> tuple[int, datetime, int]:
    return -job.priority, job.submitted, job.id


def _preference(device: Idle) -> tuple[int, float, str]:
    rested_since = device.last_used.timestamp() if device.last_used else float("-inf")
    return len(device.tags), rested_since, device.name


class _Lab:
    """Devices, and how many more jobs their workers take."""

    def __init__(self, devices: Iterable[Idle], room: Mapping[str | None, int | None]) -> None:
        by_type: defaultdict[str, list[Idle]] = defaultdict(list)
        self._devices = {device.name: device for device in devices}
        for device in self._devices.values():
            by_type[device.device_type].append(device)
        self.shelves = {device_type: _Shelf(found) for device_type, found in by_type.items()}
        self._left: Room = {device.worker: room.get(device.worker, 0) for device in self._devices.values()}
        self._could_serve: dict[Hashable, bool] = {}
        for worker, left in self._left.items():
            if left == 0:
                self._close(worker)

    def serve(self, job: Waiting) -> list[Pair]:
        device = self.shelves[job.device_type].best(job)
        if device is None:
            return []
        self._take(device, needs_worker=job.needs_worker)
        return [Pair(job=job.id, device=device.name)]

    def devices_for(self, mates: Sequence[Waiting]) -> list[Idle | None]:
        """For each another one; None for whom there is none. They stay free."""
        wanted = [self._fitting(job) for job in mates]
        worker_of = {device.name: device.worker for devices in wanted for device in devices}
        names = [[device.name for device in devices] for devices in wanted]
        given = assign(names, worker_of, self._left)
        return [None if name is None else self._devices[name] for name in given]

    def could_serve(self, mates: Sequence[Waiting]) -> bool:
        """Whether there is a device for each, asked of a lab from which nothing is taken."""
        wishes = tuple((job.device_type, job.tags, job.device, job.allowed) for job in mates)
        if wishes not in self._could_serve:  # groups that wait for long are often alike
            self._could_serve[wishes] = None not in self.devices_for(mates)
        return self._could_serve[wishes]

    def take(self, devices: Iterable[Idle]) -> None:
        for device in devices:
            self._take(device)

    def _take(self, device: Idle, *, needs_worker: bool = True) -> None:
        self.shelves[device.device_type].take(device)
        left = self._left[device.worker]
        if needs_worker and left is not None:
            self._left[device.worker] = left - 1
            if left == 1:
                self._close(device.worker)

    def _close(self, worker: str | None) -> None:
        for shelf in self.shelves.values():
            shelf.close(worker)

    def _fitting(self, job: Waiting) -> list[Idle]:
        shelf = self.shelves.get(job.device_type)
        return [] if shelf is None else shelf.fitting(job)


class _Shelf:
    """The idle devices of one type."""

    def __init__(self, devices: Sequence[Idle]) -> None:
        self._devices = sorted(devices, key=_preference)
        self._free = (1 << len(self._devices)) - 1
        self._full = 0  # their workers take no more
        self._named = {device.name: 1 << place for place, device in enumerate(self._devices)}
        self._tagged: defaultdict[str, int] = defaultdict(int)
        self._of_worker: defaultdict[str | None, int] = defaultdict(int)
        self._allowed: dict[frozenset[str], int] = {}
        for place, device in enumerate(self._devices):
            self._of_worker[device.worker] |= 1 << place
            for tag in device.tags:
                self._tagged[tag] |= 1 << place

    def best(self, job: Waiting) -> Idle | None:
        """Of those that fit and are free."""
        fitting = self._free and self._fitting(job)
        return self._devices[(fitting & -fitting).bit_length() - 1] if fitting else None

    def fitting(self, job: Waiting) -> list[Idle]:
        """Those that fit and are free, the best first."""
        bits = self._fitting(job)
        found = []
        while bits:
            lowest = bits & -bits
            found.append(self._devices[lowest.bit_length() - 1])
            bits ^= lowest
        return found

    def take(self, device: Idle) -> None:
        self._free &= ~self._named[device.name]

    def close(self, worker: str | None) -> None:
        """It takes no more jobs."""
        self._full |= self._of_worker.get(worker, 0)

    def _fitting(self, job: Waiting) -> int:
        fitting = self._free & ~self._full if job.needs_worker else self._free
        for tag in job.tags:
            fitting &= self._tagged.get(tag, 0)
        if job.device is not None:
            fitting &= self._named.get(job.device, 0)
        if job.allowed is not None and fitting:
            fitting &= self._allowed_bits(job.allowed)
        return fitting

    def _allowed_bits(self, names: frozenset[str]) -> int:
        if names not in self._allowed:
            self._allowed[names] = sum(self._named[name] for name in names & self._named.keys())
        return self._allowed[names]


# Why a job waits


class Standing(StrEnum):
    """What a device could do for a job; each is a word for the sentence that tells of it."""

    IDLE = "free"
    BUSY = "busy"
    HELD = "held by a person"
    CLOSED = "closed until the end of a job there is confirmed"
    FULL = "on a worker that takes no more jobs now"
    OFFLINE = "on a worker that is offline"
    MAINTENANCE = "in maintenance"
    BAD = "in bad health"
    LOOPING = "looping health checks"


AT_WORK = (Standing.IDLE, Standing.BUSY, Standing.HELD, Standing.FULL)


class Cause(StrEnum):
    """Why a job waits, for programs."""

    NO_DEVICE = "no_device"
    NO_TAG = "no_tag"
    NOT_ALLOWED = "not_allowed"
    UNAVAILABLE = "unavailable"
    BUSY = "busy"
    NEXT = "next"
    GROUP = "group"
    DEFERRED = "deferred"
    RETRY = "retry"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A device of the lab that is not retired, whatever it does now."""

    name: str
    device_type: str
    tags: frozenset[str] = frozenset()
    worker: str | None = None
    standing: Standing
    without_worker: Standing | None = None  # for what needs no worker; None: the same
    held_until: datetime | None = None  # by a person

    def standing_for(self, job: Waiting) -> Standing:
        return self.standing if job.needs_worker else self.without_worker or self.standing


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    cause: Cause
    sentence: str
    free: int = 0  # devices that fit and could begin it now
    at_work: int = 0  # devices that fit and run jobs, or could
    held_until: tuple[datetime, ...] = ()  # of those at work that people hold


def why(job: Waiting, candidates: Iterable[Candidate]) -> Reason:
    """Why a job has no device yet. Candidates of other types are passed over."""
    of_type = [device for device in candidates if device.device_type == job.device_type]
    if not of_type:
        return _reason(Cause.NO_DEVICE, f"There is no device of the type {job.device_type}.")
    named = [device for device in of_type if job.device in (None, device.name)]
    if not named:
        return _reason(Cause.NO_DEVICE, f"There is no device {job.device} of the type {job.device_type}.")
    tagged = [device for device in named if job.tags <= device.tags]
    if not tagged:
        return _reason(Cause.NO_TAG, _missing_tags(job, named))
    allowed = [device for device in tagged if job.allowed is None or device.name in job.allowed]
    if not allowed:
        return _reason(Cause.NOT_ALLOWED, "Its submitter may not use any device that fits.")
    because = _standing_of(job, allowed) if job.device is None else _standing_of_one(job, allowed[0])
    held = [device.held_until for device in allowed if device.standing_for(job) is Standing.HELD]
    return replace(because, held_until=tuple(until for until in held if until is not None))


@dataclass(frozen=True, slots=True, kw_only=True)
class Workers:
    """Those that are there, and how many jobs they take; None: any number."""

    limits: Mapping[str | None, int | None]  # in all
    room: Mapping[str | None, int | None]  # more than they have now


def why_group(
    job: Waiting,
    mates: Sequence[Waiting],
    candidates: Sequence[Candidate],
    workers: Workers,
    named: Mapping[int, str],
) -> Reason:
    """Why a member of a group has no device yet. `mates` are all of its members.

    `named`: by their ids, those of which who asks may be told, as they are called to people.
    """
    own = why(job, candidates)
    if own.cause not in (Cause.NEXT, Cause.BUSY):
        return own
    if never := _never(mates, candidates, workers):
        of_others = _of_others(job, mates, candidates, named)
        return _reason(Cause.UNAVAILABLE, never + of_others)
    if own.cause is Cause.BUSY:
        return own
    if _most_in((Standing.IDLE,), mates, candidates, workers.room) < len(mates):
        sentence = "A device that fits is free, but not yet one for each of its group: they start together."
        sentence += _of_others(job, mates, candidates, named)
        return replace(own, cause=Cause.GROUP, sentence=sentence)
    sentence = "There is a free device for each of its group: they start next, after the jobs before them."
    return replace(own, sentence=sentence)


def _never(mates: Sequence[Waiting], candidates: Sequence[Candidate], workers: Workers) -> str:
    """Why the lab could not serve them at once even if it had nothing else to do; empty if it could."""
    needed = f"The group needs {len(mates)} devices at once, and"
    most = _most_in(AT_WORK, mates, candidates, {device.worker: None for device in candidates})
    if most < len(mates):
        return f"{needed} only {most} that fit together are in service."
    most = _most_in(AT_WORK, mates, candidates, workers.limits)
    if most < len(mates):
        return f"{needed} the workers of those that fit take only {most} at once."
    return ""


def _of_others(
    job: Waiting, mates: Iterable[Waiting], candidates: Sequence[Candidate], named: Mapping[int, str]
) -> str:
    """Of the first of the others that has no device either, if who asks may be told."""
    for mate in mates:
        if mate.id == job.id or mate.id not in named:
            continue
        because = why(mate, candidates)
        if because.cause is not Cause.NEXT:
            return f" {named[mate.id]}: {because.sentence}"
    return ""


def _most_in(
    standings: Collection[Standing],
    mates: Sequence[Waiting],
    candidates: Iterable[Candidate],
    room: Mapping[str | None, int | None],
) -> int:
    """How many of the group could have a device at once, if those that stand so were free."""
    devices = [
        Idle(name=one.name, device_type=one.device_type, tags=one.tags, worker=one.worker)
        for one in candidates
        if one.standing in standings
    ]
    return most_at_once(mates, AtWork(devices=devices, limits=room))


def _missing_tags(job: Waiting, devices: Sequence[Candidate]) -> str:
    nowhere = job.tags.difference(*(device.tags for device in devices))
    wanted = ", ".join(sorted(nowhere or job.tags))
    plural = len(nowhere or job.tags) > 1
    if nowhere:
        return f"No device of the type {job.device_type} has the {'tags' if plural else 'tag'} {wanted}."
    return f"No device of the type {job.device_type} has all of the tags {wanted}."


def _standing_of(job: Waiting, devices: Sequence[Candidate]) -> Reason:
    count = Counter(device.standing_for(job) for device in devices)
    at_work = sum(count[standing] for standing in AT_WORK)
    if count[Standing.IDLE]:
        sentence = "A device that fits is free: it starts next, after the jobs before it."
        return Reason(cause=Cause.NEXT, sentence=sentence, free=count[Standing.IDLE], at_work=at_work)
    told = ", ".join(f"{count[standing]} {standing}" for standing in Standing if count[standing])
    if at_work:
        return Reason(cause=Cause.BUSY, sentence=f"It waits for a device that fits: {told}.", at_work=at_work)
    return _reason(Cause.UNAVAILABLE, f"No device that fits is in service: {told}.")


def _standing_of_one(job: Waiting, device: Candidate) -> Reason:
    """Of the only one that will do."""
    standing = device.standing_for(job)
    if standing is Standing.IDLE:
        sentence = f"{device.name} is free: the job starts next there, after the jobs before it."
        return Reason(cause=Cause.NEXT, sentence=sentence, free=1, at_work=1)
    cause = Cause.BUSY if standing in AT_WORK else Cause.UNAVAILABLE
    sentence = f"It waits for {device.name} alone, which is {standing}."
    return Reason(cause=cause, sentence=sentence, at_work=int(cause is Cause.BUSY))


def _reason(cause: Cause, sentence: str) -> Reason:
    return Reason(cause=cause, sentence=sentence)
