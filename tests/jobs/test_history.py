"""How the lab was used: the queue over time, durations, availability."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from itertools import groupby

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.test import Client
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from devices import lifecycle as devices
from devices.models import Device, HealthChange
from devices.states import DeviceHealth
from events import numbering
from events.models import Event
from jobs import lifecycle, retention
from jobs.history import availability, durations, queue
from jobs.history.durations import Spread
from jobs.history.queue import HOUR, MINUTE, SECOND
from jobs.models import Attempt, Job, QueueBucket, QueueRecord
from jobs.retention import Policy
from jobs.states import State
from tests import build

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


def take_in() -> None:
    numbering.number_committed()
    queue.run_once()


def told_at(*moments: datetime) -> None:
    """The moves of jobs, in their order, happened at these times."""
    events = Event.objects.filter(type__in=queue.TELL_A_STATE).order_by("id")
    for event, moment in zip(events, moments, strict=True):
        Event.objects.filter(pk=event.pk).update(time=moment)


def counts() -> list[dict[str, int]]:
    return list(QueueRecord.objects.order_by("number").values_list("counts", flat=True))


# The queue over time


def test_each_move_of_a_job_is_one_record(alice: User) -> None:
    build.job(submitter=alice, state=State.FINISHED)

    take_in()

    assert counts() == [{"Submitted": 1}, {"Scheduled": 1}, {"Running": 1}, {}]


def test_a_move_that_is_told_twice_counts_once(alice: User) -> None:
    job = build.job(submitter=alice)
    lifecycle.cancel(job.pk, by="alice")

    take_in()

    assert build.events_of(job)[-2:] == ["job.removal_requested", "job.removed"]
    assert counts() == [{"Submitted": 1}, {}]


def test_a_job_that_is_put_off_as_it_comes_counts_once(alice: User) -> None:
    build.job(submitter=alice, lava_lite={"defer": {"delay": {"seconds": 60}}})

    take_in()

    assert counts() == [{"Submitted": 1}]


def test_events_are_taken_in_once_however_often_it_looks(alice: User) -> None:
    build.job(submitter=alice)
    take_in()
    take_in()
    build.job(submitter=alice)

    take_in()

    assert counts() == [{"Submitted": 1}, {"Submitted": 2}]
    assert [record.number for record in QueueRecord.objects.all()] == [1, 2]


def test_the_last_record_is_what_the_jobs_themselves_say(alice: User) -> None:
    for number, state in enumerate([State.SUBMITTED, State.RUNNING, State.CANCELING, State.SUBMITTED]):
        build.job(submitter=alice, state=state, device=f"qemu0{number}")
    build.given_up(submitter=alice, device="qemu09")

    take_in()

    assert counts()[-1] == {"Submitted": 2, "Running": 1, "Canceling": 1}


def test_a_clock_that_goes_back_does_not_mix_up_the_order(alice: User) -> None:
    build.job(submitter=alice, state=State.SCHEDULED)
    told_at(NOON, NOON - timedelta(minutes=5))

    take_in()

    assert [record.time for record in QueueRecord.objects.all()] == [NOON, NOON]


@pytest.mark.parametrize(
    ("length", "span"),
    [
        (timedelta(minutes=10), SECOND),
        (timedelta(hours=2), MINUTE),
        (timedelta(days=7), HOUR),
        (timedelta(days=365), queue.DAY),
    ],
)
def test_the_longer_the_time_the_wider_the_buckets(length: timedelta, span: int) -> None:
    assert queue.span_for(length) == span


@pytest.mark.parametrize(
    "length", [timedelta(hours=1), timedelta(days=1), timedelta(days=7), timedelta(days=90)]
)
def test_buckets_are_what_a_count_of_the_events_gives(length: timedelta, alice: User) -> None:
    for number in range(4):
        build.job(submitter=alice, state=State.FINISHED, device=f"qemu0{number}")
    steps = [NOON + length * number / 17 for number in range(16)]
    told_at(*steps)

    take_in()

    span = queue.span_for(length)
    expected = {}
    for start, records in groupby(QueueRecord.objects.all(), lambda record: queue.begin(record.time, span)):
        several = list(records)
        expected[start] = (max(record.total for record in several), several[-1].counts)
    found = queue.buckets(NOON, NOON + length)
    assert {one.start: (sum(one.peak.values()), one.last) for one in found} == expected


def test_buckets_grow_with_what_comes_later(alice: User) -> None:
    job = build.job(submitter=alice, state=State.SCHEDULED)
    told_at(NOON, NOON + timedelta(seconds=1))
    take_in()
    build.job(submitter=alice)
    lifecycle.start(job.pk, worker="worker01")
    Event.objects.exclude(time__lte=NOON + timedelta(seconds=1)).update(time=NOON + timedelta(seconds=2))
    take_in()

    bucket = QueueBucket.objects.get(span=MINUTE)
    assert bucket.peak == {"Submitted": 1, "Running": 1}
    assert bucket.last == {"Submitted": 1, "Running": 1}


def test_old_records_go_with_their_events_and_the_count_goes_on(alice: User) -> None:
    build.job(submitter=alice, state=State.FINISHED)
    build.job(submitter=alice)
    numbering.number_committed()

    retention.let_go(retention.due(Policy(events_number=1)))
    assert QueueRecord.objects.count() < 5
    build.job(submitter=alice)
    take_in()

    assert counts()[-1] == {"Submitted": 2}
    assert QueueBucket.objects.exists()


@given(
    moves=st.lists(
        st.tuples(st.one_of(st.none(), st.sampled_from(State)), st.sampled_from(State)), max_size=30
    )
)
def test_counts_never_fall_below_nothing(moves: list[tuple[State | None, State]]) -> None:
    counted: dict[str, int] = {}
    for source, target in moves:
        counted = queue.moved(counted, source and source.label, target.label)
        assert all(count > 0 for count in counted.values())
        assert State.FINISHED.label not in counted


# core4's pages and buckets


def test_the_history_comes_in_core4s_pages(alice: User, client: Client) -> None:
    for _ in range(4):
        build.job(submitter=alice, state=State.FINISHED)
    told_at(*[NOON + timedelta(seconds=number) for number in range(16)])
    take_in()

    first = client.get("/api/v1/jobs/history").json()
    second = client.get("/api/v1/jobs/history?page=1").json()

    assert first["data"][:3] == [
        {"created": "2026-11-02T12:00:15", "total": 0},
        {"created": "2026-11-02T12:00:14", "running": 1, "total": 1},
        {"created": "2026-11-02T12:00:13", "running": 1, "total": 1},
    ]
    assert first["data"][3] == {"created": "2026-11-02T12:00:12", "pending": 1, "total": 1}
    about = {key: value for key, value in first.items() if key not in ("_id", "timestamp", "data")}
    assert about == {
        "code": 200,
        "message": "OK",
        "page": 0,
        "page_count": 2,
        "per_page": 10,
        "count": 10,
        "total_count": 16.0,
    }
    assert (second["page"], second["count"]) == (1, 6)
    assert client.get("/api/v1/jobs/history?page=-1").json()["data"] == second["data"]
    assert client.get("/api/v1/jobs/history?page=7").json()["data"] == []


@pytest.mark.parametrize("query", ["page=x", "per_page=0", "per_page=1001", "since=2026-01-01"])
def test_a_page_that_makes_no_sense_is_refused(query: str, client: Client) -> None:
    assert client.get(f"/api/v1/jobs/history?{query}").status_code == 400


def test_a_stretch_of_time_comes_in_buckets_with_its_busiest_moment(alice: User, client: Client) -> None:
    build.job(submitter=alice, state=State.RUNNING)
    told_at(NOON, NOON + timedelta(minutes=61), NOON + timedelta(minutes=62))
    take_in()

    answer = client.get("/api/v1/queue/history?since=2026-11-01&until=2026-11-03").json()

    assert answer["data"] == [
        {"created": "2026-11-02T12:00:00", "pending": 1, "total": 1},
        {"created": "2026-11-02T13:00:00", "running": 1, "total": 1},
    ]


def test_a_stretch_that_ends_before_it_begins_is_refused(client: Client) -> None:
    answer = client.get("/api/v1/queue/history?since=2026-11-03&until=2026-11-01")

    assert answer.status_code == 400
    assert "expected a time before until" in str(answer.json())


# Durations


def ended(
    alice: User, *, waited: int, ran: int, ago: timedelta = timedelta(hours=1), **fields: object
) -> Job:
    job = build.job(submitter=alice, state=State.FINISHED)
    end = timezone.now() - ago
    start = end - timedelta(seconds=ran)
    Job.objects.filter(pk=job.pk).update(
        submit_time=start - timedelta(seconds=waited), start_time=start, end_time=end, **fields
    )
    return job


@given(
    st.lists(st.integers(0, 10_000), min_size=1).map(lambda numbers: [timedelta(seconds=n) for n in numbers])
)
def test_nine_of_ten_do_not_exceed_p90(lengths: list[timedelta]) -> None:
    spread = Spread.of(lengths)

    assert spread.p90 is not None
    assert spread.p90 in lengths
    assert sum(length <= spread.p90 for length in lengths) >= 0.9 * len(lengths)
    assert spread.longest == max(lengths)


def test_durations_are_those_of_the_jobs_that_ended_then(alice: User) -> None:
    ended(alice, waited=10, ran=100)
    ended(alice, waited=30, ran=300, outcome="fail")
    ended(alice, waited=999, ran=999, ago=timedelta(days=9))

    now = timezone.now()
    (found,) = durations.by_type(AnonymousUser(), now - timedelta(days=7), now)

    assert (found.device_type, found.jobs, found.passed, found.passed_percent) == ("qemu", 2, 1, 50)
    assert found.waited.median == timedelta(seconds=10)
    assert found.ran.longest == timedelta(seconds=300)


def test_durations_leave_out_jobs_that_one_may_not_see(alice: User, mallory: User) -> None:
    ended(alice, waited=10, ran=100, visibility="personal")

    now = timezone.now()
    assert durations.by_type(mallory, now - timedelta(days=7), now) == []
    assert len(durations.by_type(alice, now - timedelta(days=7), now)) == 1


def test_durations_of_a_type_without_jobs_are_empty(client: Client) -> None:
    build.device()

    answer = client.get("/api/v1/device-types/qemu/durations").json()

    assert answer["jobs"] == 0
    assert answer["ran"] == {"median": None, "p90": None, "longest": None}


# Availability


def health_at(device: Device, *changes: tuple[datetime, DeviceHealth]) -> None:
    """The device was added at the first of these times."""
    HealthChange.objects.all().delete()
    previous = None
    for moment, health in changes:
        HealthChange.objects.add(device, moment, previous=previous, health=health)
        previous = health


def hours(number: float) -> timedelta:
    return timedelta(hours=number)


def test_a_device_is_available_while_it_would_take_jobs() -> None:
    health_at(
        build.device(),
        (NOON - hours(50), DeviceHealth.GOOD),
        (NOON + hours(6), DeviceHealth.MAINTENANCE),
        (NOON + hours(8), DeviceHealth.UNKNOWN),
    )

    (found,) = availability.of(Device.objects.all(), NOON, NOON + hours(10))

    assert found.seconds == {
        DeviceHealth.GOOD: 6 * 3600,
        DeviceHealth.MAINTENANCE: 2 * 3600,
        DeviceHealth.UNKNOWN: 2 * 3600,
    }
    assert (found.in_service, found.percent) == (0.8, 80.0)


def test_only_the_time_counts_in_which_there_was_the_device() -> None:
    health_at(build.device(), (NOON + hours(5), DeviceHealth.BAD))

    (found,) = availability.of(Device.objects.all(), NOON, NOON + hours(10))
    (before,) = availability.of(Device.objects.all(), NOON, NOON + hours(1))

    assert (found.known, found.in_service) == (5 * 3600, 0.0)
    assert before.in_service is None


def test_a_device_without_a_history_was_always_what_it_is() -> None:
    build.device(health=DeviceHealth.MAINTENANCE)
    HealthChange.objects.all().delete()

    (found,) = availability.of(Device.objects.all(), NOON, NOON + hours(1))

    assert found.seconds == {DeviceHealth.MAINTENANCE: 3600}


@given(
    changes=st.lists(
        st.tuples(st.timedeltas(-hours(30), hours(30)), st.sampled_from(DeviceHealth)), min_size=1, max_size=8
    )
)
def test_the_sums_are_what_the_lines_of_the_history_add_up_to(
    changes: list[tuple[timedelta, DeviceHealth]],
) -> None:
    since, until = NOON, NOON + hours(10)
    lines = [(NOON + after, health) for after, health in sorted(changes)]
    health_at(build.device(), *lines)

    (found,) = availability.of(Device.objects.all(), since, until)

    expected: dict[DeviceHealth, timedelta] = defaultdict(timedelta)
    ends = [*(begin for begin, _ in lines[1:]), until]
    for (begin, health), end in zip(lines, ends, strict=True):
        expected[health] += max(timedelta(0), min(end, until) - max(begin, since))
    assert found.seconds == {health: time.total_seconds() for health, time in expected.items() if time}


def test_a_clock_that_goes_back_takes_no_time_from_a_device() -> None:
    health_at(build.device(), (NOON + hours(5), DeviceHealth.GOOD), (NOON + hours(3), DeviceHealth.BAD))

    (found,) = availability.of(Device.objects.all(), NOON, NOON + hours(10))

    assert found.seconds == {DeviceHealth.BAD: 5 * 3600}


def test_availability_takes_as_many_queries_for_many_devices_as_for_one(
    django_assert_num_queries: object,
) -> None:
    devices = [build.device(f"qemu{number:02}") for number in range(10)]
    HealthChange.objects.all().delete()
    for device in devices:
        HealthChange.objects.add(device, NOON - hours(1), health=DeviceHealth.GOOD)

    with django_assert_num_queries(2):  # type: ignore[operator]
        availability.of(Device.objects.all(), NOON, NOON + hours(1))


def test_a_device_is_at_work_while_jobs_have_it(alice: User) -> None:
    build.job(submitter=alice, state=State.FINISHED)
    build.job(submitter=alice, state=State.RUNNING)
    first, second = Attempt.objects.order_by("pk")
    Attempt.objects.filter(pk=first.pk).update(scheduled=NOON - hours(1), ended=NOON + hours(2))
    Attempt.objects.filter(pk=second.pk).update(scheduled=NOON + hours(3))

    assert availability.seconds_at_work("qemu01", NOON, NOON + hours(4)) == 3 * 3600


def test_the_api_tells_of_a_devices_availability(client: Client) -> None:
    build.device()
    devices.maintenance("qemu01", by="admin")

    answer = client.get("/api/v1/devices/qemu01/availability").json()

    assert answer["device"] == "qemu01"
    assert set(answer["seconds"]) == {health.label for health in DeviceHealth}
    assert answer["at_work"] == 0


# The page


@pytest.mark.parametrize("period", ["hour", "day", "week", "month", "year"])
def test_the_page_shows_each_period(period: str, alice: User, client: Client) -> None:
    build.job(submitter=alice, state=State.FINISHED)
    take_in()

    text = client.get(f"/history/?period={period}").content.decode()

    assert "At most 1 unfinished job at once" in text
    assert 'href="/device-type/qemu/"' in text
    assert 'href="/device/qemu01/"' in text


def test_the_page_of_an_empty_lab_says_so(client: Client) -> None:
    text = client.get("/history/").content.decode()

    assert "There were no jobs in this time." in text
    assert "There are no devices." in text


def test_an_unknown_period_is_not_found(client: Client) -> None:
    assert client.get("/history/?period=fortnight").status_code == 404
