"""What the pages of the inventory show, as values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from django.db.models import Count, F, Q

from core.looks import Look
from devices import looks
from devices.forms import AILING
from devices.models import Device, DeviceQuerySet, DeviceType, Right, Worker
from devices.states import DeviceHealth, DeviceState, Urgency, WorkerHealth

DEVICES_OF_PAGE = 50
NAMED_AT_MOST = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Sortable:
    """A column of the list, by its name in the address."""

    word: str
    field: str
    begins_at_end: bool = False  # what is wanted of it is rather its last


COLUMNS = {
    "name": Sortable(word="Device", field="name"),
    "health": Sortable(word="Health", field="health"),
    "state": Sortable(word="State", field="state", begins_at_end=True),
    "type": Sortable(word="Type", field="device_type"),
    "worker": Sortable(word="Worker", field="worker"),
    "used": Sortable(word="Last used", field="last_used", begins_at_end=True),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """What a person does with a device or a worker: the words for it before and after."""

    health: DeviceHealth | WorkerHealth
    button: str
    consequence: str
    done: str
    danger: bool = False


DEEDS = {
    DeviceHealth.MAINTENANCE: Deed(
        health=DeviceHealth.MAINTENANCE,
        button="Take out",
        consequence="A job that runs goes on; no new one is given.",
        done="Taken out",
    ),
    DeviceHealth.GOOD: Deed(
        health=DeviceHealth.GOOD,
        button="Bring back",
        consequence="Jobs are given again.",
        done="Brought back",
    ),
    DeviceHealth.LOOPING: Deed(
        health=DeviceHealth.LOOPING,
        button="Loop checks",
        consequence="The health check runs again and again; no other job is given.",
        done="Looping the health check",
    ),
    DeviceHealth.RETIRED: Deed(
        health=DeviceHealth.RETIRED,
        button="Retire",
        consequence="A job that runs is canceled, and no new one is given. The history stays.",
        done="Retired",
        danger=True,
    ),
}
DEEDS_FOR_MANY = [deed for health, deed in DEEDS.items() if health != DeviceHealth.LOOPING]
WORKER_DEEDS = {
    WorkerHealth.MAINTENANCE: Deed(
        health=WorkerHealth.MAINTENANCE,
        button="Take out",
        consequence="Jobs that run go on; its devices get no new ones.",
        done="Taken out",
    ),
    WorkerHealth.ACTIVE: Deed(
        health=WorkerHealth.ACTIVE,
        button="Bring back",
        consequence="Its devices get jobs again.",
        done="Brought back",
    ),
    WorkerHealth.RETIRED: Deed(
        health=WorkerHealth.RETIRED,
        button="Retire",
        consequence="For a machine that is gone for good; its devices get no new jobs.",
        done="Retired",
        danger=True,
    ),
}


def deeds_for(device: Device) -> list[Deed]:
    """Those that change its health; another reason can be given by all of them."""
    deeds = DEEDS.values() if device.device_type.is_checked else DEEDS_FOR_MANY
    return [deed for deed in deeds if deed.health != device.health]


def deeds_for_worker(worker: Worker) -> list[Deed]:
    return [deed for health, deed in WORKER_DEEDS.items() if health != worker.health]


def named(rows: Sequence[object]) -> str:
    """`qemu01, qemu02`; of many, the first ones and how many more."""
    words = ", ".join(map(str, rows[:NAMED_AT_MOST]))
    rest = len(rows) - NAMED_AT_MOST
    return f"{words} and {rest} more" if rest > 0 else words


@dataclass(frozen=True, slots=True, kw_only=True)
class Pill:
    """A health to choose, and how many devices are in it."""

    value: str | None  # of the filter; None: all
    look: Look
    count: int
    is_current: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A head of the table that sorts by it."""

    word: str
    sort: str  # what a click asks for
    direction: str  # ascending, descending, or nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceList:
    """One page of the devices that were asked for."""

    rows: list[Device]
    pills: list[Pill]
    columns: list[Column]
    total: int
    page: int
    last_page: int
    changeable: frozenset[str]  # those of the rows that this user looks after

    @classmethod
    def of(
        cls, devices: DeviceQuerySet, wanted: dict[str, Any], *, page: int, changeable: DeviceQuerySet
    ) -> Self:
        """`wanted`: the cleaned data of a DeviceFilter; `changeable`: all that this user looks after."""
        found = _matching(devices, wanted).with_urgency()
        counts = _counts(found)
        total = _total(counts, wanted)
        last_page = max(1, -(-total // DEVICES_OF_PAGE))
        end = min(page, last_page) * DEVICES_OF_PAGE
        shown = _in_order(_of_health(found, wanted), wanted["sort"]).defer("dictionary")
        rows = list(shown[end - DEVICES_OF_PAGE : end])
        names = changeable.filter(pk__in=[row.pk for row in rows]).values_list("pk", flat=True)
        return cls(
            rows=rows,
            pills=_pills(counts, wanted["health"]),
            columns=_columns(wanted["sort"]),
            total=total,
            page=min(page, last_page),
            last_page=last_page,
            changeable=frozenset(names),
        )

    @property
    def previous_page(self) -> int:
        return self.page - 1

    @property
    def next_page(self) -> int:
        return self.page + 1


def _matching(devices: DeviceQuerySet, wanted: dict[str, Any]) -> DeviceQuerySet:
    """By all that was asked but the health."""
    if text := wanted["q"]:
        tagged = Device.objects.filter(tags__name__icontains=text).values("pk")
        places = ("name", "health_reason", "description", "device_type__name", "worker__name")
        has_text = Q(pk__in=tagged)
        for place in places:
            has_text |= Q(**{f"{place}__icontains": text})
        devices = devices.filter(has_text)
    if wanted["state"]:
        devices = devices.filter(state=DeviceState.from_label(wanted["state"]))
    if wanted["type"]:
        devices = devices.filter(device_type=wanted["type"])
    if wanted["worker"]:
        devices = devices.filter(worker=wanted["worker"])
    if wanted["tag"]:
        devices = devices.filter(tags=wanted["tag"])
    return devices


def _of_health(devices: DeviceQuerySet, wanted: dict[str, Any]) -> DeviceQuerySet:
    health = wanted["health"]
    if health == AILING:
        return devices.filter(urgency__lte=Urgency.TAKEN_OUT)
    if health:
        return devices.filter(health=DeviceHealth.from_label(health))
    return devices if wanted["all"] else devices.in_service()


def _counts(devices: DeviceQuerySet) -> dict[str, int]:
    """How many there are by the word of the filter, in one query."""
    ailing = Count("pk", filter=Q(urgency__lte=Urgency.TAKEN_OUT))
    grouped = devices.order_by().values_list("health").annotate(number=Count("pk"), ailing=ailing)
    counts = {AILING: 0}
    for health, number, ailing in grouped:
        counts[DeviceHealth(health).label.lower()] = number
        counts[AILING] += ailing
    return counts


def _total(counts: dict[str, int], wanted: dict[str, Any]) -> int:
    if wanted["health"]:
        return counts.get(wanted["health"], 0)
    every = sum(number for health, number in counts.items() if health != AILING)
    return every if wanted["all"] else every - counts.get(_RETIRED, 0)


_RETIRED = DeviceHealth.RETIRED.label.lower()
_ALL = Look(word="All", icon="board", tone="still")
_NEEDS_A_PERSON = Look(word="Needs a person", icon="warn", tone="warn")


def _pills(counts: dict[str, int], current: str) -> list[Pill]:
    in_service = sum(counts.values()) - counts[AILING] - counts.get(_RETIRED, 0)
    choices: list[tuple[str | None, Look, int]] = [
        (None, _ALL, in_service),
        (AILING, _NEEDS_A_PERSON, counts[AILING]),
    ]
    choices += [
        (health.label.lower(), look, counts.get(health.label.lower(), 0))
        for health, look in looks.HEALTH.items()
    ]
    return [
        Pill(value=value, look=look, count=count, is_current=value == (current or None))
        for value, look, count in choices
        if count or value in (None, current)
    ]


def _in_order(devices: DeviceQuerySet, sort: str) -> DeviceQuerySet:
    if not sort:
        return devices.by_urgency()
    field = F(COLUMNS[sort.lstrip("-")].field)
    if sort.startswith("-"):
        return devices.order_by(field.desc(nulls_last=True), "name")
    return devices.order_by(field.asc(nulls_first=True), "name")


def _columns(sort: str) -> list[Column]:
    return [_column(key, sort) for key in COLUMNS]


def _column(key: str, sort: str) -> Column:
    sortable = COLUMNS[key]
    if sort == key:
        return Column(word=sortable.word, sort=f"-{key}", direction="ascending")
    if sort == f"-{key}":
        return Column(word=sortable.word, sort=key, direction="descending")
    return Column(word=sortable.word, sort=f"-{key}" if sortable.begins_at_end else key, direction="")


@dataclass(frozen=True, slots=True, kw_only=True)
class RightsInWords:
    """Who may do what, as `Device.objects.visible_to` and its like decide it."""

    view: str
    submit: str
    change: str

    @classmethod
    def of(cls, device_type: DeviceType, device: Device | None = None) -> Self:
        own = [] if device is None else list(device.rights.select_related("group"))
        of_type = list(device_type.rights.select_related("group"))
        view = _alone(own, of_type, Right.VIEW)
        submit = _both(view, _alone(own, of_type, Right.SUBMIT))
        change = _both(view, _with_right([*own, *of_type], Right.CHANGE))
        return cls(
            view=_in_words(view, else_="everybody"),
            submit=_in_words(submit, else_="everybody who has an account"),
            change=_in_words(change, else_=""),
        )


def _alone(own: list[Any], of_type: list[Any], right: Right) -> set[str] | None:
    """The groups that have a right which others have not; None if no group was given it."""
    if any(rule.right == right for rule in own):
        return _with_right(own, right)
    if any(rule.right == right for rule in of_type):
        return _with_right([*own, *of_type], right)
    return None


def _with_right(rules: list[Any], right: Right) -> set[str]:
    return {rule.group.name for rule in rules if rule.right >= right}


def _both(one: set[str] | None, other: set[str] | None) -> set[str] | None:
    if one is None or other is None:
        return one if other is None else other
    return one & other


def _in_words(groups: set[str] | None, *, else_: str) -> str:
    return else_ if groups is None else ", ".join([*sorted(groups), "administrators"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Availability:
    """How many devices of a type are free, at work or out, and how many jobs wait for one."""

    free: int = 0
    busy: int = 0
    out: int = 0
    queued: int = 0

    @property
    def total(self) -> int:
        return self.free + self.busy + self.out


def availability(devices: DeviceQuerySet, jobs: Any) -> dict[str, Availability]:
    """By type, of these devices and of the queue of these jobs: two queries, however many types."""
    is_out = Q(urgency__lte=Urgency.TAKEN_OUT)
    is_busy = ~Q(state=DeviceState.IDLE)
    rows = devices.in_service().with_urgency().order_by().values_list("device_type")
    grouped = rows.annotate(
        free=Count("pk", filter=~is_out & ~is_busy),
        busy=Count("pk", filter=is_busy),
        out=Count("pk", filter=is_out & ~is_busy),
    )
    waiting = dict(jobs.due().order_by().values_list("device_type").annotate(number=Count("pk")))
    found = {
        name: Availability(free=free, busy=busy, out=out, queued=waiting.pop(name, 0))
        for name, free, busy, out in grouped
    }
    return found | {name: Availability(queued=number) for name, number in waiting.items()}
