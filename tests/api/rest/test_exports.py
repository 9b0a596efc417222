from __future__ import annotations

import csv
import io
from typing import Any
from xml.etree import ElementTree

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from core import yaml
from jobs import logs
from jobs.exports import CSV_COLUMNS
from jobs.models import Job
from jobs.states import State
from tests import build
from tests.api.rest.test_results import say

STRANGE = 'a \x1b[1m <b> & "q" # \'\u2028 \N{SNOWMAN}'


@pytest.fixture
def job(alice: User) -> Job:
    """With a case of each result in its second suite."""
    job = build.job(submitter=alice, state=State.RUNNING)
    lines = "".join(
        f'- {{"dt": "2026-11-22T03:00:00", "lvl": "target", "msg": "line {n}"}}\n' for n in range(8)
    )
    logs.append(job.log_directory(), 0, logs.parse_lines(lines))
    say(
        job,
        {"definition": "lava", "case": "validate", "duration": "1.50", "level": "1.2"},
        {"definition": "0_hello", "case": "size", "measurement": 12.50, "units": "ms"},
        {"definition": "0_hello", "case": "broken", "result": "fail", "starttc": 3, "endtc": 5},
        {"definition": "0_hello", "case": "left", "result": "skip"},
        {"definition": "0_hello", "case": "lost", "result": "unknown"},
        {"definition": "0_hello", "case": STRANGE, "result": "fail"},
    )
    return job


def text(client: APIClient, job: Job, path: str, kind: str) -> str:
    answer = client.get(f"/api/v0.2/jobs/{job.pk}/{path}")
    assert (answer.status_code, answer["Content-Type"]) == (200, f"{kind}; charset=utf-8")
    assert answer["Content-Disposition"].startswith(f"attachment; filename=job_{job.pk}")
    return answer.getvalue().decode()


def names(records: list[dict[str, Any]]) -> list[str]:
    return [record["name"] for record in records]


def suite(client: APIClient, job: Job, name: str) -> int:
    suites = client.get(f"/api/v0.2/jobs/{job.pk}/suites/?name={name}").json()["results"]
    return int(suites[0]["id"])


def test_the_yaml_is_one_list_of_all_results(anyone: APIClient, job: Job) -> None:
    records = yaml.load(text(anyone, job, "yaml/", "application/yaml"))

    assert names(records) == ["validate", "size", "broken", "left", "lost", STRANGE]
    assert [record["measurement"] for record in records[:3]] == ["1.50", "12.5", "None"]
    assert (records[2]["log_start_line"], records[2]["log_end_line"], records[0]["level"]) == (
        "3",
        "5",
        "1.2",
    )


def test_a_part_of_the_results_is_asked_for(anyone: APIClient, job: Job) -> None:
    for path, found in (
        ("yaml/?limit=2", ["validate", "size"]),
        ("yaml/?limit=1&offset=2", ["broken"]),
        ("yaml/?offset=4", ["lost", STRANGE]),
        (f"suites/{suite(anyone, job, 'lava')}/yaml", ["validate"]),
        (f"suites/{suite(anyone, job, '0_hello')}/yaml/?offset=1&limit=1", ["broken"]),
    ):
        assert names(yaml.load(text(anyone, job, path, "application/yaml"))) == found


def test_no_results_are_an_empty_list(anyone: APIClient, alice: User) -> None:
    job = build.job(submitter=alice)

    assert yaml.load(text(anyone, job, "yaml/", "application/yaml")) == []
    assert ElementTree.fromstring(text(anyone, job, "junit/", "application/xml")).get("tests") == "0"
    assert text(anyone, job, "tap13/", "text/plain") == "TAP version 13\n1..0\n"


def test_the_csv_has_every_field_in_quotes(anyone: APIClient, job: Job) -> None:
    table = text(anyone, job, "csv/", "text/csv")

    rows = list(csv.DictReader(io.StringIO(table, newline="")))
    assert tuple(rows[0]) == CSV_COLUMNS
    assert table.startswith('"name","job","suite"')
    assert names(rows)[-1] == STRANGE
    assert (rows[0]["duration"], rows[1]["duration"], rows[1]["unit"]) == ("1.50", "", "ms")


def test_the_junit_has_a_suite_for_each_suite(anyone: APIClient, job: Job) -> None:
    root = ElementTree.fromstring(text(anyone, job, "junit/?classname_prefix=lab_", "application/xml"))

    assert (root.get("tests"), root.get("failures"), root.get("skipped")) == ("6", "2", "2")
    assert [(suite.get("name"), suite.get("tests")) for suite in root] == [("0_hello", "5"), ("lava", "1")]
    validate, broken = root[1][0], root[0][1]
    assert (validate.get("classname"), validate.get("time")) == ("lab_lava", "1.5")
    assert broken[0].text == "line 3\nline 4\n"
    assert [case[0].tag for case in root[0][1:]] == ["failure", "skipped", "skipped", "failure"]


def test_what_xml_cannot_hold_is_replaced(anyone: APIClient, job: Job) -> None:
    root = ElementTree.fromstring(text(anyone, job, "junit/", "application/xml"))

    assert root[0][4].get("name") == STRANGE.replace("\x1b", "\ufffd")


def test_the_tap_counts_through_all_suites(anyone: APIClient, job: Job) -> None:
    lines = text(anyone, job, "tap13/", "text/plain").splitlines()

    assert lines[:4] == ["TAP version 13", "1..6", "# TAP results for 0_hello", "ok size"]
    assert lines[4:6] == ["not ok broken", "  ---"]
    assert lines[-2:] == ["# TAP results for lava", "ok validate"]
    assert "  case: broken" in lines
    assert "ok left # SKIP" in lines
    assert "ok lost # SKIP the result is unknown" in lines
    assert sum(line.startswith(("ok ", "not ok ")) for line in lines) == 6


@pytest.mark.parametrize("path", ["yaml", "csv", "junit", "tap13"])
def test_an_export_costs_the_same_queries_however_long_it_is(
    anyone: APIClient, job: Job, path: str, django_assert_max_num_queries: Any
) -> None:
    with django_assert_max_num_queries(3):  # the job, the counts, the cases
        anyone.get(f"/api/v0.2/jobs/{job.pk}/{path}/").getvalue()


@pytest.mark.parametrize("query", ["limit=x", "offset=-1", "limit=1.5"])
def test_a_part_that_is_none_is_refused(anyone: APIClient, job: Job, query: str) -> None:
    assert anyone.get(f"/api/v0.2/jobs/{job.pk}/yaml/?{query}").status_code == 400


def test_a_suite_of_another_job_is_not_there(anyone: APIClient, job: Job, alice: User) -> None:
    other = build.job(submitter=alice)

    assert (
        anyone.get(f"/api/v0.2/jobs/{other.pk}/suites/{suite(anyone, job, 'lava')}/csv/").status_code == 404
    )
