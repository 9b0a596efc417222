"""The viewer of a log with the lab's own server, which pushes what is written."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from playwright.sync_api import Page, WebSocket, expect

from jobs import lifecycle, logs
from jobs.lifecycle import Ending
from jobs.log_live import socket
from jobs.logs import Record
from jobs.models import Job
from jobs.states import State
from tests import build
from tests.browser.test_log_viewer import set_hidden, shows, state_of, text_of
from tests.jobs.log_live.writing import NOON, whole, write
from tests.lab import eventually
from tests.serving import Site, do
from tests.serving import site as site

BROKEN = Ending(passed=False, error_type="Infrastructure", errors="the power was cut")


@pytest.fixture(autouse=True)
def beside_playwright(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests ask the database from a thread in which Playwright has an event loop that is not theirs."""
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")


@pytest.fixture
def job(beside_playwright: None, site: Site) -> Job:
    running: Job = do(lambda: build.job(state=State.RUNNING, lava_lite={"retry": 2}))
    return running


@pytest.fixture
def asked(page: Page) -> list[str]:
    """The requests for the tail so far."""
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url) if "log-tail" in request.url else None)
    return requests


@pytest.fixture
def sockets(page: Page) -> list[WebSocket]:
    """Those that the page has opened so far for the log."""
    opened: list[WebSocket] = []
    page.on("websocket", lambda each: opened.append(each) if "/log?" in each.url else None)
    return opened


def opened(page: Page, site: Site, job: Job) -> Page:
    page.goto(f"http://127.0.0.1:{site.port}/job/{job.pk}/")
    return page


def heard(page: Page, condition: Callable[[], bool]) -> bool:
    """Whether it becomes true of what the browser tells, which it does while it is asked something."""
    return eventually(lambda: page.evaluate("true") and condition())


def finish(job: Job, ending: Ending) -> None:
    do(lambda: lifecycle.finish(job.pk, ending, worker="worker01"))


def test_what_is_written_is_pushed_and_the_tail_is_not_asked_for(
    page: Page, site: Site, job: Job, asked: list[str], sockets: list[WebSocket]
) -> None:
    opened(page, site, job)
    for piece in ("hello", "grüße 🐍", "", "login:"):
        write(job, piece)
        assert shows(page, whole(job))

    assert state_of(page) == "Live"
    assert (len(sockets), asked) == (1, [])


def test_the_lab_numbers_times_and_searches_what_is_shown(page: Page, site: Site, job: Job) -> None:
    write(job, *(f"line {number}" for number in range(1, 200)))
    logs.append(
        job.log_directory(), 199, [Record(time=NOON + timedelta(seconds=1), level="error", message="no net")]
    )
    opened(page, site, job)

    page.get_by_role("searchbox").fill("LINE 1")
    expect(page.locator("output")).to_have_text("111")
    page.get_by_text("View", exact=True).click()
    page.get_by_label("UTC").click()
    page.get_by_text("View", exact=True).click()
    page.get_by_role("button", name="Next error").click()

    error = page.locator(".marked")
    expect(error).to_have_text("no net")
    expect(error).to_have_attribute("data-at", "12:00:01.000  200")
    expect(error).to_have_attribute("data-level", "e")


def test_the_end_is_shown_with_the_last_byte(page: Page, site: Site, job: Job) -> None:
    opened(page, site, job)

    write(job, "bye")
    finish(job, Ending(passed=True))

    page.get_by_text("Complete log").wait_for()
    assert text_of(page) == "bye\n"


def test_a_new_attempt_begins_the_log_anew(page: Page, site: Site, job: Job) -> None:
    write(job, "the first attempt")
    opened(page, site, job)
    assert shows(page, "the first attempt\n")

    finish(job, BROKEN)

    assert shows(page, "")


def test_where_sockets_are_blocked_the_log_is_polled(
    page: Page, site: Site, job: Job, asked: list[str]
) -> None:
    page.add_init_script(
        "window.WebSocket = class { constructor() { setTimeout(() => this.onclose?.()); } close() {} };"
    )
    opened(page, site, job)

    write(job, "hello")

    assert shows(page, "hello\n")
    assert asked


def test_where_sockets_fall_silent_the_log_is_polled(
    page: Page, site: Site, job: Job, asked: list[str]
) -> None:
    page.add_init_script("window.WebSocket = class { close() {} };")
    opened(page, site, job)

    write(job, "hello")

    assert shows(page, "hello\n")
    assert asked


def test_a_socket_that_breaks_is_opened_again_at_the_same_byte(
    page: Page, site: Site, job: Job, sockets: list[WebSocket]
) -> None:
    page.add_init_script(
        "const Real = WebSocket; window.WebSocket = class extends Real {"
        " constructor(url) { super(url); if (String(url).includes('/log?')) window.last = this; } };"
    )
    opened(page, site, job)
    write(job, "before")
    assert shows(page, "before\n")

    page.evaluate("window.last.close()")
    assert heard(page, lambda: len(sockets) == 2)
    write(job, "after")

    assert shows(page, "before\nafter\n")
    assert sockets[1].url.endswith("?start=7")


def test_a_hidden_page_has_no_socket_and_catches_up_when_it_is_shown(
    page: Page, site: Site, job: Job, sockets: list[WebSocket]
) -> None:
    opened(page, site, job)
    write(job, "before")
    assert shows(page, "before\n")

    set_hidden(page, True)
    assert heard(page, sockets[0].is_closed)
    write(job, "meanwhile")
    set_hidden(page, False)

    assert shows(page, "before\nmeanwhile\n")


def test_a_quiet_log_stays_live_by_its_heartbeats(
    page: Page, site: Site, job: Job, sockets: list[WebSocket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "HEARTBEAT_SECONDS", 0.05)
    page.clock.install()
    opened(page, site, job)
    write(job, "hello")
    assert shows(page, "hello\n")

    for _ in range(30):
        page.clock.run_for(1_000)  # the page's time, in which heartbeats go on coming
        page.wait_for_timeout(60)

    assert len(sockets) == 1
    assert state_of(page) == "Live"
