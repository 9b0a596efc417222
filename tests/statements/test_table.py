"""The table of statements about events is complete, and the tests that it names are there."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

from tests.statements.table import SHOWN

ROOT = Path(__file__).resolve().parents[2]
STATEMENTS = 46


@cache
def functions_of(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_every_statement_is_shown() -> None:
    assert sorted(SHOWN) == list(range(1, STATEMENTS + 1))


@pytest.mark.parametrize("number", SHOWN)
def test_the_tests_of_a_statement_are_there(number: int) -> None:
    _, names = SHOWN[number]
    missing = [name for name in names if name.split("::")[1] not in functions_of(name.split("::")[0])]

    assert names
    assert missing == []
