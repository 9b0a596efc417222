"""What goes wrong around a lab while it works: it says so, loses nothing, and goes on when the cause is gone."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.lab import Lab, eventually
from tests.postgresql import PostgreSQLLab
from tests.statements.visitors import (
    JSON,
    TO_END,
    Person,
    definition,
    has_ended,
    has_printed,
    job,
    log,
    log_directory,
    processes_of,
    rows,
    submit,
)

pytestmark = pytest.mark.lab

AS_ROOT = [] if os.geteuid() == 0 else ["sudo", "--non-interactive"]
SMALL = "64k"
LARGE = "64m"
BUSY = "The database is busy; nothing was changed. Try again."
PRINTED = 20_000  # lines of a log that does not fit on the small disk


def counting(count: int, pause: float) -> tuple[str, ...]:
    """Steps that print numbered lines and report a result at the end."""
    return (
        f"set +x; for i in $(seq {count}); do echo line $i; sleep {pause}; done",
        "lava-test-case counted --result pass",
    )


def lines(first: int, last: int) -> str:
    return "".join(f"line {number}\n" for number in range(first, last + 1))


def new_token(lab: Lab) -> str:
    """One that was never used, so its first use is to be noted."""
    body = json.dumps({"username": "admin", "password": lab.password}).encode()
    token: str = json.loads(lab.request("POST", "/api/v0.2/token/", body, JSON, token="")[1])["token"]
    return token


@contextmanager
def locked_database(lab: Lab) -> Iterator[None]:
    """Another program has begun to write, and does not come to an end."""
    with closing(sqlite3.connect(lab.data / "lava_lite.sqlite3", timeout=20)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.rollback()


def test_a_locked_database_is_told_to_who_writes_and_changes_nothing(lab: Lab, administrator: Person) -> None:
    running = submit(lab, "running meanwhile", *counting(40, 0.1))
    assert has_printed(lab, running, "line 1")
    fresh = new_token(lab)
    text = definition("never", "true")
    body = json.dumps({"definition": text}).encode()

    with locked_database(lab), ThreadPoolExecutor() as at_once:
        by_form = at_once.submit(administrator.send, "/submit/", "/submit/", definition=text)
        by_rest = at_once.submit(lab.request, "POST", "/api/v0.2/jobs/", body, JSON)
        cancel = at_once.submit(lab.request, "POST", f"/api/v0.2/jobs/{running}/cancel/")
        printed = has_printed(lab, running, "line 40")
        pages = [lab.get(path, token="")[0] for path in ("/", "/jobs/", f"/job/{running}/")]
        began = time.monotonic()
        tail = lab.get(f"/job/{running}/log-tail", token=fresh)[0]
        waited = time.monotonic() - began
        assert not by_form.done(), "it did not wait for the lock"
        page, *answers = by_form.result(), by_rest.result(), cancel.result()

    assert printed
    assert pages == [200, 200, 200]
    assert (tail, waited < 10) == (200, True), "reading with a token waited for the note of its use"
    assert (page[0], "The lab is busy" in page[1]) == (503, True)
    assert [(status, json.loads(told)["message"]) for status, told in answers] == [(503, BUSY)] * 2
    assert has_ended(lab, running)
    assert job(lab, running)["health"] == "Complete"
    assert lines(1, 40) in log(lab, running)
    assert not rows(lab, "SELECT id FROM jobs_job WHERE description = 'never'")
    assert has_ended(lab, submit(lab, "afterwards", "true"))


def test_a_log_file_that_is_removed_in_mid_job_is_whole_again_at_its_end(lab: Lab) -> None:
    number = submit(lab, "robbed", *counting(60, 0.03))
    assert has_printed(lab, number, "line 10")

    (log_directory(lab, number) / "output.log").unlink()

    assert has_ended(lab, number)
    assert job(lab, number)["health"] == "Complete"
    # The worker keeps what it has sent until the end, and was asked for it again.
    assert log(lab, number).count(lines(1, 60)) == 1
    assert [case["name"] for case in rows(lab, cases_of(number))] == ["counted"]


def test_a_job_whose_log_was_removed_says_so_to_people_and_programs(lab: Lab) -> None:
    number = submit(lab, "removed", "echo hello")
    assert has_ended(lab, number)

    (log_directory(lab, number) / "output.log").unlink()

    tail = json.loads(lab.get(f"/job/{number}/log-tail?start=5")[1])
    page, status = lab.get(f"/job/{number}/")[1].decode(), lab.get(f"/job/{number}/log")[0]
    assert tail == {"content": "", "new_size": 0, "is_finished": True}
    assert (status, "There is no file with the output of this job any more." in page) == (200, True)


def mount(path: Path, *options: str) -> None:
    """RuntimeError if that is not allowed here."""
    command = [*AS_ROOT, "mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", str(path)]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise RuntimeError(str(error)) from error
    except subprocess.CalledProcessError as error:
        raise RuntimeError(error.stderr.strip()) from error


@pytest.fixture
def cramped(tmp_path: Path) -> Iterator[Lab]:
    """A lab whose logs have a disk of their own, which is soon full."""
    cramped = Lab(tmp_path)
    logs = cramped.data / "logs"
    logs.mkdir(parents=True)
    try:
        mount(logs, f"size={SMALL}", f"uid={os.geteuid()}", "mode=700")
    except RuntimeError as reason:
        pytest.skip(f"needs to mount a small file system: {reason}")
    try:
        cramped.start()
        yield cramped
        cramped.stop()
    finally:
        subprocess.run([*AS_ROOT, "umount", "--lazy", str(logs)], check=True)


def test_a_log_on_a_full_disk_is_complete_when_there_is_room_again(cramped: Lab) -> None:
    steps = (f"seq -f 'line %.0f' {PRINTED}", "lava-test-case counted --result pass")
    number = submit(cramped, "much", *steps)
    assert eventually(lambda: "No space left on device" in cramped.errors.read_text(), TO_END)
    # All has been printed by now, and waits with the worker.
    assert eventually(lambda: not processes_of(cramped), TO_END)
    shown = log(cramped, number)
    page = cramped.get(f"/job/{number}/")[0]
    during = job(cramped, number)["state"]

    mount(cramped.data / "logs", "remount", f"size={LARGE}")

    assert (page, during) == (200, "Running")
    assert has_ended(cramped, number)
    assert job(cramped, number)["health"] == "Complete"
    assert log(cramped, number).startswith(shown)
    assert lines(1, PRINTED) in log(cramped, number)
    assert [case["name"] for case in rows(cramped, cases_of(number))] == ["counted"]


def cases_of(number: int) -> str:
    return (
        "SELECT c.name FROM jobs_testcase c JOIN jobs_attempt a ON a.id = c.attempt_id"
        f" JOIN jobs_testsuite s ON s.id = c.suite_id WHERE a.job_id = {number} AND s.name != 'lava'"
    )


def test_a_postgresql_that_cuts_every_connection_in_mid_job_costs_nothing(
    postgresql_lab: PostgreSQLLab,
) -> None:
    lab = postgresql_lab
    number = submit(lab, "cut off", *counting(60, 0.05))

    for line in (5, 15, 25, 35):
        assert has_printed(lab, number, f"line {line}")
        cut = lab.ask(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid != pg_backend_pid()"
        )
        assert cut

    assert has_ended(lab, number)
    assert job(lab, number)["health"] == "Complete"
    assert lines(1, 60) in log(lab, number)
    assert lab.ask(cases_of(number)) == [("counted",)]
    # The last one gets its number a moment after it has happened.
    assert eventually(lambda: not lab.ask("SELECT id FROM events_event WHERE sequence IS NULL"))
    sequences = [row[0] for row in lab.ask("SELECT sequence FROM events_event ORDER BY sequence")]
    assert sequences == list(range(1, len(sequences) + 1))
    assert has_ended(lab, submit(lab, "afterwards", "true"))
