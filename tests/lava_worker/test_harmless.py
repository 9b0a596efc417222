"""What would kill LAVA's worker or keep it from its work, provoked as far as anybody can: it goes on, and takes a job.

Each row stands for a danger that the worker's own program has.
"""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Callable

import pytest

from tests.lab import eventually
from tests.lava_worker.ring import COUNTED, DEVICES, TO_END, Ring, another_worker, counted, counting, shell
from tests.statements.visitors import JSON, job, log

pytestmark = [pytest.mark.lava_worker, pytest.mark.timeout(240)]

VICTIM = DEVICES[-1]
HERE = {"device": VICTIM}


def finished_was_told_of_a_job_that_is_gone(ring: Ring) -> None:
    """It tells the end until it hears 200, and of no other job before; its run posts its log as long."""
    number = ring.submit(
        "deleted", shell("set +x; for i in $(seq 60); do echo at $i; sleep 0.1; done"), lava_lite=HERE
    )
    assert ring.has_printed(number, "at 1\n")
    ring.administrator("delete_job", number)
    assert eventually(lambda: f"[{number}] FINISHED => server" in ring.worker.log, TO_END, pause=0.1)


def a_device_s_configuration_is_no_yaml(ring: Ring) -> None:
    fetch_a_job_whose_device_says(ring, "a: [1,\n}")


def a_device_s_configuration_has_a_date_that_never_was(ring: Ring) -> None:
    fetch_a_job_whose_device_says(ring, "built: 2026-99-99")


def a_device_s_configuration_is_a_list(ring: Ring) -> None:
    fetch_a_job_whose_device_says(ring, "[]")


def a_definition_says_all_that_yaml_can(ring: Ring) -> None:
    metadata = {
        "date": "2026-99-99",
        "float": 1.5e300,
        "odd": "~ \u2028 \x85 äöü \U0001f600 ! & * %",
        "null": None,
    }
    ring.ended(ring.submit_broken("odd", metadata=metadata, lava_lite=HERE))


def an_event_looks_like_a_call_to_the_worker(ring: Ring) -> None:
    number = ring.submit_broken("says something", lava_lite=HERE)
    said = {"name": "x.testjob", "message": "null", "data": {"worker": None, "state": ["Scheduled"]}}
    status, answer = ring.lab.request(
        "POST", f"/api/v1/jobs/{number}/events/", json.dumps(said).encode(), JSON
    )
    assert status == 201, answer
    ring.ended(number)


def a_guest_prints_what_is_no_text(ring: Ring) -> None:
    number = ring.submit(
        "noise",
        shell(
            "head -c 20000 /dev/urandom; echo; printf 'a\\000b\\377\\033[31m\\n'",
            "head -c 20000 /dev/zero | tr '\\000' x; echo",
            "echo the noise is over",
        ),
        lava_lite=HERE,
    )
    ring.ended(number)
    assert "the noise is over" in log(ring.lab, number)


def its_server_is_frozen_for_a_while(ring: Ring) -> None:
    """Whatever it asks meanwhile is taken by the kernel and answered by nobody; and so is what its runs post."""
    number = ring.submit("goes on", counting(), lava_lite=HERE)
    token = ring.administrator("add_workers", {"asks-often": []})["asks-often"]
    with another_worker(ring, "asks-often", "--token", token) as other:
        assert ring.has_printed(number, "counted 1\n")
        assert eventually(lambda: "PING => server" in other.log, TO_END, pause=0.1)
        web = ring.lab.pids()["web"]
        os.kill(web, signal.SIGSTOP)
        try:
            assert eventually(lambda: other.log.endswith("PING => server\n"), TO_END, pause=0.1)
        finally:
            os.kill(web, signal.SIGCONT)
        asked = other.log.count("PING => server")
        assert eventually(lambda: other.log.count("PING => server") > asked + 1, TO_END, pause=0.1)
    assert ring.ended(number)["health"] == "Complete"
    assert counted(log(ring.lab, number)) == list(range(1, COUNTED + 1))


def the_handshake_of_its_socket_is_never_answered(ring: Ring) -> None:
    """By a proxy on the way, say: the worker asks by itself what there is to do."""
    token = ring.administrator("add_workers", {"deaf": ["qemu05"]})["deaf"]
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/ws/"
        with another_worker(ring, "deaf", "--token", token, "--ws-url", address) as deaf:
            number = ring.submit_broken("for the deaf", lava_lite={"device": "qemu05"})
            assert ring.ended(number)["health"] == "Incomplete"
            assert deaf.is_alive
            assert "Worker mentioned" not in deaf.log
    retired = json.dumps({"health": "Retired"}).encode()
    assert ring.lab.request("POST", "/api/v0.2/workers/deaf/set_health/", retired, JSON)[0] == 202


def fetch_a_job_whose_device_says(ring: Ring, dictionary: str) -> None:
    ring.administrator("set_dictionary", {VICTIM: dictionary})
    number = ring.submit_broken("cannot be given", lava_lite=HERE)
    assert eventually(lambda: f"[{number}] server => START" in ring.worker.log, TO_END, pause=0.1)
    assert ring.takes_a_job()
    if job(ring.lab, number)["state"] != "Finished":
        ring.lab.request("POST", f"/api/v0.2/jobs/{number}/cancel/")
    ring.ended(number)
    ring.administrator("set_dictionary", {VICTIM: ""})


@pytest.mark.parametrize(
    "danger",
    [
        finished_was_told_of_a_job_that_is_gone,
        a_device_s_configuration_is_no_yaml,
        a_device_s_configuration_has_a_date_that_never_was,
        a_device_s_configuration_is_a_list,
        a_definition_says_all_that_yaml_can,
        an_event_looks_like_a_call_to_the_worker,
        a_guest_prints_what_is_no_text,
        its_server_is_frozen_for_a_while,
        the_handshake_of_its_socket_is_never_answered,
    ],
    ids=lambda danger: danger.__name__,
)
def test_a_worker_outlives(danger: Callable[[Ring], None], ring: Ring) -> None:
    process = ring.worker.process

    danger(ring)

    assert ring.takes_a_job()
    assert ring.worker.process is process
