"""The whole journey of jobs: a strict server, a real worker, real runners, real processes."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from core import yaml
from tests.workers.builtin.conftest import (
    ThreadedWorker,
    definition,
    jobs_definition,
    kill_runner,
    marked_processes,
    runners,
)
from tests.workers.builtin.lab_server import LabServer, ServedJob
from workers.builtin.config import WorkerConfig
from workers.builtin.worker import STOPPED, DirectoryInUse, Worker

StartWorker = Callable[..., ThreadedWorker]
StartProcess = Callable[..., subprocess.Popen[bytes]]

# A child that leaves its group and session, has lost its parent, and does not mind being asked to end.
STUBBORN = """setsid sh -c 'trap "" TERM HUP INT; echo stubborn $$; while :; do sleep 0.1; done' & """


def run_job(lab: LabServer, text: str, timeout: float = 20.0) -> ServedJob:
    job = lab.add_job(text)
    lab.wait_for_end(job, timeout)
    return job


def results_of(job: ServedJob) -> dict[str, str]:
    return {name: case["result"] for name, case in job.cases("0_suite").items()}


# a job and its log


def test_a_job_runs_and_its_output_arrives(lab: LabServer, start_worker: StartWorker) -> None:
    start_worker()

    job = run_job(lab, definition("echo hello", "echo world >&2"))

    assert job.printed == ["hello", "world"]
    assert (job.end.result, job.end.error_type, job.end.errors) == ("pass", "", "")
    assert job.running_posts == 1


def test_the_log_has_the_shape_of_lavas(lab: LabServer, start_worker: StartWorker) -> None:
    start_worker()

    job = run_job(lab, definition("true"))

    assert [re.sub(r"duration:? [0-9:.]+", "duration", message) for message in job.messages("info")[1:]] == [
        "start: 0 validate",
        "validate duration",
        "start: 1 lava-test-shell (timeout 00:01:00) [common]",
        f"Starting test lava.0_suite ({job.id}_1.1)",
        f"Ending test lava.0_suite ({job.id}_1.1), duration",
        "ok: lava_test_shell seems to have completed",
        "end: 1 lava-test-shell (duration) [common]",
        "start: 2 finalize (timeout 00:00:05) [common]",
        "end: 2 finalize (duration) [common]",
        "Job finished correctly",
    ]
    assert job.results[0] == {"definition": "lava", "case": "validate", "result": "pass"}
    assert job.results[-1] == {"definition": "lava", "case": "job", "result": "pass"}


def test_what_was_run_is_described(lab: LabServer, start_worker: StartWorker) -> None:
    start_worker()

    job = run_job(lab, definition("true"))

    assert "test_list:\n  - 0_suite\n" in job.end.description


def test_signals_become_results(lab: LabServer, start_worker: StartWorker) -> None:
    start_worker()

    job = run_job(
        lab,
        definition(
            "lava-test-case good --shell true",
            "lava-test-case bad --shell false",
            "lava-test-case skipped --result skip",
            "lava-test-case measured --result pass --measurement 12.5 --units ms",
            "lava-test-set start group",
            "lava-test-case inside --result unknown",
            "lava-test-set stop",
            "lava-test-reference referred --result fail --reference http://example.invalid/x",
        ),
    )

    cases = job.cases("0_suite")
    assert results_of(job) == {
        "good": "pass",
        "bad": "fail",
        "skipped": "skip",
        "measured": "pass",
        "inside": "unknown",
        "referred": "fail",
    }
    assert (cases["measured"]["measurement"], cases["measured"]["units"]) == (12.5, "ms")
    assert [name for name, case in cases.items() if case.get("set") == "group"] == ["inside"]
    assert cases["referred"]["reference"] == "http://example.invalid/x"
    assert job.end.result == "pass"


def test_a_case_names_the_records_of_its_signals(lab: LabServer, start_worker: StartWorker) -> None:
    start_worker()

    job = run_job(lab, definition("printf 'prompt: '; sleep 0.2", "lava-test-case good --shell echo x"))

    whole_lines = [record.message for record in job.records if not record.partial]
    case = job.cases("0_suite")["good"]
    assert whole_lines[case["starttc"]] == "Received signal: <STARTTC> good"
    assert whole_lines[case["endtc"]] == "Received signal: <ENDTC> good"


@pytest.mark.parametrize(
    "name", ["two words", "größe ✓", "<angle>", "50% a=b", 'quote\'d "x"', "$(touch x)", "-n"]
)
def test_a_case_may_have_any_name(lab: LabServer, start_worker: StartWorker, name: str) -> None:
    start_worker()
    quoted = "'" + name.replace("'", "'\\''") + "'"

    job = run_job(lab, definition(f"lava-test-case {quoted} --shell true", "ls"))

    assert results_of(job) == {name: "pass"}
    assert job.printed == []


def test_a_case_may_run_anything(lab: LabServer, start_worker: StartWorker) -> None:
    start_worker()

    job = run_job(
        lab,
        definition(
            """lava-test-case piped --shell 'printf "a b" | tr a-z A-Z | grep -q "A B"'""",
            """lava-test-case arguments --shell printf '[%s]' 'a  b' '$HOME' '*'""",
            "lava-test-case exiting --shell exit 3",
            "lava-test-case missing --shell no-such-command",
        ),
    )

    assert results_of(job) == {"piped": "pass", "arguments": "pass", "exiting": "fail", "missing": "fail"}
    assert job.output[job.output.index("<LAVA_SIGNAL_STARTTC arguments>") + 1].startswith("[a  b][$HOME][*]<")


@pytest.mark.parametrize(
    "command",
    [
        "lava-test-case",
        "lava-test-case x --result maybe",
        "lava-test-case x --result",
        "lava-test-case x --reslut pass",
        "lava-test-case '' --result pass",
        "lava-test-set begin x",
        "lava-test-set start",
        "lava-test-set",
        "lava-test-reference x --result pass",
        "lava-test-reference x --reference http://example.invalid/x",
        "lava-test-reference",
        "lava-test-raise",
        "lava-lite-progress",
        "lava-test-event",
        "lava-test-event ''",
        "lava-lite-progress 101",
        "lava-lite-progress soon",
        "lava-background-process-start x",
        "lava-background-process-start x --cmd",
        "lava-background-process-start a/b --cmd true",
        "lava-background-process-stop x",
        "lava-background-process-start x --cmd sleep 9; lava-background-process-start x --cmd sleep 9",
        "lava-background-process-start x --cmd sleep 9; lava-background-process-stop x --attach nothing text/plain",
        "lava-lite-defer",
        "lava-lite-defer 600",
        "lava-lite-defer soon it is down",
        "lava-lite-defer -5 it is down",
    ],
)
def test_a_helper_that_is_used_wrongly_says_how_to_use_it(
    lab: LabServer, start_worker: StartWorker, command: str
) -> None:
    start_worker()

    job = run_job(lab, definition(command))

    assert any(line.startswith("Usage: lava-") for line in job.printed)
    assert results_of(job) == {}
    assert job.cases("lava")["0_suite"]["result"] == "fail"


def test_a_measurement_that_is_no_number_is_told_and_the_result_kept(
    lab: LabServer, start_worker: StartWorker
) -> None:
    start_worker()

    job = run_job(lab, definition("lava-test-case x --result pass --measurement soon"))

    assert "x: 'soon' is no number to measure" in job.messages("error")
    assert results_of(job) == {"x": "pass"}


def test_a_step_that_fails_ends_its_definition_and_the_next_one_runs(
    lab: LabServer, start_worker: StartWorker
) -> None:
    start_worker()

    job = run_job(lab, jobs_definition([["sh -c 'exit 7'", "echo never"], ["echo second"]]))

    assert job.printed == ["second"]
    assert "0_suite ended with exit code 7 before its last step was done" in job.messages("error")
    lava = job.cases("lava")
    assert (lava["0_suite"]["result"], lava["1_suite"]["result"]) == ("fail", "pass")
    assert job.end.result == "pass"


def test_steps_share_a_shell_and_a_directory(lab: LabServer, start_worker: StartWorker) -> None:
    start_worker()

    job = run_job(lab, definition("mkdir sub; cd sub; value=12", 'echo "$value ${PWD##*/}"'))

    assert job.printed == ["12 sub"]


def test_what_one_definition_leaves_running_serves_the_next_and_ends_with_the_job(
    lab: LabServer, start_worker: StartWorker, directory: Path
) -> None:
    start_worker()

    job = run_job(lab, jobs_definition([["sleep 60 & echo $! > pid"], ["kill -0 $(cat pid) && echo alive"]]))

    assert job.printed == ["alive"]
    assert not marked_processes(directory)


def test_a_test_may_end_the_job(lab: LabServer, start_worker: StartWorker) -> None:
    start_worker()

    job = run_job(
        lab, jobs_definition([["lava-test-raise the board is on fire", "echo never"], ["echo never"]])
    )

    assert job.printed == []
    assert (job.end.result, job.end.error_type, job.end.errors) == ("fail", "Test", "the board is on fire")


def test_a_test_may_ask_to_be_run_again_later(lab: LabServer, start_worker: StartWorker) -> None:
    start_worker()

    job = run_job(
        lab, jobs_definition([["lava-lite-defer 600 the server is down", "sleep 60"], ["echo never"]])
    )

    said = "the test asked to be run again in 600 seconds: the server is down"
    assert (job.end.result, job.end.error_type, job.end.errors) == ("fail", "Test", said)
    assert "<LAVA_SIGNAL_DEFER 600 the%20server%20is%20down>" in job.output
    assert job.printed == []
    ends = [(result["case"], result["result"]) for result in job.results if result["definition"] == "lava"]
    assert ends[-1] == ("job", "skip")
    assert "fail" not in {result for _, result in ends}


def test_a_set_ends_with_its_definition_or_with_the_next_set(
    lab: LabServer, start_worker: StartWorker
) -> None:
    start_worker()
    steps = [
        ["lava-test-set start 'first set'", "lava-test-case a --result pass", "lava-test-set start second"],
        ["lava-test-case c --result pass"],
    ]
    steps[0] += ["lava-test-case b --result pass", "lava-test-reference r --result pass --reference x"]

    job = run_job(lab, jobs_definition(steps))

    sets = {name: case.get("set") for name, case in job.cases("0_suite").items()}
    assert sets == {"a": "first set", "b": "second", "r": "second"}
    assert "set" not in job.cases("1_suite")["c"]


def test_a_set_that_was_never_started_is_not_closed(lab: LabServer, start_worker: StartWorker) -> None:
    start_worker()

    job = run_job(lab, definition("lava-test-set stop"))

    assert "No test_set to close" in job.messages("warning")


def test_a_test_says_how_far_it_is(lab: LabServer, start_worker: StartWorker) -> None:
    start_worker()

    job = run_job(lab, definition("lava-lite-progress 40% flashing it", "lava-lite-progress 100"))

    said = [message for message in job.messages("debug") if "<PROGRESS>" in message]
    assert said == [
        "Received signal: <PROGRESS> 40 flashing%20it",
        "Received signal: <PROGRESS> 100",
    ]
    assert job.messages("warning") == []


def test_a_test_says_something_of_its_own(lab: LabServer, start_worker: StartWorker) -> None:
    start_worker()

    job = run_job(
        lab,
        definition(
            'lava-test-event \'flashed: {"boards": ["ä <b>", 3]}\'',
            "lava-test-event the board is warm",
            "printf '<LAVA_SIGNAL_%s>\\n' 'TESTEVENT as LAVA prints it'",
        ),
    )

    assert job.messages("event") == [
        'flashed: {"boards": ["ä <b>", 3]}',
        "the board is warm",
        "as LAVA prints it",
    ]
    assert job.messages("warning") == []


def test_a_background_process_runs_beside_the_steps_until_it_is_stopped(
    lab: LabServer, start_worker: StartWorker
) -> None:
    start_worker()

    job = run_job(
        lab,
        definition(
            "lava-background-process-start 'the watch' --cmd 'echo $$ > pid; echo seen >> notes; sleep 600 | cat'",
            "while [ ! -s notes ]; do sleep 0.01; done",
            "kill -0 $(cat pid) && echo running",
            "lava-background-process-stop 'the watch' --attach notes text/plain",
            "while kill -0 $(cat pid) 2>/dev/null; do sleep 0.01; done; echo gone",
            "ls -A $TMPDIR",
        ),
    )

    assert job.printed == ["running", "notes (text/plain):", "seen", "gone"]


def test_a_background_command_that_ends_is_run_again(lab: LabServer, start_worker: StartWorker) -> None:
    start_worker()

    job = run_job(
        lab,
        definition(
            "lava-background-process-start count --cmd 'echo again >> notes'",
            'while [ "$(cat notes 2>/dev/null | wc -l)" -lt 2 ]; do sleep 0.01; done',
            "lava-background-process-stop count",
            "sort -u notes",
        ),
    )

    assert job.printed == ["again"]


def test_a_background_process_that_nobody_stops_ends_with_the_job(
    lab: LabServer, start_worker: StartWorker, directory: Path
) -> None:
    start_worker()

    job = run_job(lab, definition("lava-background-process-start forgotten --cmd sleep 600", "echo done"))

    assert job.printed == ["done"]
    assert not marked_processes(directory)


def test_parameters_and_environment_reach_the_steps(lab: LabServer, start_worker: StartWorker) -> None:
    start_worker()
    text = definition("echo $FROM_JOB/$FROM_DEVICE/$BOTH", environment={"FROM_JOB": "a b", "BOTH": "job"})
    device = "{executor: shell, environment: {FROM_DEVICE: 12, BOTH: device}}"

    job = lab.add_job(text, device=device)
    lab.wait_for_end(job)

    assert job.printed == ["a b/12/job"]


# the terminal


def test_a_prompt_is_seen_before_its_line_ends(lab: LabServer, start_worker: StartWorker) -> None:
    start_worker()
    job = lab.add_job(definition("printf 'login: '; until [ -e go ]; do sleep 0.05; done; echo root"))

    lab.wait_until(lambda: any(record.partial for record in job.records))
    (piece,) = [record for record in job.records if record.partial]
    lab.cancel(job)
    lab.wait_for_end(job)

    assert piece.message == "login: "


def test_the_end_of_a_line_joins_its_prompt(lab: LabServer, start_worker: StartWorker) -> None:
    start_worker()

    job = run_job(lab, definition("printf 'login: '; sleep 0.3; echo root; printf 'open end'"))

    assert job.printed[0] == "login: root"
    assert any(line.startswith("open end<LAVA_SIGNAL_ENDRUN") for line in job.printed)


def test_a_job_sees_a_terminal(lab: LabServer, start_worker: StartWorker) -> None:
    start_worker()

    job = run_job(
        lab, definition("test -t 0 && test -t 1 && test -t 2 && echo yes", "stty size", "echo $TERM")
    )

    assert job.printed == ["yes", "24 80", "dumb"]


def test_text_arrives_as_it_was_printed(lab: LabServer, start_worker: StartWorker) -> None:
    start_worker()
    steps = (
        "echo 'äöü ✓ \U0001f600 \"q\" \\'",
        r"printf '\033[31mred\033[0m\r\n'",
        r"printf '10%%\r20%%\r100%%\n'",
        r"printf 'broken \377 byte\n'",
        r"printf 'nul \000 byte\n'",
    )

    job = run_job(lab, definition(*steps))

    assert job.printed == [
        'äöü ✓ \U0001f600 "q" \\',
        "\x1b[31mred\x1b[0m",
        "10%\r20%\r100%",
        "broken � byte",
        "nul � byte",
    ]


def test_a_hundred_thousand_lines_arrive_complete_and_in_order(
    lab: LabServer, start_worker: StartWorker
) -> None:
    start_worker()

    job = run_job(lab, definition("seq 100000"), timeout=60)

    assert job.printed == [str(number) for number in range(1, 100_001)]
    assert job.holes == 0


def test_a_line_of_several_megabytes_arrives_in_lines_of_one(
    lab: LabServer, start_worker: StartWorker
) -> None:
    start_worker()

    job = run_job(lab, definition("head -c 2500000 /dev/zero | tr '\\0' x; echo; echo after"), timeout=60)

    assert "".join(job.printed) == "x" * 2_500_000 + "after"
    assert max(map(len, job.printed)) == 1_000_000


# secrets


def test_a_job_sees_nothing_of_the_servers_environment(
    lab: LabServer, start_worker_process: StartProcess
) -> None:
    secrets = {
        "DJANGO_SECRET_KEY": "s3cret",
        "LAVA_LITE_DATA": "/s3cret",
        "DATABASE_URL": "s3cret",
        "MINE": "s3cret",
    }
    start_worker_process(**secrets)

    job = run_job(lab, definition("env", "tr '\\0' '\\n' < /proc/$PPID/environ", "cat /proc/$PPID/cmdline"))

    text = "\n".join(job.output)
    assert "HOME=" in text
    assert "s3cret" not in text
    assert "worker-token" not in text
    assert job.token not in text


# ends


def test_a_job_that_takes_too_long_is_ended(
    lab: LabServer, start_worker: StartWorker, directory: Path
) -> None:
    start_worker()

    job = run_job(lab, definition("echo begun", "sleep 60", job_timeout=1))

    assert (job.end.result, job.end.error_type, job.end.errors) == (
        "fail",
        "Job",
        "job timed out after 1 seconds",
    )
    assert job.results[-1]["error_type"] == "Job"
    assert not marked_processes(directory)


def test_an_action_that_takes_too_long_is_ended(
    lab: LabServer, start_worker: StartWorker, directory: Path
) -> None:
    start_worker()

    job = run_job(lab, definition("echo begun", "sleep 60", action_timeout=1))

    assert (job.end.result, job.end.error_type) == ("fail", "LAVATimeout")
    assert job.end.errors == "lava-test-shell timed out after 1 seconds"
    assert job.cases("lava")["0_suite"]["result"] == "fail"
    assert not marked_processes(directory)


def test_a_job_may_go_on_after_an_action_that_took_too_long(
    lab: LabServer, start_worker: StartWorker
) -> None:
    start_worker()
    job = yaml.load(jobs_definition([["echo begun; sleep 60", "echo never"]]))
    slow = job["actions"][0]["test"] | {"timeout": {"seconds": 1, "skip": True}}
    quick = yaml.load(definition("echo next"))["actions"][0]["test"]
    job["actions"] = [{"test": slow}, {"test": quick}]

    ended = run_job(lab, yaml.dump(job))

    # The shell may find the time to say that its sleep was terminated.
    assert [line for line in ended.printed if line != "Terminated"] == ["begun", "next"]
    assert ended.end.result == "pass"
    assert (ended.cases("lava")["0_suite"]["result"], ended.cases("lava")["1_suite"]["result"]) == (
        "fail",
        "pass",
    )


def test_a_cancel_ends_everything_that_the_job_started(
    lab: LabServer, start_worker: StartWorker, directory: Path
) -> None:
    start_worker()
    job = lab.add_job(definition(STUBBORN, f"( {STUBBORN} )", "echo waiting", "sleep 60"))
    lab.wait_for_output(job, "waiting")
    lab.wait_until(lambda: sum("stubborn" in line for line in job.printed) == 2)
    began = time.monotonic()

    lab.cancel(job)
    lab.wait_for_end(job)

    assert time.monotonic() - began < 5
    assert (job.end.result, job.end.error_type, job.end.errors) == ("fail", "Canceled", "")
    assert job.results[-1]["error_msg"] == "The job was canceled"
    assert not marked_processes(directory)


def test_children_that_dropped_the_mark_are_ended_too(lab: LabServer, start_worker: StartWorker) -> None:
    start_worker()
    job = run_job(lab, definition("env -i setsid sleep 987.125 & echo $!", "sleep 0.2"))

    pid = job.printed[0]

    assert not Path(f"/proc/{pid}").exists()


def test_a_cancel_of_an_unknown_job_is_answered_at_once(lab: LabServer, start_worker: StartWorker) -> None:
    start_worker()
    job = lab.add_job(definition("true"), wake=False)

    lab.cancel(job)
    lab.wait_for_end(job)

    assert (job.end.result, job.end.error_type) == ("fail", "Canceled")
    assert job.records == []


def test_a_running_job_that_is_unknown_is_reported_as_lost(lab: LabServer, start_worker: StartWorker) -> None:
    job = lab.add_job(definition("true"), wake=False)
    job.state = "Running"

    start_worker()
    lab.wait_for_end(job)

    assert (job.end.result, job.end.error_type) == ("fail", "Infrastructure")
    assert "lost" in job.end.errors


def test_a_job_that_the_server_forgot_is_ended_and_dropped(
    lab: LabServer, start_worker: StartWorker, directory: Path
) -> None:
    start_worker()
    job = lab.add_job(definition("while :; do echo tick; sleep 0.1; done"))
    lab.wait_for_output(job, "tick")

    del lab.jobs[job.id]

    lab.wait_until(lambda: not (directory / "jobs" / str(job.id)).exists())
    assert not marked_processes(directory)


@pytest.mark.parametrize(
    ("device", "words"),
    [
        ("{executor: telnet}", "expected one of shell, ssh, docker, podman"),
        ("{}", "names no executor"),
        ("[", "not valid YAML"),
    ],
)
def test_a_device_of_another_kind_is_a_configuration_error(
    lab: LabServer, start_worker: StartWorker, device: str, words: str
) -> None:
    start_worker()

    job = lab.add_job(definition("true"), device=device)
    lab.wait_for_end(job)

    assert (job.end.result, job.end.error_type) == ("fail", "Configuration")
    assert words in job.end.errors
    assert words in job.results[-1]["error_msg"]
    assert job.results[0]["result"] == "fail"


@pytest.fixture
def small_disk(directory: Path) -> Iterator[None]:
    """The worker's directory has room for two megabytes."""
    directory.mkdir()
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(directory)], capture_output=True, text=True
    )
    if mount.returncode:
        pytest.skip(f"a small disk needs the right to mount one: {mount.stderr.strip()}")
    yield
    subprocess.run(["umount", "--lazy", str(directory)], check=True)


def test_a_full_disk_ends_the_job_with_that_reason(
    lab: LabServer, small_disk: None, start_worker: StartWorker
) -> None:
    start_worker()

    job = run_job(lab, definition("echo begun", "seq 100000", "echo never"))

    assert (job.end.result, job.end.error_type) == ("fail", "Infrastructure")
    assert "disk is full" in job.end.errors
    assert job.printed[:3] == ["begun", "1", "2"]
    assert job.printed == ["begun", *map(str, range(1, len(job.printed)))]
    assert "disk is full" in job.results[-1]["error_msg"]


def test_nothing_is_left_of_a_job_that_has_ended(
    lab: LabServer, start_worker: StartWorker, directory: Path
) -> None:
    start_worker()
    job = run_job(lab, definition("mkdir -p a/b; touch a/b/c; chmod 000 a/b a"))

    lab.wait_until(lambda: not (directory / "jobs" / str(job.id)).exists())
    lab.wait_until(lambda: not runners(directory))


# orders


def test_jobs_run_side_by_side(lab: LabServer, start_worker: StartWorker, tmp_path: Path) -> None:
    start_worker()
    meet = "touch {0}/{1}; until [ -e {0}/{2} ]; do sleep 0.02; done; echo met"

    one = lab.add_job(definition(meet.format(tmp_path, "a", "b")))
    other = lab.add_job(definition(meet.format(tmp_path, "b", "a")))
    lab.wait_for_end(one)
    lab.wait_for_end(other)

    assert one.printed == other.printed == ["met"]


def test_an_order_wakes_an_idle_worker(lab: LabServer, start_worker: StartWorker) -> None:
    start_worker(ping_interval=30.0)
    lab.wait_until(lambda: lab.pings >= 2)
    began = time.monotonic()

    job = run_job(lab, definition("true"))

    assert job.arrivals[0] - began < 15


def test_a_worker_without_its_socket_is_served_by_polling(lab: LabServer, start_worker: StartWorker) -> None:
    start_worker(ping_interval=0.2)

    job = lab.add_job(definition("echo polled"), wake=False)
    lab.wait_for_end(job)

    assert job.printed == ["polled"]


def test_a_job_that_ended_is_not_begun_again_by_an_old_answer(
    lab: LabServer, start_worker: StartWorker, directory: Path
) -> None:
    start_worker(ping_interval=0.1)
    job = run_job(lab, definition("echo once"))
    pings = lab.pings

    job.state = "Scheduled"
    lab.wait_until(lambda: lab.pings > pings + 3)

    assert job.printed == ["once"]
    assert len(job.ends) == 1


def test_a_new_attempt_replaces_the_old_one(lab: LabServer, start_worker: StartWorker) -> None:
    start_worker(ping_interval=0.2)
    first = lab.add_job(definition("echo first; sleep 60"))
    lab.wait_for_output(first, "first")
    files = first.files

    second = ServedJob(id=first.id, files=files, token="another")
    with lab.lock:
        lab.jobs[first.id] = second
    lab.wait_for_output(second, "first")
    lab.cancel(second)
    lab.wait_for_end(second)

    assert first.ends == []
    assert second.end.error_type == "Canceled"


def test_a_worker_without_a_token_registers_and_keeps_what_it_got(lab: LabServer, directory: Path) -> None:
    stop = threading.Event()
    worker = Worker(WorkerConfig(url=lab.url, name="new", directory=directory))
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()

    lab.wait_until(lambda: lab.pings)
    stop.set()
    thread.join()

    token_file = directory / "token"
    assert token_file.read_text() == "token-of-new\n"
    assert token_file.stat().st_mode & 0o777 == 0o600


def test_a_directory_serves_one_worker_only(
    lab: LabServer, start_worker: StartWorker, directory: Path
) -> None:
    start_worker()

    with pytest.raises(DirectoryInUse, match="Another worker uses"):
        Worker(WorkerConfig(url=lab.url, name="w1", directory=directory)).run(threading.Event())


def test_odd_frames_and_answers_do_not_end_the_worker(lab: LabServer, start_worker: StartWorker) -> None:
    start_worker(ping_interval=0.1)
    for frame in ("", "{}", "null", "[1, 2, 3, 4, 5]", json.dumps(["x.testjob", "", "", "", "[]"]), "\x00"):
        lab.send_frame(frame)
    lab.jobs[7] = ServedJob(id=7, files=None, token="x")  # type: ignore[arg-type]
    pings = lab.pings
    lab.wait_until(lambda: lab.pings > pings + 3)
    del lab.jobs[7]

    job = run_job(lab, definition("echo alive"))

    assert job.printed == ["alive"]


# bad luck


def test_partial_acceptance_loses_and_doubles_nothing(lab: LabServer, start_worker: StartWorker) -> None:
    lab.accept_at_most = 7
    start_worker()

    job = run_job(lab, definition("seq 300"), timeout=40)

    assert job.printed == [str(number) for number in range(1, 301)]


def test_a_server_that_lost_records_is_given_them_again(
    lab: LabServer, start_worker: StartWorker, directory: Path
) -> None:
    start_worker()
    job = lab.add_job(definition("seq 100; echo half; until [ -e go ]; do sleep 0.05; done; seq 100"))
    lab.wait_for_output(job, "half")

    with lab.lock:
        del job.records[20:]
    (directory / "jobs" / str(job.id) / "home" / "go").touch()
    lab.wait_for_end(job)

    numbers = [str(number) for number in range(1, 101)]
    assert job.printed == [*numbers, "half", *numbers]
    assert job.holes == 1


def test_a_server_that_is_down_for_a_while_misses_nothing(
    lab: LabServer, start_worker: StartWorker, directory: Path
) -> None:
    start_worker()
    job = lab.add_job(definition("for i in $(seq 60); do echo line $i; sleep 0.02; done"))
    lab.wait_for_output(job, "line 3")

    lab.go_down()
    lab.wait_until(lambda: (directory / "jobs" / str(job.id) / "result.json").exists())
    lab.listen()
    lab.wait_for_end(job)

    assert job.printed == [f"line {number}" for number in range(1, 61)]
    assert job.end.result == "pass"


def test_a_killed_worker_is_followed_by_one_that_goes_on(
    lab: LabServer, start_worker_process: StartProcess, directory: Path
) -> None:
    worker = start_worker_process()
    job = lab.add_job(definition("for i in $(seq 100); do echo line $i; sleep 0.02; done"))
    for number in (10, 30, 50):
        lab.wait_for_output(job, f"line {number}")
        worker.kill()
        worker.wait()
        worker = start_worker_process()
    lab.wait_for_end(job)

    assert job.printed == [f"line {number}" for number in range(1, 101)]
    assert job.end.result == "pass"
    assert job.holes == 0


def test_workers_killed_at_any_moment_lose_and_double_nothing(
    lab: LabServer, start_worker_process: StartProcess
) -> None:
    random = Random(20261122)
    worker = start_worker_process()
    jobs = [
        lab.add_job(definition("for i in $(seq 80); do echo line $i; sleep 0.04; done")) for _ in range(2)
    ]
    while not all(job.ends for job in jobs):
        time.sleep(random.uniform(0, 0.4))  # the moment is what is tried, not a condition to wait for
        worker.kill()
        worker.wait()
        worker = start_worker_process()

    for job in jobs:
        assert job.printed == [f"line {number}" for number in range(1, 81)]
        assert job.end.result == "pass"


def test_a_job_that_ended_while_no_worker_ran_is_reported_later(
    lab: LabServer, start_worker_process: StartProcess, directory: Path
) -> None:
    worker = start_worker_process()
    job = lab.add_job(definition("echo begun", "sleep 0.5", "echo done"))
    lab.wait_for_output(job, "begun")
    worker.kill()
    worker.wait()
    lab.wait_until(lambda: (directory / "jobs" / str(job.id) / "result.json").exists())

    start_worker_process()
    lab.wait_for_end(job)

    assert job.printed == ["begun", "done"]


def test_a_killed_runner_is_an_infrastructure_error_and_leaves_nothing_running(
    lab: LabServer, start_worker: StartWorker, directory: Path
) -> None:
    start_worker()
    job = lab.add_job(definition(STUBBORN, "echo waiting; sleep 60"))
    lab.wait_for_output(job, "stubborn")
    lab.wait_for_output(job, "waiting")

    kill_runner(directory, job.id)
    lab.wait_for_end(job)

    assert (job.end.result, job.end.error_type) == ("fail", "Infrastructure")
    assert "The runner of this job was killed" in job.end.errors
    assert job.results[-1]["error_type"] == "Infrastructure"
    assert not marked_processes(directory)


def test_a_runner_killed_together_with_its_worker_is_found_out_at_the_next_start(
    lab: LabServer, start_worker_process: StartProcess, directory: Path
) -> None:
    worker = start_worker_process()
    job = lab.add_job(definition(STUBBORN, "echo waiting; sleep 60"))
    lab.wait_for_output(job, "waiting")
    worker.kill()
    worker.wait()
    kill_runner(directory, job.id)

    start_worker_process()
    lab.wait_for_end(job)

    assert job.end.error_type == "Infrastructure"
    assert not marked_processes(directory)


def test_a_runner_that_cannot_start_says_why(
    lab: LabServer, start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = {"PYTHONPATH": "/nonexistent", "PYTHONHOME": "/nonexistent"}
    monkeypatch.setattr("workers.builtin.running_job._RUNNER_ENVIRONMENT", environment)
    start_worker()

    job = run_job(lab, definition("true"))

    assert job.end.error_type == "Infrastructure"
    assert job.end.errors.startswith("The runner could not be started: ")
    assert "nonexistent" in job.end.errors


def test_a_hanging_runner_does_not_outlive_a_cancel(
    lab: LabServer, start_worker: StartWorker, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.builtin.running_job.CANCEL_LIMIT", 0.5)
    start_worker()
    job = lab.add_job(definition("echo waiting; sleep 60"))
    lab.wait_for_output(job, "waiting")
    (runner,) = runners(directory)
    os.kill(runner, signal.SIGSTOP)

    lab.cancel(job)
    lab.wait_for_end(job)

    assert job.end.error_type == "Canceled"
    assert not marked_processes(directory)


# stopping


def test_stopping_the_lab_ends_its_jobs_and_says_so(
    lab: LabServer, start_worker: StartWorker, directory: Path
) -> None:
    worker = start_worker(end_jobs_on_stop=True)
    job = lab.add_job(definition("echo waiting; sleep 60"))
    lab.wait_for_output(job, "waiting")

    worker.stop()

    assert (job.end.result, job.end.error_type, job.end.errors) == ("fail", "Canceled", STOPPED)
    assert not marked_processes(directory)
    assert list((directory / "jobs").iterdir()) == []


def test_stopping_while_the_server_is_down_takes_a_bounded_time_and_keeps_the_rest(
    lab: LabServer, start_worker: StartWorker, directory: Path
) -> None:
    worker = start_worker(end_jobs_on_stop=True, stop_timeout=3.0)
    job = lab.add_job(definition("echo waiting; sleep 60"))
    lab.wait_for_output(job, "waiting")
    lab.go_down()
    began = time.monotonic()

    worker.stop()

    assert time.monotonic() - began < 6
    assert not marked_processes(directory)
    lab.listen()
    start_worker()
    lab.wait_for_end(job)
    assert job.end.errors == STOPPED


def test_a_worker_may_leave_its_jobs_running(
    lab: LabServer, start_worker: StartWorker, directory: Path
) -> None:
    worker = start_worker(end_jobs_on_stop=False)
    job = lab.add_job(definition("echo begun; until [ -e go ]; do sleep 0.05; done; echo done"))
    lab.wait_for_output(job, "begun")

    worker.stop()
    (directory / "jobs" / str(job.id) / "home" / "go").touch()
    start_worker()
    lab.wait_for_end(job)

    assert job.printed == ["begun", "done"]
    assert job.end.result == "pass"
