"""Results found in a job's log: suites, cases, measurements.

Each is unique by its attempt and the index of its record, so records that are sent twice are looked at twice
and stored once: a crash may have come between the file and the database.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Context, Decimal, InvalidOperation
from typing import Any

from django.db import transaction

from jobs.logs import Record
from jobs.models import Attempt, Job, TestCase, TestSuite

LARGEST = Decimal(10) ** 19  # SQLite keeps floats, which may round up to a digit more; the column has 20
SMALLEST = Decimal(10) ** -10
PRECISE = Context(prec=40)
LONGEST_NAME = {"definition": 200, "set": 200, "case": 1024}
NOT_METADATA = ("starttc", "endtc")  # numbers of log lines; stored in columns of their own


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    index: int  # of its record on the wire
    record: Record


def collect(attempt: Attempt, found: Iterable[Found]) -> int:
    """Store the results among these records; how many there were. Other records are passed over."""
    results = [entry for entry in found if _is_result(entry)]
    if not results:
        return 0
    with transaction.atomic():
        job = _ended_job(attempt) if any(_is_failure(entry) for entry in results) else None
        suites = _suites(attempt, {_text(entry, "definition") for entry in results})
        cases = [_case(attempt, suites, entry) for entry in results]
        TestCase.objects.bulk_create(cases, ignore_conflicts=True)
        if job is not None:
            job.settle()
            job.save(update_fields=["outcome"])
    return len(cases)


def _ended_job(attempt: Attempt) -> Job | None:
    """The job, if it has ended without waiting for these results.

    Its row stays locked, so that a job that ends at this moment does not miss that a test failed.
    """
    job: Job = Job.objects.lock(attempt.job_id)
    return job if job.is_finished and job.attempt == attempt.number else None


def _is_failure(entry: Found) -> bool:
    return bool(entry.record.message["result"] == TestCase.Result.FAIL)


def _is_result(entry: Found) -> bool:
    message = entry.record.message
    if entry.record.level != "results" or not isinstance(message, Mapping):
        return False
    if message.get("result") not in TestCase.Result.values:
        return False
    return bool(_text(entry, "definition")) and bool(_text(entry, "case"))


def _suites(attempt: Attempt, names: set[str]) -> dict[str, TestSuite]:
    TestSuite.objects.bulk_create(
        [TestSuite(attempt=attempt, name=name) for name in sorted(names)], ignore_conflicts=True
    )
    return {suite.name: suite for suite in TestSuite.objects.filter(attempt=attempt, name__in=names)}


def _case(attempt: Attempt, suites: Mapping[str, TestSuite], entry: Found) -> TestCase:
    message: Mapping[str, Any] = entry.record.message
    suite = suites[_text(entry, "definition")]
    # LAVA measures how long each of its own actions took.
    measured = ("duration", "seconds") if suite.name == "lava" else ("measurement", message.get("units"))
    measurement = _decimal(message.get(measured[0]))
    return TestCase(
        attempt=attempt,
        index=entry.index,
        suite=suite,
        test_set=_text(entry, "set"),
        name=_text(entry, "case"),
        result=message["result"],
        measurement=measurement,
        units=str(measured[1] or "")[:64] if measurement is not None else "",
        metadata={key: _storable(value) for key, value in message.items() if key not in NOT_METADATA},
        log_start=_line(message.get("starttc")),
        log_end=_line(message.get("endtc")),
    )


def _text(entry: Found, key: str) -> str:
    value = entry.record.message.get(key)
    return "" if value is None else str(value).strip()[: LONGEST_NAME[key]]


def _decimal(value: Any) -> Decimal | None:
    if value is None or isinstance(value, bool):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    if not number.is_finite() or number.copy_abs() >= LARGEST:
        return None
    return number.quantize(SMALLEST, context=PRECISE)


def _storable(value: Any) -> Any:
    """Floats that JSON does not have (NaN, infinity) as text."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {key: _storable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_storable(item) for item in value]
    return value


def _line(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31 else None
