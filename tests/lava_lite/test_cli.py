import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from lava_lite import cli
from lava_lite.client import grammar
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


@pytest.mark.parametrize("group", grammar.GROUPS)
def test_a_group_alone_shows_its_commands(group: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([group]) == Exit.USAGE

    shown = capsys.readouterr().out
    assert all(
        command.words.split()[1] in shown
        for command in grammar.COMMANDS
        if command.words.startswith(f"{group} ")
    )


@pytest.mark.parametrize("command", grammar.COMMANDS, ids=lambda command: command.words)
def test_every_command_of_a_server_shows_examples_that_it_understands(
    command: grammar.Command, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        cli.main([*command.words.split(), "--help"])
    assert "--json" in capsys.readouterr().out

    assert command.examples
    for example in command.examples:
        words = shlex.split(example)
        first = words.index("lava-lite") + 1
        last = next((at for at, word in enumerate(words) if word in ("|", ">")), len(words))
        assert cli.make_parser().parse_args(words[first:last]).act


@pytest.mark.parametrize(
    ("words", "lean"),
    [
        (["version"], "django"),
        (["job"], "http.client"),
        (["job"], "yaml"),
        (["whoami", "--server", "x"], "django"),
    ],
)
def test_what_a_command_does_not_need_is_not_loaded(words: list[str], lean: str) -> None:
    program = f"import sys; from lava_lite.cli import main; main({words!r}); print({lean!r} in sys.modules)"

    output = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
    ).stdout

    assert output.splitlines()[-1] == "False"


def test_the_version_is_told(tmp_path: Path) -> None:
    assert run("version", data=tmp_path).stdout.startswith("lava-lite 0.")


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


@pytest.mark.parametrize("command", ["up", "web", "engine", "worker", "check"])
def test_a_setting_that_cannot_be_used_is_told_in_one_line(tmp_path: Path, command: str) -> None:
    done = run(command, data=tmp_path, PORT="eighty")

    assert done.returncode == 2
    assert done.stderr == "lava-lite: PORT: expected a port from 1 to 65535, got 'eighty'\n"


def test_check_finds_nothing_in_a_new_lab(tmp_path: Path) -> None:
    done = run("check", data=tmp_path)

    assert (done.returncode, done.stdout) == (0, "System check identified no issues (0 silenced).\n")
