"""The main ways through the lab without a mouse. Wherever the focus stops, it can be seen."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests import build
from tests.browser.test_pages import LAB_SECONDS, local_job, text_of, wait_for_end
from tests.lab import Lab, eventually

MOST_STOPS = 200  # of the Tab key on one page

FOCUSED = """() => {
    const element = document.activeElement;
    if (element === document.body) return { name: "nothing", isSeen: true };
    const shown = [element, element.parentElement].map(each => getComputedStyle(each));
    const box = element.getBoundingClientRect();
    return {
        name: element.outerHTML.slice(0, 200),
        isSeen: shown.some(each => each.outlineStyle !== "none" && parseFloat(each.outlineWidth) > 0)
            && box.width > 0 && box.height > 0,
    };
}"""

pytestmark = pytest.mark.lab


class Hands:
    """Somebody at the keyboard."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def press(self, *keys: str, times: int = 1) -> None:
        for key in keys * times:
            self.page.keyboard.press(key)

    def type(self, text: str) -> None:
        self.page.keyboard.type(text)

    def reach(self, target: Locator) -> None:
        """Tab to it, and see at every stop where the focus is."""
        expect(target).to_be_visible()
        for _ in range(MOST_STOPS):
            self.press("Tab")
            stop = self.page.evaluate(FOCUSED)
            assert stop["isSeen"], f"nobody sees that this has the focus: {stop['name']}"
            if has_focus(target):
                return
        raise AssertionError(f"Tab never leads to {target}")

    def use(self, role: str, name: str | re.Pattern[str]) -> None:
        """Tab to a link or button, and press it."""
        self.reach(self.page.get_by_role(role, name=name, exact=True).first)  # type: ignore[arg-type]
        self.press("Enter")

    def log_in(self, lab: Lab, to: str) -> None:
        self.page.goto(f"{lab.url}/login/?next={to}")
        self.reach(self.page.get_by_label("User name"))
        self.type("admin")
        self.press("Tab")
        self.type(lab.password)
        self.press("Enter")
        self.page.wait_for_url(f"{lab.url}{to}")

    def replace_line(self, editor: Locator, old: str, new: str) -> None:
        """In a text that has the focus: down to the line, and over it."""
        lines = editor.input_value().split("\n")
        (number,) = (number for number, line in enumerate(lines) if line.strip() == old)
        self.press("Control+Home")
        self.press("ArrowDown", times=number)
        self.press("Home", "Shift+End")
        self.type(lines[number].replace(old, new))


@pytest.fixture
def hands(page: Page) -> Hands:
    return Hands(page)


def has_focus(target: Locator) -> bool:
    """Asked at once: a part that lives may replace its elements between two questions."""
    return target.and_(target.page.locator(":focus")).count() == 1


def test_the_failing_example_is_submitted_understood_mended_and_run_again(hands: Hands, lab: Lab) -> None:
    page = hands.page
    hands.log_in(lab, "/submit/")
    hands.use("link", "failing")
    expect(page.get_by_label("Definition")).to_have_value(re.compile("A failing test"))
    hands.use("button", "Submit")
    page.wait_for_url(re.compile(r"/job/\d+/$"))
    wait_for_end(page, "Incomplete")

    hands.press("e")
    expect(page.get_by_role("complementary")).to_contain_text("checksums")
    assert has_focus(page.locator("[data-failure]").first)
    assert "ERROR: block 23" in text_of(page)

    hands.use("link", "Edit and run")
    editor = page.get_by_label("Definition")
    hands.reach(editor)
    hands.replace_line(editor, 'if [ "$block" -eq 23 ]; then', 'if [ "$block" -eq 99 ]; then')
    hands.replace_line(
        editor, '- lava-test-raise "block 23 is damaged, the other tests need it"', "- echo all is well"
    )
    hands.use("button", "Submit")
    page.wait_for_url(re.compile(r"/job/\d+/$"))
    wait_for_end(page)
    assert eventually(lambda: "all is well" in text_of(page))


def test_a_device_is_taken_out_with_a_reason_and_brought_back(hands: Hands, lab: Lab) -> None:
    page = hands.page
    hands.log_in(lab, "/")
    hands.press("g", "d")
    page.wait_for_url(f"{lab.url}/devices/")
    hands.use("link", "local-02")
    page.wait_for_url(f"{lab.url}/device/local-02/")

    hands.reach(page.get_by_label("Reason", exact=True))
    hands.type("a new fan")
    hands.use("button", "Take out local-02")
    expect(page.get_by_role("main")).to_contain_text("a new fan")
    expect(page.get_by_role("button", name="Bring back local-02")).to_be_visible()

    hands.use("button", "Bring back local-02")
    expect(page.get_by_role("button", name="Take out local-02")).to_be_visible()


def test_a_running_job_is_canceled_with_a_reason_and_the_focus_stays_while_it_runs(
    hands: Hands, lab: Lab
) -> None:
    page = hands.page
    hands.log_in(lab, "/submit/")
    hands.reach(page.get_by_label("Definition"))
    page.keyboard.insert_text(local_job("to be canceled", "for i in $(seq 100); do echo $i; sleep 0.5; done"))
    hands.use("button", "Submit")
    page.wait_for_url(re.compile(r"/job/\d+/$"))

    hands.reach(page.locator("#cancel-why"))
    assert eventually(lambda: "\n4\n" in text_of(page), LAB_SECONDS)
    assert has_focus(page.locator("#cancel-why"))

    hands.press("Enter")
    hands.reach(page.locator("#reason"))
    hands.type("the wrong board")
    hands.press("Enter")
    wait_for_end(page, "Canceled")
    expect(page.locator("#job-head")).to_contain_text("the wrong board")


def test_the_list_of_jobs_is_narrowed_and_widened_and_the_focus_is_never_lost(hands: Hands, lab: Lab) -> None:
    page = hands.page
    definition = build.definition("find me", device_type="local", steps=("true",)).encode()
    lab.request("POST", "/api/v1/jobs/", definition, "application/yaml")
    hands.log_in(lab, "/jobs/")

    hands.press("/")
    hands.type("find me")
    page.wait_for_url(re.compile("q=find"))
    expect(page.locator("#found tbody tr")).to_have_count(1)
    assert has_focus(page.get_by_role("searchbox"))

    hands.reach(page.get_by_label("Device type"))
    hands.press("ArrowDown")
    page.wait_for_url(re.compile("type=local"))
    assert has_focus(page.get_by_label("Device type"))

    hands.use("link", "Canceled")
    page.wait_for_url(re.compile("status=canceled"))
    expect(page.locator("#status-canceled")).to_have_attribute("aria-current", "true")
    assert has_focus(page.locator("#status-canceled"))

    hands.use("link", re.compile("find me.*Remove"))
    page.wait_for_url(lambda address: "q=" not in address or "q=&" in address)
    # What had the focus is gone.
    assert eventually(lambda: page.evaluate("document.activeElement !== document.body"))


def test_every_way_of_the_navigation_begins_with_skipping_it(hands: Hands, lab: Lab) -> None:
    hands.page.goto(f"{lab.url}/jobs/")

    hands.press("Tab")
    expect(hands.page.get_by_role("link", name="Skip to the content")).to_be_in_viewport()
    hands.press("Enter")
    hands.press("Tab")

    assert hands.page.evaluate("document.querySelector('main').contains(document.activeElement)")
