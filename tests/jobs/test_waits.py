"""Jobs that wait for a person."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client

from accounts.rights import NotAllowed
from devices.models import Right
from events.models import Event
from jobs import lifecycle, waits
from jobs.models import Job, Wait
from jobs.states import State
from jobs.waits import Answer, NotWaiting
from tests import build
from tests.jobs.test_views import page, words_of
from workers.tokens import token_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def job(alice: User) -> Job:
    return build.job(submitter=alice, state=State.RUNNING)


def said(job: Job, *signals: str) -> None:
    """What the test of a job prints, as its worker tells it."""
    build.log(job, *(f"Received signal: {signal}" for signal in signals), level="debug")


def answers() -> list[tuple[str, str]]:
    return list(Wait.objects.values_list("key", "answer"))


def last_event(job: Job) -> Event:
    found = Event.objects.filter(job_id=job.pk).order_by("-id").first()
    assert found is not None
    return found


def test_a_question_is_kept_and_told(job: Job) -> None:
    build.question(job, seconds=600)

    wait = Wait.objects.get()
    assert (wait.text, wait.answer) == ("Press reset", "")
    assert wait.until == wait.since + timedelta(seconds=600)
    told = last_event(job)
    assert (told.type, told.data["reason"], told.data["state"]) == ("job.waiting", "Press reset", "Running")


def test_a_question_that_is_sent_again_is_one(job: Job) -> None:
    build.question(job)
    build.question(job)

    assert answers() == [("a1", "")]
    assert build.events_of(job).count("job.waiting") == 1


def test_who_did_it_says_so_and_all_hear_of_it(job: Job, alice: User) -> None:
    build.question(job)

    waits.answer(job, alice, Answer.DONE, comment="it was \n stuck")

    wait = Wait.objects.get()
    assert (wait.answer, wait.answered_by, wait.comment) == ("done", "alice", "it was stuck")
    told = last_event(job)
    assert (told.type, told.actor, told.data["reason"]) == ("job.resumed", "alice", "Done: it was stuck")
    assert build.audit_trail()[-1].endswith("Answered “Press reset”: Done: it was stuck")


def test_who_looks_after_the_device_may_answer(job: Job, bob: User) -> None:
    build.right(build.group("kernel"), "qemu01", Right.CHANGE)
    build.question(job)

    waits.answer(job, bob, Answer.FAILED)

    assert answers() == [("a1", "failed")]


def test_a_stranger_may_not_answer(job: Job, mallory: User) -> None:
    build.question(job)

    with pytest.raises(NotAllowed, match=f"job {job.pk} is alice's"):
        waits.answer(job, mallory, Answer.DONE)
    assert answers() == [("a1", "")]


def test_the_question_that_has_waited_longest_is_answered_unless_another_is_named(
    job: Job, alice: User
) -> None:
    for key in ("a1", "b2", "c3"):
        build.question(job, key=key)

    waits.answer(job, alice, Answer.DONE)
    waits.answer(job, alice, Answer.DONE, key="c3")

    assert answers() == [("a1", "done"), ("b2", ""), ("c3", "done")]


def test_a_question_is_answered_once(job: Job, alice: User) -> None:
    build.question(job)
    waits.answer(job, alice, Answer.DONE)

    with pytest.raises(NotWaiting):
        waits.answer(job, alice, Answer.FAILED)


def test_a_test_that_went_on_by_itself_is_told(job: Job, alice: User) -> None:
    build.question(job)

    said(job, "<WAITOVER> a1 timeout")

    assert answers() == [("a1", "timeout")]
    assert (last_event(job).type, last_event(job).cause) == ("job.resumed", "timer")
    with pytest.raises(NotWaiting):
        waits.answer(job, alice, Answer.DONE)


def test_an_answer_that_was_given_stays(job: Job, alice: User) -> None:
    build.question(job)
    waits.answer(job, alice, Answer.DONE)

    said(job, "<WAITOVER> a1 done")

    assert answers() == [("a1", "done")]
    assert build.events_of(job).count("job.resumed") == 1


def test_nobody_is_waited_for_when_the_job_has_ended(job: Job, alice: User) -> None:
    build.question(job)

    lifecycle.cancel(job.pk, by="alice")
    lifecycle.finish(job.pk, build.FAILED, worker="worker01")

    assert answers() == [("a1", "ended")]
    build.question(job, key="b2")
    assert answers() == [("a1", "ended")]


@pytest.mark.parametrize(
    "signal",
    [
        "<WAITFORPERSON>",
        "<WAITFORPERSON> a1",
        "<WAITFORPERSON> a1 0",
        "<WAITFORPERSON> a1 soon Press",
        "<WAITFORPERSON> ../a1 0 Press",
        f"<WAITFORPERSON> {'a' * 33} 0 Press",
        "<WAITOVER>",
        "<WAITOVER> unknown timeout",
        "<TESTCASE> a1 0 Press",
    ],
)
def test_what_is_no_question_is_none(job: Job, signal: str) -> None:
    said(job, signal)

    assert answers() == []


def test_a_question_of_any_length_and_character_is_kept_as_far_as_it_can_be(job: Job) -> None:
    build.question(job, "%00" + "x" * 9_000, seconds=10**9)

    assert len(Wait.objects.get().text) == 500


def test_a_job_cannot_ask_without_end(job: Job) -> None:
    said(job, *(f"<WAITFORPERSON> k{number} 0 Press" for number in range(waits.MOST_WAITS + 3)))

    assert Wait.objects.count() == waits.MOST_WAITS


# The worker


def fetched(client: Client, job: Job, token: str) -> object:
    address = f"/scheduler/internal/v1/jobs/{job.pk}/answers/"
    return client.get(address, headers={"lava-token": token}).json()


def test_the_worker_fetches_the_answers(client: Client, job: Job, alice: User) -> None:
    build.question(job)
    token = token_of(job.pk, 1)
    assert fetched(client, job, token) == {"answers": {}}

    waits.answer(job, alice, Answer.FAILED, comment="no such button")

    assert fetched(client, job, token) == {
        "answers": {"a1": {"answer": "failed", "comment": "no such button"}}
    }
    assert fetched(client, job, "wrong") == {"error": "Invalid 'token'"}


# Pages


def test_the_page_of_a_job_shows_what_is_asked_and_takes_the_answer(
    client: Client, job: Job, alice: User
) -> None:
    build.question(job)
    client.force_login(alice)
    assert "Waits for a person Press reset" in words_of(page(client, f"/job/{job.pk}/"))

    given = {"answer": "done", "comment": "pressed", "wait": "a1"}
    answer = client.post(f"/job/{job.pk}/answer/", given)

    assert answer.status_code == 302
    assert answers() == [("a1", "done")]
    assert "Waits for a person" not in page(client, f"/job/{job.pk}/")


def test_only_who_may_answer_gets_the_buttons(client: Client, job: Job, mallory: User) -> None:
    build.question(job)
    client.force_login(mallory)

    html = page(client, f"/job/{job.pk}/")

    assert "Press reset" in html
    assert 'value="done"' not in html
    assert client.post(f"/job/{job.pk}/answer/", {"answer": "done"}).status_code == 403


@pytest.mark.parametrize(
    "given",
    [{}, {"answer": "timeout"}, {"answer": "done", "comment": "x" * 501}, {"answer": "done", "wait": "b2"}],
)
def test_what_is_no_answer_changes_nothing_and_is_told(
    client: Client, job: Job, alice: User, given: dict[str, str]
) -> None:
    build.question(job)
    client.force_login(alice)

    html = client.post(f"/job/{job.pk}/answer/", given, follow=True).content.decode()

    assert answers() == [("a1", "")]
    assert f"Job {job.pk} " in html.partition('class="messages')[2][:400]


def test_the_lab_shows_which_jobs_need_a_person(client: Client, job: Job) -> None:
    build.question(job)

    words = words_of(page(client, "/"))

    assert "1needs a person" in words.replace("1 needs", "1needs")
    assert "Press reset" in words


def test_the_lab_hides_the_questions_of_hidden_jobs(client: Client, alice: User) -> None:
    build.question(build.job(submitter=alice, state=State.RUNNING, visibility="personal"), "hush")

    assert "hush" not in page(client, "/")
