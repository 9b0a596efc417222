"""The plugins that docs/plugins.md shows work as they stand there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.tables import DOCS
from tests.lab import Lab, eventually

PAGE = (DOCS / "plugins.md").read_text()
SHOWN = re.findall(r"```python\n# data/plugins/(\w+)\.py: [^\n]*\n(.*?)```", PAGE, re.DOTALL)

PROGRAM = """
import importlib, sys
from events.bus import Bus

bus = Bus()
for name in sys.argv[1:]:
    importlib.import_module(name).connect(bus)
bus.publish("step-finished", {"build_number": 3, "step_id": [1, 2, 3], "final_result": {"status": "success"}})
sys.stdin.readline()
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """With the plugins that are shown."""
    for name, program in SHOWN:
        (tmp_path / f"{name}.py").write_text(program)
    return tmp_path


def test_the_page_shows_both_examples() -> None:
    assert [name for name, _ in SHOWN] == ["print_foo", "publish_foo"]


def test_what_one_plugin_publishes_the_other_prints(directory: Path) -> None:
    path = os.pathsep.join([str(DOCS.parent), str(directory)])
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *(name for name, _ in SHOWN)],
        env={**os.environ, "PYTHONPATH": path},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "{'some': 'data'}\n"
        process.communicate("\n", timeout=20)

    assert process.returncode == 0


@pytest.mark.lab
def test_they_run_in_a_lab_that_names_them_and_end_with_it(tmp_path: Path) -> None:
    lab, printed = Lab(tmp_path, PLUGINS="print_foo,missing_plugin,publish_foo"), tmp_path / "printed"
    printed.touch()
    (lab.data / "plugins").mkdir(parents=True)
    for name, program in SHOWN:
        # Into a file: standard output is where the lab itself speaks.
        into_file = program.replace("flush=True", f"file=open({str(printed)!r}, 'a'), flush=True")
        (lab.data / "plugins" / f"{name}.py").write_text(into_file)
    lab.start()
    try:
        assert eventually(lambda: printed.read_text().startswith("{'some': 'data'}\n"), 60), (
            lab.errors.read_text()
        )
    finally:
        assert lab.stop() == 0
    errors = lab.errors.read_text()
    assert "The lab goes on without a plugin: the plugin missing_plugin cannot be imported" in errors
    assert "did not end in time" not in errors
