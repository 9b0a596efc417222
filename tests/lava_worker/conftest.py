"""One lab and one worker for all the tests; what they do there they do at the same time where they can."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lava_worker import guest
from tests.lava_worker.ring import Ring, running, shell
from tests.lava_worker.worker import COMMAND

STEPS = (
    "lava-test-case measured --result pass --measurement 12.5 --units ms",
    "lava-test-case wrong --shell false",
    "lava-test-case left-out --result skip",
    "lava-test-set start one",
    "lava-test-case in-set --shell true",
    "lava-test-set stop one",
    "lava-test-reference seen --result pass --reference http://example.invalid/x",
    "lava-test-event 'flashed: 3 boards'",
    "echo 'äöü ✓ and \"quotes\"'",
)


@pytest.fixture(scope="package")
def ring(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ring]:
    assert os.geteuid() == 0, "LAVA's dispatcher runs jobs as root only: run this as root"
    for needed in (Path(COMMAND), guest.KERNEL):
        assert needed.exists(), f"{needed} is missing: make test-lava-worker installs it"
    with running(tmp_path_factory.mktemp("ring"), WORKER_AUTO_REGISTER_NETMASK="127.0.0.0/8") as found:
        yield found


@pytest.fixture(scope="package")
def whole(ring: Ring) -> int:
    """A job that boots, tests and reports all that a test can."""
    return ring.submit("whole", shell(*STEPS))
