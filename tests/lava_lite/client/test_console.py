from __future__ import annotations

import io
import json

import pytest

from lava_lite.client.console import Console
from lava_lite.client.shapes import age, column, status

COLUMNS = (column("ID", "id"), column("STATUS", status, toned=True), column("AGE", "time", age))
ROWS = [{"id": 12, "outcome": "pass", "time": None}, {"id": 3, "state": "Running", "time": None}]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal() -> Terminal:
    return Terminal()


def test_a_terminal_gets_an_aligned_table_in_colours(terminal: Terminal) -> None:
    Console(terminal, io.StringIO(), {}).table(COLUMNS, ROWS)

    assert terminal.getvalue() == (
        "\x1b[1mID  STATUS   AGE\x1b[0m\n12  \x1b[32mpass     \x1b[0m\n3   \x1b[36mRunning  \x1b[0m\n"
    )


@pytest.mark.parametrize("environ", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_whoever_wants_no_colours_gets_none(terminal: Terminal, environ: dict[str, str]) -> None:
    Console(terminal, io.StringIO(), environ).table(COLUMNS, ROWS)

    assert terminal.getvalue() == "ID  STATUS   AGE\n12  pass\n3   Running\n"


def test_another_program_gets_no_head_and_no_colours() -> None:
    out = io.StringIO()

    Console(out, io.StringIO(), {}).table(COLUMNS, ROWS)

    assert out.getvalue() == "12\tpass\t\n3\tRunning\t\n"


def test_a_status_is_one_line_that_changes_on_a_terminal(terminal: Terminal) -> None:
    out = io.StringIO()
    console = Console(out, terminal, {})

    for text in ("waits", "waits", "runs"):
        console.status(text)
    console.say("hello")

    assert terminal.getvalue() == "\r\x1b[Kwaits\r\x1b[Kruns\r\x1b[K"
    assert out.getvalue() == "hello\n"


def test_a_status_is_a_line_for_each_change_where_it_is_kept() -> None:
    err = io.StringIO()
    console = Console(io.StringIO(), err, {})

    for text in ("waits", "waits", "runs"):
        console.status(text)
    console.clear_status()

    assert err.getvalue() == "waits\nruns\n"


@pytest.mark.parametrize("rows", [[], [{"a": "ü"}], [{"a": 1}, {"a": 2}]])
def test_a_list_is_a_list_of_json(rows: list[dict[str, object]]) -> None:
    out = io.StringIO()

    Console(out, io.StringIO(), {}).json_list(iter(rows))

    assert json.loads(out.getvalue()) == rows


def test_facts_without_a_value_are_left_out() -> None:
    out = io.StringIO()

    Console(out, io.StringIO(), {}).facts([("name", "qemu01"), ("reason", "")])

    assert out.getvalue() == "name\tqemu01\n"
