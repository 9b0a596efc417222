"""The tail of a log as readers meet it: whatever they ask, and whenever the job ends."""

from __future__ import annotations

import json
import random
import subprocess
from collections import Counter
from datetime import datetime
from typing import Any
from urllib.parse import quote_from_bytes

import pytest
from django.test import Client

from jobs import lifecycle, logs
from jobs.logs import Record
from jobs.models import Job
from jobs.states import State
from tests import build, children

REQUESTS = 10_000
ENDS = 1_000
READER = "tests.statements.reader"
NOON = datetime(2026, 3, 1, 12)

NUMBERS = [
    "",
    "0",
    "1",
    "-1",
    "-0",
    "00",
    "7",
    "1.5",
    "1e3",
    "0x10",
    "NaN",
    "true",
    "null",
    "[]",
    "1,000",
    " 1",
]
NUMBERS += ["٣", "१", "²", str(2**31), str(2**63), "9" * 30, "9" * 5000, "\0", "1\n", "1;2", "%", "&", "é€😀"]
NAMES = ["start", "start", "start", "end", "attempt", "START", "start[]", "limit", ""]


@pytest.mark.long
@pytest.mark.django_db
def test_ten_thousand_odd_requests_for_a_tail_get_three_keys_or_are_told_why_not(client: Client) -> None:
    chance = random.Random(20261122)
    sizes = {str(job.pk): write(job, "grüße", "€uro", "😀" * 100) for job in jobs_to_read()}
    numbers = [*sizes] * 3 + ["4711", "0", "9" * 18, "9" * 25]

    statuses: Counter[int] = Counter()
    for _ in range(REQUESTS):
        number = chance.choice(numbers)
        path = f"/job/{number}/log-tail?{odd_query(chance, 420)}"
        response = client.get(path)
        statuses[response.status_code] += 1
        check(path, response.status_code, response.json(), sizes.get(number, 0))

    assert set(statuses) == {200, 400, 404}
    assert min(statuses.values()) > REQUESTS / 10


def jobs_to_read() -> list[Job]:
    """One that runs, one that has ended, and one that waits."""
    ended = build.job(state=State.FINISHED)
    return [ended, build.job(state=State.RUNNING), build.job()]


def write(job: Job, *lines: str) -> int:
    """Give the job a log if it has begun; the size of its text in bytes."""
    if not job.attempts.exists():
        return 0
    records = [Record(time=NOON, level="target", message=line) for line in lines]
    return logs.append(job.log_directory(), 0, records).size


def odd_query(chance: random.Random, size: int) -> str:
    pairs = [
        (chance.choice(NAMES), odd_value(chance, size)) for _ in range(chance.choice([0, 1, 1, 1, 2, 3]))
    ]
    return "&".join(f"{name}={quote_from_bytes(value)}" for name, value in pairs)


def odd_value(chance: random.Random, size: int) -> bytes:
    match chance.randrange(4):
        case 0:
            return chance.choice(NUMBERS).encode()
        case 1:
            return chance.randbytes(chance.randrange(12))
        case _:
            return str(chance.randrange(-2, size + 10)).encode()


def check(path: str, status: int, answer: dict[str, Any], size: int) -> None:
    if status != 200:
        assert list(answer) == ["error"], (path, answer)
        assert answer["error"].startswith(("start: ", "end: ", "attempt: ", "There is no job ", "Job ")), path
        return
    assert {name: type(value) for name, value in answer.items()} == {
        "content": str,
        "new_size": int,
        "is_finished": bool,
    }, path
    assert answer["new_size"] <= size, path
    # Nothing at all comes of an attempt that was to follow the last one.
    assert not answer["is_finished"] or answer["new_size"] in (0, size), path


@pytest.mark.long
@pytest.mark.django_db(transaction=True)
def test_of_a_thousand_jobs_that_end_while_another_process_reads_no_last_word_is_lost() -> None:
    numbers = [build.job(name=f"{number}").pk for number in range(ENDS)]

    with children.start(READER, *map(str, (numbers[0], numbers[-1]))) as reader:
        try:
            for number in numbers:
                job = begin(number)
                write_line(job, 0, "first")
                # From here on it asks again and again, while the last words come and the job ends.
                assert told_by(reader) == {"job": number, "text": "first\n"}
                write_line(job, 1, f"last {number}")
                lifecycle.finish(number, build.PASSED, worker="worker01")
                assert told_by(reader) == {"job": number, "text": f"first\nlast {number}\n"}
        finally:
            reader.kill()


def begin(number: int) -> Job:
    lifecycle.schedule(number, "qemu01")
    lifecycle.start(number, worker="worker01")
    job: Job = Job.objects.get(pk=number)
    return job


def write_line(job: Job, index: int, words: str) -> None:
    logs.append(job.log_directory(), index, [Record(time=NOON, level="target", message=words)])


def told_by(reader: subprocess.Popen[str]) -> dict[str, Any]:
    assert reader.stdout is not None
    told: dict[str, Any] = json.loads(reader.stdout.readline())
    return told
