"""The steps of a job as its log tells of them: which began, which ended, and how. Pure.

LAVA's dispatcher says `start: 2.1.1 execute-qemu (timeout 00:04:00) [common]` and `end: 2.1.1 execute-qemu (duration
00:00:01) [common]`, as `info` or `debug`, and tells the result of some actions in a record of the suite "lava". A
test definition within one says `Starting test lava.0_smoke (7_1.1.3.1)` and `Ending test lava.0_smoke (…), duration
15.28`. The built-in worker writes the same. What the device prints has another level and is never read here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Protocol, TypeVar

MOST_STEPS: Final = 2_000  # of one attempt; what begins beyond them is not kept
LONGEST_LEVEL: Final = 100
LONGEST_NAME: Final = 200
SPOKEN: Final = ("info", "debug")  # levels of records in which the dispatcher itself speaks
TOLD: Final = "results"
OF_ACTION: Final = ("start: ", "end: ")  # how what they say of steps begins
OF_TEST: Final = ("Starting test ", "Ending test ")
ACTIONS: Final = "lava"  # the suite of the dispatcher's own actions; one that is tried again has failed once

_CANCELED: Final = (
    "The job was canceled"  # LAVA's word, as the reason of an action that did not come to its end
)
_LEVEL: Final = re.compile(r"[0-9]{1,6}(?:\.[0-9]{1,6}){0,13}")
_ACTION: Final = re.compile(rf"(start|end): ({_LEVEL.pattern}) (\S+)(?: [(\[][^\n]*)?")
_TEST: Final = re.compile(r"(Starting|Ending) test lava\.(\S+) \([^\s()]*\)(?:, duration [0-9.]+)?")
_NUMBER_OF_TEST: Final = re.compile(r"([0-9]{1,5})_")


class StepState(StrEnum):
    RUNNING = "running"
    PASS = "pass"
    FAIL = "fail"
    CANCELED = "canceled"
    UNFINISHED = "unfinished"  # the attempt ended first


class Kind(StrEnum):
    BEGAN = "began"
    ENDED = "ended"
    JUDGED = "judged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What one record says of one step."""

    kind: Kind
    name: str
    level: str = ""  # where the log gives none, the name says which it is
    state: StepState = StepState.RUNNING  # of what is judged


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where in the log something is said."""

    index: int  # of the record on the wire
    record: int  # its number, as clients of LAVA count
    time: datetime


@dataclass(slots=True, kw_only=True)
class Step:
    index: int  # of the record that began it, on the wire: unique in its attempt
    record: int
    level: str
    name: str
    parent: int | None  # index of the step that it is a part of
    trial: int  # 2 when the same action is run for the second time
    began: datetime
    seen: int  # index of the last record that said something of it
    state: StepState = StepState.RUNNING
    ended: datetime | None = None
    last_record: int | None = None  # that ended it; None also if it was ended without one

    @property
    def awaits_end(self) -> bool:
        """Whether the log may still tell of its end."""
        return self.last_record is None


class Judged(Protocol):
    """A step as far as blame goes."""

    @property
    def index(self) -> int: ...
    @property
    def parent(self) -> int | None: ...
    @property
    def state(self) -> str: ...


J = TypeVar("J", bound=Judged)


class Event(StrEnum):
    STARTED = "step.started"
    UPDATED = "step.updated"
    STORED = "step.stored"
    FINISHED = "step.finished"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    event: Event
    step: Step  # as it was just then


def culprit(steps: Sequence[J]) -> J | None:
    """The step in which it went wrong: the first that failed, or else the last that could not finish.

    The innermost one: what it is a part of failed with it. Not one whose failure was overcome: what it is a part of
    passed, as when an action is tried again.
    """
    overcome: set[int] = set()
    for step in steps:  # what they are parts of comes first
        above = step.parent
        if step.state == StepState.PASS or above in overcome:
            overcome.add(step.index)
    guilty = [step for step in steps if step.index not in overcome]
    failed = [step for step in guilty if step.state == StepState.FAIL]
    unfinished = [step for step in reversed(guilty) if step.state == StepState.UNFINISHED]
    blamed = failed or unfinished
    above_others = {step.parent for step in blamed}
    return next((step for step in blamed if step.index not in above_others), None)


def mark_of(level: str, message: Any) -> Mark | None:
    """What a record of this level says of a step, if it does."""
    if level == TOLD:
        return _judged(message) if isinstance(message, Mapping) else None
    if level not in SPOKEN or not isinstance(message, str):
        return None
    if message.startswith(OF_ACTION):
        return _of_action(message)
    if message.startswith(OF_TEST):
        return _of_test(message)
    return None


def _of_action(message: str) -> Mark | None:
    found = _ACTION.fullmatch(message)
    if found is None:
        return None
    kind = Kind.BEGAN if found[1] == "start" else Kind.ENDED
    return Mark(kind=kind, level=found[2], name=found[3][:LONGEST_NAME])


def _of_test(message: str) -> Mark | None:
    found = _TEST.fullmatch(message)
    if found is None:
        return None
    kind = Kind.BEGAN if found[1] == "Starting" else Kind.ENDED
    return Mark(kind=kind, name=found[2][:LONGEST_NAME])


def _judged(message: Mapping[str, Any]) -> Mark | None:
    name, level = message.get("case"), message.get("level", "")
    if message.get("definition") != ACTIONS or not isinstance(name, str) or not name:
        return None
    if message.get("result") not in (StepState.PASS, StepState.FAIL):
        return None
    is_level = isinstance(level, str) and _LEVEL.fullmatch(level)
    return Mark(
        kind=Kind.JUDGED,
        level=level if is_level else "",
        name=name[:LONGEST_NAME],
        state=_state(message),
    )


def _state(message: Mapping[str, Any]) -> StepState:
    state = StepState(message["result"])
    extra = message.get("extra")
    if state is StepState.FAIL and isinstance(extra, Mapping):
        is_canceled = extra.get("fail") == _CANCELED or extra.get("error_type") == "Canceled"
        return StepState.CANCELED if is_canceled else state
    return state


class Outline:
    """The steps of one attempt, and what becomes of them mark by mark.

    Marks come in the order of the log. One that was taken before changes nothing, nor does one that fits no step.
    """

    def __init__(self, steps: Iterable[Step] = ()) -> None:
        self.steps = sorted(steps, key=lambda step: step.index)
        self.changes: list[Change] = []
        self._seen = max((step.seen for step in self.steps), default=-1)
        self._latest: dict[str, Step] = {step.level: step for step in self.steps}
        self._named: dict[str, Step] = {step.name: step for step in self.steps}
        self._open: dict[int, Step] = {step.index: step for step in self.steps if step.awaits_end}

    @property
    def changed(self) -> list[Step]:
        """Those that the marks have changed, as they are now."""
        indices = {change.step.index for change in self.changes}
        return [step for step in self.steps if step.index in indices]

    def take(self, mark: Mark, place: Place) -> None:
        if place.index <= self._seen:
            return
        if mark.kind is Kind.BEGAN:
            self._begin(mark, place)
            return
        step = self._meant(mark)
        if step is None:
            return
        if mark.kind is Kind.ENDED:
            self._end(step, StepState.PASS, place)
        else:
            self._judge(step, mark, place)

    def close(self, state: StepState, time: datetime) -> None:
        """The attempt is over: whatever runs has ended with it. Those that failed stay failed."""
        for step in list(self._open.values()):
            if step.ended is None:
                step.ended = max(time, step.began)
                step.state = state if step.state is StepState.RUNNING else step.state
                self._tell(step, Event.FINISHED)

    def _begin(self, mark: Mark, place: Place) -> None:
        if len(self.steps) >= MOST_STEPS:
            return
        parent = self._parent(mark.level) if mark.level else self._innermost()
        level = mark.level or _level_of_test(parent, mark.name)
        if not level:
            return
        before = self._latest.get(level)
        step = Step(
            index=place.index,
            record=place.record,
            level=level,
            name=mark.name,
            parent=None if parent is None else parent.index,
            trial=before.trial + 1 if before and before.name == mark.name else 1,
            began=place.time,
            seen=place.index,
        )
        self.steps.append(step)
        self._latest[level] = self._named[mark.name] = self._open[step.index] = step
        self._note(step, place, Event.STARTED)

    def _end(self, step: Step, state: StepState, place: Place) -> None:
        if not step.awaits_end:
            return
        was_closed = step.ended is not None
        del self._open[step.index]
        step.last_record = place.record
        step.ended = max(place.time, step.began)
        if step.state in (StepState.RUNNING, StepState.UNFINISHED):
            step.state = state
        self._note(step, place, *((Event.UPDATED, Event.STORED) if was_closed else (Event.FINISHED,)))

    def _judge(self, step: Step, mark: Mark, place: Place) -> None:
        """A step is judged once at most: the first bad word stays."""
        if not mark.level and step.awaits_end:
            self._end(step, mark.state, place)  # as of `validate`, nothing else tells of its end
        elif mark.state is not StepState.PASS and step.state not in (StepState.FAIL, StepState.CANCELED):
            step.state = mark.state
            self._note(step, place, Event.UPDATED, Event.STORED)

    def _meant(self, mark: Mark) -> Step | None:
        step = self._latest.get(mark.level) if mark.level else self._named.get(mark.name)
        return step if step is not None and step.name == mark.name else None

    def _parent(self, level: str) -> Step | None:
        while "." in level:
            level = level.rpartition(".")[0]
            if level in self._latest:
                return self._latest[level]
        return None

    def _innermost(self) -> Step | None:
        """The action that runs now, whose test definitions are steps of their own."""
        return next((step for step in reversed(self._open.values()) if step.ended is None), None)

    def _note(self, step: Step, place: Place, *events: Event) -> None:
        step.seen = self._seen = place.index
        self._tell(step, *events)

    def _tell(self, step: Step, *events: Event) -> None:
        self.changes += [Change(event=event, step=replace(step)) for event in events]


def _level_of_test(parent: Step | None, name: str) -> str:
    """Below its action, numbered as the job's definitions are: the log gives it none."""
    number = _NUMBER_OF_TEST.match(name)
    if parent is None or number is None:
        return ""
    level = f"{parent.level}.{int(number[1]) + 1}"
    return level if _LEVEL.fullmatch(level) else ""
