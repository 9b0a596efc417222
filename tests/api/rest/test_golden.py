"""The answers of LAVA 2023.01 to finished jobs, and ours after their workers have said the same."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from core import yaml
from jobs import lifecycle, logs, results
from jobs.models import Job
from jobs.results import Found
from tests import build

GOLDEN = Path(__file__).parents[2] / "golden"
SECRET = {"token"}  # LAVA shows administrators the worker's secret for the job


def golden(name: str) -> Any:
    return json.loads((GOLDEN / f"rest-job2-shell{name}.json").read_text(encoding="utf-8"))


def text_of_log(name: str = "job2-shell") -> str:
    return gzip.decompress((GOLDEN / f"{name}.output.yaml.gz").read_bytes()).decode()


def replayed(theirs: dict[str, Any], log: str, admin: User) -> Job:
    build.device(theirs["actual_device"], device_type=theirs["requested_device_type"])
    job = lifecycle.submit(theirs["original_definition"], by=admin)
    lifecycle.schedule(job.pk, theirs["actual_device"])
    lifecycle.start(job.pk, worker="worker01")
    records = logs.parse_lines(log)
    logs.append(job.log_directory(), 0, records)
    results.collect(build.attempt(job), [Found(index=at, record=each) for at, each in enumerate(records)])
    return lifecycle.finish(job.pk, build.PASSED, worker="worker01")


@pytest.fixture
def job(admin: User) -> Job:
    return replayed(golden(""), text_of_log(), admin)


def shape(value: Any) -> Any:
    return {key: type(entry) for key, entry in value.items() if key not in SECRET}


def test_a_job_has_lavas_keys_and_types_and_two_of_its_own(anyone: APIClient, job: Job) -> None:
    ours = anyone.get(f"/api/v0.2/jobs/{job.pk}/").json()

    assert shape(ours) == shape(golden("")) | {"uuid": str, "attempt": int}


@pytest.mark.parametrize(
    "key",
    ["submitter", "description", "health_check", "requested_device_type", "actual_device", "state", "health",
     "priority", "original_definition", "multinode_definition", "failure_tags", "failure_comment",
     "viewing_groups", "tags"],
)  # fmt: skip
def test_a_job_has_lavas_values(anyone: APIClient, job: Job, key: str) -> None:
    ours = anyone.get(f"/api/v0.2/jobs/{job.pk}/").json()

    assert ours[key] == golden("")[key]


def test_the_suites_are_lavas(anyone: APIClient, job: Job) -> None:
    ours = anyone.get(f"/api/v0.2/jobs/{job.pk}/suites/").json()

    theirs = golden("-suites")
    assert ours.keys() == theirs.keys()
    assert {suite["name"] for suite in ours["results"]} == {suite["name"] for suite in theirs["results"]}
    assert [shape(suite) for suite in ours["results"]] == [shape(suite) for suite in theirs["results"]]


def test_the_tests_are_lavas(anyone: APIClient, job: Job) -> None:
    ours = anyone.get(f"/api/v0.2/jobs/{job.pk}/tests/").json()

    theirs = golden("-tests")
    assert ours["count"] == theirs["count"]
    # LAVA lists them in no order, and numbers rows and times in its own way.
    assert sorted(map(compared, ours["results"])) == sorted(map(compared, theirs["results"]))


def compared(test: dict[str, Any]) -> list[str]:
    """What must be equal, and of the rest the types."""
    # LAVA moves what an action says in `extra` to a file and names that; here it stays what it is.
    metadata = yaml.load(test["metadata"]) | {"extra": None}
    same = ("name", "result", "unit", "measurement", "start_log_line", "end_log_line")
    types = [f"{key}: {kind}" for key, kind in sorted(shape(test).items())]
    return [*(repr(test[key]) for key in same), yaml.dump(metadata), *types]


def test_the_log_is_lavas_byte_for_byte(anyone: APIClient, job: Job) -> None:
    answer = anyone.get(f"/api/v0.2/jobs/{job.pk}/logs/")

    assert answer.getvalue().decode() == text_of_log()


def test_the_results_as_yaml_are_lavas(anyone: APIClient, admin: User) -> None:
    recorded = GOLDEN / "job1-interactive"
    theirs = yaml.load((recorded / "results.yaml").read_text(encoding="utf-8"))
    rest = json.loads((recorded / "rest.json").read_text(encoding="utf-8"))
    job = replayed(rest, text_of_log("job1-interactive"), admin)

    text = anyone.get(f"/api/v0.2/jobs/{job.pk}/yaml/").getvalue().decode()

    ours = yaml.load(text)
    assert [list(record) for record in ours] == [list(record) for record in theirs]
    # LAVA lists them suite by suite, this lab as they came.
    by_suite = sorted(map(exported, ours), key=lambda record: record["suite"] != "lava")
    assert by_suite == [exported(record) for record in theirs]


def exported(record: dict[str, Any]) -> dict[str, Any]:
    """Without what each server numbers, and reads the clock for, by itself."""
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}\+00:00", record["logged"])
    assert record["url"] == f"/results/testcase/{record['id']}"
    return {key: value for key, value in record.items() if key not in ("id", "job", "logged", "url")}
