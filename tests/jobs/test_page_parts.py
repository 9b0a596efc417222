from __future__ import annotations

from datetime import datetime

import pytest

from jobs import lifecycle, logs, models
from jobs.logs import Record
from jobs.models import Attempt, Job
from jobs.page_parts import LAST_BYTES, LINES_OF_BLOCK, LogPart, Results, Verdict
from jobs.states import State
from jobs.tallies import Tally
from tests import build

pytestmark = pytest.mark.django_db


def write(job: Job, *lines: str, partial: bool = False) -> None:
    now = datetime(2026, 3, 1, 12)
    records = [Record(time=now, level="target", message=line, partial=partial) for line in lines]
    directory = job.log_directory()
    logs.append(directory, logs.next_index(directory), records)


def report(attempt: Attempt, *results: tuple[str, str], suite: str = "0_smoke") -> None:
    found, _ = models.TestSuite.objects.get_or_create(attempt=attempt, name=suite)
    first = attempt.cases.count()
    for index, (name, result) in enumerate(results, first):
        models.TestCase.objects.create(attempt=attempt, index=index, suite=found, name=name, result=result)


def test_the_last_part_of_a_log_begins_with_a_whole_line_and_leads_on_from_its_end() -> None:
    job = build.job(state=State.RUNNING)
    write(job, *[f"line {number:06}" for number in range(20_000)])

    part = LogPart.of(job, 1)

    text = "".join(part.blocks)
    assert text.startswith("line ")
    assert LAST_BYTES - 20 < len(text) <= LAST_BYTES
    assert part.end == logs.size(job.log_directory())
    assert part.end - part.start == len(text)


def test_blocks_hold_a_fixed_number_of_lines_and_an_unfinished_one_begins_none_of_its_own() -> None:
    job = build.job(state=State.RUNNING)
    write(job, *["x"] * (LINES_OF_BLOCK + 3))
    write(job, "login: ", partial=True)

    part = LogPart.of(job, 1)

    assert [block.count("\n") for block in part.blocks] == [LINES_OF_BLOCK, 3]
    assert part.blocks[-1].endswith("\nlogin: ")


def test_only_a_line_feed_ends_a_line_of_a_block() -> None:
    job = build.job(state=State.RUNNING)
    write(job, *["a\rb\x0bc\u2028d"] * LINES_OF_BLOCK)

    assert len(LogPart.of(job, 1).blocks) == 1


def test_a_finished_job_without_its_file_says_that_the_file_is_gone() -> None:
    job = build.job(state=State.FINISHED)

    part = LogPart.of(job, 1)

    assert part.is_gone
    assert part.blocks == []


def test_a_job_that_was_canceled_in_the_queue_misses_no_file() -> None:
    job = lifecycle.cancel(build.job().pk, by="alice")

    assert not LogPart.of(job, 1).is_gone


def test_the_log_of_an_earlier_attempt_is_complete_and_asked_for_by_its_number() -> None:
    job = build.job(state=State.RUNNING)
    job.attempt = 2

    part = LogPart.of(job, 1)

    assert part.is_finished
    assert part.url.endswith("/log-tail?attempt=1&start=")
    assert part.raw.endswith("/log?attempt=1")


def test_failures_come_first_and_are_counted() -> None:
    job = build.job(state=State.RUNNING)
    report(build.attempt(job), ("boot", "pass"), ("usb", "fail"), ("rtc", "skip"), ("wifi", "unknown"))

    results = Results.of(Tally.of(job, 1))

    assert [case.name for case in results.cases] == ["usb", "wifi", "rtc", "boot"]
    assert [look.word for look in results.tally] == ["1 pass", "1 fail", "1 skip", "1 unknown"]


def test_results_come_in_pages() -> None:
    job = build.job(state=State.RUNNING)
    report(build.attempt(job), *[(f"case {number}", "pass") for number in range(5)])

    tally = Tally.of(job, 1)

    first, last = Results.of(tally, size=3), Results.of(tally, size=3, page=2)

    assert (len(first.cases), first.next_page, first.total) == (3, 2, 5)
    assert (len(last.cases), last.next_page, last.previous_page) == (2, None, 1)


def test_suites_are_counted_apart() -> None:
    job = build.job(state=State.RUNNING)
    report(build.attempt(job), ("boot", "pass"), ("usb", "fail"))
    report(build.attempt(job), ("iperf", "pass"), suite="1_perf")

    results = Results.of(Tally.of(job, 1), suite="1_perf")

    assert [case.name for case in results.cases] == ["iperf"]
    assert [(suite.name, [look.word for look in suite.tally]) for suite in results.suites] == [
        ("0_smoke", ["1 pass", "1 fail"]),
        ("1_perf", ["1 pass"]),
    ]
    assert results.total == 3


def test_a_failure_is_shown_where_it_first_speaks_of_an_error() -> None:
    job = build.job(state=State.RUNNING)
    write(job, "<LAVA_SIGNAL_STARTTC usb>", *[f"block {number}: ok" for number in range(5)])
    write(job, "ERROR: block 5: checksum", *[f"block {number}: ok" for number in range(6, 20)])
    write(job, "<LAVA_SIGNAL_ENDTC usb>")
    report(build.attempt(job), ("usb", "fail"))
    models.TestCase.objects.update(log_start=0, log_end=21)

    lines = Verdict.of(job, 1, Tally.of(job, 1)).lines.split("\n")

    assert lines[:4] == ["block 3: ok", "block 4: ok", "ERROR: block 5: checksum", "block 6: ok"]
    assert len(lines) == 8


@pytest.mark.parametrize(("start", "end"), [(None, None), (3, 3), (100, 200)])
def test_a_failure_without_lines_of_its_own_is_shown_without(start: int | None, end: int | None) -> None:
    job = build.job(state=State.RUNNING)
    write(job, *["x"] * 10)
    report(build.attempt(job), ("usb", "fail"))
    models.TestCase.objects.update(log_start=start, log_end=end)

    verdict = Verdict.of(job, 1, Tally.of(job, 1))

    assert (verdict.failed, verdict.lines) == (1, "")
