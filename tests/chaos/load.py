"""What the lab has to do meanwhile: jobs that run, and jobs that come and go."""

from __future__ import annotations

import http.client
import itertools
import json
import threading
import time
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from statistics import mean
from typing import Any, Self

import psycopg

from tests.chaos.servers import PostgreSQL
from tests.lab import Lab, eventually
from tests.statements.visitors import JSON, definition

DEVICES = ("local-01", "local-02", "local-03")
HELD = "held"  # a type of which all devices are in maintenance
GROUP = 12  # jobs that come and go together, and as many of those devices
LINES = 60  # that a job prints
LINE_TAKES = 0.1  # seconds: to begin a job takes as much of the machine as many lines of it
AT_WORK = 6  # jobs that are always wanted
REFILL = 1.0  # seconds between two looks at how many there are
HANDS = 16  # that submit and cancel at the same time: fewer wait too long for answers to keep up the rate
EVENTS = 3  # of a job that is submitted and taken out
SIZES = (1, GROUP, GROUP, GROUP)  # that come at once, hand by hand
TO_REST = 300.0  # seconds until all jobs have ended, and until everybody has caught up
LOOK = 0.2  # seconds between two looks
SILENCE = 30.0  # seconds in which an answer begins, if it ever does
FINISHED = 5  # a job's state in the table
CUTS = (
    OSError,
    http.client.HTTPException,
    ValueError,
)  # the last: an answer that is no JSON, from a lab that starts


class Runs:
    """Jobs all the time, for whichever device is next: each prints numbered lines and says that it runs."""

    def __init__(self, lab: Lab, database: PostgreSQL, witness: Path) -> None:
        self.accepted: set[str] = set()  # names of jobs
        self._lab = lab
        self._database = database
        self._witness = witness
        self._asked = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(REFILL):
            with suppress(OSError, psycopg.Error):  # the lab or its database may be away
                for _ in range(AT_WORK - len(unfinished(self._database, "counted"))):
                    self._submit()

    def _submit(self) -> None:
        """A name is used once: whether it was taken is not known of one that was cut off."""
        self._asked += 1
        name, device = f"counted-{self._asked}", DEVICES[self._asked % len(DEVICES)]
        body = json.dumps({"definition": self._definition(name, device)}).encode()
        status, _ = self._lab.request("POST", "/api/v0.2/jobs/", body, JSON)
        if status == HTTPStatus.CREATED:
            self.accepted.add(name)

    def _definition(self, name: str, device: str) -> str:
        busy = self._witness / f"busy-{device}"
        return definition(
            name,
            f"mkdir {busy} || touch {self._witness}/beside-{name}",
            f"echo {name} >> {self._witness}/begun",
            f"set +x; for i in $(seq {LINES}); do echo line $i;"
            ' [ $((i % 2)) = 0 ] || lava-test-event "printed: line $i"; '
            f"sleep {LINE_TAKES}; done",
            "lava-test-case counted --result pass",
            f"rmdir {busy}",
            lava_lite={"device": device},
        )


class Changes:
    """Jobs that are submitted and taken out again, alone and in MultiNode groups.

    As many changes a second as asked, or as the lab bears.
    """

    def __init__(self, lab: Lab, database: PostgreSQL, rate: float) -> None:
        self.accepted: dict[str, int] = {}  # how many jobs of a name
        self._lab = lab
        self._database = database
        self._pause = HANDS * EVENTS * mean(SIZES) / rate  # seconds
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(hand,), daemon=True) for hand in range(HANDS)
        ]

    def start(self) -> None:
        post(self._lab, "/api/v0.2/devicetypes/", {"name": HELD})
        for number in range(GROUP):
            device = {"hostname": f"{HELD}-{number}", "device_type": HELD, "health": "Maintenance"}
            post(self._lab, "/api/v0.2/devices/", device)
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """And take out those whose cancel did not arrive."""
        self._over.set()
        for thread in self._threads:
            thread.join()
        assert eventually(self._all_are_out, TO_REST, pause=LOOK), "jobs stay that nobody runs"

    def _run(self, hand: int) -> None:
        size = SIZES[hand % len(SIZES)]
        due = time.monotonic() - self._pause * hand / HANDS  # one hand after the other
        for number in itertools.count():
            due += self._pause  # what was missed while the lab was away is made up for
            if self._over.wait(max(0.0, due - time.monotonic())):
                break
            with suppress(*CUTS):
                self._come_and_go(f"brief-{hand}-{number}", size)

    def _come_and_go(self, name: str, size: int) -> None:
        wanted = definition(name, "true", **_together(size) if size > 1 else {"device_type": HELD})
        with Caller(self._lab) as caller:
            status, answer = caller.post("/api/v0.2/jobs/", {"definition": wanted})
            if status == HTTPStatus.CREATED:
                self.accepted[name] = size
                self._cancel(caller, answer["job_ids"][0])

    def _cancel(self, caller: Caller, number: int) -> None:
        """And with it all of its group: as often as it takes, as those that stay make the queue long."""
        while not self._over.is_set():
            with suppress(*CUTS):
                status, _ = caller.post(f"/api/v0.2/jobs/{number}/cancel/", {})
                if status < HTTPStatus.INTERNAL_SERVER_ERROR:
                    return
            self._over.wait(LOOK)

    def _all_are_out(self) -> bool:
        caller = Caller(self._lab)
        with suppress(*CUTS, psycopg.Error), caller:
            for number in unfinished(self._database, "brief"):
                caller.post(f"/api/v0.2/jobs/{number}/cancel/", {})
            return not unfinished(self._database, "brief")
        return False


class Caller:
    """Asks the lab over one connection for as long as that lasts. Those of CUTS when it does not."""

    def __init__(self, lab: Lab) -> None:
        self._headers = {"Authorization": f"Token {lab.token}", "Content-Type": JSON}
        self._connection = http.client.HTTPConnection("127.0.0.1", lab.port, timeout=SILENCE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._connection.close()

    def post(self, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        try:
            self._connection.request("POST", path, json.dumps(body), self._headers)
            response = self._connection.getresponse()
            return response.status, json.loads(response.read())
        except BaseException:
            self.close()  # the next request opens it anew
            raise


def _together(size: int) -> dict[str, Any]:
    roles = {"one": {"device_type": HELD, "count": size}}
    return {"device_type": None, "protocols": {"lava-multinode": {"roles": roles}}}


def unfinished(database: PostgreSQL, kind: str = "") -> list[int]:
    """The numbers of jobs whose names begin so."""
    query = f"SELECT id FROM jobs_job WHERE state != {FINISHED} AND description LIKE '{kind}%'"
    return [pk for (pk,) in database.ask(query)]


def post(lab: Lab, path: str, body: dict[str, str]) -> None:
    status, answer = lab.request("POST", path, json.dumps(body).encode(), JSON)
    assert status == HTTPStatus.CREATED, answer
