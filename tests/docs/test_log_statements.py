"""What `docs/log-statements.md` promises is complete, and what shows it is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROW = re.compile(r"^\| L(\d+) \| (?P<promise>[^|]+) \| (?P<shown>[^|]*) \|", re.MULTILINE)
ROWS = {int(row[1]): row["shown"] for row in ROW.finditer((ROOT / "docs/log-statements.md").read_text())}
NOT_BUILT = {29}


def test_every_statement_has_its_row() -> None:
    assert list(ROWS) == list(range(1, 38))


@pytest.mark.parametrize("number", sorted(ROWS.keys() - NOT_BUILT))
def test_what_shows_a_statement_is_there(number: int) -> None:
    shown = re.findall(r"`([^`]+)`", ROWS[number])
    files = [name if "/" in name else f"{name.replace('.', '/')}.py" for name in shown]

    assert files
    assert [file for file in files if not (ROOT / file).is_file()] == []
