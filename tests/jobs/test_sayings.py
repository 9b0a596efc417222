"""What a job says in events of its own."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.rights import NotAllowed
from devices.models import Right
from events import lava
from events.custom import BadSaying
from events.models import Event
from jobs import lifecycle, logs, sayings
from jobs.logs import Record
from jobs.models import Job, Sayings
from jobs.sayings import MOST_PER_ATTEMPT, MOST_PER_SECOND, TooManySayings
from jobs.states import State
from tests import build
from tests.jobs.test_views import page, words_of

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 22, 12)


@pytest.fixture
def job(alice: User) -> Job:
    return build.job(submitter=alice, state=State.RUNNING)


def posted(job: Job, index: int, *messages: Any, apart: timedelta = timedelta(seconds=1)) -> None:
    """What a test says, as its worker tells it: the first of these with this index, each some time after the other."""
    attempt = build.attempt(job)
    records = [
        Record(time=NOON + (index + place) * apart, level="event", message=message)
        for place, message in enumerate(messages)
    ]
    sayings.collect(attempt, logs.append(attempt.log_directory, index, records))


def told() -> list[Event]:
    return list(Event.objects.filter(type__startswith="custom.").order_by("id"))


def messages() -> list[str]:
    return [event.data["message"] for event in told()]


# What a test says


def test_what_a_test_says_is_told_with_its_job(job: Job) -> None:
    posted(job, 0, "flashed: 3 boards")

    (event,) = told()
    assert (event.type, event.subject, event.job_id, event.attempt) == (
        "custom.flashed",
        str(job.pk),
        job.pk,
        1,
    )
    assert (event.cause, event.actor) == ("worker", "worker01")
    assert event.data == {
        "job": job.pk,
        "uuid": str(job.uuid),
        "attempt": 1,
        "submitter": "alice",
        "name": "flashed",
        "message": "flashed: 3 boards",
        "index": 0,
    }


@pytest.mark.parametrize(
    ("text", "type", "data"),
    [
        ("board.rack-1: ok", "custom.board.rack-1", None),
        ('flashed: {"boards": 3}', "custom.flashed", {"boards": 3}),
        ('flashed:  {"a": [1.5, null, {"b": "ä"}]}', "custom.flashed", {"a": [1.5, None, {"b": "ä"}]}),
        ("flashed: [1]", "custom.flashed", None),
        ('flashed: {"boards": 3', "custom.flashed", None),
        ("flashed", "custom.message", None),
        ("flashed:", "custom.message", None),
        ("http://example.org", "custom.message", None),
        ("the board: it burns", "custom.message", None),
        ("job.*: started", "custom.message", None),
        (f"{'n' * 57}: x", f"custom.{'n' * 57}", None),
        (f"{'n' * 58}: x", "custom.message", None),
        ("", "custom.message", None),
    ],
)
def test_a_message_may_begin_with_a_name_and_have_data(text: str, type: str, data: object, job: Job) -> None:
    posted(job, 0, text)

    (event,) = told()
    assert (event.type, event.data["message"], event.data.get("data")) == (type, text, data)


@pytest.mark.parametrize(
    "data",
    [
        '{"x": 1e999}',
        '{"x": NaN}',
        '{"x": "\\u0000"}',
        '{"\\ud800": 1}',
        '{"x": ' * 40 + "1" + "}" * 40,
        '{"x": ' + "[" * 2000 + "]" * 2000 + "}",
    ],
    ids=["infinite", "no number", "NUL", "half a character", "deep", "very deep"],
)
def test_data_that_no_database_could_bear_are_left_in_the_message(data: str, job: Job) -> None:
    posted(job, 0, f"flashed: {data}")

    (event,) = told()
    assert (event.type, event.data["message"]) == ("custom.flashed", f"flashed: {data}")
    assert "data" not in event.data


def test_what_is_no_text_is_told_as_json(job: Job) -> None:
    posted(job, 0, {"boards": 3})

    assert messages() == ['{"boards": 3}']


def test_listeners_of_lava_find_its_frame(job: Job) -> None:
    posted(job, 0, "the board is flashed")

    frames = lava.frames(told()[0])

    assert frames is not None
    topic, _, _, user, text = frames
    said = json.loads(text)
    assert (topic, user) == ("org.lavasoftware.event", "lavaserver")
    assert (said["message"], said["job"]) == ("the board is flashed", job.pk)


def test_other_records_say_nothing(job: Job) -> None:
    build.log(job, "flashed: 3 boards", "Received signal: <TESTEVENT> flashed: 3 boards", level="debug")

    assert told() == []
    assert not Sayings.objects.exists()


def test_what_a_job_says_last_is_told_after_its_end(job: Job) -> None:
    lifecycle.finish(job.pk, build.PASSED, worker="worker01")

    posted(job, 0, "bye")

    assert messages() == ["bye"]


def test_a_job_that_is_gone_says_nothing(alice: User) -> None:
    job = build.job(submitter=alice, state=State.FINISHED)
    attempt = build.attempt(job)
    appended = logs.append(attempt.log_directory, 0, [Record(time=NOON, level="event", message="bye")])
    job.delete()

    sayings.collect(attempt, appended)

    assert told() == []


# Sent again


def test_a_record_that_is_sent_again_is_told_once(job: Job) -> None:
    posted(job, 0, "a", "b")
    posted(job, 0, "a", "b", "c")
    posted(job, 1, "b", "c")

    assert messages() == ["a", "b", "c"]


def test_what_was_stored_in_the_log_alone_is_told_when_it_is_sent_again(job: Job) -> None:
    attempt = build.attempt(job)
    record = Record(time=NOON, level="event", message="a")
    logs.append(attempt.log_directory, 0, [record])  # and then the server was killed

    posted(job, 0, "a", "b")

    assert messages() == ["a", "b"]


def test_a_transaction_that_fails_leaves_it_to_be_told(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(Sayings, "save", lambda self: (_ for _ in ()).throw(OSError("killed")))
        with pytest.raises(OSError, match="killed"):
            posted(job, 0, "a")
    assert told() == []

    posted(job, 0, "a")

    assert messages() == ["a"]


def test_another_attempt_counts_its_records_anew(alice: User) -> None:
    job = build.job(submitter=alice, state=State.RUNNING, lava_lite={"retry": 2})
    posted(job, 0, "first")
    lifecycle.finish(job.pk, build.BROKEN, worker="worker01")
    lifecycle.schedule(job.pk, "qemu01")
    lifecycle.start(job.pk, worker="worker01")

    posted(Job.objects.get(pk=job.pk), 0, "second")

    assert [(event.attempt, event.data["message"]) for event in told()] == [(1, "first"), (2, "second")]


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(posts=st.lists(st.tuples(st.integers(0, 12), st.integers(1, 8)), min_size=1, max_size=8))
def test_however_posts_overlap_each_record_of_the_log_is_told_once_and_in_order(
    posts: list[tuple[int, int]], alice: User
) -> None:
    with build.rolled_back():
        job = build.job(submitter=alice, state=State.RUNNING)
        expected: list[int] = []
        for back, count in posts:
            # A worker goes on where it was, or some records before.
            first = max(0, len(expected) - back)
            posted(job, first, *(str(index) for index in range(first, first + count)))
            expected.extend(range(len(expected), first + count))

        assert [int(message) for message in messages()] == expected


# Limits


def test_more_than_so_many_a_second_are_dropped_and_counted(job: Job) -> None:
    posted(job, 0, *(str(number) for number in range(30)), apart=timedelta())
    posted(job, 30, "later")

    assert messages() == [*(str(number) for number in range(MOST_PER_SECOND)), "later"]
    assert sayings.dropped(job, 1) == 10


def test_what_was_said_at_a_bearable_pace_and_comes_late_is_all_told(job: Job) -> None:
    posted(job, 0, *("x" for _ in range(100)), apart=timedelta(seconds=0.05))

    assert len(told()) == 100


def test_the_pace_is_counted_across_posts(job: Job) -> None:
    for index in range(30):
        posted(job, index, str(index), apart=timedelta())

    assert len(told()) == MOST_PER_SECOND


def test_more_than_so_many_in_a_run_are_dropped_and_counted(job: Job) -> None:
    Sayings.objects.create(job=job, attempt=1, told=MOST_PER_ATTEMPT - 1)

    posted(job, 0, "a", "b", "c")

    assert messages() == ["a"]
    assert sayings.dropped(job, 1) == 2


@pytest.mark.parametrize(("size", "is_told"), [(4096, True), (4097, False)])
def test_what_is_too_long_is_dropped_and_counted(size: int, is_told: bool, job: Job) -> None:
    posted(job, 0, "ä" * (size // 2) + "x" * (size % 2), "after")

    assert messages()[-1] == "after"
    assert (len(told()) == 2) is is_told
    assert sayings.dropped(job, 1) == (0 if is_told else 1)


def test_what_is_dropped_is_told_in_the_lab_s_log_once(job: Job, caplog: pytest.LogCaptureFixture) -> None:
    posted(job, 0, "x" * 5000, "x" * 5000)
    posted(job, 2, "x" * 5000)

    assert caplog.text.count(f"Attempt 1 of job {job.pk} says more in events than it may") == 1


def test_the_results_of_a_job_say_how_much_was_dropped(job: Job, client: Client) -> None:
    address = f"/job/{job.pk}/?tab=results"
    assert "not told" not in page(client, address)

    posted(job, 0, "x" * 5000)

    assert "1 event of its test was not told" in words_of(page(client, address))


# Said for a job


def test_who_may_change_a_job_may_speak_for_it(job: Job, bob: User) -> None:
    build.right(build.group("kernel"), "qemu01", Right.CHANGE)

    event = sayings.say_for(job, bob, "reviewed", "looks good", {"by": ["bob"]})

    assert (event.type, event.actor, event.cause, event.job_id) == ("custom.reviewed", "bob", "user", job.pk)
    assert (event.data["message"], event.data["data"]) == ("looks good", {"by": ["bob"]})


def test_who_may_not_change_a_job_may_not_speak_for_it(job: Job, mallory: User) -> None:
    with pytest.raises(NotAllowed, match=f"job {job.pk} is alice's; you may not speak for it"):
        sayings.say_for(job, mallory, "reviewed")

    assert told() == []


def test_a_job_may_be_spoken_for_before_it_runs_and_after_its_end(alice: User) -> None:
    for state in (State.SUBMITTED, State.FINISHED):
        sayings.say_for(build.job(submitter=alice, state=state), alice, "reviewed")

    assert [event.attempt for event in told()] == [1, 1]


def test_too_many_words_for_a_job_are_refused(job: Job, alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django.utils.timezone.now", lambda: job.submit_time)
    for _ in range(MOST_PER_SECOND):
        sayings.say_for(job, alice, "reviewed")

    with pytest.raises(TooManySayings, match=r"has said too much: 20 a second is the limit") as refused:
        sayings.say_for(job, alice, "reviewed")

    assert refused.value.retry_after == 1
    assert len(told()) == MOST_PER_SECOND


def test_what_a_test_says_and_what_is_said_for_it_count_together(job: Job, alice: User) -> None:
    posted(job, 0, "a")
    Sayings.objects.update(told=MOST_PER_ATTEMPT)

    with pytest.raises(TooManySayings, match=r"1,000 for each run is the limit") as refused:
        sayings.say_for(job, alice, "reviewed")

    assert refused.value.retry_after is None


def test_what_cannot_be_told_is_refused_with_the_reason(job: Job, alice: User) -> None:
    with pytest.raises(BadSaying, match="'not a name' is no name of an event"):
        sayings.say_for(job, alice, "not a name")
    with pytest.raises(BadSaying, match="the message has 5,000 bytes; an event holds at most 4,096"):
        sayings.say_for(job, alice, "reviewed", "x" * 5000)
    assert told() == []
