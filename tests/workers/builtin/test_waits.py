"""A test that waits for a person, on the worker's side."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.workers.builtin.conftest import definition, marked_processes
from tests.workers.builtin.lab_server import LabServer, ServedJob

StartWorker = Callable[..., object]

WAITING = "lava-lite-wait-for-person Press 'the <red> button' && echo pressed || echo code $?"


def question(lab: LabServer, job: ServedJob) -> list[str]:
    """Key, timeout and text of what the test asks."""

    def asked() -> list[str]:
        begin = "Received signal: <WAITFORPERSON> "
        return [str(m).removeprefix(begin) for m in job.messages("debug") if str(m).startswith(begin)]

    lab.wait_until(asked)
    return asked()[0].split()


def answer(lab: LabServer, job: ServedJob, word: str, comment: str = "") -> None:
    key, *_ = question(lab, job)
    job.answers[key] = {"answer": word, "comment": comment}


def test_a_test_waits_until_a_person_has_done_it(lab: LabServer, start_worker: StartWorker) -> None:
    start_worker()
    job = lab.add_job(definition(WAITING))

    assert question(lab, job)[1:] == ["0", "Press%20the%20%3cred%3e%20button"]
    answer(lab, job, "done", "it was stuck")
    lab.wait_for_end(job)

    assert job.printed == ["Waiting for a person: Press the <red> button", "it was stuck", "pressed"]
    assert (job.end.result, job.messages("warning")) == ("pass", [])


def test_a_person_may_say_that_it_failed(lab: LabServer, start_worker: StartWorker) -> None:
    start_worker()
    job = lab.add_job(definition(WAITING))

    answer(lab, job, "failed")
    lab.wait_for_end(job)

    assert job.printed[-1] == "code 1"


def test_nobody_comes_in_time(lab: LabServer, start_worker: StartWorker) -> None:
    start_worker()
    job = lab.add_job(definition("lava-lite-wait-for-person --timeout 1 Press it || echo code $?"))

    lab.wait_for_end(job)

    assert job.printed[1:] == ["Nobody answered within 1 seconds", "code 124"]
    key, *_ = question(lab, job)
    assert f"Received signal: <WAITOVER> {key} timeout" in job.messages("debug")


def test_a_wait_that_nobody_ends_ends_with_its_job(
    lab: LabServer, start_worker: StartWorker, directory: Path
) -> None:
    start_worker()
    job = lab.add_job(definition(WAITING))
    question(lab, job)

    lab.cancel(job)
    lab.wait_for_end(job)

    assert job.end.error_type == "Canceled"
    assert not marked_processes(directory)


def test_an_answer_that_comes_while_the_worker_is_dead_arrives(
    lab: LabServer, start_worker_process: Callable[..., subprocess.Popen[bytes]]
) -> None:
    worker = start_worker_process()
    job = lab.add_job(definition(WAITING))
    question(lab, job)
    worker.kill()
    worker.wait(30)

    answer(lab, job, "done")
    start_worker_process()
    lab.wait_for_end(job)

    assert job.printed[-1] == "pressed"


def test_an_answer_that_comes_while_the_server_is_away_arrives(
    lab: LabServer, start_worker: StartWorker
) -> None:
    start_worker()
    job = lab.add_job(definition(WAITING))
    answering = question(lab, job)
    lab.go_down()

    job.answers[answering[0]] = {"answer": "done", "comment": ""}
    lab.listen()
    lab.wait_for_end(job)

    assert job.printed[-1] == "pressed"


def test_two_tests_may_wait_at_once(lab: LabServer, start_worker: StartWorker) -> None:
    start_worker()
    job = lab.add_job(
        definition("lava-lite-wait-for-person first & lava-lite-wait-for-person second; wait; echo both")
    )
    lab.wait_until(lambda: sum("<WAITFORPERSON>" in str(message) for message in job.messages("debug")) == 2)

    for message in job.messages("debug"):
        if "<WAITFORPERSON>" in str(message):
            job.answers[str(message).split()[3]] = {"answer": "done", "comment": ""}
    lab.wait_for_end(job)

    assert job.printed[-1] == "both"


@pytest.mark.parametrize("words", ["", "x --timeout", "x --timeout soon", "x --timeout 0", "--tiemout 3 x"])
def test_a_wait_that_is_asked_for_wrongly_says_how(
    lab: LabServer, start_worker: StartWorker, words: str
) -> None:
    start_worker()
    job = lab.add_job(definition(f"lava-lite-wait-for-person {words}"))
    lab.wait_for_end(job)

    assert any(line.startswith("Usage: lava-lite-wait-for-person") for line in job.printed)
    assert not any("WAITFORPERSON" in str(message) for message in job.messages("debug"))
