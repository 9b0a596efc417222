"""The viewer of a log where there is very much of it, with the lab's own server."""

from __future__ import annotations

from threading import Thread

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Locator, Page, expect

from jobs import logs
from jobs.logs import Record
from jobs.models import Job
from jobs.states import State
from tests import build
from tests.browser.test_log_push import beside_playwright as beside_playwright
from tests.browser.test_log_push import job as job
from tests.browser.test_log_push import opened
from tests.browser.test_log_viewer import AT_REST, from_end, state_of, text_of
from tests.jobs.log_live.writing import LINES_A_SECOND, NOON, whole, write, write_busily
from tests.lab import eventually
from tests.serving import Site, do
from tests.serving import site as site

MINUTE = 60  # seconds
MEGABYTES = 100
WIDTH = 250  # bytes of a line
TABS = 20
PATIENCE = 60.0  # seconds at most; twenty tabs draw on the processors of the tests


def line(number: int) -> str:
    return f"line {number:08} ".ljust(WIDTH - 1, "=")


def top_line(page: Page) -> Locator:
    """The line that is at the top of what is seen."""
    number: int = page.evaluate(
        "(() => { const view = document.querySelector('[data-log-view]').getBoundingClientRect();"
        " const lines = [...document.querySelectorAll('[data-log-lines] pre > span')];"
        " return lines.findIndex(line => line.getBoundingClientRect().bottom > view.top + 1); })()"
    )
    return page.locator("[data-log-lines] pre > span").nth(number)


@pytest.fixture
def finished(beside_playwright: None, site: Site, alice: User) -> Job:
    """A job that has written a hundred megabytes."""
    job: Job = do(lambda: build.job(submitter=alice, state=State.FINISHED))
    batch = 10_000
    for begin in range(0, MEGABYTES * 1_000_000 // WIDTH, batch):
        records = [
            Record(time=NOON, level="target", message=line(number)) for number in range(begin, begin + batch)
        ]
        logs.append(job.log_directory(), begin, records)
    return job


@pytest.mark.long
def test_a_thousand_lines_a_second_for_a_minute_are_all_shown_and_do_not_move_what_is_read(
    page: Page, site: Site, job: Job
) -> None:
    opened(page, site, job)
    expect(page.locator("[data-log-state]")).to_have_text("Live")
    writer = Thread(target=write_busily, args=(job.log_directory(), MINUTE))
    writer.start()
    assert eventually(lambda: text_of(page).count("\n") > 20 * LINES_A_SECOND, 2 * PATIENCE, pause=0.5)
    assert eventually(lambda: from_end(page) < 25)

    page.locator("[data-log-view]").hover()
    page.mouse.wheel(0, -2_000)
    assert page.evaluate(AT_REST)
    reading = top_line(page)
    words, place = reading.text_content(), reading.bounding_box()
    while writer.is_alive():
        page.wait_for_timeout(100)

    assert eventually(lambda: len(text_of(page)) >= len(whole(job)), PATIENCE, pause=0.5)
    assert text_of(page) == whole(job)
    assert (reading.text_content(), reading.bounding_box()) == (words, place)


def test_a_finished_log_of_a_hundred_megabytes_opens_at_its_end_and_anywhere_else(
    page: Page, site: Site, finished: Job
) -> None:
    file = whole(finished)
    last = len(file) // WIDTH

    opened(page, site, finished)

    expect(page.locator("[data-at]").last).to_be_in_viewport()
    assert state_of(page) == "Complete log"
    assert file.endswith(text_of(page))
    middle = last // 2
    page.evaluate(f"location.hash = 'L{middle}'")
    expect(page.locator(".marked")).to_be_in_viewport()
    assert page.locator(".marked").text_content() == line(middle - 1) + "\n"
    shown = text_of(page)
    begin = int(shown[5:13]) * WIDTH
    assert shown == file[begin : begin + len(shown)]
    page.keyboard.press("End")
    expect(page.locator("[data-log-later]")).to_be_hidden()
    assert eventually(lambda: file.endswith(text_of(page)))


@pytest.mark.long
def test_twenty_tabs_show_a_log_as_it_grows_and_leave_room_for_another_page(
    page: Page, site: Site, job: Job
) -> None:
    context = page.context
    tabs = [page, *(context.new_page() for _ in range(TABS - 1))]
    for tab in tabs:
        opened(tab, site, job)
        expect(tab.locator("[data-log-state]")).to_have_text("Live")

    for second in range(5):
        write(job, *(line(second * LINES_A_SECOND + each) for each in range(LINES_A_SECOND)))

    for tab in tabs:
        assert eventually(lambda tab=tab: text_of(tab) == whole(job), PATIENCE, pause=0.5)  # type: ignore[misc]
    another = context.new_page()
    another.goto(f"http://127.0.0.1:{site.port}/jobs/")
    expect(another.get_by_role("heading", name="Jobs")).to_be_visible()
