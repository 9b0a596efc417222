"""Jobs whose commands run over ssh, on a real sshd."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from core import yaml
from tests.workers.builtin.conftest import definition, jobs_definition, kill_runner, processes_of
from tests.workers.builtin.lab_server import LabServer, ServedJob
from tests.workers.builtin.ssh_server import PROGRAM, SshServer
from tests.workers.builtin.test_repositories import Repository, definition_from_git
from tests.workers.builtin.test_waits import answer
from tests.workers.builtin.test_worker import STUBBORN, StartProcess, StartWorker, results_of
from workers.builtin.processes import start_time

Run = Callable[..., ServedJob]


@pytest.fixture
def board(tmp_path: Path) -> Iterator[SshServer]:
    if not PROGRAM.exists():
        pytest.skip("needs sshd: apt-get install openssh-server")
    board = SshServer(tmp_path / "board")
    yield board
    board.stop()


@pytest.fixture
def add(lab: LabServer, board: SshServer) -> Run:
    def add_job(text: str, **changes: Any) -> ServedJob:
        return lab.add_job(text, device=yaml.dump(board.device(**changes)))

    return add_job


@pytest.fixture
def run(lab: LabServer, start_worker: StartWorker, add: Run) -> Run:
    start_worker(allow_file_repositories=True)

    def run_job(text: str, **changes: Any) -> ServedJob:
        job = add(text, **changes)
        lab.wait_for_end(job, 30)
        return job

    return run_job


def nothing_is_left(board: SshServer) -> bool:
    return not board.processes() and not os.listdir(board.there)


def test_a_job_runs_over_there_and_leaves_nothing(run: Run, board: SshServer, lab: LabServer) -> None:
    job = run(definition("echo hello $LAVA_JOB_ID", "pwd", "echo $SSH_CONNECTION | cut -d' ' -f4", "ls -A"))

    (home,) = (line for line in job.printed if line.startswith("/"))
    assert job.printed == [f"hello {job.id}", home, str(board.port)]
    assert Path(home).is_relative_to(board.there)
    assert (job.end.result, job.end.errors) == ("pass", "")
    lab.wait_until(lambda: nothing_is_left(board))


def test_one_connection_serves_the_whole_job(run: Run, board: SshServer) -> None:
    run(jobs_definition([["true"], ["true"], ["true"]]))

    log = (board.directory / "log").read_text()
    assert log.count("Accepted publickey") == 1


def test_the_helpers_work_over_there(run: Run) -> None:
    job = run(
        definition(
            "lava-test-case good --shell true",
            "lava-test-case 'größe ✓' --result fail",
            "lava-test-set start group",
            "lava-test-case inside --result pass --measurement 1.5 --units ms",
            "lava-test-set stop",
            "lava-background-process-start watch --cmd sleep 600",
            "lava-background-process-stop watch",
        )
    )

    assert results_of(job) == {"good": "pass", "größe ✓": "fail", "inside": "pass"}
    assert job.cases("lava")["0_suite"]["result"] == "pass"


def test_the_answer_of_a_person_arrives_over_there(
    lab: LabServer, start_worker: StartWorker, add: Run
) -> None:
    start_worker()
    job = add(definition("lava-lite-wait-for-person Press it"))

    answer(lab, job, "done", "it's 'stuck' at 50 % $(true)")
    lab.wait_for_end(job, 30)

    assert job.printed[-1] == "it's 'stuck' at 50 % $(true)"


def test_a_job_sees_a_terminal_and_its_output_as_it_is(run: Run) -> None:
    job = run(
        definition(
            "test -t 0 && test -t 1 && stty size", "printf 'a\\tb\\n\\033[1mbold\\n'", "seq 3000 | tail -n 1"
        )
    )

    assert job.printed == ["24 80", "a\tb", "\x1b[1mbold", "3000"]


def test_many_lines_arrive_complete_and_in_order(run: Run) -> None:
    job = run(definition("seq 20000"))

    assert job.printed == [str(number) for number in range(1, 20001)]


def test_much_output_is_taken_while_the_board_is_slow_to_say_that_it_began(
    run: Run, board: SshServer
) -> None:
    board.say_ends_after(1)

    job = run(definition("echo first; sleep 0.3; seq 20000"))

    assert job.printed[-1] == "20000"


def test_a_step_that_fails_ends_its_definition_and_the_next_one_runs(run: Run) -> None:
    job = run(jobs_definition([["echo one", "exit 3", "echo never"], ["echo two"]]))

    assert job.printed == ["one", "two"], job.end.errors
    assert [job.cases("lava")[suite]["result"] for suite in ("0_suite", "1_suite")] == ["fail", "pass"]
    assert "0_suite ended with exit code 3 before its last step was done" in job.messages("error")


def test_what_one_definition_leaves_running_serves_the_next_and_ends_with_the_job(
    run: Run, board: SshServer
) -> None:
    job = run(jobs_definition([["sleep 60 & echo $! > pid"], ["kill -0 $(cat pid) && echo alive"]]))

    assert job.printed == ["alive"]
    assert nothing_is_left(board)


def test_the_environment_is_that_of_device_and_job(run: Run) -> None:
    os.environ["SECRET_OF_THE_SERVER"] = "do not tell"
    try:
        job = run(
            definition(
                'echo "$A"', "env | grep -c SECRET_OF || true", "echo $HOME", environment={"A": "it's a"}
            )
        )
    finally:
        del os.environ["SECRET_OF_THE_SERVER"]

    assert job.printed[:2] == ["it's a", "0"]
    assert job.printed[2].endswith("/home")


def test_a_test_from_git_is_copied_over(run: Run, tmp_path: Path) -> None:
    repository = Repository(tmp_path / "tests.git")

    job = run(definition_from_git(repository.address))

    assert job.printed == ["installing", "hello nobody", "first"]
    assert job.cases("lava")["0_smoke"]["commit_id"] == repository.first


# ends


def test_a_cancel_ends_everything_over_there(run: Run, add: Run, lab: LabServer, board: SshServer) -> None:
    job = add(definition(STUBBORN, "echo waiting; sleep 60"))
    lab.wait_for_output(job, "stubborn")
    lab.wait_for_output(job, "waiting")

    lab.cancel(job)
    lab.wait_for_end(job, 30)

    assert (job.end.result, job.end.error_type) == ("fail", "Canceled")
    assert nothing_is_left(board)


def test_what_dropped_its_mark_is_found_by_its_directory(run: Run, board: SshServer) -> None:
    job = run(definition("env -i setsid sleep 600 & echo $!"))

    assert start_time(int(job.printed[0])) is None
    assert nothing_is_left(board)


def test_a_job_may_go_on_after_an_action_that_took_too_long(run: Run, board: SshServer) -> None:
    job = yaml.load(jobs_definition([["echo $$ > ../../pid", "sleep 60"]]))
    second = yaml.load(jobs_definition([["kill -0 $(cat ../../pid) 2>/dev/null || echo gone"]]))["actions"][0]
    job["actions"][0]["test"]["timeout"] = {"seconds": 1, "skip": True}
    job["actions"].append(second)

    done = run(yaml.dump(job))
    (board.there / "pid").unlink()

    assert done.printed[-1:] == ["gone"]
    assert done.end.result == "pass"


def test_a_killed_runner_leaves_nothing_over_there(
    run: Run, add: Run, lab: LabServer, board: SshServer, directory: Path
) -> None:
    job = add(definition(STUBBORN, "echo waiting; sleep 60"))
    lab.wait_for_output(job, "stubborn")
    lab.wait_for_output(job, "waiting")

    here = processes_of(directory, job.id)
    assert here.find()

    kill_runner(directory, job.id)
    lab.wait_for_end(job, 30)

    assert job.end.error_type == "Infrastructure"
    assert "The runner of this job was killed" in job.end.errors
    assert nothing_is_left(board)
    assert not here.find()


def test_a_runner_killed_together_with_its_worker_leaves_nothing_over_there(
    add: Run, lab: LabServer, start_worker_process: StartProcess, board: SshServer, directory: Path
) -> None:
    worker = start_worker_process()
    job = add(definition(STUBBORN, "echo waiting; sleep 60"))
    lab.wait_for_output(job, "waiting")

    worker.kill()
    worker.wait()
    kill_runner(directory, job.id)

    # Nobody is left here who could do it.
    lab.wait_until(lambda: nothing_is_left(board))
    start_worker_process()
    lab.wait_for_end(job)
    assert job.end.error_type == "Infrastructure"


def test_the_next_worker_clears_what_even_the_guard_could_not(
    add: Run, lab: LabServer, start_worker_process: StartProcess, board: SshServer, directory: Path
) -> None:
    worker = start_worker_process()
    job = add(definition("echo waiting; sleep 60"))
    lab.wait_for_output(job, "waiting")
    worker.kill()
    worker.wait()
    for pid in guards(board):
        os.kill(pid, signal.SIGKILL)
    kill_runner(directory, job.id)

    assert not nothing_is_left(board)
    start_worker_process()
    lab.wait_for_end(job, 30)
    assert nothing_is_left(board)


def test_a_board_that_cannot_be_cleared_is_told(
    add: Run, lab: LabServer, start_worker: StartWorker, board: SshServer, directory: Path
) -> None:
    worker = start_worker(end_jobs_on_stop=False)
    job = add(definition("echo waiting; sleep 60"))
    lab.wait_for_output(job, "waiting")
    worker.stop()
    for pid in guards(board):
        os.kill(pid, signal.SIGKILL)
    board.go_down()
    kill_runner(directory, job.id)

    lab.wait_until(lambda: not lab.sockets)
    start_worker()
    lab.wait_for_end(job, 30)

    (warning,) = job.messages("warning")
    assert warning.startswith("What the job left on ")
    assert "could not be removed: " in warning
    assert job.end.error_type == "Infrastructure"


def guards(board: SshServer) -> list[int]:
    """The shells over there that wait for the end of the connection, and what they wait with."""
    found = subprocess.run(["pgrep", "-f", "^/bin/sh -c mkdir -m 700"], capture_output=True, text=True)
    return [int(pid) for pid in found.stdout.split() if int(pid) in board.processes()]


def test_a_connection_that_breaks_is_told_and_everything_over_there_ends(
    run: Run, add: Run, lab: LabServer, board: SshServer
) -> None:
    job = add(definition("echo waiting; sleep 60"))
    lab.wait_for_output(job, "waiting")

    for pid in board.connections():
        os.kill(pid, signal.SIGKILL)
    lab.wait_for_end(job, 30)

    assert (job.end.result, job.end.error_type) == ("fail", "Infrastructure")
    assert "is not to be reached any more" in job.end.errors
    assert nothing_is_left(board)


# what may be wrong


def test_a_board_that_does_not_answer_is_an_infrastructure_error(run: Run) -> None:
    job = run(definition("echo never"), port=1, known_hosts=None)

    assert (job.end.result, job.end.error_type) == ("fail", "Infrastructure")
    assert "No connection to " in job.end.errors
    assert "Connection refused" in job.end.errors
    assert job.printed == []


def test_a_board_that_is_not_who_it_was_is_refused(run: Run, board: SshServer) -> None:
    other = (board.directory / "client_key.pub").read_text()

    job = run(definition("echo never"), known_hosts=f"[127.0.0.1]:{board.port} {other}")

    assert job.end.error_type == "Configuration"
    assert "Host key verification failed" in job.end.errors
    assert job.printed == []


def test_an_unknown_board_is_refused_unless_the_dictionary_says_otherwise(run: Run) -> None:
    stranger = (
        "[127.0.0.1]:1 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
    )

    assert run(definition("true"), known_hosts=stranger).end.error_type == "Configuration"
    assert run(definition("true"), known_hosts=stranger, host_key="accept-new").end.result == "pass"
    assert run(definition("true"), known_hosts=None, host_key="ignore").end.result == "pass"


def test_options_of_ssh_may_be_given(run: Run, board: SshServer) -> None:
    _, key = board.host_key.split(" ", 1)

    job = run(definition("true"), known_hosts=f"board {key}", options={"HostKeyAlias": "board"})

    assert (job.end.result, job.end.errors) == ("pass", "")


def test_a_key_that_the_board_does_not_take_is_a_configuration_error(run: Run, board: SshServer) -> None:
    job = run(definition("true"), identity_file=str(board.directory / "host_key"))

    assert job.end.error_type == "Configuration"
    assert "Permission denied" in job.end.errors


def test_a_directory_that_cannot_be_made_is_told(run: Run) -> None:
    job = run(definition("true"), directory="/proc/nowhere")

    assert job.end.error_type == "Infrastructure"
    assert "The directory /proc/nowhere/lava-lite-" in job.end.errors
