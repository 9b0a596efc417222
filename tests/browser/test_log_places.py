"""Finding one's way in a log: links to lines, times, levels, the search, and what is read out."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.stub import Stub
from tests.browser.test_log_viewer import from_end, text_of
from tests.lab import eventually

COUNT = 50_000
BIG = "".join(f"line {number:05} {'.' * 88}\n" for number in range(1, COUNT + 1))
WIDTH = 100


@pytest.fixture
def big(stub: Stub) -> Stub:
    """A log of which the page holds the last 1,000 lines."""
    stub.write(BIG)
    stub.shown_from = WIDTH * (COUNT - 1_000)
    return stub


def line(page: Page, number: int) -> Locator:
    return page.locator("pre > span", has_text=f"line {number:05}")


def opened(page: Page, stub: Stub, place: str = "") -> Page:
    page.goto(stub.address + place)
    expect(page.locator("[data-at]").first).to_be_attached()
    return page


def choose(page: Page, name: str) -> None:
    page.get_by_text("View", exact=True).click()
    page.get_by_label(name, exact=True).click()
    page.get_by_text("View", exact=True).click()


def marked(page: Page) -> list[str]:
    return [text[:10] for text in page.locator(".marked").all_text_contents()]


def click_number(page: Page, number: int, *modifiers: str) -> None:
    line(page, number).click(position={"x": -20, "y": 8}, modifiers=[*modifiers])  # type: ignore[list-item]


# Links


def test_a_link_to_a_line_opens_a_big_log_there_and_loads_only_what_is_around_it(
    page: Page, big: Stub
) -> None:
    opened(page, big, "#L20000-L20002")

    expect(line(page, 20_000)).to_be_in_viewport()
    assert marked(page) == ["line 20000", "line 20001", "line 20002"]
    assert len(text_of(page)) < len(BIG) / 10
    assert text_of(page) in BIG


def test_what_follows_a_place_is_loaded_on_the_way_down_and_the_end_is_followed_again(
    page: Page, big: Stub
) -> None:
    opened(page, big, "#L20000")
    expect(line(page, 20_000)).to_be_in_viewport()

    page.evaluate("document.querySelector('[data-log-view]').scrollTop = 1e6")
    assert eventually(lambda: "line 23000" in text_of(page))
    page.get_by_role("button", name="Follow").click()

    expect(line(page, COUNT)).to_be_in_viewport()
    big.write("newest\n")
    assert eventually(lambda: text_of(page).endswith("..\nnewest\n"))
    assert from_end(page) <= 1


def test_a_number_is_a_link_and_with_shift_a_range(page: Page, big: Stub) -> None:
    opened(page, big)

    click_number(page, 49_990)
    assert page.url.endswith("#L49990")
    click_number(page, 49_993, "Shift")

    assert page.url.endswith("#L49990-L49993")
    assert marked(page) == [f"line {number}" for number in range(49_990, 49_994)]


def test_a_line_that_is_not_written_yet_is_said_to_be_missing(page: Page, big: Stub) -> None:
    opened(page, big, "#L60000")

    expect(page.get_by_text("The log has no line 60,000 yet.")).to_be_visible()


# What stands beside the lines


def test_times_are_shown_as_they_were_chosen_and_are_not_copied(page: Page, big: Stub) -> None:
    opened(page, big)
    choose(page, "UTC")
    beside = line(page, COUNT)
    expect(beside).to_have_attribute("data-at", "21:26:40.000 50000")

    choose(page, "Since the start")
    expect(beside).to_have_attribute("data-at", "13:53:19.000 50000")
    choose(page, "Since the last line")
    expect(beside).to_have_attribute("data-at", "      +1.000 50000")

    page.reload()
    expect(beside).to_have_attribute("data-at", "      +1.000 50000")
    copied = page.evaluate(
        "(() => { getSelection().selectAllChildren(document.querySelector('pre')); return String(getSelection()); })()"
    )
    assert copied.rstrip("\n") == text_of(page)[: 500 * WIDTH].rstrip("\n")


def test_lines_of_a_level_are_hidden_until_they_are_shown_again(page: Page, big: Stub) -> None:
    big.levels = {COUNT - 1: "d", COUNT - 2: "e"}
    opened(page, big)

    choose(page, "Debugging")
    expect(line(page, COUNT - 1)).to_be_hidden()
    choose(page, "Device output")
    expect(line(page, COUNT)).to_be_hidden()
    expect(line(page, COUNT - 2)).to_be_visible()
    page.reload()
    expect(line(page, COUNT)).to_be_hidden()

    choose(page, "Debugging")
    expect(line(page, COUNT - 1)).to_be_visible()


def test_long_lines_are_wrapped_unless_somebody_does_not_want_it(page: Page, stub: Stub) -> None:
    stub.write("x" * 5_000 + "\n")
    opened(page, stub)
    height = "document.querySelector('pre').clientHeight"
    assert page.evaluate(height) > 100

    choose(page, "Wrap long lines")

    assert page.evaluate(height) < 30


# Search


def test_the_whole_log_is_searched_and_hits_that_are_not_loaded_are_gone_to(page: Page, big: Stub) -> None:
    opened(page, big)
    field = page.get_by_role("searchbox")

    field.fill("LINE 123")
    expect(page.locator("output")).to_have_text("100")
    field.press("Enter")
    expect(line(page, 12_300)).to_be_in_viewport()
    expect(page.locator("output")).to_have_text("1 of 100")
    page.wait_for_function("() => [...CSS.highlights.get('log-hit')].some(hit => String(hit) === 'line 123')")

    line(page, 12_300).click()
    page.keyboard.press("n")
    expect(page.locator("output")).to_have_text("2 of 100")
    assert marked(page) == ["line 12301"]
    page.keyboard.press("Shift+N")
    page.keyboard.press("Shift+N")
    expect(page.locator("output")).to_have_text("100 of 100")
    assert marked(page) == ["line 12399"]


def test_a_line_is_gone_to_by_its_number(page: Page, big: Stub) -> None:
    opened(page, big)

    page.get_by_role("searchbox").fill(":777")
    page.get_by_role("searchbox").press("Enter")

    expect(line(page, 777)).to_be_in_viewport()


def test_errors_are_gone_to_one_after_the_other(page: Page, big: Stub) -> None:
    big.levels = {400: "e", 30_000: "x"}
    opened(page, big)
    button = page.get_by_role("button", name="Next error")

    for number in (400, 30_000, 400):
        button.click()
        expect(line(page, number)).to_be_in_viewport()


# Aloud


def test_new_lines_are_read_out_if_somebody_wants_it_and_not_all_of_them(page: Page, stub: Stub) -> None:
    stub.write("before\n")
    opened(page, stub)
    aloud = page.locator("[data-log-announcement]")
    stub.write("unheard\n")
    expect(line(page, 0)).to_have_count(0)
    assert eventually(lambda: text_of(page) == "before\nunheard\n")
    expect(aloud).to_have_text("")

    choose(page, "Announce new lines")
    stub.write("".join(f"line {number:05}\n" for number in range(20)))

    expect(aloud).to_have_text("17 more lines, then: line 00017 line 00018 line 00019")
