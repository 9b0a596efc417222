"""`/ws/job/<id>/log`: what log-tail answers, pushed, behind the real server."""

from __future__ import annotations

import time
from typing import Any

import pytest
from django.contrib.auth.models import User
from websockets.sync.client import ClientConnection

from accounts.models import Token
from jobs import lifecycle, log_live
from jobs.lifecycle import Ending
from jobs.log_live import socket, watching
from jobs.models import Job
from jobs.states import State
from tests import build
from tests.jobs.log_live.writing import whole, write
from tests.lab import eventually
from tests.serving import PATIENCE, Site, do, farewell, hear, token

BROKEN = Ending(passed=False, error_type="Infrastructure", errors="the power was cut")


def watch(site: Site, job: Job, query: str = "", **headers: str) -> ClientConnection:
    return site.connect(f"/ws/job/{job.pk}/log{query}", headers=headers)


def running(**of_job: Any) -> Job:
    job: Job = do(lambda: build.job(state=State.RUNNING, **of_job))
    return job


def finish(job: Job) -> None:
    do(lambda: lifecycle.finish(job.pk, Ending(passed=True), worker="worker01"))


def put_together(pieces: list[dict[str, Any]]) -> str:
    """The text of pieces of which each starts where the one before it ended."""
    ends = [pieces[0]["start"], *(piece["new_size"] for piece in pieces)]
    assert [piece["start"] for piece in pieces] == ends[:-1]
    return "".join(piece["content"] for piece in pieces)


def test_the_first_frame_comes_at_once_and_has_what_there_is(site: Site) -> None:
    job = running()
    write(job, "hello")

    assert hear(watch(site, job)) == {"start": 0, "content": "hello\n", "new_size": 6, "is_finished": False}


def test_the_first_frame_of_a_log_without_output_is_empty(site: Site) -> None:
    client = watch(site, do(build.job))

    assert hear(client) == {"start": 0, "content": "", "new_size": 0, "is_finished": False}


def test_what_is_written_is_pushed_with_its_place(site: Site) -> None:
    job = running()
    write(job, "grüße")
    client = watch(site, job, "?start=8")
    hear(client)

    write(job, "login: ", partial=True)

    assert hear(client) == {"start": 8, "content": "login: ", "new_size": 15, "is_finished": False}


def test_a_burst_is_pushed_in_few_frames_and_whole(site: Site) -> None:
    job = running()
    client = watch(site, job)
    pieces = [hear(client)]

    for number in range(300):
        write(job, f"line {number}")
    while pieces[-1]["new_size"] < len(whole(job)):
        pieces.append(hear(client))

    assert put_together(pieces) == whole(job)


def test_whoever_is_cut_off_after_each_frame_goes_on_at_the_byte_and_has_all_of_it_once(site: Site) -> None:
    job = running()
    pieces: list[dict[str, Any]] = [{"start": 0, "content": "", "new_size": 0, "is_finished": False}]

    for number in range(30):
        write(job, f"{number} " + "grüße € 😀 " * (number * 50))
        with watch(site, job, f"?start={pieces[-1]['new_size']}") as client:
            pieces.append(hear(client))
    finish(job)
    rest, _, _ = farewell(watch(site, job, f"?start={pieces[-1]['new_size']}"))

    told = [*pieces, *rest]
    assert put_together(told) == whole(job)
    assert [piece["is_finished"] for piece in told] == [False] * (len(told) - 1) + [True]


def test_a_large_log_comes_in_pieces_of_which_only_the_last_is_finished(site: Site) -> None:
    job = running()
    write(job, *(f"{number:06} {'ü' * 40}" for number in range(10_000)))
    finish(job)

    pieces, code, _ = farewell(watch(site, job))

    assert put_together(pieces) == whole(job)
    assert [piece["is_finished"] for piece in pieces] == [False] * (len(pieces) - 1) + [True]
    assert max(piece["new_size"] - piece["start"] for piece in pieces) <= watching.PIECE
    assert code == socket.DONE


def test_the_end_of_the_job_is_told_after_the_last_byte(site: Site) -> None:
    job = running()
    client = watch(site, job)

    write(job, "the last word")
    finish(job)

    pieces, code, _ = farewell(client)
    assert put_together(pieces) == "the last word\n"
    assert pieces[-1]["is_finished"]
    assert code == socket.DONE


def test_a_new_attempt_starts_before_the_end_of_the_one_before_it(site: Site) -> None:
    job = running(lava_lite={"retry": 2})
    write(job, "the first attempt")
    client = watch(site, job)
    assert hear(client)["new_size"] == 18

    do(lambda: lifecycle.finish(job.pk, BROKEN, worker="worker01"))

    frame = hear(client)
    while frame["start"]:
        frame = hear(client)
    assert frame == {"start": 0, "content": "", "new_size": 0, "is_finished": False}


def test_an_earlier_attempt_is_finished(site: Site) -> None:
    job = running(lava_lite={"retry": 2})
    write(job, "the first attempt")
    do(lambda: lifecycle.finish(job.pk, BROKEN, worker="worker01"))

    (piece,), code, _ = farewell(watch(site, job, "?attempt=1"))

    assert (piece["content"], piece["is_finished"]) == ("the first attempt\n", True)
    assert code == socket.DONE


def test_a_start_beyond_the_end_gives_nothing_and_the_real_size(site: Site) -> None:
    job = running()
    write(job, "hello")

    frame = hear(watch(site, job, "?start=99999999999999999999"))

    assert (frame["content"], frame["new_size"]) == ("", 6)


def test_with_no_bell_what_is_written_arrives_by_looking(site: Site) -> None:
    job = running()
    client = watch(site, job)
    hear(client)

    write(job, "unheard", rings=False)

    assert hear(client)["content"] == "unheard\n"


def test_a_quiet_log_is_told_to_be_quiet(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "HEARTBEAT_SECONDS", 0.05)
    job = running()
    write(job, "hello")
    client = watch(site, job)

    assert [hear(client) for _ in range(3)][1:] == [
        {"start": 6, "content": "", "new_size": 6, "is_finished": False}
    ] * 2


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("?start=-1", "start: expected a whole number, 0 or more, got '-1'"),
        ("?start=", "start: expected a whole number, 0 or more, got ''"),
        ("?attempt=x", "attempt: expected a whole number, 0 or more, got 'x'"),
        ("?attempt=0", "attempt: expected 1 or more, got '0'"),
    ],
)
def test_what_cannot_be_understood_is_refused_with_what_would_be_right(
    query: str, words: str, site: Site
) -> None:
    assert farewell(watch(site, running(), query)) == ([{"error": words}], 4400, words)


@pytest.mark.parametrize("number", ["7300001", "9" * 25])
def test_a_job_that_is_not_there_is_refused(number: str, site: Site) -> None:
    (last,), code, _ = farewell(site.connect(f"/ws/job/{number}/log"))

    assert f"There is no job {number}" in last["error"]
    assert code == 4404


def test_a_hidden_log_looks_as_if_there_were_none(site: Site, alice: User, mallory: User) -> None:
    job = running(submitter=alice, visibility="personal")
    write(job, "hush")
    words = f"There is no job {job.pk}, or it is hidden from you."

    for headers in ({}, token(Token.objects.issue(mallory))):
        assert farewell(watch(site, job, **headers)) == ([{"error": words}], 4404, words)


def test_its_submitter_sees_a_hidden_log(site: Site, alice: User) -> None:
    job = running(submitter=alice, visibility="personal")
    write(job, "hush")

    client = watch(site, job, **token(Token.objects.issue(alice)))

    assert hear(client)["content"] == "hush\n"


def test_a_log_that_is_hidden_meanwhile_is_shown_no_further(
    site: Site, alice: User, mallory: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "ALLOWED_SECONDS", 0.0)
    job = running(submitter=alice)
    client = watch(site, job, **token(Token.objects.issue(mallory)))
    hear(client)

    Job.objects.filter(pk=job.pk).update(visibility="personal")
    write(job, "hush")

    (last,), code, _ = farewell(client)
    assert "hidden from you" in last["error"]
    assert code == 4404


def test_a_token_that_is_revoked_shows_nothing_more(
    site: Site, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "ALLOWED_SECONDS", 0.0)
    job = running(submitter=alice)
    client = watch(site, job, **token(Token.objects.issue(alice)))
    hear(client)

    Token.objects.all().delete()
    write(job, "hush")

    _, code, _ = farewell(client)
    assert code == 4401


def test_a_job_that_is_deleted_has_no_log(site: Site) -> None:
    job = running()
    finish(job)
    farewell(watch(site, job))

    do(lambda: Job.objects.get(pk=job.pk).delete())

    assert eventually(lambda: farewell(watch(site, job))[1] == 4404)


def test_nobody_is_asked_while_a_viewer_waits(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    questions: list[object] = []
    asked = watching.ask

    async def counting(question: Any, *args: Any) -> Any:
        questions.append(question)
        return await asked(question, *args)

    monkeypatch.setattr(watching, "ask", counting)
    monkeypatch.setattr(socket, "HEARTBEAT_SECONDS", 0.05)
    client = watch(site, running())
    hear(client)
    so_far = len(questions)

    for _ in range(10):
        hear(client)

    assert len(questions) == so_far == 2  # how it is, and who may see it


def test_many_viewers_of_a_log_cost_one_question_each_time(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = running()
    first = watch(site, job)
    hear(first)
    questions: list[object] = []
    asked = watching.ask

    async def counting(question: Any, *args: Any) -> Any:
        questions.append(question)
        return await asked(question, *args)

    monkeypatch.setattr(watching, "ask", counting)
    clients = [watch(site, job) for _ in range(20)]
    for client in clients:
        hear(client)

    write(job, "for all")

    assert {hear(client)["content"] for client in clients} == {"for all\n"}
    assert not questions


def test_whoever_stops_reading_delays_nobody_and_loses_nothing(site: Site) -> None:
    job = running()
    sleeper, reader = watch(site, job), watch(site, job)
    hear(sleeper), hear(reader)
    pieces = []

    for number in range(40):
        write(job, *(f"{number:03} {place:04} {'x' * 90}" for place in range(1_000)))
    begun = time.monotonic()
    while not pieces or pieces[-1]["new_size"] < job.log_directory().joinpath("output.log").stat().st_size:
        pieces.append(hear(reader))

    assert time.monotonic() - begun < PATIENCE
    assert put_together(pieces) == whole(job)
    late = []
    while not late or late[-1]["new_size"] < pieces[-1]["new_size"]:
        late.append(hear(sleeper))
    assert put_together(late) == whole(job)


def test_who_has_left_is_forgotten(site: Site) -> None:
    job = running()
    client = watch(site, job)
    hear(client)
    assert watching.watcher.watched

    client.close()

    assert eventually(lambda: not watching.watcher.watched)
    log_live.ring()  # and nobody listens to the bell any more
