"""What a job's run and its guest are given beside the device: by the job, by its submitter, and by who looks after the
worker. All of it by the doors of LAVA's clients, and in one job.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from xmlrpc.client import ServerProxy

import pytest

from tests.lab import eventually
from tests.lava_worker import guest
from tests.lava_worker.files import FileServer, serving
from tests.lava_worker.ring import TO_BOOT, WORKER, Ring, shell
from tests.statements.visitors import log

pytestmark = [pytest.mark.lava_worker, pytest.mark.timeout(240)]

HEADER, KEY = "PRIVATE-TOKEN", "a3f9-key-of-the-store"
PIN = "0815-of-the-board"
ENV, DUT = "RING_OF_THE_RUN", "RING_OF_THE_DEVICE"
PREFIX = "ring-"
FILES = {
    "config": f"prefix: {PREFIX}",
    "env": f"overrides: {{{ENV}: of-the-run}}",
    "env_dut": f"overrides: {{{DUT}: of-the-device}}",
}
STEPS = (
    f'set +x; echo "the device has ${DUT}"',
    '[ "$PIN" = "$(echo 0815-of)-the-board" ] && echo "the PIN is right"',
    'echo "its length is ${#STORED}; it is $STORED"',
)


@dataclass(kw_only=True)
class Given:
    number: int
    store: FileServer
    environments: set[str] = field(default_factory=set)
    had_prefix: bool = False


@pytest.fixture(scope="module")
def given(ring: Ring) -> Iterator[Given]:
    """The job, ended; looked at from outside while it ran."""
    address = ring.lab.url.replace("://", f"://admin:{ring.lab.token}@")
    with (
        ServerProxy(f"{address}/RPC2", allow_none=True) as lab,
        serving(ring.initramfs, header=HEADER, key=KEY) as store,
    ):
        workers, tokens = lab.scheduler.workers, lab.scheduler.remote_artifact_tokens
        tokens.add("store", KEY)
        for name, text in FILES.items():
            assert getattr(workers, f"set_{name}")(WORKER, text) is True
        try:
            yield run(ring, store)
        finally:
            for name in FILES:
                getattr(workers, f"set_{name}")(WORKER, "")
            tokens.delete("store")


def run(ring: Ring, store: FileServer) -> Given:
    deploy = guest.deploy(ring.initramfs)
    deploy["deploy"]["images"]["initrd"] |= {"url": store.address, "headers": {HEADER: "store"}}
    secrets = {"PIN": PIN, "STORED": "store"}
    number = ring.submit("given much", actions=[deploy, guest.boot(), shell(*STEPS)], secrets=secrets)
    found = Given(number=number, store=store)
    assert eventually(lambda: environments(ENV), TO_BOOT, pause=0.1), log(ring.lab, number)
    found.environments = environments(ENV)
    found.had_prefix = (ring.worker.directory / "tmp" / f"{PREFIX}{number}" / "job.yaml").exists()
    ring.ended(number)
    return found


def environments(name: str) -> set[str]:
    """The values of this variable in all processes that have it."""
    start = f"{name}=".encode()
    found = set()
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            variables = (directory / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        found |= {each.removeprefix(start).decode() for each in variables if each.startswith(start)}
    return found


def test_the_job_ends_well(ring: Ring, given: Given) -> None:
    assert ring.ended(given.number)["health"] == "Complete"


def test_the_processes_of_a_run_have_the_environment_of_the_worker(given: Given) -> None:
    assert given.environments == {"of-the-run"}


def test_the_guest_has_the_environment_for_devices(ring: Ring, given: Given) -> None:
    assert "the device has of-the-device\n" in log(ring.lab, given.number)


def test_the_dispatcher_has_the_configuration_of_the_worker(given: Given) -> None:
    assert given.had_prefix


def test_the_test_has_the_job_s_secret_and_the_log_has_it_not(ring: Ring, given: Given) -> None:
    text = log(ring.lab, given.number)

    assert "the PIN is right\n" in text
    assert PIN not in text


def test_a_stored_token_stands_where_the_job_names_it_and_the_log_has_it_not(
    ring: Ring, given: Given
) -> None:
    text = log(ring.lab, given.number)
    _, records = ring.lab.get(f"/api/v0.2/jobs/{given.number}/logs/")

    assert f"its length is {len(KEY)}; it is [masked]\n" in text
    assert KEY not in text
    assert KEY not in records.decode()


def test_it_opens_the_server_that_the_job_fetches_from(given: Given) -> None:
    assert given.store.shown == {KEY}
