"""What a lab with nothing to do costs the machine that it shares with the work of its owner."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import Lab
from tests.statements.visitors import has_ended

pytestmark = pytest.mark.lab

PROCESSES = 4
PSS_MB = 150.0


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """One that has done nothing but its first job: what others sent to a shared one would be counted, too."""
    running = Lab(tmp_path)
    running.start()
    yield running
    running.stop()


def test_an_idle_lab_is_four_processes_of_150_megabytes_together(lab: Lab) -> None:
    assert has_ended(lab, 1)

    pids = lab.pids()

    assert len(pids) == PROCESSES
    assert sum(map(memory_of, pids.values())) < PSS_MB


def memory_of(pid: int) -> float:
    """Proportional set size in MB."""
    found = re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024 / 1e6
