"""The outline of a job's page."""

from __future__ import annotations

import re
from html import unescape

import pytest
from django.contrib.auth.models import User
from django.test import Client

from jobs import lifecycle, logs
from jobs.models import Job, Step
from jobs.outline import MOST_STEPS
from jobs.states import State
from jobs.steps_shown import ROWS, Section, Steps
from tests import build
from tests.jobs.test_views import page, queries, words_of

pytestmark = pytest.mark.django_db

FAULT = {"definition": "lava", "case": "login-action", "level": "2.1", "result": "fail"}
FAILED = (
    "hello",
    "start: 2 boot (timeout 00:04:00) [common]",
    "start: 2.1 login-action (timeout 00:04:00) [common]",
    "end: 2.1 login-action (duration 00:01:00) [common]",
    FAULT,
)


@pytest.fixture
def job(alice: User) -> Job:
    return build.job(submitter=alice, state=State.RUNNING)


def ended(job: Job) -> None:
    lifecycle.finish(job.pk, build.FAILED, worker="worker01")


def shown(job: Job) -> Steps:
    return Steps.of(job, job.attempt)


def test_a_step_is_shown_with_its_level_state_and_duration(client: Client, job: Job) -> None:
    build.log(job, *FAILED)

    assert "2.1 login-action 1 s fail" in words_of(page(client, f"/job/{job.pk}/"))


def test_while_a_job_runs_it_has_not_failed_in_a_step(job: Job) -> None:
    build.log(job, *FAILED)

    assert shown(job).culprit is None


def test_the_line_of_the_outcome_leads_to_the_step_that_failed(client: Client, job: Job) -> None:
    build.log(job, *FAILED)
    ended(job)

    for tab in ("log", "results", "definition"):
        html = unescape(page(client, f"/job/{job.pk}/?tab={tab}"))
        place = Step.objects.get(level="2.1").offset
        assert f'<a href="?tab=log&from={place}">failed in 2.1 login-action</a>' in html


def test_a_job_that_was_canceled_did_not_go_wrong_in_a_step(job: Job) -> None:
    build.log(job, *FAILED)
    lifecycle.cancel(job.pk, by="alice")
    ended(job)

    assert Steps.of(Job.objects.get(pk=job.pk), 1).culprit is None


def test_a_job_that_was_cut_off_says_in_which_step(client: Client, job: Job) -> None:
    build.log(job, "start: 1 deploy")
    ended(job)

    assert "ended during 1 deploy" in page(client, f"/job/{job.pk}/")


def test_a_step_of_another_attempt_leads_to_its_log(client: Client, job: Job) -> None:
    build.log(job, *FAILED)
    Job.objects.filter(pk=job.pk).update(attempt=2)

    html = unescape(page(client, f"/job/{job.pk}/?attempt=1"))
    assert f'href="?tab=log&attempt=1&from={Step.objects.get(level="2").offset}"' in html
    assert Step.objects.get(level="2").name not in page(client, f"/job/{job.pk}/")


def test_the_log_is_shown_from_the_place_that_is_asked_for(client: Client, job: Job) -> None:
    build.log(job, *FAILED)
    place = Step.objects.get(level="2.1").offset

    html = page(client, f"/job/{job.pk}/?from={place}")
    lines = html.partition("data-log-lines")[2].partition("</div>")[0]
    assert "<pre>\nstart: 2.1 login-action" in lines
    assert f'data-begin="{place}"' in html
    assert "data-place" in html


@pytest.mark.parametrize("place", ["99999999", "-1", "x", ""])
def test_a_place_that_the_log_does_not_have_shows_its_end(client: Client, job: Job, place: str) -> None:
    build.log(job, *FAILED)

    assert "hello" in page(client, f"/job/{job.pk}/?from={place}")


def test_a_place_far_from_the_end_leaves_the_rest_to_be_fetched(client: Client, job: Job) -> None:
    build.log(job, *(f"line {number}" for number in range(9_000)))
    ended(job)

    html = page(client, f"/job/{job.pk}/?from=0")
    start = int(re.findall(r'data-start="(\d+)" data-place data-cut', html)[0])
    assert 0 < start < logs.size(job.log_directory())
    assert 'data-state="part"' in html
    assert f"from={start}" in html


def test_the_outline_keeps_itself_up_to_date(client: Client, job: Job) -> None:
    build.log(job, "start: 1 deploy")

    part = page(client, f"/job/{job.pk}/?fragment=live")
    assert 'id="job-steps" data-live' in part
    assert 'id="job-steps-now" data-live' in part


def test_of_many_steps_the_outer_ones_are_shown_and_those_that_failed(job: Job) -> None:
    build.log(
        job,
        *(f"start: {level} outer" for level in range(3)),
        *(f"start: 1.{level} inner" for level in range(2 * ROWS)),
        *(f"end: 1.{level} inner" for level in range(2 * ROWS)),
    )
    build.log(job, {"definition": "lava", "case": "inner", "level": "1.399", "result": "fail"})

    outline = shown(job)
    levels = [row.step.level for row in outline.rows]
    assert levels[:4] == ["0", "1", "2", "1.0"]
    assert levels[-1] == "1.399"
    assert (len(levels), outline.total, outline.left_out) == (ROWS, 2 * ROWS + 3, ROWS + 3)


def test_an_outline_that_ends_before_the_log_says_so(client: Client, job: Job) -> None:
    build.log(job, *(f"start: {number} action" for number in range(MOST_STEPS + 1)))

    assert f"of one attempt, {MOST_STEPS} steps are kept" in page(client, f"/job/{job.pk}/")


def test_a_job_asks_the_database_as_often_for_many_steps_as_for_one(client: Client, job: Job) -> None:
    build.log(job, "start: 1 deploy")
    for_one = queries(client, f"/job/{job.pk}/")

    build.log(job, *(f"start: 1.{number} inner" for number in range(30)))

    assert queries(client, f"/job/{job.pk}/") == for_one


def test_names_of_steps_cannot_write_the_page(client: Client, job: Job) -> None:
    build.log(job, "start: 1 <script>alert(1)</script>")

    assert "<script>alert" not in page(client, f"/job/{job.pk}/")


# The sections of the log


def sections(job: Job) -> list[tuple[str, str, int, int | None]]:
    found = Section.all_of(job, job.attempt, job.log_directory())
    return [(section.level, section.state, section.first, section.last) for section in found]


def test_a_section_is_all_lines_of_its_step_and_of_what_it_is_a_part_of(job: Job) -> None:
    build.log(job, *FAILED, "later", "end: 2 boot (duration 00:01:00) [common]", "start: 3 finalize")

    assert sections(job) == [("2", "pass", 2, 7), ("2.1", "fail", 3, 4), ("3", "running", 8, None)]


def test_a_section_without_an_end_ends_before_the_next_one(job: Job) -> None:
    build.log(job, "start: 1 deploy", "start: 1.1 download", "start: 1.2 unpack", "start: 2 boot", "hello")
    ended(job)

    found = [(level, first, last) for level, _, first, last in sections(job)]
    assert found == [("1", 1, 3), ("1.1", 2, 2), ("1.2", 3, 3), ("2", 4, None)]


def test_sections_that_lie_far_apart_have_their_lines_too(job: Job) -> None:
    long = ("x" * 1_000 + "\n") * 200
    build.log(job, "start: 1 deploy", long, "end: 1 deploy", "start: 2 boot", long, "end: 2 boot")

    assert [(first, last) for _, _, first, last in sections(job)] == [(1, 203), (204, 406)]


def test_who_asks_for_lines_is_told_the_sections_if_that_is_wanted(client: Client, job: Job) -> None:
    build.log(job, *FAILED)

    answer = client.get(f"/job/{job.pk}/log-lines?line=1&count=1&steps=1").json()

    assert answer["steps"][1] == {
        "level": "2.1",
        "name": "login-action",
        "state": "fail",
        "first": 3,
        "last": 4,
        "seconds": 1.0,
    }
    assert "steps" not in client.get(f"/job/{job.pk}/log-lines").json()
