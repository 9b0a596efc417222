"""What a subscription tells: each event until it is acknowledged, in order, and never again afterwards."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from events import history, numbering, publisher, retention
from events.feed import Lost
from events.models import Subscription
from events.subscriptions import delivery, lifecycle
from events.subscriptions.delivery import BadAck, StaleAck, SubscriptionExpired
from jobs.states import State
from tests import build
from tests.events.subscriptions.office import KINDS, WANTED, acknowledge, fetched, forget, run_out, say
from tests.parallel import together


@pytest.fixture
def bridge(alice: User) -> Subscription:
    return lifecycle.add(alice, "bridge", filter=WANTED)


def test_what_is_not_acknowledged_is_told_again_and_what_is_never_more(bridge: Subscription) -> None:
    first, second, third = (say("wanted") for _ in range(3))

    assert fetched(bridge) == [first, second, third]
    acknowledge(bridge, second)
    assert fetched(bridge) == [third]
    acknowledge(bridge, third)
    assert fetched(bridge) == []


def test_one_that_begins_now_is_told_nothing_of_before(alice: User) -> None:
    say("wanted")

    assert fetched(lifecycle.add(alice, "bridge")) == []


def test_one_that_begins_with_the_oldest_is_told_all_that_is_kept(alice: User) -> None:
    numbers = [say("wanted") for _ in range(3)]
    forget(at_most=2)

    assert fetched(lifecycle.add(alice, "bridge", since="oldest")) == numbers[1:]


def test_one_that_begins_after_an_event_is_told_exactly_what_follows(alice: User) -> None:
    numbers = [say("wanted") for _ in range(3)]

    assert fetched(lifecycle.add(alice, "bridge", since=numbers[0])) == numbers[1:]


@pytest.mark.parametrize("since", [0, 10_000], ids=["too old", "of another lab"])
def test_one_that_cannot_begin_where_it_should_is_refused(since: int, alice: User) -> None:
    for _ in range(3):
        say("wanted")
    forget(at_most=1)

    with pytest.raises(Lost):
        lifecycle.add(alice, "bridge", since=since)
    assert not Subscription.objects.exists()


def test_an_acknowledgement_that_comes_twice_or_late_changes_nothing(bridge: Subscription) -> None:
    first, second = say("wanted"), say("wanted")
    fetched(bridge)

    acknowledge(bridge, second)
    acknowledge(bridge, second)
    acknowledge(bridge, first)

    assert Subscription.objects.get().sequence == second


def test_what_was_not_told_cannot_be_acknowledged(bridge: Subscription) -> None:
    told, _ = say("wanted"), say("wanted")
    fetched(bridge, limit=1)

    with pytest.raises(BadAck, match=f"expected at most {told}"):
        acknowledge(bridge, told + 1)
    assert fetched(bridge) == [told, told + 1]


def test_an_acknowledgement_of_before_another_fetch_is_refused(bridge: Subscription) -> None:
    number = say("wanted")
    old = delivery.fetch(bridge, limit=10).subscription.generation
    fetched(bridge)

    with pytest.raises(StaleAck, match="fetch again"):
        delivery.acknowledge(bridge, sequence=number, generation=old)
    assert fetched(bridge) == [number]


def test_what_is_not_for_it_moves_its_place_and_so_old_events_may_go(bridge: Subscription) -> None:
    for _ in range(5):
        say("other")
        say("hidden")

    assert fetched(bridge) == []
    forget(at_most=1)

    assert Subscription.objects.get().lag(numbering.last_number()) == 0
    number = say("wanted")
    assert fetched(bridge) == [number]


def test_what_is_not_acknowledged_holds_its_place(bridge: Subscription) -> None:
    say("other")
    number = say("wanted")
    say("other")

    fetched(bridge)

    assert Subscription.objects.get().sequence == number - 1
    acknowledge(bridge, number)
    assert Subscription.objects.get().sequence == number + 1


def test_a_fetch_looks_through_a_bounded_number_of_events_and_leads_on(
    bridge: Subscription, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "SPAN", 2)
    numbers = [say(kind) for kind in ("other", "other", "other", "wanted")]

    assert fetched(bridge) == []
    assert fetched(bridge) == numbers[-1:]


def test_events_that_are_gone_before_they_were_told_are_never_passed_over(bridge: Subscription) -> None:
    numbers = [say("wanted") for _ in range(3)]
    forget(at_most=1)

    with pytest.raises(Lost) as lost:
        fetched(bridge)

    assert lost.value.oldest == numbers[-1]
    lifecycle.renew(bridge, by=bridge.user, since="oldest")
    assert fetched(bridge) == numbers[-1:]


def test_one_that_is_expired_says_so_until_it_is_renewed(bridge: Subscription) -> None:
    number = say("wanted")
    fetched(bridge)
    run_out(bridge)

    with pytest.raises(SubscriptionExpired, match="Nothing was fetched for 7 days"):
        fetched(bridge)
    with pytest.raises(SubscriptionExpired):
        acknowledge(bridge, number)

    lifecycle.renew(bridge, by=bridge.user, since=number - 1)
    assert fetched(bridge) == [number]


@pytest.mark.parametrize("use", ["fetch", "acknowledge"])
def test_each_use_puts_off_the_end(use: str, bridge: Subscription) -> None:
    number = say("wanted")
    fetched(bridge)
    soon = timezone.now() + timedelta(hours=1)
    Subscription.objects.update(expires=soon)

    if use == "fetch":
        fetched(bridge)
    else:
        acknowledge(bridge, number)

    bridge.refresh_from_db()
    assert bridge.expires > soon


def test_a_new_filter_holds_for_what_is_not_acknowledged(bridge: Subscription) -> None:
    first, other = say("wanted"), say("other")
    old = delivery.fetch(bridge, limit=10).subscription.generation

    lifecycle.change(bridge, by=bridge.user, filter="custom.#")

    with pytest.raises(StaleAck):
        delivery.acknowledge(bridge, sequence=first, generation=old)
    assert fetched(bridge) == [first, other]


def test_rights_are_asked_when_it_is_told_and_not_before(alice: User, bob: User) -> None:
    bridge = lifecycle.add(bob, "bridge", filter="job.#")
    build.job(submitter=alice, state=State.FINISHED, visibility={"group": ["kernel"]})
    publisher.run_once([])
    assert fetched(bridge)

    bob.groups.clear()

    assert fetched(bridge) == []


# Any order of deeds


LOST, EXPIRED = "lost", "expired"


@dataclass
class Story:
    """One subscriber, and what must be told to it by all that has happened."""

    row: Subscription
    place: int  # all up to it is acknowledged or passed over
    happened: dict[int, str] = field(default_factory=dict)  # kind by number
    told: list[int] = field(default_factory=list)  # by the fetch that counts
    passed: int = 0  # up to which there was nothing beyond what it told
    generation: int = 0
    gone: int = 0
    is_expired: bool = False

    @property
    def due(self) -> list[int]:
        return [number for number, kind in self.happened.items() if kind == "wanted" and number > self.place]

    @property
    def last(self) -> int:
        return max(self.happened, default=self.gone)

    def say(self, kind: str) -> None:
        self.happened[say(kind)] = kind

    def forget(self, at_most: int) -> None:
        forget(at_most)
        self.gone = retention.last_cleared()

    def run_out(self) -> None:
        run_out(self.row)
        self.is_expired = True

    def fetch(self, limit: int) -> None:
        wanted: Any = self.due[:limit]
        if self.is_expired:
            wanted = EXPIRED
        elif self.gone > self.place:
            wanted = LOST

        got = self._try_to_fetch(limit)

        assert got == wanted
        if got in (LOST, EXPIRED):
            return
        self.told = wanted
        self.passed = self.told[-1] if len(self.told) == limit else numbering.last_number()
        self.place = max(self.place, self.told[0] - 1) if self.told else self.passed
        self.check()

    def _try_to_fetch(self, limit: int) -> Any:
        try:
            batch = delivery.fetch(self.row, limit=limit)
        except Lost:
            return LOST
        except SubscriptionExpired:
            return EXPIRED
        self.generation = batch.subscription.generation
        return [event.sequence for event in batch.events]

    def acknowledge(self, at: int) -> None:
        """One of what was told, or the event after all of it."""
        known = [*self.told, self.told[-1] + 1] if self.told else [self.place + 1]
        number = known[at % len(known)]
        is_known = number in self.told
        if self.is_expired:
            with pytest.raises(SubscriptionExpired):
                self._acknowledge(number)
        elif number > self.place and not is_known:
            with pytest.raises((BadAck, StaleAck)):
                self._acknowledge(number)
        else:
            self._acknowledge(number)
            if number > self.place:
                self.place = self.passed if number == self.told[-1] else number
        self.check()

    def _acknowledge(self, number: int) -> None:
        delivery.acknowledge(self.row, sequence=number, generation=self.generation)

    def acknowledge_late(self, at: int) -> None:
        """By a generation that does not count any more."""
        self.generation -= 1
        if self.told and self.told[at % len(self.told)] > self.place and not self.is_expired:
            with pytest.raises(StaleAck):
                self._acknowledge(self.told[at % len(self.told)])
        self.generation += 1
        self.check()

    def renew(self, since: Any) -> None:
        self.row = lifecycle.renew(self.row, by=self.row.user, since=since)
        self.place = numbering.last_number() if since == "now" else self.gone
        self.told, self.is_expired, self.generation = [], False, self.row.generation
        self.check()

    def check(self) -> None:
        row = Subscription.objects.get(pk=self.row.pk)
        last = numbering.last_number()
        assert (row.sequence, row.lag(last), row.is_expired) == (
            self.place,
            last - self.place,
            self.is_expired,
        )

    def end(self) -> None:
        """Whatever there was, all that is due is told at last."""
        if self.is_expired or self.gone > self.place:
            self.renew("oldest")
        due, got = self.due, list[int]()
        while True:
            self.fetch(2)
            if not self.told:
                break
            got += self.told
            self.acknowledge(len(self.told) - 1)
        assert got == due


WITH: dict[str, st.SearchStrategy[Any]] = {
    "say": st.sampled_from(["wanted", *KINDS]),
    "fetch": st.integers(1, 5),
    "acknowledge": st.integers(0, 5),
    "acknowledge_late": st.integers(0, 5),
    "renew": st.sampled_from(["now", "oldest"]),
    "forget": st.integers(1, 6),
    "run_out": st.none(),
}
OFTEN = ("say", "say", "say", "fetch", "fetch", "acknowledge", "acknowledge")  # else little would be told
DEEDS = st.sampled_from([*OFTEN, *WITH]).flatmap(lambda name: st.tuples(st.just(name), WITH[name]))


@settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, database=None
)
@given(deeds=st.lists(DEEDS, min_size=5, max_size=40))
def test_in_any_order_of_deeds_each_event_is_told_until_it_is_acknowledged_and_never_again(
    deeds: list[tuple[str, Any]], alice: User
) -> None:
    with build.rolled_back():
        row = lifecycle.add(alice, "bridge", filter=WANTED)
        story = Story(row=row, place=row.sequence, generation=row.generation, gone=retention.last_cleared())
        for name, what in deeds:
            deed: Callable[..., None] = getattr(story, name)
            deed() if what is None else deed(what)
        story.end()


# Cut off


class Killed(BaseException):
    """Of which nothing takes notice, as of a kill."""


@contextmanager
def killed_at(statement: int) -> Iterator[None]:
    """Before the statement of this number is sent; each is a transaction of its own."""
    numbers = count()

    def execute(send: Any, *arguments: Any) -> Any:
        if next(numbers) == statement:
            raise Killed
        return send(*arguments)

    with connection.execute_wrapper(execute):
        yield


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("deed", ["fetch", "acknowledge"])
def test_a_kill_between_any_two_statements_loses_nothing(deed: str, bridge: Subscription) -> None:
    numbers = [say("wanted") for _ in range(3)]
    for statement in count():
        generation = delivery.fetch(bridge, limit=2).subscription.generation
        try:
            with killed_at(statement):
                if deed == "fetch":
                    fetched(bridge)
                else:
                    delivery.acknowledge(bridge, sequence=numbers[0], generation=generation)
        except Killed:
            assert fetched(bridge) == numbers
            continue
        break

    assert statement >= 2
    assert fetched(bridge) == (numbers if deed == "fetch" else numbers[1:])


# Several at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Worked:
    began: float  # when a fetch was asked for
    told: list[int]
    acknowledged: float | None = None  # when that was known to be done


@pytest.mark.django_db(transaction=True)
def test_several_at_once_lose_nothing_and_are_told_nothing_again_that_one_has_acknowledged(
    bridge: Subscription,
) -> None:
    numbers = [say("wanted") for _ in range(30)]

    def work() -> list[Worked]:
        done = list[Worked]()
        while Subscription.objects.get(pk=bridge.pk).sequence < numbers[-1]:
            began = time.monotonic()
            batch = delivery.fetch(bridge, limit=3)
            told = [event.sequence or 0 for event in batch.events]
            done.append(Worked(began=began, told=told, acknowledged=_acknowledged(batch)))
        return done

    found = [each for worker in together(work, work, work) for each in worker]

    counted = [each for each in found if each.acknowledged is not None]
    assert {number for each in counted for number in each.told} == set(numbers)
    for done in counted:
        later = [each for each in found if each.began > (done.acknowledged or 0.0)]
        assert not [each for each in later if each.told and each.told[0] <= done.told[-1]]


def _acknowledged(batch: delivery.Batch) -> float | None:
    """When; None if it was refused, or there was nothing."""
    if not batch.events:
        return None
    row = batch.subscription
    try:
        delivery.acknowledge(row, sequence=row.told, generation=row.generation)
    except StaleAck:
        return None
    return time.monotonic()
