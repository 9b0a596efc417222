"""The viewer of a log alone, with a server that does what no lab should."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.stub import Stub
from tests.lab import eventually

LINES = "".join(f"line {number:05}\n" for number in range(300))
NASTY = (
    "<script>alert('script')</script>\n"
    "<img src=x onerror=alert('img')>\n"
    "</pre></div><svg onload=alert('svg')>\n"
    "\x1b]8;;javascript:alert('osc')\x07click\x1b]8;;\x07\n"
    "<!-- &lt;b&gt; &amp; ]]> {{ 7*7 }} javascript:alert(1)\n"
    "<a href='javascript:alert(2)'>x</a><style>*{display:none}</style>\n"
    "carriage\rreturn, tab\t, bell \x07, \u202egnihsilbup, \ufeff, \U0001f40d\n"
)
# What a terminal would show of it: the text of the link, and the line that was written over another.
NASTY_SHOWN = re.sub("\x1b][^\x07]*\x07|\x07|carriage\r", "", NASTY)


def text_of(page: Page) -> str:
    text: str = page.evaluate("document.querySelector('[data-log-lines]').textContent")
    return text


def state_of(page: Page) -> str:
    return page.locator("[data-log-state]").inner_text()


def from_end(page: Page) -> float:
    distance: float = page.evaluate(
        "(() => { const v = document.querySelector('[data-log-view]');"
        " return v.scrollHeight - v.scrollTop - v.clientHeight; })()"
    )
    return distance


# Resolves when smooth scrolling is over: a quarter of a second of frames in one place.
AT_REST = """() => new Promise((resolve) => {
  const view = document.querySelector("[data-log-view]");
  let [place, since] = [view.scrollTop, performance.now()];
  requestAnimationFrame(function look(now) {
    if (view.scrollTop !== place) [place, since] = [view.scrollTop, now];
    if (now - since > 250) resolve(true);
    else requestAnimationFrame(look);
  });
})"""


def place_of(page: Page) -> float:
    """Where on the screen the line is that is being read."""
    top: float = page.evaluate(
        "(() => { const r = document.createRange(); const b = document.querySelector('[data-log-lines] pre');"
        " const t = b.firstChild.firstChild; r.setStart(t, 0); r.setEnd(t, 1); return r.getBoundingClientRect().top; })()"
    )
    return top


def shows(page: Page, text: str) -> bool:
    return eventually(lambda: text_of(page) == text)


def opened(page: Page, stub: Stub) -> Page:
    page.goto(stub.address)
    assert shows(page, stub.log[stub.shown_from :].decode())
    return page


# What arrives


def test_what_is_written_appears_and_is_the_log_byte_for_byte(page: Page, stub: Stub) -> None:
    opened(page, stub)
    for piece in ("hello\n", "grüße, ", "🐍", "\r\n", "\n", "no end yet"):
        stub.write(piece)
        assert shows(page, stub.log.decode().replace("\r\n", "\n"))


def test_a_prompt_without_a_line_end_is_visible(page: Page, stub: Stub) -> None:
    opened(page, stub)

    stub.write("login: ")

    page.get_by_text("login:").wait_for()


def test_hostile_output_is_nothing_but_text(page: Page, stub: Stub) -> None:
    stub.write(NASTY)
    page.goto(stub.address)
    assert shows(page, NASTY_SHOWN)

    stub.write(NASTY)

    assert shows(page, NASTY_SHOWN * 2)
    assert page.locator("[data-log-lines] *:not(div, pre, pre > span)").count() == 0


def test_lines_are_kept_in_blocks_that_are_broken_at_line_ends_only(page: Page, stub: Stub) -> None:
    opened(page, stub)
    whole = ""
    for number in range(60):
        piece = f"part {number} " + f"\nline of {number}" * 37
        whole += piece
        stub.write(piece)
        time.sleep(0.002)  # so that the pieces come in several answers, of whatever size
    assert shows(page, whole)

    blocks = page.locator("[data-log-lines] pre").all_text_contents()

    assert [block.count("\n") for block in blocks[:-1]] == [500] * (len(blocks) - 1)
    assert all(block.endswith("\n") for block in blocks[:-1])


def test_a_log_of_many_megabytes_comes_whole_without_waiting_between_its_pieces(
    page: Page, stub: Stub
) -> None:
    opened(page, stub)
    text = "".join(f"{number:07} {'x' * 90}\n" for number in range(50_000))
    begin = time.monotonic()

    stub.write(text)

    assert eventually(lambda: len(text_of(page)) == len(text), 20)
    assert text_of(page) == text
    pauses = [after.time - before.time for before, after in zip(stub.asked, stub.asked[1:], strict=False)]
    full = [
        pause for pause, asked in zip(pauses, stub.asked, strict=False) if len(text) - asked.start > 2**20
    ]
    assert full, "the log was too small to be cut"
    assert time.monotonic() - begin < 20


def test_what_is_copied_is_the_text(page: Page, stub: Stub) -> None:
    opened(page, stub)
    stub.write(LINES * 5)
    assert shows(page, LINES * 5)
    assert page.locator("[data-log-lines] pre").count() == 3

    copied = page.evaluate(
        "(() => { getSelection().selectAllChildren(document.querySelector('[data-log-lines]'));"
        " return getSelection().toString(); })()"
    )

    assert copied.rstrip("\n") == (LINES * 5).rstrip("\n")


def test_the_end_of_the_job_stops_the_asking_and_is_said(page: Page, stub: Stub) -> None:
    opened(page, stub)
    page.evaluate("document.addEventListener('log:finished', () => { window.told = true; })")

    stub.write("bye\n")
    stub.is_finished = True

    page.get_by_text("Complete log").wait_for()
    asked = len(stub.asked)
    assert page.evaluate("window.told") is True
    assert shows(page, "bye\n")
    time.sleep(1.2)  # longer than any pause of a busy log
    assert len(stub.asked) == asked


def test_a_log_that_was_complete_when_the_page_was_made_is_not_asked_for(page: Page, stub: Stub) -> None:
    stub.write("bye\n")
    stub.is_finished = True

    opened(page, stub)

    time.sleep(0.5)  # it would be asked for at once
    assert stub.asked == []


def test_a_new_attempt_begins_the_log_anew_and_says_so(page: Page, stub: Stub) -> None:
    stub.write(LINES)
    opened(page, stub)

    stub.log = b"second try\n"
    stub.attempt = 2

    assert shows(page, "second try\n")
    assert eventually(lambda: stub.asked[-1].start == 11)


def test_a_new_attempt_that_is_longer_already_is_noticed_too(page: Page, stub: Stub) -> None:
    stub.write("first try\n")
    opened(page, stub)
    assert eventually(lambda: len(stub.asked) > 1)

    stub.attempt = 2
    stub.log = b"x" * 50 + b"\n"

    assert shows(page, "x" * 50 + "\n")


def test_a_log_that_became_shorter_begins_anew(page: Page, stub: Stub) -> None:
    stub.write(LINES)
    opened(page, stub)

    stub.log = b""

    page.get_by_text("The log began anew").wait_for()
    assert shows(page, "")


def test_the_earlier_part_comes_on_the_way_up_and_what_is_read_stays_where_it_is(
    page: Page, stub: Stub
) -> None:
    stub.write("".join(f"{number:07} {'y' * 40}\n" for number in range(5_000)))
    stub.shown_from = 49 * 4_500
    opened(page, stub)
    expect(page.locator("[data-at]").first).to_have_attribute("data-at", " 4501")
    first = page.get_by_text("0004500")

    page.keyboard.press("Home")
    assert eventually(lambda: len(text_of(page)) == 49 * 2_500)
    page.wait_for_timeout(300)  # it would move as soon as what lies before it is drawn
    assert 0 < first.evaluate("line => line.getBoundingClientRect().top") < 500

    for length in (4_500, 5_000):
        page.keyboard.press("Home")
        assert eventually(lambda length=length: len(text_of(page)) == 49 * length)
    assert text_of(page) == stub.log.decode()
    expect(page.get_by_role("link", name="Earlier output")).to_be_hidden()


def test_loading_the_earlier_part_goes_on_where_it_was_cut_off(page: Page, stub: Stub) -> None:
    stub.write(LINES)
    stub.shown_from = len(LINES) // 2
    opened(page, stub)
    expect(page.locator("[data-at]").first).to_have_attribute("data-at", "  151")
    stub.status = 503
    page.get_by_role("link", name="Earlier output").click()
    again = page.get_by_text("could not be loaded")
    again.wait_for()

    stub.status = 200
    again.evaluate("link => link.click()")  # which is hidden already if the way up has loaded it

    assert shows(page, LINES)


# Following


def test_the_end_is_followed_while_lines_arrive(page: Page, stub: Stub) -> None:
    stub.write(LINES)
    opened(page, stub)

    stub.write("newest\n")

    assert shows(page, LINES + "newest\n")
    assert from_end(page) <= 1


@pytest.mark.parametrize(
    "look_up",
    [
        pytest.param(lambda page: page.mouse.wheel(0, -400), id="wheel"),
        pytest.param(lambda page: page.keyboard.press("PageUp"), id="PageUp"),
        pytest.param(lambda page: page.keyboard.press("Home"), id="Home"),
    ],
)
def test_looking_up_lets_go_and_what_is_read_does_not_move(
    page: Page, stub: Stub, look_up: Callable[[Page], None]
) -> None:
    stub.write(LINES)
    opened(page, stub).mouse.move(300, 300)
    look_up(page)
    page.get_by_role("button", name="Follow").wait_for()
    page.evaluate(AT_REST)

    def is_up() -> bool:
        """A browser that lays out the page at this moment gives up its smooth scrolling; then one looks up again."""
        if from_end(page) <= 100:
            look_up(page)
            page.evaluate(AT_REST)
        return from_end(page) > 100

    assert eventually(is_up)
    place = place_of(page)

    for number in range(20):
        stub.write("".join(f"new {number} {line}\n" for line in range(50)))
        page.wait_for_timeout(50)

    assert eventually(lambda: text_of(page) == stub.log.decode())
    assert place_of(page) == place
    assert "1,000 new lines" in page.get_by_role("button", name="Follow").inner_text()


def test_selecting_lets_go_and_the_selection_survives_new_lines(page: Page, stub: Stub) -> None:
    stub.write(LINES)
    opened(page, stub)
    page.evaluate(
        "(() => { const text = document.querySelector('pre > span').firstChild;"
        " getSelection().setBaseAndExtent(text, 0, text, 10); })()"
    )
    page.get_by_role("button", name="Follow").wait_for()

    stub.write("new\n" * 1000)

    assert eventually(lambda: len(text_of(page)) == len(stub.log))
    assert page.evaluate("getSelection().toString()") == "line 00000"


@pytest.mark.parametrize(
    "resume",
    [
        pytest.param(lambda page: page.keyboard.press("End"), id="End"),
        pytest.param(lambda page: page.get_by_role("button", name="Follow").click(), id="button"),
        pytest.param(lambda page: page.mouse.wheel(0, 100_000), id="wheel"),
    ],
)
def test_going_to_the_end_follows_again(page: Page, stub: Stub, resume: Callable[[Page], None]) -> None:
    stub.write(LINES)
    opened(page, stub).mouse.move(300, 300)
    page.keyboard.press("Home")
    assert eventually(lambda: page.evaluate("document.querySelector('[data-log-view]').scrollTop") == 0)

    resume(page)

    page.get_by_role("button", name="Follow").wait_for(state="hidden")
    stub.write("newest\n")
    assert shows(page, LINES + "newest\n")
    assert from_end(page) <= 1


def test_a_log_that_fits_on_the_screen_cannot_be_let_go(page: Page, stub: Stub) -> None:
    stub.write("one line\n")
    opened(page, stub).keyboard.press("PageUp")

    assert page.get_by_role("button", name="Follow").is_hidden()


# When to ask


def test_there_are_never_two_requests_at_once(page: Page, stub: Stub) -> None:
    stub.delay = 0.4
    opened(page, stub)
    for _ in range(20):
        stub.write("x\n")
        page.evaluate("dispatchEvent(new Event('online'))")
        page.wait_for_timeout(60)

    assert shows(page, "x\n" * 20)
    assert max(asked.others for asked in stub.asked) == 0


def test_a_busy_log_is_asked_for_four_times_a_second_and_a_quiet_one_once(page: Page, stub: Stub) -> None:
    opened(page, stub)
    stub.write("busy\n")
    assert shows(page, "busy\n")
    page.wait_for_timeout(1_500)
    busy = pauses_of(stub)[-3:]
    page.wait_for_timeout(5_000)
    quiet = pauses_of(stub)[-2:]

    assert all(0.24 < pause < 0.6 for pause in busy)
    assert all(0.99 < pause < 1.4 for pause in quiet)


def pauses_of(stub: Stub) -> list[float]:
    return [after.time - before.time for before, after in zip(stub.asked, stub.asked[1:], strict=False)]


def test_a_log_that_is_idle_for_a_minute_is_asked_for_every_five_seconds(page: Page, stub: Stub) -> None:
    page.clock.install()
    page.goto(stub.address)
    assert eventually(lambda: len(stub.asked) > 0)

    page.clock.run_for(70_000)
    before = len(stub.asked)
    for _ in range(10):
        page.clock.run_for(5_000)
        page.wait_for_timeout(50)

    # Fifty seconds: ten requests, and never the fifty of a log that is merely quiet.
    assert 5 <= len(stub.asked) - before <= 20


def test_a_hidden_page_asks_every_half_minute_and_at_once_when_it_is_shown(page: Page, stub: Stub) -> None:
    opened(page, stub)
    assert eventually(lambda: len(stub.asked) > 0)
    set_hidden(page, True)
    page.wait_for_timeout(300)
    asked = len(stub.asked)

    stub.write("meanwhile\n")
    page.wait_for_timeout(2_500)
    assert len(stub.asked) == asked
    set_hidden(page, False)

    assert eventually(lambda: text_of(page) == "meanwhile\n", 5)


def set_hidden(page: Page, hidden: bool) -> None:
    page.evaluate(
        "hidden => { Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });"
        " document.dispatchEvent(new Event('visibilitychange')); }",
        hidden,
    )


# When the server is not there


def test_a_cut_is_said_at_once_and_the_log_goes_on_at_the_same_byte(page: Page, stub: Stub) -> None:
    stub.write("before\n")
    opened(page, stub)

    stub.is_cut = True
    assert eventually(lambda: "Connection lost" in state_of(page), 5)
    stub.write("meanwhile\n")
    stub.is_cut = False

    assert shows(page, "before\nmeanwhile\n")
    assert eventually(lambda: state_of(page) == "Live")


def test_retries_are_further_and_further_apart(page: Page, stub: Stub) -> None:
    opened(page, stub)
    stub.status = 502
    assert eventually(lambda: "Connection lost" in state_of(page))
    first = len(stub.asked)

    page.wait_for_timeout(6_000)

    assert 1 <= len(stub.asked) - first <= 4


def test_a_server_that_does_not_answer_is_said_long_before_the_request_ends(page: Page, stub: Stub) -> None:
    opened(page, stub)

    stub.delay = 4
    assert eventually(lambda: "Waiting for the server" in state_of(page), 5)
    stub.delay = 0
    stub.write("at last\n")

    assert shows(page, "at last\n")


@pytest.mark.parametrize(
    ("status", "words"),
    [(401, "You may not read this log"), (403, "You may not read this log"), (404, "is not here any more")],
)
def test_a_refusal_is_explained(page: Page, stub: Stub, status: int, words: str) -> None:
    opened(page, stub)

    stub.status = status

    assert eventually(lambda: words in state_of(page))
