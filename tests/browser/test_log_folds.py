"""The sections of a log, one for each of its steps, and what is folded of them."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.stub import Stub
from tests.browser.test_log_places import choose
from tests.browser.test_log_viewer import from_end, text_of
from tests.lab import eventually


def section(level: str, name: str, state: str, first: int, last: int | None) -> dict[str, Any]:
    seconds = None if state == "running" else 83.4
    return {"level": level, "name": name, "state": state, "first": first, "last": last, "seconds": seconds}


def said(level: str, name: str, count: int) -> str:
    """What a log has of a step: its first line, this many more, and its last one."""
    lines = "".join(f"{name} says {number:04}\n" for number in range(1, count + 1))
    return f"start: {level} {name}\n{lines}end: {level} {name}\n"


DEPLOY, FLASH = said("1", "deploy", 998), said("2.1", "flash", 98)
FAULTY = said("3", "login", 48)
TEST = "start: 4 test\n" + "".join(f"test says {number:04}\n" for number in range(1, 1_000))
STEPS = [
    section("1", "deploy", "pass", 1, 1_000),
    section("2", "boot", "pass", 1_001, 1_101),
    section("2.1", "flash", "pass", 1_002, 1_101),
    section("3", "login", "fail", 1_102, 1_151),
    section("4", "test", "running", 1_152, None),
]


@pytest.fixture
def job(stub: Stub) -> Stub:
    """A log of four outer steps, of which the third failed and the last one runs."""
    stub.write(f"{DEPLOY}start: 2 boot\n{FLASH}{FAULTY}{TEST}")
    stub.steps = STEPS
    return stub


def opened(page: Page, stub: Stub, place: str = "") -> Page:
    page.goto(stub.address + place)
    expect(page.locator(".heading button").first).to_be_attached()
    return page


def heading(page: Page, name: str) -> Locator:
    return page.locator(".heading", has_text=name).get_by_role("button")


def line(page: Page, text: str) -> Locator:
    return page.locator("pre > span", has_text=text)


def is_open(page: Page, name: str) -> bool:
    return heading(page, name).get_attribute("aria-expanded") == "true"


def open_ones(page: Page) -> list[str]:
    names = ("start: 1 deploy", "start: 2 boot", "start: 2.1 flash", "start: 3 login", "start: 4 test")
    heads = {name: page.locator(".heading", has_text=name).locator("button") for name in names}
    return [name.split()[-1] for name, head in heads.items() if head.get_attribute("aria-expanded") == "true"]


def view_top(page: Page, text: str) -> float:
    top: float = line(page, text).evaluate("line => line.getBoundingClientRect().top")
    return top


def go_up_to(page: Page, text: str) -> None:
    """As somebody who reads there; the end is followed no more."""
    page.locator("[data-log-view]").hover()
    page.mouse.wheel(0, -30)
    page.get_by_role("button", name="Follow").wait_for()
    line(page, text).evaluate("line => line.scrollIntoView({ block: 'center' })")
    expect(line(page, text)).to_be_in_viewport()


def test_a_step_has_its_first_line_as_its_heading_and_says_how_long_it_took(page: Page, job: Stub) -> None:
    opened(page, job)

    assert open_ones(page) == ["deploy", "boot", "flash", "login", "test"]
    expect(heading(page, "start: 2.1 flash")).to_have_accessible_name("2.1 flash, pass, 1 min 23 s")
    expect(heading(page, "start: 4 test")).to_have_accessible_name("4 test, running")
    assert text_of(page) == job.log.decode()


def test_a_log_without_steps_has_no_headings(page: Page, stub: Stub) -> None:
    stub.write("hello\n" * 1_200)
    page.goto(stub.address)
    assert eventually(lambda: "/log-lines" in stub.beside)

    assert page.locator(".heading").count() == 0
    assert page.locator("[data-log-lines] pre").count() == 3


def test_a_section_folds_by_mouse_and_by_keyboard_and_its_heading_stays(page: Page, job: Stub) -> None:
    opened(page, job)
    go_up_to(page, "start: 2.1 flash")
    place = view_top(page, "start: 2.1 flash")

    heading(page, "start: 2.1 flash").click()
    expect(line(page, "flash says 0001")).to_be_hidden()
    expect(line(page, "end: 2.1 flash")).to_be_hidden()
    expect(line(page, "start: 3 login")).to_be_in_viewport()
    assert abs(view_top(page, "start: 2.1 flash") - place) < 1

    page.keyboard.press("Enter")
    expect(line(page, "flash says 0001")).to_be_visible()
    assert abs(view_top(page, "start: 2.1 flash") - place) < 1
    assert text_of(page) == job.log.decode()


def test_what_is_finished_is_folded_by_choice_but_not_what_runs_or_failed(page: Page, job: Stub) -> None:
    opened(page, job)

    choose(page, "Fold finished steps")

    assert open_ones(page) == ["login", "test"]
    expect(line(page, "deploy says 0500")).to_be_hidden()
    expect(line(page, "login says 0001")).to_be_visible()
    assert from_end(page) <= 1
    page.reload()
    expect(line(page, "deploy says 0500")).to_be_hidden()


def test_a_key_folds_what_is_finished_and_unfolds_it(page: Page, job: Stub) -> None:
    opened(page, job)

    page.keyboard.press("f")
    assert open_ones(page) == ["login", "test"]
    page.keyboard.press("f")

    assert open_ones(page) == ["deploy", "boot", "flash", "login", "test"]


def test_what_holds_a_failure_is_not_folded_by_choice(page: Page, job: Stub) -> None:
    job.steps = [step | {"state": "fail"} if step["name"] == "flash" else step for step in STEPS]
    opened(page, job)

    choose(page, "Fold finished steps")

    assert open_ones(page) == ["boot", "flash", "login", "test"]


def test_a_step_that_ends_is_folded_then_and_what_came_after_it_is_not(page: Page, job: Stub) -> None:
    opened(page, job)
    choose(page, "Fold finished steps")

    job.steps = [*STEPS[:4], section("4", "test", "pass", 1_152, 2_152)]
    job.write("end: 4 test\nafter all that\n")

    expect(line(page, "test says 0500")).to_be_hidden()
    expect(line(page, "after all that")).to_be_visible()
    assert from_end(page) <= 1


def test_the_end_of_the_job_ends_the_steps_that_still_run(page: Page, job: Stub) -> None:
    opened(page, job)
    expect(heading(page, "start: 4 test")).to_have_accessible_name("4 test, running")

    job.steps = [*STEPS[:4], section("4", "test", "unfinished", 1_152, None)]
    job.is_finished = True

    expect(heading(page, "start: 4 test")).to_have_accessible_name("4 test, unfinished, 1 min 23 s")


def test_folds_are_kept_while_lines_arrive(page: Page, job: Stub) -> None:
    opened(page, job)
    go_up_to(page, "start: 3 login")
    heading(page, "start: 2.1 flash").click()
    heading(page, "start: 4 test").click()
    expect(line(page, "test says 0001")).to_be_hidden()
    place = view_top(page, "start: 3 login")

    job.write("".join(f"more {number:04}\n" for number in range(1_200)))

    assert eventually(lambda: text_of(page) == job.log.decode())
    assert open_ones(page) == ["deploy", "boot", "login"]
    expect(line(page, "more 1199")).to_be_hidden()
    assert view_top(page, "start: 3 login") == place


def test_folds_are_kept_when_the_connection_breaks(page: Page, job: Stub) -> None:
    opened(page, job)
    go_up_to(page, "start: 3 login")
    heading(page, "start: 2.1 flash").click()

    job.is_cut = True
    page.get_by_text("Connection lost").wait_for()
    job.write("start: 4.1 inner\n")
    job.steps = [*STEPS, section("4.1", "inner", "running", 2_152, None)]
    job.is_cut = False

    expect(page.locator(".heading", has_text="start: 4.1 inner")).to_be_attached()
    expect(line(page, "flash says 0001")).to_be_hidden()


def test_what_is_read_is_not_folded_and_does_not_move(page: Page, job: Stub) -> None:
    opened(page, job)
    choose(page, "Fold finished steps")
    go_up_to(page, "test says 0500")
    place = view_top(page, "test says 0500")

    job.steps = [
        *STEPS[:4],
        section("4", "test", "pass", 1_152, 2_152),
        section("5", "end", "pass", 2_153, 2_174),
    ]
    job.write("end: 4 test\n" + said("5", "end", 20) + "after all that\n")

    expect(page.locator(".heading", has_text="start: 5 end")).to_be_attached()
    assert open_ones(page) == ["login", "test"]
    assert not is_open(page, "start: 5 end")
    assert view_top(page, "test says 0500") == place


def test_the_earlier_part_is_folded_as_the_rest(page: Page, job: Stub) -> None:
    job.shown_from = len(DEPLOY) + 14 + len(FLASH)  # the page begins with what failed
    page.goto(job.address)
    expect(page.locator(".heading").first).to_be_attached()
    choose(page, "Fold finished steps")
    go_up_to(page, "start: 3 login")
    place = view_top(page, "start: 3 login")

    page.evaluate("document.querySelector('[data-log-earlier]').click()")

    assert eventually(lambda: text_of(page) == job.log.decode())
    assert open_ones(page) == ["login", "test"]
    expect(line(page, "flash says 0001")).to_be_hidden()
    assert abs(view_top(page, "start: 3 login") - place) < 1


# What leads into a fold opens it


@pytest.mark.parametrize("place", ["L1050", "L1040-L1060"])
def test_a_link_to_a_line_opens_the_fold_that_it_leads_into(page: Page, job: Stub, place: str) -> None:
    opened(page, job)
    choose(page, "Fold finished steps")

    page.evaluate(f"location.hash = '{place}'")

    expect(line(page, "flash says 0048")).to_be_in_viewport()
    assert open_ones(page) == ["boot", "flash", "login", "test"]


def test_whoever_comes_with_a_link_finds_its_fold_open(page: Page, job: Stub) -> None:
    opened(page, job)
    choose(page, "Fold finished steps")
    page.goto("about:blank")

    opened(page, job, "#L1050")

    expect(heading(page, "start: 1 deploy")).to_have_attribute("aria-expanded", "false")
    expect(line(page, "flash says 0048")).to_be_in_viewport()


def test_a_hit_opens_its_fold(page: Page, job: Stub) -> None:
    opened(page, job)
    choose(page, "Fold finished steps")

    page.get_by_role("searchbox").fill("deploy says 0500")
    page.get_by_role("searchbox").press("Enter")

    expect(line(page, "deploy says 0500")).to_be_in_viewport()
    assert open_ones(page) == ["deploy", "login", "test"]


def test_the_next_error_opens_its_fold(page: Page, job: Stub) -> None:
    job.levels = {1_120: "e"}
    opened(page, job)
    go_up_to(page, "start: 3 login")
    heading(page, "start: 3 login").click()
    expect(line(page, "login says 0018")).to_be_hidden()

    page.get_by_role("button", name="Next error").click()

    expect(line(page, "login says 0018")).to_be_in_viewport()


def test_the_search_of_the_browser_opens_what_it_finds_in_a_fold(page: Page, job: Stub) -> None:
    opened(page, job)
    choose(page, "Fold finished steps")
    expect(line(page, "flash says 0048")).to_be_hidden()

    # A link to a piece of text looks for it as Ctrl+F does, which no program can press.
    page.evaluate(
        "link => document.body.append(Object.assign(document.createElement('a'), link))",
        {"href": "#:~:text=flash%20says%200048", "textContent": "find"},
    )
    page.get_by_role("link", name="find").click()

    expect(line(page, "flash says 0048")).to_be_in_viewport()
    assert open_ones(page) == ["boot", "flash", "login", "test"]


# What is copied


def test_what_is_copied_has_the_lines_of_a_fold_and_nothing_of_its_heading(page: Page, job: Stub) -> None:
    opened(page, job)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    choose(page, "Fold finished steps")

    page.evaluate("getSelection().selectAllChildren(document.querySelector('[data-log-lines]'))")
    page.keyboard.press("Control+C")

    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.rstrip("\n") == job.log.decode().rstrip("\n")
    expect(line(page, "deploy says 0500")).to_be_hidden()
