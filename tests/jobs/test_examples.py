"""The examples are what a newcomer runs first: each must be accepted, explained and able to run here."""

import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from jobs import definition as definitions
from jobs import multinode
from jobs.definition import Definition
from lava_lite.first_start import DEVICE_TYPE, DEVICES

EXAMPLES = Path(__file__).parents[2] / "examples"
NAMES = ["failing", "hello", "many-lines", "one-minute", "results"]
GROUPS = ["two-roles"]  # of jobs, each for a local device
ELSEWHERE = {
    "from-git": "shell",
    "in-a-container": "docker",
    "over-ssh": "ssh",
}  # those that need more than this machine, by their executor

# Stands in for the helpers that a job finds on its PATH: it says what was asked of it.
HELPER = """#!/bin/sh
echo "$(basename "$0") $*"
if [ "$2" = --shell ]; then shift 2; "$@" || echo failed; fi
[ "$(basename "$0")" != lava-test-raise ]
"""
HELPERS = ("lava-test-case", "lava-test-set", "lava-test-reference", "lava-test-raise")


def text_of(name: str) -> str:
    return (EXAMPLES / f"{name}.yaml").read_text()


def scripts_of(definition: Definition) -> Iterator[str]:
    for action in definition.data["actions"]:
        for test in action["test"]["definitions"]:
            yield "\n".join(test["repository"]["run"]["steps"])


def run(name: str, directory: Path) -> str:
    """What the example's steps print in a shell like that of a local device."""
    for helper in HELPERS:
        path = directory / helper
        path.write_text(HELPER)
        path.chmod(0o755)
    output = ""
    for script in scripts_of(definitions.parse(text_of(name))):
        done = subprocess.run(
            ["/bin/sh", "-e", "-c", script],
            cwd=directory,
            env={"PATH": f"{directory}:/usr/bin:/bin", "TMPDIR": str(directory)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.stderr == ""
        output += done.stdout
    return output


def test_all_examples_are_known_here() -> None:
    assert sorted(path.stem for path in EXAMPLES.glob("*.yaml")) == sorted([*NAMES, *GROUPS, *ELSEWHERE])


@pytest.mark.parametrize(("name", "executor"), ELSEWHERE.items())
def test_an_example_that_needs_more_is_accepted_where_it_runs(name: str, executor: str) -> None:
    definition = definitions.parse(text_of(name))

    assert definitions.faults_for_executor(definition, executor) == []
    assert definition.job_timeout <= timedelta(minutes=5)


@pytest.mark.parametrize("name", NAMES)
def test_an_example_is_accepted_by_a_local_device(name: str) -> None:
    definition = definitions.parse(text_of(name))

    assert definition.device_type == "local"
    assert definitions.faults_for_executor(definition, "shell") == []
    assert definition.job_timeout <= timedelta(minutes=5)


@pytest.mark.parametrize("name", GROUPS)
def test_an_example_with_roles_is_accepted_by_the_local_devices_of_a_new_lab(name: str) -> None:
    members = multinode.split(definitions.parse(text_of(name)), uuid4())

    assert 1 < len(members) <= len(DEVICES)
    for member in members:
        assert member.definition.device_type == DEVICE_TYPE
        assert definitions.faults_for_executor(member.definition, "shell") == []
        assert member.definition.job_timeout <= timedelta(minutes=5)


@pytest.mark.parametrize("name", [*NAMES, *GROUPS, *ELSEWHERE])
def test_an_example_begins_with_what_it_is_for(name: str) -> None:
    assert text_of(name).startswith("# ")


def test_hello_greets_and_reports_two_results(tmp_path: Path) -> None:
    output = run("hello", tmp_path)

    assert output.startswith("Hello! This job runs on ")
    assert output.count("lava-test-case ") == 2
    assert "lava-test-case sha256-speed --result pass --measurement " in output


def test_one_minute_prints_a_line_each_half_second() -> None:
    (script,) = scripts_of(definitions.parse(text_of("one-minute")))

    done = subprocess.run(
        ["/bin/sh", "-e", "-c", f"sleep() {{ echo slept $1; }}; {script.replace('lava-test-case', ':')}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    lines = done.stdout.splitlines()
    assert lines.count("slept 0.5") == 120
    assert lines[-1] == "step 120 of 120  [####################] 100 %"


def test_failing_has_one_error_among_ordinary_lines_and_a_reason(tmp_path: Path) -> None:
    lines = run("failing", tmp_path).splitlines()

    assert len([line for line in lines if line.startswith("ERROR")]) == 1
    assert len([line for line in lines if line.endswith(": ok")]) == 39
    assert lines.count("failed") == 1
    assert lines[-1].startswith("lava-test-raise block 23 is damaged")


def test_many_lines_are_a_hundred_thousand(tmp_path: Path) -> None:
    lines = run("many-lines", tmp_path).splitlines()

    assert len([line for line in lines if line.startswith("line ")]) == 100_000


def test_results_has_every_kind_of_result_and_measurements(tmp_path: Path) -> None:
    output = run("results", tmp_path)

    assert output.count("failed\n") == 1
    for said in (
        "--result pass",
        "--result fail",
        "--result skip",
        "--units MiB",
        "lava-test-set start",
        "lava-test-reference",
    ):
        assert said in output
