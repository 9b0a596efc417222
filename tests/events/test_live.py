"""Following the events inside the web process."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from accounts.models import Token
from accounts.rights import Anyone
from accounts.visitors import ANONYMOUS, Unwelcome, Visitor
from core import doorbell
from devices import lifecycle as devices
from events import feed, live, numbering, publisher, retention
from events.live import Listener, Lost, listening
from events.models import Event
from events.selection import Selection
from jobs import lifecycle
from jobs.models import Job
from jobs.states import State
from tests import build
from tests.events.meanwhile import PATIENCE, do, run

pytestmark = pytest.mark.django_db(transaction=True)

EVERYTHING = Selection()


@pytest.fixture
def only_the_bell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "POLL_SECONDS", 3600.0)


@pytest.fixture
def only_polling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "POLL_SECONDS", 0.05)
    monkeypatch.setattr(doorbell, "ring", lambda directory, *roles: None)


async def heard(listener: Listener, count: int) -> list[Event]:
    """The next so many events."""
    events: list[Event] = []
    while len(events) < count:
        piece = await listener.next(PATIENCE)
        assert piece, f"only {len(events)} of {count} events came"
        events += piece
    assert len(events) == count
    return events


def heard_by(user: Anyone, selection: Selection) -> list[int]:
    """What a listener that came with the first event would have been told."""
    chosen, cursor = list[int](), 0
    listener = Listener(live.live, Visitor(user_id=user.pk), selection, 0)
    while events := feed.after(cursor):
        cursor = events[-1].sequence or 0
        chosen += [event.sequence or 0 for event in listener.chosen(live._seen(listener.visitor, events))]
    return chosen


@pytest.mark.parametrize("woken", ["only_the_bell", "only_polling"])
def test_a_listener_hears_what_happens_from_now_on(
    woken: str, alice: User, request: pytest.FixtureRequest
) -> None:
    request.getfixturevalue(woken)
    job = build.job(submitter=alice)
    publisher.run_once([])

    async def story() -> None:
        async with listening(ANONYMOUS, EVERYTHING) as listener:
            await do(lambda: lifecycle.cancel(job.pk, by="alice"))
            events = await heard(listener, 2)
            assert [event.type for event in events] == ["job.removal_requested", "job.removed"]

    run(story())


def test_a_listener_with_a_cursor_hears_all_after_it_once_and_in_order(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "WINDOW", 3)
    for _ in range(5):
        build.job(submitter=alice)
    publisher.run_once([])
    before = numbering.last_number()

    async def story() -> None:
        async with listening(ANONYMOUS, EVERYTHING, since=1) as listener:
            for _ in range(4):
                await do(lambda: build.job(submitter=alice))
            events = await heard(listener, before + 3)
            assert [event.sequence for event in events] == list(range(2, before + 5))

    run(story())


def test_a_listener_that_fell_behind_the_window_reads_on_from_the_table(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "WINDOW", 2)

    async def story() -> None:
        async with (
            listening(ANONYMOUS, EVERYTHING) as slow,
            listening(ANONYMOUS, EVERYTHING) as quick,
        ):
            start = slow.cursor
            for _ in range(8):
                await do(lambda: build.job(submitter=alice))
                await quick.next(PATIENCE)
            events = await heard(slow, live.live.last - start)
            assert [event.sequence for event in events] == list(range(start + 1, live.live.last + 1))

    run(story())


def test_everybody_hears_what_they_may_see(alice: User, mallory: User) -> None:
    async def story() -> None:
        async with (
            listening(Visitor(user_id=alice.pk), Selection.parse("job.#")) as hers,
            listening(Visitor(user_id=mallory.pk), Selection.parse("job.#")) as his,
        ):
            await do(lambda: build.job(submitter=alice, visibility="personal"))
            await do(lambda: build.job(submitter=alice))
            assert len(await heard(hers, 2)) == 2
            (event,) = await heard(his, 1)
            assert event.data["visibility"] == "Publicly visible"

    run(story())


def test_a_filter_does_not_tell_what_an_event_hides(alice: User, mallory: User) -> None:
    job = build.job(submitter=alice, state=State.RUNNING, visibility="personal")
    publisher.run_once([])

    async def story() -> None:
        theirs = Selection.parse(f"device.# job={job.pk}")
        async with (
            listening(Visitor(user_id=alice.pk), theirs, since=0) as hers,
            listening(Visitor(user_id=mallory.pk), theirs, since=0) as his,
        ):
            assert await hers.next(0)
            while his.cursor < live.live.last:
                assert not await his.next(0)

    run(story())


def test_a_cursor_before_which_events_are_gone_is_refused(alice: User) -> None:
    build.job(submitter=alice)
    publisher.run_once([])
    far = timezone.now() + timedelta(days=1)
    retention.clear(retention.due(before=far, at_most=0, kept_jobs=Job.objects.none()))
    gone = retention.last_cleared()
    build.job(submitter=alice)
    publisher.run_once([])

    async def story() -> None:
        async with listening(ANONYMOUS, EVERYTHING, since=gone) as listener:
            assert await listener.next(PATIENCE)
        async with listening(ANONYMOUS, EVERYTHING, since=gone - 1) as listener:
            with pytest.raises(Lost, match="not all kept any more") as lost:
                await listener.next(PATIENCE)
            assert lost.value.oldest == gone + 1

    run(story())


def test_a_cursor_that_was_never_given_is_refused(alice: User) -> None:
    async def story() -> None:
        with pytest.raises(Lost, match="the last one here is 0"):
            async with listening(ANONYMOUS, EVERYTHING, since=7):
                pass

    run(story())


@pytest.mark.parametrize("end", ["revoked", "expired", "locked out"])
def test_a_stream_ends_with_the_token_that_opened_it(
    end: str, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "WELCOME_SECONDS", 0.05)
    Token.objects.issue(alice)
    token = Token.objects.get()

    def take_away() -> None:
        if end == "revoked":
            token.delete()
        elif end == "expired":
            Token.objects.update(expires=timezone.now())
        else:
            User.objects.filter(pk=alice.pk).update(is_active=False)

    async def story() -> None:
        async with (
            listening(Visitor(user_id=alice.pk, token_id=token.pk), EVERYTHING) as listener,
            listening(ANONYMOUS, EVERYTHING) as other,
        ):
            assert not await listener.next(0.2)
            await do(take_away)
            with pytest.raises(Unwelcome, match="expired or revoked"):
                await listener.next(PATIENCE)
            assert not await other.next(0)

    run(story())


def test_a_right_that_is_taken_away_narrows_the_stream(alice: User, bob: User) -> None:
    job = build.job(submitter=alice, visibility={"group": ["kernel"]})
    publisher.run_once([])

    async def story() -> None:
        async with listening(Visitor(user_id=bob.pk), Selection.parse("job.#")) as listener:
            await do(bob.groups.clear)
            await do(lambda: lifecycle.cancel(job.pk, by="alice"))
            await do(lambda: build.job(submitter=alice))
            (event,) = await heard(listener, 1)
            assert event.job_id != job.pk

    run(story())


def test_a_reader_rests_while_nobody_listens(alice: User) -> None:
    async def story() -> None:
        async with listening(ANONYMOUS, EVERYTHING):
            assert live.live._tasks
        assert not live.live._tasks
        await do(lambda: build.job(submitter=alice))
        async with listening(ANONYMOUS, EVERYTHING) as listener:
            await do(lambda: devices.maintenance("qemu01", by="admin"))
            (event,) = await heard(listener, 1)
            assert event.type == "device.changed"

    run(story())
