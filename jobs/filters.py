"""Which jobs a list shows, as its address says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Self
from urllib.parse import urlencode

from django.db.models import Exists, OuterRef, Q

from jobs.models import Job, JobQuerySet, Kind, by_number, by_submitter
from jobs.states import ON_A_DEVICE, Outcome, State

LONGEST = 200  # characters of a filter


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    label: str
    chosen: Q


STATUSES = {
    "queued": Status(label="Queued", chosen=Q(state=State.SUBMITTED)),
    "running": Status(label="Running", chosen=Q(state__in=ON_A_DEVICE)),
    "passed": Status(label="Passed", chosen=Q(outcome=Outcome.PASS)),
    "failed": Status(label="Failed", chosen=Q(outcome=Outcome.FAIL)),
    "lab-error": Status(label="Lab error", chosen=Q(outcome=Outcome.INFRASTRUCTURE)),
    "canceled": Status(label="Canceled", chosen=Q(outcome=Outcome.CANCELED)),
    "reservations": Status(label="Reservations", chosen=Q(kind=Kind.RESERVATION)),
}
LABELS = {
    "q": "Text",
    "type": "Device type",
    "device": "Device",
    "submitter": "Submitter",
    "tag": "Tag",
}


class UnknownStatus(ValueError):
    """A status that no list has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chip:
    """A filter that is set, and the address without it."""

    label: str
    value: str
    query: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """The names are those in the address; an empty one chooses nothing."""

    status: str = ""
    q: str = ""
    type: str = ""
    device: str = ""
    submitter: str = ""
    tag: str = ""

    @classmethod
    def of(cls, address: Mapping[str, str]) -> Self:
        """UnknownStatus for a status that there is none of."""
        found = {field.name: _clean(address.get(field.name, "")) for field in fields(cls)}
        if found["status"] and found["status"] not in STATUSES:
            raise UnknownStatus(found["status"])
        return cls(**found)

    def apply(self, jobs: JobQuerySet) -> JobQuerySet:
        if self.status:
            jobs = jobs.filter(STATUSES[self.status].chosen)
        if self.q:
            jobs = jobs.filter(self._text)
        if self.tag:
            jobs = jobs.filter(
                Exists(Job.tags.through.objects.filter(job=OuterRef("pk"), tag__name=self.tag))
            )
        if self.submitter:
            jobs = jobs.filter(by_submitter(self.submitter))
        named = {"device_type": self.type, "device": self.device}
        return jobs.filter(**{field: name for field, name in named.items() if name})

    @property
    def is_indexed(self) -> bool:
        """Whether the rows are found without looking at many others. Several filters at once may fit few rows."""
        if self.status in ("queued", "running"):
            return True  # there are never many
        return not (self.q or self.tag) and len(self._set) <= 1

    @property
    def query(self) -> str:
        """For an address; empty without a filter."""
        return urlencode(self._set)

    @property
    def chips(self) -> list[Chip]:
        return [
            Chip(label=LABELS[name], value=value, query=replace(self, **{name: ""}).query)
            for name, value in self._set.items()
            if name in LABELS
        ]

    def with_status(self, status: str) -> str:
        return replace(self, status=status).query

    def with_submitter(self, name: str) -> str:
        return replace(self, submitter=name).query

    @property
    def _text(self) -> Q:
        """In the name of a job; a number is that of a job, too."""
        return Q(description__icontains=self.q) | by_number(self.q.removeprefix("#"))

    @property
    def _set(self) -> dict[str, str]:
        return {name: value for name, value in asdict(self).items() if value}


def _clean(value: str) -> str:
    # PostgreSQL takes no NUL in a text.
    return value.replace("\0", "").strip()[:LONGEST]
