"""What becomes of the steps of a job, mark by mark."""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.logs import parse_lines
from jobs.outline import (
    LONGEST_LEVEL,
    LONGEST_NAME,
    MOST_STEPS,
    Change,
    Kind,
    Mark,
    Outline,
    Place,
    Step,
    StepState,
    culprit,
    mark_of,
)

GOLDEN = Path(__file__).parent.parent / "golden"
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)

Line = str | dict[str, Any]


def place(index: int) -> Place:
    """A record each second."""
    return Place(index=index, record=index, time=NOON + timedelta(seconds=index))


def read(lines: Iterable[Line], outline: Outline | None = None, *, first: int = 0) -> Outline:
    outline = outline or Outline()
    for index, line in enumerate(lines, start=first):
        mark = mark_of("info" if isinstance(line, str) else "results", line)
        if mark is not None:
            outline.take(mark, place(index))
    return outline


def states(outline: Outline) -> list[tuple[str, str, str]]:
    return [(step.level, step.name, step.state.value) for step in outline.steps]


def told(changes: Iterable[Change]) -> list[tuple[str, str]]:
    return [(change.event.value, change.step.level) for change in changes]


def result(case: str, word: str = "fail", **more: Any) -> dict[str, Any]:
    return {"definition": "lava", "case": case, "result": word} | more


def test_an_action_begins_and_ends() -> None:
    outline = read(["start: 2.1 boot (timeout 00:04:00) [common]", "x", "end: 2.1 boot (duration 00:00:02)"])

    (step,) = outline.steps
    assert (step.level, step.name, step.state) == ("2.1", "boot", StepState.PASS)
    assert (step.index, step.last_record) == (0, 2)
    assert step.ended is not None
    assert step.ended - step.began == timedelta(seconds=2)
    assert told(outline.changes) == [("step.started", "2.1"), ("step.finished", "2.1")]


def test_an_action_is_a_part_of_the_nearest_one_around_it() -> None:
    outline = read(["start: 2 boot", "start: 2.1 power", "start: 2.1.3 deep", "start: 4.1.2.1 lonely"])

    assert [step.parent for step in outline.steps] == [None, 0, 1, None]


def test_a_bad_result_after_its_end_makes_a_step_fail() -> None:
    outline = read(["start: 1 deploy", "end: 1 deploy", result("deploy", level="1")])

    assert states(outline) == [("1", "deploy", "fail")]
    assert told(outline.changes)[2:] == [("step.updated", "1"), ("step.stored", "1")]


def test_a_bad_result_before_its_end_makes_a_step_fail() -> None:
    outline = read(["start: 1 deploy", result("deploy", level="1"), "end: 1 deploy"])

    assert states(outline) == [("1", "deploy", "fail")]


def test_a_step_is_judged_once() -> None:
    words = [result("deploy", word, level="1") for word in ("pass", "fail", "pass", "fail")]
    outline = read(["start: 1 deploy", "end: 1 deploy", *words])

    assert states(outline) == [("1", "deploy", "fail")]
    assert len(outline.changes) == 4


def test_a_result_of_another_name_says_nothing_of_the_step() -> None:
    outline = read(["start: 2.2.1 login", result("kernel-messages", level="2.2.1"), "end: 2.2.1 login"])

    assert states(outline) == [("2.2.1", "login", "pass")]


@pytest.mark.parametrize(
    "extra", [{"fail": "The job was canceled"}, {"fail": "the lab was stopped", "error_type": "Canceled"}]
)
def test_an_action_that_was_canceled_says_so(extra: dict[str, str]) -> None:
    word = result("boot", level="2", extra=extra)
    outline = read(["start: 2 boot", "end: 2 boot", word])

    assert states(outline) == [("2", "boot", "canceled")]


def test_a_result_without_a_level_is_the_end_of_a_step_that_has_no_other() -> None:
    outline = read(["start: 0 validate", result("validate", "pass")])

    assert states(outline) == [("0", "validate", "pass")]
    assert outline.steps[0].ended is not None


def test_an_action_that_is_tried_again_is_another_step() -> None:
    outline = read(
        ["start: 1.1 load", "end: 1.1 load", result("load", level="1.1"), "start: 1.1 load", "end: 1.1 load"]
    )

    assert [(step.trial, step.state) for step in outline.steps] == [
        (1, StepState.FAIL),
        (2, StepState.PASS),
    ]


def test_actions_may_end_in_another_order_than_they_began() -> None:
    outline = read(["start: 1 a", "start: 2 b", "end: 1 a", "end: 2 b"])

    assert states(outline) == [("1", "a", "pass"), ("2", "b", "pass")]


def test_an_end_without_a_beginning_is_passed_over() -> None:
    assert read(["end: 1 deploy (duration 00:00:01)", result("deploy", level="1")]).changes == []


def test_a_test_definition_is_a_step_of_the_action_that_runs_it() -> None:
    outline = read(
        [
            "start: 3.1 lava-test-shell",
            "Starting test lava.0_smoke (7_1.1.3.1)",
            "Ending test lava.0_smoke (7_1.1.3.1), duration 15.28",
            result("0_smoke"),
            "Starting test lava.1_net (7_1.1.3.2)",
        ]
    )

    assert states(outline) == [
        ("3.1", "lava-test-shell", "running"),
        ("3.1.1", "0_smoke", "fail"),
        ("3.1.2", "1_net", "running"),
    ]
    assert [step.parent for step in outline.steps] == [None, 0, 0]


def test_what_still_runs_when_the_attempt_ends_is_unfinished() -> None:
    outline = read(["start: 1 deploy", "start: 1.1 load", result("load", level="1.1")])

    outline.close(StepState.UNFINISHED, NOON + timedelta(minutes=1))

    assert states(outline) == [("1", "deploy", "unfinished"), ("1.1", "load", "fail")]
    assert {step.ended for step in outline.steps} == {NOON + timedelta(minutes=1)}


def test_a_step_that_was_unfinished_may_still_be_told_to_have_ended() -> None:
    outline = read(["start: 1 deploy"])
    outline.close(StepState.UNFINISHED, NOON)
    before = len(outline.changes)

    read(["end: 1 deploy"], outline, first=1)

    assert states(outline) == [("1", "deploy", "pass")]
    assert told(outline.changes[before:]) == [("step.updated", "1"), ("step.stored", "1")]


def test_no_more_steps_are_kept_than_an_attempt_may_have() -> None:
    outline = read([f"start: {number} action" for number in range(MOST_STEPS + 5)])

    assert len(outline.steps) == MOST_STEPS


def blamed(*lines: Line) -> str | None:
    outline = read(lines)
    outline.close(StepState.UNFINISHED, NOON + timedelta(hours=1))
    step = culprit(outline.steps)
    return step and step.level


def test_the_innermost_step_that_failed_is_the_one_in_which_it_went_wrong() -> None:
    assert (
        blamed(
            "start: 1 deploy",
            "start: 1.1 load",
            "end: 1.1 load",
            result("load", level="1.1"),
            "end: 1 deploy",
            result("deploy", level="1"),
            "start: 2 boot",
            "end: 2 boot",
            result("boot", level="2"),
        )
        == "1.1"
    )


def test_a_failure_that_was_overcome_is_no_culprit() -> None:
    again = "start: 1.1 load", "end: 1.1 load"
    assert blamed("start: 1 deploy", *again, result("load", level="1.1"), *again, "end: 1 deploy") is None


def test_without_a_failure_it_went_wrong_in_what_could_not_finish() -> None:
    assert blamed("start: 1 deploy", "end: 1 deploy", "start: 2 boot", "start: 2.1 login") == "2.1"


def test_nobody_is_to_blame_where_all_passed() -> None:
    assert blamed("start: 1 deploy", "end: 1 deploy") is None


@pytest.mark.parametrize(
    "line",
    [
        "start: validate",
        "start: 1.x deploy",
        "start: 1",
        "start: 1 ",
        "start: 1 deploy and more",
        "start: 1 deploy\nstart: 2 boot",
        "start: 1" + ".1" * 20 + " deep",
        "start: 1234567 far",
        " start: 1 deploy",
        "Starting test lava.smoke",
        "Ending test lava.0_smoke (7), duration long",
    ],
)
def test_what_only_resembles_a_beginning_is_none(line: str) -> None:
    assert mark_of("info", line) is None


@pytest.mark.parametrize("level", ["target", "feedback", "input", "error", "exception", "warning", "event"])
def test_only_the_dispatcher_itself_tells_of_steps(level: str) -> None:
    assert mark_of(level, "start: 1 deploy") is None


@pytest.mark.parametrize(
    "message",
    [
        {"definition": "0_smoke", "case": "boot", "result": "fail"},
        {"definition": "lava", "case": 7, "result": "fail"},
        {"definition": "lava", "case": "", "result": "fail"},
        {"definition": "lava", "case": "boot", "result": "skip"},
        {"definition": "lava", "case": "boot", "result": ["fail"]},
        {"definition": "lava", "case": "boot"},
        "fail",
        ["fail"],
    ],
)
def test_other_results_say_nothing_of_steps(message: Any) -> None:
    assert mark_of("results", message) is None


def test_a_long_name_is_cut() -> None:
    mark = mark_of("info", f"start: 1 {'x' * 5_000}")

    assert mark == Mark(kind=Kind.BEGAN, level="1", name="x" * LONGEST_NAME)


def steps_of(name: str) -> list[Step]:
    outline = Outline()
    text = gzip.decompress((GOLDEN / f"{name}.output.yaml.gz").read_bytes()).decode()
    for index, record in enumerate(parse_lines(text)):
        if mark := mark_of(record.level, record.message):
            outline.take(mark, Place(index=index, record=index, time=record.time.replace(tzinfo=UTC)))
    return outline.steps


@pytest.mark.parametrize("name", ["job1-interactive", "job2-shell", "job-cancel", "job-infra-error-guestfs"])
def test_every_action_of_a_recorded_log_has_ended(name: str) -> None:
    steps = steps_of(name)

    assert all(step.ended and step.last_record is not None for step in steps)
    assert {step.index for step in steps} >= {step.parent for step in steps} - {None}


def test_the_steps_of_a_recorded_job_that_passed() -> None:
    steps = steps_of("job2-shell")

    assert {step.state for step in steps} == {StepState.PASS}
    assert [step.level for step in steps if "." not in step.level] == ["0", "1", "2", "3", "4"]
    assert ("3.1.1", "0_smoke") in [(step.level, step.name) for step in steps]


def test_the_steps_that_failed_in_a_recorded_job() -> None:
    failed = [step for step in steps_of("job-infra-error-guestfs") if step.state is StepState.FAIL]

    assert [(step.level, step.name) for step in failed] == [
        ("1", "deployimages"),
        ("1.2", "apply-overlay-guest"),
    ]


def test_the_steps_of_a_recorded_job_that_was_canceled() -> None:
    canceled = [step for step in steps_of("job-cancel") if step.state is not StepState.PASS]

    assert [(step.level, step.state) for step in canceled] == [
        ("3", StepState.CANCELED),
        ("3.1", StepState.CANCELED),
    ]


LEVEL = st.sampled_from(["0", "1", "1.1", "1.1.2", "2"])
NAME = st.sampled_from(["a", "b", "0_smoke"])
WORD = st.sampled_from(["pass", "fail"])
LINES = st.lists(
    st.one_of(
        st.builds("{}: {} {} [common]".format, st.sampled_from(["start", "end"]), LEVEL, NAME),
        st.builds("{} test lava.{} (7_1)".format, st.sampled_from(["Starting", "Ending"]), NAME),
        st.builds(lambda name, word, level: result(name, word, level=level), NAME, WORD, LEVEL),
        st.builds(result, NAME, WORD),
        st.text(max_size=30),
    ),
    max_size=40,
)


@given(
    st.sampled_from(["info", "debug", "results", "target"]), st.text() | st.text().map("start: 1 {}".format)
)
def test_no_text_breaks_the_reading(level: str, text: str) -> None:
    mark = mark_of(level, text)

    assert mark is None or (len(mark.level) <= LONGEST_LEVEL and 0 < len(mark.name) <= LONGEST_NAME)


@given(LINES)
def test_whatever_is_said_the_steps_are_a_tree_in_the_order_of_the_log(lines: list[Line]) -> None:
    outline = read(lines)

    indices = [step.index for step in outline.steps]
    assert indices == sorted(set(indices))
    for step in outline.steps:
        assert step.parent is None or (step.parent in indices and step.parent < step.index)
        assert step.ended is None or step.ended >= step.began
        assert step.state is not StepState.RUNNING or step.ended is None


@given(LINES)
def test_each_step_starts_once_and_finishes_once_at_most(lines: list[Line]) -> None:
    outline = read(lines)
    outline.close(StepState.UNFINISHED, NOON + timedelta(hours=1))

    for step in outline.steps:
        events = [change.event.value for change in outline.changes if change.step.index == step.index]
        assert events[0] == "step.started"
        assert events.count("step.started") == events.count("step.finished") == 1


@given(LINES, st.data())
def test_what_is_sent_again_in_other_pieces_changes_nothing(lines: list[Line], data: st.DataObject) -> None:
    whole = read(lines)
    cut = data.draw(st.integers(0, len(lines)))
    back = data.draw(st.integers(0, cut))

    outline = Outline(read(lines[:cut]).steps)
    read(lines[back:], outline, first=back)

    assert outline.steps == whole.steps
