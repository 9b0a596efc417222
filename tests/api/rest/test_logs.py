from __future__ import annotations

from datetime import datetime

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from jobs import lifecycle, logs
from jobs.logs import Record, lava_yaml
from jobs.logs.lava_yaml import PIECE
from jobs.models import Job
from jobs.states import State
from tests import build

TIME = datetime(2026, 11, 22, 3, 28, 47, 1)


def line(number: int, *, partial: bool = False) -> Record:
    return Record(time=TIME, level="target", message=f"line {number}", partial=partial)


@pytest.fixture
def job(alice: User) -> Job:
    job = build.job(submitter=alice, state=State.RUNNING)
    logs.append(job.log_directory(), 0, [line(number) for number in range(5)])
    return job


def fetch(client: APIClient, job: Job, query: str = "") -> tuple[int, bytes]:
    answer = client.get(f"/api/v0.2/jobs/{job.pk}/logs/{query}")
    return answer.status_code, answer.getvalue()


def yaml_of(*numbers: int) -> bytes:
    head = '- {"dt": "2026-11-22T03:28:47.000001", "lvl": "target", "msg": "line '
    return "".join(f'{head}{number}"}}\n' for number in numbers).encode()


def test_the_log_is_an_attachment_of_yaml(anyone: APIClient, job: Job) -> None:
    answer = anyone.get(f"/api/v0.2/jobs/{job.pk}/logs")

    assert answer["Content-Type"] == "application/yaml"
    assert answer["Content-Disposition"] == f"attachment; filename=job_{job.pk}.yaml"
    assert answer.getvalue() == yaml_of(0, 1, 2, 3, 4)


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("?start=3", [3, 4]),
        ("?start=1&end=3", [1, 2]),
        ("?end=2", [0, 1]),
        ("?start=4&end=100", [4]),
        ("?start=0&end=0", [0, 1, 2, 3, 4]),
        ("?start=&end=&format=json", [0, 1, 2, 3, 4]),
    ],
)
def test_a_part_is_asked_for_by_record_numbers(
    anyone: APIClient, job: Job, query: str, numbers: list[int]
) -> None:
    assert fetch(anyone, job, query) == (200, yaml_of(*numbers))


@pytest.mark.parametrize("query", ["?start=5", f"?start={'9' * 18}", "?start=3&end=3", "?start=4&end=2"])
def test_a_part_that_is_empty_is_not_found(anyone: APIClient, job: Job, query: str) -> None:
    status, body = fetch(anyone, job, query)

    assert status == 404
    assert b"5 records" in body


def test_a_job_without_a_log_has_none(alice: User, anyone: APIClient) -> None:
    assert fetch(anyone, build.job(submitter=alice))[0] == 404


@pytest.mark.parametrize("query", ["?start=-1", "?start=soon", "?end=1.5"])
def test_a_range_that_is_none_is_refused(anyone: APIClient, job: Job, query: str) -> None:
    status, body = fetch(anyone, job, query)

    assert status == 400
    assert b"expected a whole number" in body


def test_an_unfinished_line_is_shown_when_the_job_is_over(anyone: APIClient, job: Job) -> None:
    logs.append(job.log_directory(), 5, [line(5, partial=True)])

    running = fetch(anyone, job, "?start=5")
    lifecycle.finish(job.pk, build.PASSED, worker="worker01")
    finished = fetch(anyone, job, "?start=5")

    assert running[0] == 404
    assert finished == (200, yaml_of(5))


def test_a_long_log_comes_in_few_pieces(anyone: APIClient, job: Job) -> None:
    logs.append(job.log_directory(), 5, [line(number) for number in range(5, 5_000)])

    answer = anyone.get(f"/api/v0.2/jobs/{job.pk}/logs/")
    pieces = list(answer.streaming_content)

    whole = b"".join(pieces)
    assert whole == b"".join(lava_yaml.stream(job.log_directory()))
    assert len(pieces) <= len(whole) // PIECE + 1


def test_a_log_that_is_none_is_called_so(anyone: APIClient, job: Job) -> None:
    (job.log_directory() / "output.idx").write_bytes(b"not an index at all " * 10)

    answer = anyone.get(f"/api/v0.2/jobs/{job.pk}/logs/")

    assert answer.status_code == 500
    assert list(answer.json()) == ["message"]
