"""Everybody who may cancel a job of LAVA's worker, by whichever door: it is called at once, and the job is Canceled.

The jobs boot at the same time, each on a device of its own, and wait for a prompt that never comes.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.lab import Lab
from tests.lava_worker import guest
from tests.lava_worker.ring import Ring, shell
from tests.statements.test_worker import by_admin_site, by_page, by_xmlrpc
from tests.statements.visitors import Person, job, times_of

pytestmark = [pytest.mark.lava_worker, pytest.mark.timeout(240)]

Cancel = Callable[[Lab, Person, int], None]
DOORS: tuple[Cancel, ...] = (by_page, by_xmlrpc, by_admin_site)  # by REST it is canceled in `test_jobs`


@pytest.fixture(scope="module")
def person(ring: Ring) -> Person:
    somebody = Person(ring.lab)
    somebody.log_in()
    return somebody


@pytest.fixture(scope="module")
def hanging(ring: Ring) -> dict[Cancel, int]:
    actions = [guest.deploy(ring.initramfs), guest.boot("never printed"), shell("true")]
    return {door: ring.submit(f"hangs until canceled {door.__name__}", actions=actions) for door in DOORS}


@pytest.mark.parametrize("cancel", DOORS, ids=lambda door: door.__name__)
def test_a_job_of_lava_s_worker_is_canceled(
    cancel: Cancel, ring: Ring, person: Person, hanging: dict[Cancel, int]
) -> None:
    number = hanging[cancel]
    assert ring.has_printed(number, "Linux version")
    before = len(ring.worker.log)

    cancel(ring.lab, person, number)

    assert ring.ended(number)["health"] == "Canceled"
    said = ring.worker.log[before:]
    # Called by its socket, and not found out when it asked the next time.
    assert "Worker mentioned" in said.partition(f"[{number}] => CANCEL")[0]
    assert "free" in times_of(ring.lab, number)
    later = DOORS[DOORS.index(cancel) + 1 :]
    assert {job(ring.lab, hanging[door])["state"] for door in later} <= {"Running"}
