import os
import subprocess
import sys
from pathlib import Path

import pytest

from lava_lite import cli
from lava_lite.client.exits import Exit

COMMAND = Path(sys.executable).with_name("lava-lite")


def run(*words: str, data: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [COMMAND, *words],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "LAVA_LITE_DATA": str(data), **environment},
    )


def test_without_a_command_it_shows_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == Exit.USAGE

    assert "start a whole lab" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["up", "web", "engine", "worker", "check", "version"])
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([command, "--help"])

    assert ended.value.code == 0
    assert f"lava-lite {command}" in capsys.readouterr().out


def test_help_and_version_need_no_django(tmp_path: Path) -> None:
    program = "import sys; from lava_lite.cli import main; main(['version']); print('django' in sys.modules)"

    output = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
    ).stdout

    assert output.splitlines()[0].startswith("lava-lite 0.")
    assert output.splitlines()[1] == "False"


def test_djangos_own_commands_get_their_words_unchanged(tmp_path: Path) -> None:
    done = run("manage", "diffsettings", "--output=unified", data=tmp_path)

    assert done.returncode == 0
    assert f"+ DATA = {str(tmp_path)!r}" in done.stdout.replace("PosixPath(", "").replace(")", "")


def test_the_command_line_wins_over_the_environment(tmp_path: Path) -> None:
    chosen = tmp_path / "chosen"
    chosen.mkdir()
    (chosen / "settings.yaml").write_text("NO_SUCH_SETTING: 1\n")

    done = run("up", "--data", str(chosen), data=tmp_path / "other")

    assert done.returncode == 2
    assert str(chosen / "settings.yaml") in done.stderr


@pytest.mark.parametrize("command", ["up", "web", "engine", "worker"])
def test_a_setting_that_cannot_be_used_is_told_in_one_line(tmp_path: Path, command: str) -> None:
    done = run(command, data=tmp_path, PORT="eighty")

    assert done.returncode == 2
    assert done.stderr == "lava-lite: PORT: expected a port from 1 to 65535, got 'eighty'\n"


def test_check_finds_nothing_in_a_new_lab(tmp_path: Path) -> None:
    done = run("check", data=tmp_path)

    assert (done.returncode, done.stdout) == (0, "System check identified no issues (0 silenced).\n")
