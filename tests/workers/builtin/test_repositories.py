"""Test definitions that are fetched from git, by a real git from real repositories."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from core import yaml
from tests.workers.builtin.lab_server import LabServer, ServedJob
from tests.workers.builtin.test_worker import StartWorker

SMOKE = """\
metadata: {format: Lava-Test Test Definition 1.0, name: smoke}
params: {GREETING: hello, NAME: nobody}
install: {steps: [echo installing]}
run:
  steps:
    - echo $GREETING $NAME
    - ./helper.sh
"""


class Repository:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.git("init", "--quiet", "--initial-branch=main")
        self.first = self.commit({"smoke/smoke.yaml": SMOKE, "helper.sh": "echo first"})

    @property
    def address(self) -> str:
        return f"file://{self.path}"

    def git(self, *command: str) -> str:
        who = ["-c", "user.name=alice", "-c", "user.email=alice@example.com", "-c", "commit.gpgsign=false"]
        self.path.mkdir(exist_ok=True)
        done = subprocess.run(
            ["git", *who, *command], cwd=self.path, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def commit(self, files: dict[str, str]) -> str:
        for name, text in files.items():
            file = self.path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
            file.chmod(0o755)
        self.git("add", "--all")
        self.git("commit", "--quiet", "-m", "change")
        return self.git("rev-parse", "HEAD")


def definition_from_git(address: str, timeouts: dict[str, Any] | None = None, **keys: Any) -> str:
    """Of a job that runs the test of a `Repository`; `keys` are of its test definition."""
    test = {"from": "git", "repository": address, "path": "smoke/smoke.yaml", "name": "smoke", **keys}
    return yaml.dump(
        {
            "job_name": "test",
            "timeouts": {"job": {"minutes": 1}, "action": {"minutes": 1}, **(timeouts or {})},
            "actions": [{"test": {"definitions": [test]}}],
        }
    )


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "tests.git")


@pytest.fixture
def run(lab: LabServer, start_worker: StartWorker) -> Iterator[Any]:
    start_worker(allow_file_repositories=True)

    def run_test(address: str, timeouts: dict[str, Any] | None = None, **keys: Any) -> ServedJob:
        job = lab.add_job(definition_from_git(address, timeouts, **keys))
        lab.wait_for_end(job)
        return job

    return run_test


def test_a_test_is_fetched_and_runs_in_its_repository(run: Any, repository: Repository) -> None:
    job = run(repository.address, parameters={"NAME": "alice"})

    assert job.printed == ["installing", "hello alice", "first"]
    assert job.end.result == "pass"


def test_the_commit_is_in_the_log_and_in_the_results(run: Any, repository: Repository) -> None:
    job = run(repository.address, revision="main")

    fetched, ended = job.cases("lava")["git-repo-action"], job.cases("lava")["0_smoke"]
    assert f"Using commit {repository.first}" in job.messages("info")
    assert (fetched["commit"], fetched["repository"]) == (repository.first, repository.address)
    assert {name: ended[name] for name in ("repository", "path", "revision", "commit_id")} == {
        "repository": repository.address,
        "path": "smoke/smoke.yaml",
        "revision": "main",
        "commit_id": repository.first,
    }


def test_branch_tag_and_commit_may_be_asked_for(run: Any, repository: Repository) -> None:
    repository.git("tag", "-a", "v1", "-m", "one")
    repository.git("checkout", "--quiet", "-b", "next")
    repository.commit({"helper.sh": "echo second"})
    repository.git("checkout", "--quiet", "main")
    repository.commit({"helper.sh": "echo third"})

    asked: list[dict[str, Any]] = [
        {"branch": "next"},
        {"revision": "origin/next"},
        {"revision": "next"},
        {"revision": "v1"},
        {"revision": repository.first[:12]},
        {"revision": "v1", "history": False},
    ]

    assert [run(repository.address, **keys).printed[-1] for keys in asked] == [
        *["second"] * 3,
        *["first"] * 3,
    ]


def test_a_test_sees_the_history_of_its_repository_unless_it_does_not_want_it(
    run: Any, repository: Repository
) -> None:
    repository.commit({"helper.sh": "git log --oneline 2>/dev/null | wc -l; ls -d .git"})

    assert run(repository.address).printed[-2:] == ["2", ".git"]
    assert ".git" not in run(repository.address, history=False).printed


def test_the_install_steps_of_a_test_may_be_skipped(run: Any, repository: Repository) -> None:
    assert "installing" not in run(repository.address, skip_install=["steps"]).printed


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"path": "nothing.yaml"}, "has no file 'nothing.yaml'"),
        ({"path": "smoke"}, "has no file 'smoke'"),
        ({"path": "../../../../../../../etc/passwd"}, "has no file"),
        ({"path": "away.yaml"}, "has no file 'away.yaml'"),
        ({"path": "helper.sh"}, "helper.sh is no test definition: expected a mapping"),
        ({"path": "broken.yaml"}, "broken.yaml is not valid YAML"),
        ({"path": "stepless.yaml"}, "stepless.yaml.run: expected a mapping"),
        ({"path": "parsed.yaml"}, "report results with lava-test-case"),
        ({"branch": "nowhere"}, "Remote branch nowhere not found"),
        ({"revision": "v9"}, "has no revision 'v9'"),
    ],
)
def test_what_a_job_asks_for_wrongly_is_the_jobs_fault(
    run: Any, repository: Repository, keys: dict[str, Any], says: str
) -> None:
    (repository.path / "away.yaml").symlink_to("/etc/hostname")
    repository.commit({"broken.yaml": "{", "stepless.yaml": "metadata: {}", "parsed.yaml": "parse: {}"})

    job = run(repository.address, **keys)

    assert (job.end.result, job.end.error_type) == ("fail", "Job")
    assert says in job.end.errors
    assert job.cases("lava")["git-repo-action"]["result"] == "fail"
    assert job.printed == []


def test_a_repository_that_does_not_exist_is_the_jobs_fault(run: Any, tmp_path: Path) -> None:
    job = run(f"file://{tmp_path}/nothing")

    assert job.end.error_type == "Job"
    assert "does not" in job.end.errors


@pytest.mark.parametrize("address", ["http://127.0.0.1:1/tests.git", "ssh://alice@127.0.0.1:1/tests.git"])
def test_a_host_that_does_not_answer_is_the_labs_fault(run: Any, address: str) -> None:
    job = run(address)

    assert (job.end.result, job.end.error_type) == ("fail", "Infrastructure")
    assert f"{address} could not be fetched: " in job.end.errors


@pytest.fixture
def silent_host() -> Iterator[str]:
    """Takes requests and never answers them."""
    enough = Event()

    class Silent(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            enough.wait()

        def log_message(self, *words: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Silent)
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/tests.git"
    enough.set()
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_host_that_is_silent_is_waited_for_as_long_as_the_timeout_says(run: Any, silent_host: str) -> None:
    job = run(silent_host, timeouts={"actions": {"git-repo-action": {"seconds": 1}}})

    assert job.end.error_type == "Infrastructure"
    assert "could not be fetched within 1 seconds" in job.end.errors


def test_a_job_that_waits_for_a_repository_can_be_canceled(
    lab: LabServer, start_worker: StartWorker, silent_host: str
) -> None:
    start_worker()
    job = lab.add_job(definition_from_git(silent_host))
    lab.wait_until(lambda: f"Fetching tests from {silent_host}" in job.messages("info"))

    lab.cancel(job)
    lab.wait_for_end(job)

    assert (job.end.result, job.end.error_type) == ("fail", "Canceled")


def test_nothing_is_fetched_from_the_workers_own_machine_unless_it_is_allowed(
    lab: LabServer, start_worker: StartWorker, repository: Repository
) -> None:
    start_worker()
    job = lab.add_job(definition_from_git(repository.address))
    lab.wait_for_end(job)

    assert job.end.error_type == "Job"
    assert "this worker fetches nothing from its own machine" in job.end.errors


def test_nothing_that_a_repository_brings_with_it_is_carried_out_or_followed(
    run: Any, repository: Repository, tmp_path: Path
) -> None:
    other = Repository(tmp_path / "other.git")
    repository.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", other.address, "sub")
    repository.commit(
        {
            ".gitattributes": "* filter=evil",
            "hooks/post-checkout": f"touch {tmp_path}/done",
            "helper.sh": "ls sub",
        }
    )

    job = run(repository.address)

    assert job.printed == ["installing", "hello nobody"]
    assert not (tmp_path / "done").exists()
