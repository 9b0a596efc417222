"""Recorded runs of a real lava-worker, sent to our endpoints: the end is the one that LAVA came to."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.test import Client

from devices.models import Device
from events import lava, publisher
from events.transports.memory import Memory
from jobs import lifecycle, logs, scheduler
from jobs.logs import lava_yaml
from jobs.models import Job, Step
from jobs.models import TestCase as Case
from jobs.states import Health, State
from tests import build
from tests.workers.transcript import Exchange, exchanges

GOLDEN = Path(__file__).parent.parent / "golden"
WORKER = "peerworker"

pytestmark = pytest.mark.django_db


@dataclass(slots=True, kw_only=True)
class Replayed:
    folder: Path
    job: Job
    answers: list[tuple[Exchange, Any]]  # what was said and answered there, and our answer
    frames: list[tuple[str, dict[str, Any]]]  # kind and data

    def golden(self, name: str) -> Any:
        return json.loads((self.folder / name).read_text())


class Replay:
    """Sends the worker's requests with our ids and tokens in place of LAVA's."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rest = json.loads((folder / "rest.json").read_text())
        self.client = Client()
        self.token = build.worker_token(WORKER)
        self.job: Job | None = None
        self.job_token = ""

    def run(self) -> Replayed:
        build.device(self.rest["actual_device"], worker=WORKER)
        transport = Memory()
        publisher.run_once([transport])
        answers = []
        for exchange in exchanges(self.folder / "http-exchange.jsonl.gz"):
            self._submit_before(exchange)
            answers.append((exchange, self._send(exchange)))
        publisher.run_once([transport])
        assert self.job is not None
        sent = [frame for event in transport.sent if (frame := lava.frames(event))]
        frames = [(topic.rpartition(".")[2], json.loads(data)) for topic, _, _, _, data in sent]
        job = Job.objects.get(pk=self.job.pk)
        # What the worker said of itself stands between; the recording begins after that.
        return Replayed(
            folder=self.folder,
            job=job,
            answers=answers,
            frames=[frame for frame in frames if frame[0] != "worker"],
        )

    def _submit_before(self, exchange: Exchange) -> None:
        """LAVA's worker was told of the job by this answer."""
        if self.job is not None or not exchange.path.startswith("/scheduler/internal/v1/workers/"):
            return
        if exchange.json()["start"]:
            text = (self.folder / "submitted.yaml").read_text()
            self.job = lifecycle.submit(text, by=build.admin())
            assert scheduler.run_once() == 1

    def _send(self, exchange: Exchange) -> Any:
        about_job = "/jobs/" in exchange.path
        token = self.job_token if about_job else self.token
        path = exchange.path
        if self.job is not None:
            path = path.replace(f"/jobs/{self.rest['id']}/", f"/jobs/{self.job.pk}/")
        headers = {"lava-token": token, "user-agent": exchange.headers["user-agent"]}
        if exchange.method == "GET":
            answer = self.client.get(path, headers=headers)
        else:
            answer = self.client.post(
                path, data=exchange.body, content_type=exchange.headers["content-type"], headers=headers
            )
        if not about_job and answer.json()["start"]:
            (start,) = answer.json()["start"]
            self.job_token = start["token"]
        return answer


@pytest.fixture(params=["job1-interactive", "job2-shell"])
def replayed(request: pytest.FixtureRequest) -> Replayed:
    return Replay(GOLDEN / request.param).run()


def test_every_request_is_answered_as_lava_answered_it(replayed: Replayed) -> None:
    ours_of_theirs = {replayed.golden("rest.json")["id"]: replayed.job.pk}
    for exchange, answer in replayed.answers:
        assert answer.status_code == exchange.status, exchange.path
        theirs, ours = exchange.json(), answer.json()
        assert ours.keys() == theirs.keys(), exchange.path
        if "start" in theirs:
            for order in ("start", "running", "cancel"):
                ids = [ours_of_theirs[job["id"]] for job in theirs[order]]
                assert [job["id"] for job in ours[order]] == ids
        if "line_count" in theirs:
            assert ours == theirs


def test_the_worker_gets_the_definition_that_lava_s_worker_got(replayed: Replayed) -> None:
    ((theirs, ours),) = [
        (exchange.json(), answer.json())
        for exchange, answer in replayed.answers
        if exchange.method == "GET" and "/jobs/" in exchange.path
    ]
    assert yaml.safe_load(ours["definition"]) == yaml.safe_load(theirs["definition"])
    assert {type(value) for value in ours.values()} == {str}


def test_the_job_ends_as_it_did_there(replayed: Replayed) -> None:
    golden = replayed.golden("rest.json")
    job = replayed.job

    assert (State(job.state).label, Health(job.health).label) == (golden["state"], golden["health"])
    assert (job.description, job.priority) == (golden["description"], golden["priority"])
    assert job.device_id == golden["actual_device"]
    assert job.start_time is not None
    assert Device.objects.get(pk=job.device_id).job_now() is None


def test_the_log_is_the_same_to_the_byte(replayed: Replayed) -> None:
    golden = gzip.decompress((GOLDEN / f"{replayed.folder.name}.output.yaml.gz").read_bytes())

    ours = b"".join(lava_yaml.stream(replayed.job.log_directory(), finished=True))

    assert ours == golden
    assert logs.record_count(replayed.job.log_directory()) == golden.count(b"\n")


def test_the_results_are_the_same(replayed: Replayed) -> None:
    suites = {suite["id"]: suite["name"] for suite in replayed.golden("rest_suites.json")["results"]}
    tests = sorted(replayed.golden("rest_tests.json")["results"], key=lambda test: test["id"])
    cases = Case.objects.filter(attempt__job=replayed.job).select_related("suite").order_by("index")

    assert [_ours(case) for case in cases] == [_theirs(test, suites) for test in tests]


def test_the_metadata_are_the_same(replayed: Replayed) -> None:
    tests = sorted(replayed.golden("rest_tests.json")["results"], key=lambda test: test["id"])
    files = replayed.golden("metadata.json")
    cases = Case.objects.filter(attempt__job=replayed.job).order_by("index")

    for case, test in zip(cases, tests, strict=True):
        theirs = yaml.safe_load(test["metadata"])
        # LAVA keeps what an action says of itself in a file and its path here; we keep it here.
        if "extra" in theirs and "level" in theirs:
            theirs["extra"] = yaml.safe_load(files[Path(theirs["extra"]).stem])
        assert case.metadata == theirs, case.name


def test_the_events_are_those_of_lava_in_the_same_order(replayed: Replayed) -> None:
    lines = (replayed.folder / "events-zmq.jsonl").read_text().splitlines()
    recorded = [json.loads(line)["parts"] for line in lines]
    golden = [(parts[0].rpartition(".")[2], json.loads(parts[4])) for parts in recorded]

    assert [(kind, data["state"], data["health"]) for kind, data in replayed.frames] == [
        (kind, data["state"], data["health"]) for kind, data in golden
    ]
    for (_, ours), (_, theirs) in zip(replayed.frames, golden, strict=True):
        assert {key: type(value) for key, value in ours.items() if key in theirs} == {
            key: type(value) for key, value in theirs.items()
        }
        same = theirs.keys() - {"job", "submit_time", "start_time", "end_time"}
        assert {key: ours[key] for key in same} == {key: theirs[key] for key in same}


def test_sending_everything_again_adds_nothing(replayed: Replayed) -> None:
    before = (logs.size(replayed.job.log_directory()), Case.objects.count(), build.events_of(replayed.job))
    again = Replay(replayed.folder)
    again.job = replayed.job
    again.job_token = next(
        answer.json()["start"][0]["token"] for _, answer in replayed.answers if answer.json().get("start")
    )

    for exchange, _ in replayed.answers:
        if exchange.method == "POST":
            assert again._send(exchange).status_code == 200

    assert before == (
        logs.size(replayed.job.log_directory()),
        Case.objects.count(),
        build.events_of(replayed.job),
    )


def _ours(case: Case) -> dict[str, Any]:
    return {
        "suite": case.suite.name,
        "name": case.name,
        "result": case.result,
        "measurement": None if case.measurement is None else f"{case.measurement:f}",
        "unit": case.units,
        "start_log_line": case.log_start,
        "end_log_line": case.log_end,
        "in_a_set": bool(case.test_set),
    }


def _theirs(test: dict[str, Any], suites: dict[int, str]) -> dict[str, Any]:
    same = ("name", "result", "unit", "measurement", "start_log_line", "end_log_line")
    theirs = {key: test[key] for key in same}
    return theirs | {"suite": suites[test["suite"]], "in_a_set": test["test_set"] is not None}


def test_the_steps_are_known_with_their_places_in_the_log(replayed: Replayed) -> None:
    steps = list(Step.objects.filter(attempt__job=replayed.job))
    text = (replayed.job.log_directory() / "output.log").read_bytes()

    assert [step.level for step in steps if "." not in step.level] == ["0", "1", "2", "3", "4"]
    assert {step.state for step in steps} == {"pass"}
    for step in steps:
        first = text[step.offset : step.end_offset].decode().splitlines()[0]
        assert first.startswith((f"start: {step.level} {step.name}", f"Starting test lava.{step.name} "))
