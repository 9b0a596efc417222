"""Jobs that run in a fresh container each, by a real container engine."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from core import yaml
from tests.workers.builtin.conftest import definition, jobs_definition, kill_runner, processes_of, runners
from tests.workers.builtin.containers import IMAGE, SHELLLESS, Containers, NoContainers
from tests.workers.builtin.lab_server import LabServer, ServedJob
from tests.workers.builtin.test_repositories import Repository, definition_from_git
from tests.workers.builtin.test_worker import STUBBORN, StartWorker, results_of
from workers.builtin import running_job

Run = Callable[..., ServedJob]


@pytest.fixture(scope="module")
def containers() -> Iterator[Containers]:
    try:
        containers = Containers()
    except NoContainers as missing:
        pytest.skip(str(missing))
    yield containers
    containers.close()


@pytest.fixture
def program(
    request: pytest.FixtureRequest, containers: Containers, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    environment = running_job._RUNNER_ENVIRONMENT
    path = f"{containers.bin}:{environment['PATH']}"
    monkeypatch.setenv("PATH", path)
    monkeypatch.setattr(running_job, "_RUNNER_ENVIRONMENT", environment | {"PATH": path})
    program = getattr(request, "param", "docker" if "TEST_DOCKER" in os.environ else "podman")
    yield program
    assert containers.names(program) == []


@pytest.fixture
def add(lab: LabServer, program: str, start_worker: StartWorker) -> Run:
    start_worker(allow_file_repositories=True)

    def add_job(text: str, **settings: Any) -> ServedJob:
        device = {"executor": program, program: {"image": IMAGE, "pull": "never", **settings}}
        return lab.add_job(text, device=yaml.dump(device))

    return add_job


@pytest.fixture
def run(lab: LabServer, add: Run) -> Run:
    def run_job(text: str, **settings: Any) -> ServedJob:
        job = add(text, **settings)
        lab.wait_for_end(job, 60)
        return job

    return run_job


by_both = pytest.mark.parametrize("program", ["podman", "docker"], indirect=True)


@by_both
def test_a_job_runs_in_a_container_of_its_own(run: Run) -> None:
    steps = ("cat /etc/left 2>/dev/null || echo fresh", "echo left > /etc/left", "pwd", "echo $LAVA_JOB_ID")

    first, second = run(definition(*steps)), run(definition(*steps))

    assert first.printed == ["fresh", "/lava-lite/home", str(first.id)]
    assert second.printed == ["fresh", "/lava-lite/home", str(second.id)]
    assert (first.end.result, first.end.errors) == ("pass", "")


def test_terminal_helpers_and_environment_are_as_everywhere(run: Run) -> None:
    job = run(
        definition(
            "test -t 0 && test -t 1 && stty size",
            "lava-test-case good --shell true",
            "lava-test-case 'größe ✓' --result fail",
            "lava-background-process-start watch --cmd sleep 600",
            "lava-background-process-stop watch",
            'echo "$A"',
            "seq 5000 | tail -n 1",
            environment={"A": "it's a"},
        )
    )

    assert job.printed == ["24 80", "it's a", "5000"]
    assert results_of(job) == {"good": "pass", "größe ✓": "fail"}


def test_definitions_share_the_container(run: Run) -> None:
    job = run(jobs_definition([["sleep 60 & echo $! > pid", "exit 3"], ["kill -0 $(cat pid) && echo alive"]]))

    assert job.printed == ["alive"]
    assert [job.cases("lava")[suite]["result"] for suite in ("0_suite", "1_suite")] == ["fail", "pass"]


def test_a_test_from_git_is_copied_into_it(run: Run, tmp_path: Path) -> None:
    repository = Repository(tmp_path / "tests.git")

    job = run(definition_from_git(repository.address))

    assert job.printed == ["installing", "hello nobody", "first"]


def test_the_options_of_the_dictionary_are_given_to_it(run: Run, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "given").write_text("from outside\n")
    options = {"network": "none", "hostname": "board", "user": "1234", "volume": [f"{tmp_path}:/mnt:ro"]}

    job = run(definition("hostname", "id -u", "ls /sys/class/net", "cat /mnt/given"), options=options)

    assert job.printed == ["board", "1234", "lo", "from outside"]


def test_a_job_may_go_on_after_an_action_that_took_too_long(run: Run) -> None:
    job = yaml.load(jobs_definition([["echo $$ > pid", "sleep 60"]]))
    second = yaml.load(jobs_definition([["kill -0 $(cat pid) 2>/dev/null || echo gone"]]))["actions"][0]
    job["actions"][0]["test"]["timeout"] = {"seconds": 1, "skip": True}
    job["actions"].append(second)

    done = run(yaml.dump(job))

    assert done.printed[-1:] == ["gone"]
    assert done.end.result == "pass"


def test_a_cancel_ends_the_container(add: Run, lab: LabServer) -> None:
    job = add(definition(STUBBORN, "echo waiting; sleep 60"))
    lab.wait_for_output(job, "waiting")

    lab.cancel(job)
    lab.wait_for_end(job, 60)

    assert (job.end.result, job.end.error_type) == ("fail", "Canceled")


@by_both
def test_a_killed_runner_leaves_no_container(
    add: Run, lab: LabServer, directory: Path, containers: Containers, program: str
) -> None:
    job = add(definition(STUBBORN, "echo waiting; sleep 60"))
    lab.wait_for_output(job, "waiting")
    assert len(containers.names(program)) == 1
    here = processes_of(directory, job.id)
    assert here.find()

    kill_runner(directory, job.id)
    lab.wait_for_end(job, 60)

    assert job.end.error_type == "Infrastructure"
    assert "The runner of this job was killed" in job.end.errors
    assert containers.names(program) == []
    assert not here.find()


def test_a_container_that_is_taken_away_ends_the_job(
    add: Run, lab: LabServer, containers: Containers, program: str
) -> None:
    job = add(definition("echo waiting; sleep 60"))
    lab.wait_for_output(job, "waiting")

    containers.run("rm", "--force", *containers.names(program), program=program)
    lab.wait_for_end(job, 60)

    assert (job.end.result, job.end.error_type) == ("fail", "Infrastructure")
    assert f"the container of {IMAGE} is not to be reached any more" in job.end.errors


def test_an_image_that_is_not_there_is_an_infrastructure_error(
    run: Run, lab: LabServer, directory: Path
) -> None:
    job = run(definition("true"), image="localhost/nothing-like-it:1")

    assert (job.end.result, job.end.error_type) == ("fail", "Infrastructure")
    assert "No container of localhost/nothing-like-it:1 could be started: " in job.end.errors
    lab.wait_until(lambda: not runners(directory))


def test_an_image_without_a_shell_is_a_configuration_error(run: Run) -> None:
    job = run(definition("true"), image=SHELLLESS)

    assert job.end.error_type == "Configuration"
    assert f"No container of {SHELLLESS} could be started: " in job.end.errors


def test_a_container_outlives_neither_its_runner_nor_a_worker_that_is_gone(
    lab: LabServer,
    program: str,
    start_worker: StartWorker,
    directory: Path,
    containers: Containers,
) -> None:
    worker = start_worker(end_jobs_on_stop=False)
    device = {"executor": program, program: {"image": IMAGE, "pull": "never"}}
    job = lab.add_job(definition("echo waiting; sleep 60"), device=yaml.dump(device))
    lab.wait_for_output(job, "waiting")
    worker.stop()
    assert len(containers.names(program)) == 1

    kill_runner(directory, job.id)

    # Nobody is left here who could do it.
    lab.wait_until(lambda: containers.names(program) == [])
    lab.wait_until(lambda: not lab.sockets)
    start_worker()
    lab.wait_for_end(job)
    assert job.end.error_type == "Infrastructure"
