"""Versions of LAVA's worker with which something is known not to work here. No ORM.

The version is shown and nobody is refused for it. A line of the table needs a source: a release note of LAVA, or a
worker that was seen to fail. Those of 2023.01 and 2026.07 use the same addresses, fields and answers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

Release = tuple[int, int]  # LAVA names its releases by year and month

_RELEASE = re.compile(r"(20\d\d)\.(\d{1,2})(?!\d)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """`since` is the first release that has it, and `until` the first without it."""

    since: Release
    until: Release
    what: str  # does not work
    remedy: str

    def __str__(self) -> str:
        return f"{self.what}; {self.remedy}"


KNOWN: tuple[Trouble, ...] = (
    # Release notes of LAVA 2020.09: its server and workers speak HTTP from then on, and ZMQ no more.
    Trouble(
        since=(2000, 1),
        until=(2020, 9),
        what="LAVA's workers before 2020.09 take their jobs by ZMQ, which nobody speaks here: it gets none",
        remedy="install lava-dispatcher 2020.09 or newer on its machine",
    ),
)


def trouble_of(version: str) -> Trouble | None:
    """What does not work with a worker that says it is of this version. None for one of which nothing is known."""
    if not (named := _RELEASE.match(version)):
        return None
    release = int(named[1]), int(named[2])
    return next((each for each in KNOWN if each.since <= release < each.until), None)
