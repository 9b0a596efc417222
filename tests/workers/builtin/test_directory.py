from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.workers.builtin.conftest import ThreadedWorker, definition, marked_processes
from tests.workers.builtin.lab_server import LabServer, ServedJob
from workers.builtin.directory import JobDirectory, Order, Outcome
from workers.builtin.plan import make_plan

StartWorker = Callable[..., ThreadedWorker]


def order_of(job: ServedJob) -> Order:
    return Order(job=job.ref, mark="1-x", version="1", plan=make_plan(job.id, job.files))


@pytest.fixture
def job(lab: LabServer) -> ServedJob:
    """A job that the server believes to be running on the worker."""
    job = lab.add_job(definition("echo hello"))
    job.state = "Running"
    return job


def test_an_order_makes_the_round_trip(directory: Path, job: ServedJob) -> None:
    order = order_of(job)

    assert JobDirectory.create(directory / "jobs", order).order == order


def test_a_worker_killed_before_the_order_was_written_begins_the_job_again(
    lab: LabServer, directory: Path, start_worker: StartWorker, job: ServedJob
) -> None:
    created = JobDirectory.create(directory / "jobs", order_of(job))
    (created.path / "job.json").rename(created.path / "job.json.part")
    job.state = "Scheduled"

    start_worker()
    lab.wait_for_end(job)

    assert job.printed == ["hello"]


def test_a_worker_killed_before_it_launched_the_runner_launches_it(
    lab: LabServer, directory: Path, start_worker: StartWorker, job: ServedJob
) -> None:
    JobDirectory.create(directory / "jobs", order_of(job))

    start_worker()
    lab.wait_for_end(job)

    assert job.printed == ["hello"]


def test_a_worker_killed_before_it_reported_the_end_reports_it(
    lab: LabServer, directory: Path, start_worker: StartWorker, job: ServedJob
) -> None:
    created = JobDirectory.create(directory / "jobs", order_of(job))
    created.set_outcome(Outcome(result="fail", error_type="Test", errors="why"))

    start_worker()
    lab.wait_for_end(job)

    assert (job.end.error_type, job.end.errors) == ("Test", "why")
    lab.wait_until(lambda: not created.path.exists())


def test_a_worker_killed_while_it_removed_a_directory_does_not_run_the_job_again(
    lab: LabServer, directory: Path, start_worker: StartWorker, job: ServedJob
) -> None:
    created = JobDirectory.create(directory / "jobs", order_of(job))
    (created.path / "job.json").unlink()
    job.state = "Finished"

    start_worker()
    lab.wait_until(lambda: not created.path.exists())

    assert job.records == []


def test_a_worker_killed_while_it_canceled_a_job_that_had_not_begun_cancels_it(
    lab: LabServer, directory: Path, start_worker: StartWorker, job: ServedJob
) -> None:
    created = JobDirectory.create(directory / "jobs", order_of(job))
    created.set_cancel_reason("")

    start_worker()
    lab.wait_for_end(job)

    assert job.end.error_type == "Canceled"
    assert not marked_processes(directory)


def test_the_lock_is_held_by_one_at_a_time(directory: Path, job: ServedJob) -> None:
    created = JobDirectory.create(directory / "jobs", order_of(job))

    lock = created.take_lock()
    assert lock is not None
    assert created.take_lock() is None
    os.close(lock)
    again = created.take_lock()
    assert again is not None
    os.close(again)


def test_a_directory_of_any_depth_can_be_removed(directory: Path, job: ServedJob) -> None:
    created = JobDirectory.create(directory / "jobs", order_of(job))
    outside = directory / "outside"
    outside.mkdir()
    (outside / "kept").touch()
    (created.path / "link").symlink_to(outside)
    start = os.getcwd()
    os.chdir(created.path)
    for _ in range(2000):
        os.mkdir("deeper")
        os.chdir("deeper")
    Path("file").touch()
    os.chdir(start)

    created.remove()

    assert not created.path.exists()
    assert (outside / "kept").exists()


def test_what_was_damaged_from_outside_does_not_end_the_worker(
    lab: LabServer, directory: Path, start_worker: StartWorker, job: ServedJob
) -> None:
    created = JobDirectory.create(directory / "jobs", order_of(job))
    (created.path / "job.json").write_text("{")
    (directory / "jobs" / "a file").touch()

    start_worker()
    other = lab.add_job(definition("echo other"))
    lab.wait_for_end(other)

    assert other.printed == ["other"]
