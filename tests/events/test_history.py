"""What has happened, in pages: the same as the streams tell, for the same filters, and nothing twice."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import AnonymousUser, User
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries

from accounts.rights import Anyone
from devices.models import Device
from events import history, numbering, publisher, retention
from events.catalogue import CATALOGUE
from events.feed import Lost
from events.history import Page
from events.selection import Selection
from jobs import lifecycle
from jobs.models import Job
from jobs.states import State
from tests import build
from tests.events import everything
from tests.events.test_live import heard_by

EVERYTHING = Selection()


def happens(alice: User) -> None:
    device = f"qemu{Device.objects.count() + 1:02}"
    build.job(submitter=alice, state=State.FINISHED, device=device)
    build.job(submitter=alice, state=State.RUNNING, device=device, visibility="personal")
    lifecycle.cancel(build.job(submitter=alice).pk, by="alice")
    publisher.run_once([])


def forget(at_most: int) -> None:
    """All but the newest so many."""
    retention.clear(retention.due(before=None, at_most=at_most, kept_jobs=Job.objects.none()))


def whole(user: Anyone, selection: Selection, limit: int) -> list[int]:
    """All pages, oldest first."""
    found, since, page = list[int](), 0, history.after(user, selection, 0, limit)
    while True:
        found += sequences(page)
        if page.is_last:
            return found
        assert page.reached > since
        since = page.reached
        page = history.after(user, selection, since, limit)


def whole_backwards(user: Anyone, selection: Selection, limit: int) -> list[int]:
    found, page = list[int](), history.before(user, selection, None, limit)
    while True:
        found += sequences(page)
        if page.is_last:
            return found
        page = history.before(user, selection, page.reached, limit)


def sequences(page: Page) -> list[int]:
    return [event.sequence or 0 for event in page.events]


@pytest.mark.django_db
@pytest.mark.parametrize("limit", [1, 2, 3, 500])
def test_pages_repeat_and_skip_nothing_in_either_direction(limit: int, alice: User, admin: User) -> None:
    happens(alice)
    all_of_them = list(range(1, numbering.last_number() + 1))

    assert whole(admin, EVERYTHING, limit) == all_of_them
    assert whole_backwards(admin, EVERYTHING, limit) == all_of_them[::-1]


@pytest.mark.django_db
def test_what_happens_between_two_pages_is_on_a_later_one(alice: User, admin: User) -> None:
    happens(alice)
    first = history.after(admin, EVERYTHING, 0, 5)
    happens(alice)
    rest = history.after(admin, EVERYTHING, first.reached, 500)

    assert sequences(first) + sequences(rest) == list(range(1, numbering.last_number() + 1))


@pytest.mark.django_db
def test_a_page_looks_at_a_bounded_number_of_events_and_leads_on(
    alice: User, admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "PIECE", 2)
    monkeypatch.setattr(history, "LOOKED_AT", 4)
    happens(alice)
    rare = Selection.parse("submitter=nobody")
    page = history.after(admin, rare, 0, 1)

    assert (page.events, page.reached, page.is_last) == ([], 4, False)
    assert whole(admin, rare, 1) == whole_backwards(admin, rare, 1) == []


@pytest.mark.django_db
def test_a_page_looks_no_further_than_its_span(
    alice: User, admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "SPAN", 3)
    happens(alice)
    rare = Selection.parse("worker.deleted")

    assert history.after(admin, rare, 0, 100).reached == 3
    assert history.before(admin, rare, None, 100).reached == numbering.last_number() - 2
    assert whole(admin, rare, 100) == whole_backwards(admin, rare, 100) == []


@pytest.mark.django_db
def test_a_page_asks_as_often_for_many_events_as_for_few(
    alice: User, mallory: User, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(8):
        happens(alice)

    with django_assert_max_num_queries(12):
        assert len(history.after(mallory, EVERYTHING, 0, 40).events) == 40


@pytest.mark.django_db
@pytest.mark.parametrize("since", [0, 10_000], ids=["too old", "of another lab"])
def test_a_page_after_what_is_gone_is_refused(since: int, alice: User, admin: User) -> None:
    happens(alice)
    forget(at_most=3)

    with pytest.raises(Lost) as lost:
        history.after(admin, EVERYTHING, since, 10)
    assert (lost.value.oldest, lost.value.last) == (numbering.last_number() - 2, numbering.last_number())


@pytest.mark.django_db
def test_without_a_number_the_pages_begin_with_the_oldest_or_the_newest(alice: User, admin: User) -> None:
    happens(alice)
    forget(at_most=3)
    last = numbering.last_number()

    assert sequences(history.after(admin, EVERYTHING, None, 500)) == [last - 2, last - 1, last]
    assert whole_backwards(admin, EVERYTHING, 1) == [last, last - 1, last - 2]


@pytest.mark.django_db
def test_nothing_is_shown_that_one_may_not_see(alice: User, mallory: User) -> None:
    job = build.job(submitter=alice, state=State.RUNNING, visibility="personal")
    publisher.run_once([])

    found = history.after(mallory, EVERYTHING, 0, 500).events
    assert {event.job_id for event in found} == {None}
    assert not any("job" in event.data for event in found)
    assert whole(mallory, Selection.parse(f"job={job.pk}"), 500) == []
    assert whole(alice, Selection.parse(f"job={job.pk}"), 500)


@pytest.mark.django_db
def test_a_single_event_is_shown_to_who_may_see_it(alice: User, mallory: User) -> None:
    build.job(submitter=alice, visibility="personal")
    publisher.run_once([])
    last = numbering.last_number()

    assert history.one(alice, last) is not None
    assert history.one(mallory, last) is None
    assert history.one(alice, last + 1) is None


# One filter, one set


NUMBERS = st.integers(1, 9).map(str)
TOPICS = st.sampled_from(["job.#", "#", "*.changed", "step.*", "job.started", "device.#.#", *CATALOGUE])
TERMS = st.one_of(
    TOPICS,
    NUMBERS.map("job={}".format),
    st.sampled_from(
        [
            "submitter=alice",
            "submitter=nobody,alice",
            "device=qemu01,qemu06",
            "device_type=qemu",
            "worker=worker01",
            "state=running,finished",
            "state=idle",
            "health=complete,good",
            "job=12.1",
        ]
    ),
)
FILTERS = st.lists(TERMS, max_size=4).map(" ".join)


@pytest.mark.django_db
@settings(
    max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, database=None
)
@given(text=FILTERS, limit=st.integers(5, 60), name=st.sampled_from(["alice", "mallory", "nobody"]))
def test_a_filter_chooses_the_same_live_and_afterwards(
    text: str, limit: int, name: str, lab_of_everything: dict[str, Anyone]
) -> None:
    user, selection = lab_of_everything[name], Selection.parse(text)

    chosen = heard_by(user, selection)
    assert whole(user, selection, limit) == chosen
    assert whole_backwards(user, selection, limit) == chosen[::-1]


@pytest.fixture
def lab_of_everything(alice: User, mallory: User) -> dict[str, Anyone]:
    everything.happens(alice)
    build.job(submitter=alice, visibility="personal")
    publisher.run_once([])
    return {"alice": alice, "mallory": mallory, "nobody": AnonymousUser()}
