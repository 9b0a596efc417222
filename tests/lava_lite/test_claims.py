import fcntl
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from lava_lite import claims
from lava_lite.claims import NotStarted

ADDRESS = "http://127.0.0.1:8000/"

HOLDER = """
import os, sys, time
from pathlib import Path
from lava_lite import claims
lock = claims.claim_directory(Path(sys.argv[1]), "http://127.0.0.1:8000/")
if os.fork() == 0:
    # A process of the lab that outlives its supervisor, as they do for a moment when that is killed.
    os.close(1)
    time.sleep(float(sys.argv[2]))
    os._exit(0)
print(os.getpid(), flush=True)
if len(sys.argv) > 3:
    os._exit(0)
sys.stdin.read()
"""


def holder(directory: Path, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(directory), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_claimed_directory_is_made_for_its_owner_only(tmp_path: Path) -> None:
    directory = tmp_path / "a" / "lab"

    claims.claim_directory(directory, ADDRESS).release()

    assert directory.stat().st_mode & 0o777 == 0o700


def test_a_second_claim_says_who_has_the_directory_and_where(tmp_path: Path) -> None:
    with holder(tmp_path, "0") as process:
        assert process.stdout is not None
        pid = process.stdout.readline().strip()

        with pytest.raises(NotStarted) as refused:
            claims.claim_directory(tmp_path, "http://127.0.0.1:9000/")

        process.communicate(timeout=10)
    assert f"{tmp_path} already: process {pid}, {ADDRESS}" in str(refused.value)
    assert "lava-lite up --data DIRECTORY --port 8001" in str(refused.value)


def test_a_released_directory_can_be_claimed_again(tmp_path: Path) -> None:
    claims.claim_directory(tmp_path, ADDRESS).release()

    claims.claim_directory(tmp_path, ADDRESS).release()


def test_the_last_processes_of_a_killed_lab_are_waited_for(tmp_path: Path) -> None:
    with holder(tmp_path, "0.5", "dies") as process:
        process.communicate(timeout=10)

    claims.claim_directory(tmp_path, ADDRESS).release()


def test_a_lock_that_says_nothing_of_its_holder_is_still_a_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "PATIENCE", 0.1)
    descriptor = os.open(tmp_path / claims.LOCK_NAME, os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_EX)

    with pytest.raises(NotStarted, match="process unknown"):
        claims.claim_directory(tmp_path, ADDRESS)

    os.close(descriptor)


def test_a_directory_that_cannot_be_made_is_told_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(NotStarted, match=r"file/lab cannot be used: Not a directory\.\n.*--data DIRECTORY"):
        claims.claim_directory(tmp_path / "file" / "lab", ADDRESS)


def test_a_listener_takes_connections(tmp_path: Path) -> None:
    with claims.listen("127.0.0.1", 0) as listener:
        socket.create_connection(listener.getsockname(), timeout=5).close()


def test_a_taken_port_is_told_with_the_remedy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        with pytest.raises(NotStarted) as refused:
            claims.listen("127.0.0.1", port)

    assert f"Port {port} on 127.0.0.1 is taken by another program" in str(refused.value)
    assert f"PORT={port + 1} make run, or lava-lite up --port {port + 1}" in str(refused.value)


def test_an_address_that_is_not_this_machines_is_told() -> None:
    with pytest.raises(NotStarted, match=r"Port 8000 on 192\.0\.2\.1 cannot be used: Cannot assign"):
        claims.listen("192.0.2.1", 8000)


def test_a_host_that_does_not_exist_is_told() -> None:
    with pytest.raises(NotStarted, match=r"on no-such-host\.invalid cannot be used"):
        claims.listen("no-such-host.invalid", 8000)


@pytest.mark.parametrize("host", ["127.0.0.1", "*"])
def test_a_taken_event_port_is_told_with_the_remedy(host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        with pytest.raises(NotStarted) as refused:
            claims.check_event_socket(f"tcp://{host}:{port}")

    assert f"Port {port} for events (EVENT_SOCKET)" in str(refused.value)
    assert f"EVENT_SOCKET=tcp://{host}:{port + 1} make run" in str(refused.value)


def test_a_free_event_port_stays_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

    claims.check_event_socket(f"tcp://127.0.0.1:{port}")

    claims.listen("127.0.0.1", port).close()


def test_an_event_socket_without_a_port_is_told() -> None:
    with pytest.raises(NotStarted, match="expected tcp://ADDRESS:PORT, got"):
        claims.check_event_socket("tcp://127.0.0.1")


def test_an_event_socket_that_is_a_file_has_no_port_to_be_taken() -> None:
    claims.check_event_socket("ipc:///run/lab/events")
