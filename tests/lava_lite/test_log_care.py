"""`lava-lite log check` and `repair` on a data directory."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

import pytest

from jobs import logs
from jobs.logs.records import Record
from lava_lite import cli

DAY = datetime(2026, 11, 22)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LAVA_LITE_DATA", str(tmp_path))
    for job in (7, 8):
        directory = logs.directory_for(tmp_path / "logs", DAY, job, 1)
        logs.append(directory, 0, [Record(time=DAY, level="target", message="hello")])
    return tmp_path


def directory_of(data: Path, job: int) -> Path:
    return logs.directory_for(data / "logs", DAY, job, 1)


def test_a_check_of_good_logs_says_how_many_there_are(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["log", "check"]) == 0
    assert "2 looked at, nothing wrong" in capsys.readouterr().out


def test_a_check_says_what_is_wrong_and_what_mends_it_and_changes_nothing(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    os.unlink(directory_of(data, 8) / "output.idx")

    assert cli.main(["log", "check", "7"]) == 0
    capsys.readouterr()
    assert cli.main(["log", "check", "8"]) == 1

    said = capsys.readouterr().out
    assert f"{directory_of(data, 8)}: output.idx is missing" in said
    assert f"-> lava-lite log repair {directory_of(data, 8)}" in said
    assert logs.size(directory_of(data, 8)) == 0


def test_a_repair_mends_what_is_wrong(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = directory_of(data, 8)
    os.unlink(broken / "output.idx")

    assert cli.main(["log", "repair", str(broken)]) == 0
    assert "mended: it is made anew" in capsys.readouterr().out

    assert cli.main(["log", "check"]) == 0
    assert logs.read(broken, 0).content == "hello\n"


def test_a_repair_that_fails_says_why(
    data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    os.unlink(directory_of(data, 8) / "output.idx")
    monkeypatch.setattr(Path, "rename", full)

    assert cli.main(["log", "repair"]) == 1
    assert "it cannot be mended: [Errno 28] No space left" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("word", "said"),
    [("99", "There is no log of job 99 in "), ("nothing/here", "nothing/here: expected the number of a job")],
)
def test_a_log_that_is_not_there_is_told(
    word: str, said: str, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["log", "check", word]) == 2
    assert said in capsys.readouterr().err
