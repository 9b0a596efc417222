"""The whole lab, as one command starts it."""

import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from tests.lab import COMMAND, ROLES, SUPERVISOR, Lab, eventually, is_alive

pytestmark = pytest.mark.lab


def job(lab: Lab, number: int = 1) -> str:
    """The whole log so far of a job."""
    status, answer = lab.get(f"/job/{number}/log-tail?start=0")
    assert status == 200
    content: str = json.loads(answer)["content"]
    return content


def is_finished(lab: Lab, number: int = 1) -> bool:
    finished: bool = json.loads(lab.get(f"/job/{number}/log-tail?start=0")[1])["is_finished"]
    return finished


def up(lab: Lab) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [COMMAND, "up"], env=lab.environment, capture_output=True, text=True, timeout=30, check=False
    )


def test_a_first_start_shows_what_one_needs_and_runs_a_job(lab: Lab) -> None:
    assert f"Lab        {lab.url}/\n" in lab.banner
    assert f"Live job   {lab.url}/job/1/\n" in lab.banner
    assert f"Events     {lab.zmq} (ZMQ)\n" in lab.banner
    assert f"Data       {lab.data}\n" in lab.banner
    assert len(lab.password) == 19
    assert len(lab.token) == 64
    assert eventually(lambda: is_finished(lab), 30)
    assert "This job runs on" in job(lab)


def test_it_is_at_most_four_processes(lab: Lab) -> None:
    assert eventually(lambda: sorted(lab.pids()) == sorted([*ROLES, SUPERVISOR]))


def test_a_second_start_finds_everything_as_it_was_left_and_shows_no_secret(lab: Lab) -> None:
    assert eventually(lambda: is_finished(lab), 30)
    log = job(lab)

    lab.restart()

    assert f"Lab        {lab.url}/\n" in lab.banner
    assert "password" not in lab.banner
    assert lab.token not in lab.banner
    assert job(lab) == log
    assert lab.get("/job/2/log-tail?start=0")[0] == 404


def test_the_data_directory_is_private(lab: Lab) -> None:
    assert lab.data.stat().st_mode & 0o077 == 0
    assert eventually(lambda: not (lab.data / "first-start.json").exists())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_end_it_ends_cleanly_with_all_of_its_processes(lab: Lab, number: signal.Signals) -> None:
    pids = lab.pids()

    assert lab.stop(number) == 0

    assert not any(map(is_alive, pids.values()))


def test_told_to_end_in_mid_job_it_ends_the_job_and_says_so(lab: Lab) -> None:
    assert eventually(lambda: "Measuring in 3" in job(lab), 30)

    assert lab.stop() == 0
    lab.start()

    assert is_finished(lab)
    assert b"The lab was stopped" in lab.get("/job/1/")[1]


@pytest.mark.parametrize("role", ROLES)
def test_a_killed_role_is_started_again_and_the_job_goes_on(lab: Lab, role: str) -> None:
    assert eventually(lambda: "Measuring in 3" in job(lab), 30)

    killed = lab.kill(role)

    assert eventually(lambda: lab.pids().get(role, killed) != killed)
    assert eventually(lambda: is_finished(lab), 30)
    text = job(lab)
    assert [text.count(f"\nMeasuring in {left} ...\n") for left in (3, 2, 1)] == [1, 1, 1]
    assert "That was all." in text


def test_a_restart_of_the_web_role_refuses_no_connection(lab: Lab) -> None:
    lab.kill("web")

    assert lab.get("/")[0] == 200


def test_a_killed_supervisor_takes_its_roles_along_and_the_next_start_goes_on(lab: Lab) -> None:
    assert eventually(lambda: "Measuring in 3" in job(lab), 30)
    pids = lab.pids()

    lab.kill(SUPERVISOR)

    assert eventually(lambda: not any(map(is_alive, pids.values())))
    lab.stop()
    lab.start()
    assert eventually(lambda: is_finished(lab), 30)
    assert job(lab).count("\nMeasuring in 1 ...\n") == 1


def test_a_second_start_on_the_same_directory_is_refused(lab: Lab) -> None:
    refused = up(lab)

    assert refused.returncode == 2
    assert f"already: process {lab.pids()[SUPERVISOR]}, {lab.url}/" in refused.stderr
    assert len(refused.stderr.splitlines()) == 3
    assert lab.get("/")[0] == 200


@pytest.mark.parametrize("what", ["port", "zmq"])
def test_a_taken_port_is_told_before_anything_is_made(tmp_path: Path, what: str) -> None:
    lab = Lab(tmp_path)
    port = lab.port if what == "port" else int(lab.zmq.rpartition(":")[2])
    with socket.create_server(("127.0.0.1", port)):
        refused = up(lab)

    assert refused.returncode == 2
    assert f"Port {port} " in refused.stderr
    assert f"{port + 1} make run" in refused.stderr
    assert not list(lab.data.glob("*.sqlite3"))


def test_a_data_directory_without_room_is_told(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.data.mkdir()
    (lab.data / "secret.key.new").symlink_to("/dev/full")

    refused = up(lab)

    assert refused.returncode == 2
    assert f"The data directory {lab.data} cannot be used: No space left on device." in refused.stderr


def test_a_database_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    (lab.data / "lava_lite.sqlite3").mkdir(parents=True)

    refused = up(lab)

    assert refused.returncode == 2
    assert "lava_lite.sqlite3 cannot be used: unable to open database file." in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_first_start_that_is_killed_again_and_again_ends_as_a_whole_lab(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    for seconds in (0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.4, 1.6):
        process = lab.launch()
        time.sleep(seconds)  # the moment of the kill is the input of this test
        os.kill(process.pid, signal.SIGKILL)
        lab.stop()

    lab.start()

    assert lab.get("/job/1/")[0] == 200
    assert lab.get("/job/2/")[0] == 404
    assert lab.token or not (lab.data / "first-start.json").exists()
    assert lab.stop() == 0


def test_stalled_clients_hold_up_nobody(lab: Lab) -> None:
    upload = b"POST /login/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\nhalf"
    download = b"GET /job/1/log HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    stalled = []
    for request in [upload] * 10 + [download] * 10:
        connection = socket.create_connection(("127.0.0.1", lab.port), timeout=10)
        connection.sendall(request)
        stalled.append(connection)

    assert [lab.get("/")[0] for _ in range(10)] == [200] * 10

    for connection in stalled:
        connection.close()
