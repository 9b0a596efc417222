from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.lava_lite.client.conftest import FakeServer, LavaLite, Reply, job, problem, tail

COMMAND = Path(sys.executable).with_name("lava-lite")
JOBS = "/api/v1/jobs/"
VALID = {"valid": True, "faults": []}
FAULT = {"path": "actions[0].deploy", "message": "expected a mapping", "line": 4}
INVALID = {"valid": False, "faults": [FAULT]}


@pytest.fixture
def definition(tmp_path: Path) -> Path:
    path = tmp_path / "boot.yaml"
    path.write_bytes(b"job_name: Boot it\n")
    return path


def test_a_submitted_job_is_told_by_number_and_address(
    lava_lite: LavaLite, fake: FakeServer, definition: Path
) -> None:
    fake.on("POST", JOBS, Reply(body=job(12), status=201))

    done = lava_lite("job", "submit", str(definition))

    assert (done.code, done.out, done.err) == (0, "12\thttp://lab/job/12/\n", "")
    assert fake.asked[0].body == b"job_name: Boot it\n"
    assert fake.asked[0].headers["content-type"] == "application/yaml"


def test_a_page_without_a_server_in_its_address_gets_the_one_that_was_asked(
    lava_lite: LavaLite, fake: FakeServer, definition: Path
) -> None:
    fake.on("POST", JOBS, Reply(body=job(12, url="/job/12/"), status=201))

    assert lava_lite("job", "submit", str(definition)).out == f"12\t{fake.url}/job/12/\n"


def test_a_definition_comes_from_standard_input(lava_lite: LavaLite, fake: FakeServer) -> None:
    fake.on("POST", JOBS, Reply(body=job(12), status=201))

    done = lava_lite("job", "submit", "-", "--json", stdin=b"job_name: \xff\n")

    assert done.json == job(12)
    assert fake.asked[0].body == b"job_name: \xff\n"


def test_faults_are_told_as_compilers_tell_them(
    lava_lite: LavaLite, fake: FakeServer, definition: Path
) -> None:
    more = {"path": "", "message": "too long", "line": None}
    fake.on("POST", JOBS, problem(400, "The definition is wrong", faults=[FAULT, more]))

    done = lava_lite("job", "submit", str(definition))

    assert (done.code, done.out) == (2, "")
    assert done.err == f"{definition}:4: actions[0].deploy: expected a mapping\n{definition}: too long\n"


def test_of_several_definitions_none_is_submitted_when_one_is_wrong(
    lava_lite: LavaLite, fake: FakeServer, definition: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.yaml"
    other.write_bytes(b"job_name: 3\n")
    fake.on("POST", f"{JOBS}validate/", VALID, INVALID)

    done = lava_lite("job", "submit", str(definition), str(other))

    assert (done.code, done.err) == (2, f"{other}:4: actions[0].deploy: expected a mapping\n")
    assert fake.paths("POST") == [f"{JOBS}validate/"] * 2


def test_checking_submits_nothing(lava_lite: LavaLite, fake: FakeServer, definition: Path) -> None:
    fake.on("POST", f"{JOBS}validate/", VALID)

    done = lava_lite("job", "submit", "--check", str(definition))

    assert (done.code, done.out, done.err) == (0, "", "")
    assert fake.paths("POST") == [f"{JOBS}validate/"]


def test_a_file_that_cannot_be_read_is_named(lava_lite: LavaLite, tmp_path: Path) -> None:
    done = lava_lite("job", "submit", str(tmp_path / "none.yaml"))

    assert (done.code, done.err) == (2, f"lava-lite: {tmp_path / 'none.yaml'}: No such file or directory\n")


def test_a_list_is_read_page_by_page_up_to_its_limit(lava_lite: LavaLite, fake: FakeServer) -> None:
    jobs = [job(number) for number in range(300, 0, -1)]
    # As from behind a proxy, where a server does not know its own address.
    fake.on(
        "GET", f"{JOBS}?outcome=fail&limit=200", {"items": jobs[:200], "next": "http://inside/?before=101"}
    )
    fake.on("GET", f"{JOBS}?before=101", {"items": jobs[200:], "next": None})

    done = lava_lite("job", "list", "--outcome", "fail", "--limit", "250", "--json")

    assert done.json == jobs[:250]


def test_an_empty_list_is_one_in_json_too(lava_lite: LavaLite, fake: FakeServer) -> None:
    fake.on("GET", f"{JOBS}?limit=50", {"items": [], "next": None})

    assert lava_lite("job", "list", "--json").out == "[]\n"


def test_a_list_for_another_program_has_tabs_and_plain_values(lava_lite: LavaLite, fake: FakeServer) -> None:
    running = job(13, state="Running", outcome=None, duration=None, device=None, description="a\tb\n\x1b[2J")
    fake.on("GET", f"{JOBS}?limit=50", {"items": [running, job(12)], "next": None})

    assert lava_lite("job", "list").out == (
        "13\tRunning\tqemu\talice\t2026-01-31T12:00:00Z\t\ta b  [2J\n"
        "12\tpass\tqemu01\talice\t2026-01-31T12:00:00Z\t60.0\tBoot it\n"
    )


def test_filters_are_the_apis(lava_lite: LavaLite, fake: FakeServer) -> None:
    lava_lite("job", "list", "--state", "Running,Submitted", "--type", "qemu", "-q", "boot & go")

    assert fake.paths("GET") == [f"{JOBS}?state=Running%2CSubmitted&device_type=qemu&q=boot+%26+go&limit=50"]


def test_all_about_a_job_is_shown(lava_lite: LavaLite, fake: FakeServer) -> None:
    failed = job(12, outcome="fail", reason="login failed", results={"pass": 2, "fail": 1, "skip": 0})
    fake.on("GET", f"{JOBS}12/", failed)

    lines = lava_lite("job", "show", "12").out.splitlines()

    assert {"status\tfail", "reason\tlogin failed", "results\t2 pass, 1 fail", "took\t1 min"} <= set(lines)


def test_a_failed_job_is_shown_with_the_step_in_which_it_went_wrong(
    lava_lite: LavaLite, fake: FakeServer
) -> None:
    step = {"level": "2.1", "name": "login-action", "state": "fail", "duration": 62.0}
    fake.on("GET", f"{JOBS}12/", job(12, outcome="fail", culprit=step))

    lines = lava_lite("job", "show", "12").out.splitlines()

    assert "went wrong in\t2.1 login-action (fail after 1 min 2 s)" in lines


def test_a_hidden_job_is_told_in_one_line(lava_lite: LavaLite, fake: FakeServer) -> None:
    fake.on("GET", f"{JOBS}12/", problem(404, "There is nothing here", "There is no job 12"))

    done = lava_lite("job", "show", "12", "--json")

    assert (done.code, done.out) == (5, "")
    assert done.err == "lava-lite: There is nothing here: There is no job 12\n"


@pytest.mark.parametrize("name", ["abc", "-1", "1/2", "12.", "12.1.1", "٣"])
def test_what_is_no_job_is_asked_of_nobody(lava_lite: LavaLite, fake: FakeServer, name: str) -> None:
    done = lava_lite("job", "show", "--", name)

    assert done.code == 2
    assert "expected the number or the uuid of a job" in done.err
    assert fake.asked == []


def test_canceling_goes_on_after_one_that_cannot_be(lava_lite: LavaLite, fake: FakeServer) -> None:
    fake.on("POST", f"{JOBS}11/cancel/", problem(403, "That is not yours"))
    fake.on("POST", f"{JOBS}12/cancel/", job(12, state="Canceling"))

    done = lava_lite("job", "cancel", "11", "12", "--reason", "wrong kernel")

    assert (done.code, done.out, done.err) == (5, "12\tCanceling\n", "lava-lite: That is not yours\n")
    assert [asked.json for asked in fake.asked] == [{"reason": "wrong kernel"}] * 2


def test_the_log_is_printed_to_the_byte(lava_lite: LavaLite, fake: FakeServer) -> None:
    fake.on("GET", f"{JOBS}12/", job(12))
    fake.on("GET", "/job/12/log-tail?start=0", tail("one\r\n", 5))
    fake.on("GET", "/job/12/log-tail?start=5&attempt=1", tail("two ü \x00\x1b[0m", 15))
    fake.on("GET", "/job/12/log-tail?start=15&attempt=1", tail("", 15, is_finished=True))

    done = lava_lite("job", "log", "12")

    assert (done.code, done.out, done.err) == (0, "one\r\ntwo ü \x00\x1b[0m", "")


def test_the_log_of_another_attempt_from_a_byte_on(lava_lite: LavaLite, fake: FakeServer) -> None:
    fake.on("GET", f"{JOBS}12/", job(12, attempt=3))
    fake.on("GET", "/job/12/log-tail?start=7&attempt=2", tail("rest", 11, attempt=2))
    fake.on("GET", "/job/12/log-tail?start=11&attempt=2", tail("", 11, is_finished=True, attempt=2))

    assert lava_lite("job", "log", "12", "--start", "7", "--attempt", "2").out == "rest"


def test_an_attempt_that_is_not_there_is_told(lava_lite: LavaLite, fake: FakeServer) -> None:
    fake.on("GET", f"{JOBS}12/", job(12))
    error = "Job 12 has had no other attempts than 1 to 1."
    fake.on("GET", "/job/12/log-tail?start=0&attempt=9", Reply(body={"error": error}, status=404))

    done = lava_lite("job", "log", "12", "--attempt", "9")

    assert (done.code, done.err) == (5, f"lava-lite: {error}\n")


@pytest.mark.parametrize(
    ("outcome", "code"), [("pass", 0), ("fail", 1), ("infrastructure", 3), ("canceled", 4)]
)
def test_a_followed_job_ends_with_the_exit_code_of_its_outcome(
    lava_lite: LavaLite, fake: FakeServer, definition: Path, outcome: str, code: int
) -> None:
    ended = job(12, outcome=outcome, reason="so it was")
    fake.on("POST", JOBS, Reply(body=job(12, state="Running", outcome=None), status=201))
    fake.on("GET", "/job/12/log-tail?start=0", tail("hello\n", 6, is_finished=True))
    fake.on("GET", f"{JOBS}12/", ended)

    done = lava_lite("job", "run", str(definition))

    assert (done.code, done.out) == (code, "hello\n")
    assert done.err.splitlines() == ["Job 12: http://lab/job/12/", f"Job 12: {outcome}: so it was"]


def test_a_run_in_json_prints_the_job_when_it_has_ended(
    lava_lite: LavaLite, fake: FakeServer, definition: Path
) -> None:
    fake.on("POST", JOBS, Reply(body=job(12, state="Submitted", outcome=None), status=201))
    fake.on("GET", f"{JOBS}12/", job(12, state="Running", outcome=None), job(12, outcome="fail"))

    done = lava_lite("job", "run", "--json", str(definition))

    assert (done.code, done.json) == (1, job(12, outcome="fail"))
    assert "Job 12 is Running on qemu01" in done.err


def test_of_several_jobs_the_worst_outcome_counts(lava_lite: LavaLite, fake: FakeServer) -> None:
    fake.on("GET", f"{JOBS}12/", job(12, outcome="fail"))
    fake.on("GET", f"{JOBS}13/", job(13, outcome="infrastructure", reason="no power"))
    fake.on("GET", f"{JOBS}14/", job(14))

    done = lava_lite("job", "wait", "12", "13", "14")

    assert (done.code, done.out) == (3, "12\tfail\n13\tinfrastructure: no power\n14\tpass\n")


def test_whoever_waits_no_longer_is_told_that_the_job_goes_on(lava_lite: LavaLite, fake: FakeServer) -> None:
    fake.on("GET", f"{JOBS}12/", job(12, state="Submitted", outcome=None, device=None, reason="no device"))

    done = lava_lite("job", "wait", "12", "--timeout", "0.01")

    assert done.code == 124
    assert done.err.splitlines() == [
        "Job 12 is Submitted: no device",
        "lava-lite: 0.01 s are over. Job 12 goes on. Cancel it with: lava-lite job cancel 12",
    ]


def test_ctrl_c_leaves_the_job_alone_and_says_so(fake: FakeServer, tmp_path: Path) -> None:
    fake.on("GET", f"{JOBS}12/", job(12, state="Running", outcome=None))
    fake.on("GET", "/job/12/log-tail?start=0", tail("", 0))
    fake.on("GET", "/job/12/log-tail?start=0&attempt=1", tail("", 0))
    command = subprocess.Popen(
        [COMMAND, "job", "log", "12", "--follow", "--server", fake.url],
        env={**os.environ, "XDG_CONFIG_HOME": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert command.stderr is not None
    assert command.stderr.readline() == "Job 12 is Running on qemu01\n"

    command.send_signal(signal.SIGINT)
    out, err = command.communicate(timeout=30)

    assert (command.returncode, out) == (130, "")
    assert err == "\nJob 12 goes on. Cancel it with: lava-lite job cancel 12\n"
    assert fake.paths("POST") == []


def test_jobs_are_deferred_by_a_length_of_time(lava_lite: LavaLite, fake: FakeServer) -> None:
    deferred = job(12, state="Submitted", not_before="2030-01-01T12:00:00Z")
    fake.on("POST", f"{JOBS}12/defer/", deferred)

    done = lava_lite("job", "defer", "12", "--for", "2h", "--reason", "full")

    assert done.out == "12\t2030-01-01T12:00:00Z\n"
    assert [asked.json for asked in fake.asked] == [{"seconds": 7200, "reason": "full"}]


def test_jobs_are_deferred_until_a_time(lava_lite: LavaLite, fake: FakeServer) -> None:
    fake.on("POST", f"{JOBS}12/defer/", job(12, state="Submitted", not_before="2030-01-01T12:00:00Z"))

    lava_lite("job", "defer", "12", "--until", "2030-01-01T12:00Z")

    assert [asked.json for asked in fake.asked] == [{"until": "2030-01-01T12:00:00+00:00", "reason": ""}]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "expected either --for or --until"),
        (["--for", "1h", "--until", "2030-01-01"], "expected either --for or --until"),
        (["--for", "soon"], "expected a length like 90min, 2h or 1d, got 'soon'"),
        (["--until", "2h"], "'2h' is no time"),
    ],
    ids=str,
)
def test_a_deferral_that_makes_no_sense_asks_no_server(
    words: list[str], says: str, lava_lite: LavaLite, fake: FakeServer
) -> None:
    done = lava_lite("job", "defer", "12", *words)

    assert done.code == 2
    assert says in done.err
    assert fake.paths("POST") == []


def test_a_job_is_told_to_run_now(lava_lite: LavaLite, fake: FakeServer) -> None:
    fake.on("POST", f"{JOBS}12/hurry/", job(12, state="Submitted", not_before=None))

    assert lava_lite("job", "hurry", "12").out == "12\tnow\n"


def test_the_attempts_of_a_job_are_listed(lava_lite: LavaLite, fake: FakeServer) -> None:
    row = {"id": 3, "number": 1, "result": "fail", "device": "qemu01", "worker": "w", "reason": "no power"}
    row["scheduled"] = "2020-01-01T00:00:00Z"
    fake.on("GET", f"{JOBS}12/attempts/?limit=50", {"items": [row], "next": None})

    assert lava_lite("job", "attempts", "12").out == "1\tfail\tqemu01\tw\t2020-01-01T00:00:00Z\tno power\n"


def test_a_job_is_run_again(lava_lite: LavaLite, fake: FakeServer) -> None:
    fake.on("POST", f"{JOBS}12/resubmit/", Reply(body=job(13), status=201))

    assert lava_lite("job", "resubmit", "12").out == "13\thttp://lab/job/13/\n"


def test_a_definition_is_printed_to_the_byte(lava_lite: LavaLite, fake: FakeServer) -> None:
    fake.on("GET", f"{JOBS}12/definition/", Reply(body=b"job_name: x\r\n"))

    assert lava_lite("job", "definition", "12").out == "job_name: x\r\n"


def test_results_are_listed(lava_lite: LavaLite, fake: FakeServer) -> None:
    row: dict[str, Any] = {"id": 3, "suite": "0_boot", "set": "", "name": "login", "result": "fail"}
    row |= {"measurement": "4.50", "unit": "seconds"}
    fake.on("GET", f"{JOBS}12/results/?result=fail&limit=50", {"items": [row], "next": None})

    assert (
        lava_lite("job", "results", "12", "--result", "fail").out
        == "3\tfail\t0_boot\t\tlogin\t4.50\tseconds\n"
    )


def test_a_job_that_waits_for_a_person_is_answered(lava_lite: LavaLite, fake: FakeServer) -> None:
    fake.on("POST", f"{JOBS}12/answer/", job(12, state="Running"))

    assert lava_lite("job", "answer", "12", "--failed", "--comment", "no button").out == "12\tRunning\n"
    assert json.loads(fake.asked[-1].body) == {"answer": "failed", "comment": "no button"}


def test_steps_are_listed(lava_lite: LavaLite, fake: FakeServer) -> None:
    row = {"state": "fail", "level": "2.1", "name": "login", "trial": 2, "duration": 62.0, "start_line": 40}
    fake.on("GET", f"{JOBS}12/steps/?state=fail&limit=50", {"items": [row], "next": None})

    assert lava_lite("job", "steps", "12", "--state", "fail").out == "fail\t2.1\tlogin\t2\t62.0\t40\n"


@pytest.mark.parametrize(("option", "shows"), [("--json", "\\u65e5"), ("--limit=50", "?")])
def test_a_terminal_that_lacks_a_character_ends_nothing(
    fake: FakeServer, tmp_path: Path, option: str, shows: str
) -> None:
    fake.on("GET", f"{JOBS}?limit=50", {"items": [job(12, description="\u65e5")], "next": None})

    done = subprocess.run(
        [COMMAND, "job", "list", option, "--server", fake.url],
        env={**os.environ, "XDG_CONFIG_HOME": str(tmp_path), "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert shows in done.stdout


def test_whoever_reads_the_output_may_end_first(fake: FakeServer, tmp_path: Path) -> None:
    # More than a pipe and its reader hold together, so it can't all be written before the reader goes.
    jobs = [job(number) for number in range(200)]
    fake.on("GET", f"{JOBS}?limit=200", {"items": jobs, "next": "?before=1"})
    for page in range(1, 20):
        fake.on("GET", f"{JOBS}?before={page}", {"items": jobs, "next": f"?before={page + 1}"})
    fake.on("GET", f"{JOBS}?before=20", {"items": jobs})
    line = f"{COMMAND} job list --limit 100000 --server {fake.url} | head -1; echo ${{PIPESTATUS[0]}}"

    done = subprocess.run(
        ["bash", "-c", line],
        env={**os.environ, "XDG_CONFIG_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.stdout.splitlines()[-1] == "141"
    assert done.stderr == ""
