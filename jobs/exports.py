"""The results of a job as files: YAML and CSV as LAVA writes them, JUnit XML and TAP 13.

Each writer is a generator that holds one case at a time, as a job may have a hundred thousand.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC
from itertools import groupby
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from django.db.models import Count, Q, QuerySet

from core import yaml
from core.numbers import plain
from jobs import logs
from jobs.models import Job, TestCase
from jobs.outline import ACTIONS

COLUMNS = (
    "name",
    "job",
    "suite",
    "result",
    "measurement",
    "unit",
    "level",
    "url",
    "id",
    "logged",
    "log_start_line",
    "log_end_line",
    "metadata",
)
CSV_COLUMNS = (*COLUMNS, "duration", "timeout")
AT_ONCE = 1_000  # cases that are read from the database together
LONGEST_EXCERPT = 16 * 1024  # bytes of the log behind a failed case

_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LINE_BREAKS = re.compile("[\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]+")
REPLACEMENT = "\ufffd"

Cases = QuerySet[TestCase]
Result = TestCase.Result


def cases_of(job: Job) -> Cases:
    """Those of its latest attempt, in the order in which they came."""
    of_job = TestCase.objects.filter(attempt__job=job, attempt__number=job.attempt)
    return of_job.select_related("suite").order_by("pk")


def metadata_of(job: Job) -> list[dict[str, str]]:
    """What the definition says under `metadata`, each key by itself; what is no text is written as JSON."""
    try:
        definition = yaml.load(job.definition)
    except yaml.YAMLError:  # it was accepted by other rules
        return []
    metadata = definition.get("metadata") if isinstance(definition, dict) else None
    if not isinstance(metadata, dict):
        return []
    return [{str(name): _as_text(value)} for name, value in metadata.items()]


def record(case: TestCase, job: Job) -> dict[str, Any]:
    """A result as LAVA exports it: everything is text but the metadata."""
    return {
        "name": case.name,
        "job": str(job.pk),
        "suite": case.suite.name,
        "result": case.result,
        "measurement": _measurement(case),
        "unit": case.units,
        "level": str(case.metadata.get("level", "")),
        "url": f"/results/testcase/{case.pk}",
        "id": str(case.pk),
        "logged": str(case.logged.astimezone(UTC)),
        "log_start_line": _line(case.log_start),
        "log_end_line": _line(case.log_end),
        "metadata": _metadata(case),
    }


def as_yaml(job: Job, cases: Cases) -> Iterator[str]:
    """One list of records."""
    empty = True
    for case in _each(cases):
        empty = False
        yield yaml.dump([record(case, job)])
    if empty:
        yield "[]\n"


def as_csv(job: Job, cases: Cases) -> Iterator[str]:
    """Every field in quotes, metadata as JSON."""
    line = _Line()
    writer = csv.DictWriter(line, CSV_COLUMNS, quoting=csv.QUOTE_ALL)
    writer.writeheader()
    yield line.text
    for case in _each(cases):
        own = {name: _as_text(case.metadata.get(name, "")) for name in ("duration", "timeout")}
        told = record(case, job)
        writer.writerow(told | own | {"metadata": _as_text(told["metadata"])})
        yield line.text


def as_junit(job: Job, cases: Cases, *, classname_prefix: str = "") -> Iterator[str]:
    """A `testsuite` for each suite; a failed case has its part of the log."""
    tallies = _tallies(cases)
    yield '<?xml version="1.0" encoding="utf-8"?>\n'
    yield f"<testsuites {_sum(tallies.values()).attributes}>\n"
    for suite, its_cases in _by_suite(cases):
        yield f"<testsuite name={_attribute(suite)} {tallies[suite].attributes}>\n"
        for case in its_cases:
            yield _junit_case(job, case, classname_prefix + suite)
        yield "</testsuite>\n"
    yield "</testsuites>\n"


def as_tap13(job: Job, cases: Cases) -> Iterator[str]:
    """The cases of all suites, counted through; what failed has its metadata."""
    yield f"TAP version 13\n1..{cases.count()}\n"
    for suite, its_cases in _by_suite(cases):
        yield f"# TAP results for {_in_one_line(suite)}\n"
        for case in its_cases:
            yield _tap_case(case)


@dataclass(frozen=True, slots=True)
class _Tally:
    tests: int = 0
    failures: int = 0
    skipped: int = 0

    @property
    def attributes(self) -> str:
        return f'tests="{self.tests}" failures="{self.failures}" errors="0" skipped="{self.skipped}"'


class _Line:
    """A file that holds only what was written to it last."""

    text = ""

    def write(self, text: str) -> None:
        self.text = text


def _each(cases: Cases) -> Iterator[TestCase]:
    return cases.iterator(chunk_size=AT_ONCE)


def _by_suite(cases: Cases) -> Iterator[tuple[str, Iterator[TestCase]]]:
    return groupby(_each(cases.order_by("suite", "pk")), key=lambda case: case.suite.name)


def _tallies(cases: Cases) -> dict[str, _Tally]:
    counts = (
        cases.order_by("suite__name")
        .values_list("suite__name")
        .annotate(
            tests=Count("pk"),
            failures=Count("pk", filter=Q(result=Result.FAIL)),
            skipped=Count("pk", filter=Q(result__in=(Result.SKIP, Result.UNKNOWN))),
        )
    )
    return {suite: _Tally(*numbers) for suite, *numbers in counts}


def _sum(tallies: Iterable[_Tally]) -> _Tally:
    return _Tally(
        *map(sum, zip(*[(each.tests, each.failures, each.skipped) for each in tallies], strict=True))
    )


def _junit_case(job: Job, case: TestCase, classname: str) -> str:
    logged = case.logged.astimezone(UTC).isoformat()
    head = f'name={_attribute(case.name)} classname={_attribute(classname)}{_time(case)} timestamp="{logged}"'
    match case.result:
        case Result.FAIL:
            inside = f'<failure type="failure" message="failed">{_escaped(_excerpt(job, case))}</failure>'
        case Result.SKIP:
            inside = '<skipped message="skipped"/>'
        case Result.UNKNOWN:
            inside = '<skipped message="the result is unknown"/>'
        case _:
            return f"<testcase {head}/>\n"
    return f"<testcase {head}>{inside}</testcase>\n"


def _time(case: TestCase) -> str:
    """LAVA measures how long its own actions took; of other cases it is not known."""
    if case.suite.name != ACTIONS or case.measurement is None:
        return ""
    return f' time="{plain(case.measurement)}"'


def _excerpt(job: Job, case: TestCase) -> str:
    if case.log_start is None or case.log_end is None:
        return ""
    return logs.between(job.log_directory(), case.log_start, case.log_end, LONGEST_EXCERPT)


def _tap_case(case: TestCase) -> str:
    name = _in_one_line(case.name).replace("#", "\\#")
    match case.result:
        case Result.FAIL:
            return f"not ok {name}\n{_tap_details(case)}"
        case Result.SKIP:
            return f"ok {name} # SKIP\n"
        case Result.UNKNOWN:
            return f"ok {name} # SKIP the result is unknown\n"
    return f"ok {name}\n"


def _tap_details(case: TestCase) -> str:
    told = "".join(f"  {line}\n" for line in yaml.dump(case.metadata).splitlines())
    return f"  ---\n{told}  ...\n"


def _measurement(case: TestCase) -> str:
    """As the job itself wrote it, where the column would add zeros."""
    if case.measurement is None:
        return "None"
    told = case.metadata.get("duration" if case.suite.name == ACTIONS else "measurement")
    return plain(case.measurement) if told is None else str(told)


def _metadata(case: TestCase) -> dict[str, Any]:
    """LAVA tells what an action adds as a list, each key by itself, in the order of the keys."""
    extra = case.metadata.get("extra")
    if not isinstance(extra, dict):
        return dict(case.metadata)
    return {**case.metadata, "extra": [{key: value} for key, value in sorted(extra.items())]}


def _line(number: int | None) -> str:
    return "" if number is None else str(number)


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _escaped(text: str) -> str:
    return escape(_NOT_IN_XML.sub(REPLACEMENT, text))


def _attribute(text: str) -> str:
    return quoteattr(_NOT_IN_XML.sub(REPLACEMENT, text))


def _in_one_line(text: str) -> str:
    return _LINE_BREAKS.sub(" ", text)
