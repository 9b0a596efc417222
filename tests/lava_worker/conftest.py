"""One lab and one worker for all the tests; what they do there they do at the same time where they can."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lava_worker import guest
from tests.lava_worker.ring import Ring, running
from tests.lava_worker.worker import COMMAND


@pytest.fixture(scope="package")
def ring(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ring]:
    for needed in (Path(COMMAND), guest.KERNEL):
        assert needed.exists(), f"{needed} is missing: make test-lava-worker installs it"
    with running(tmp_path_factory.mktemp("ring"), WORKER_AUTO_REGISTER_NETMASK="127.0.0.0/8") as found:
        yield found
