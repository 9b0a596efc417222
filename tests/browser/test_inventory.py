"""The morning round of a lab's administrator, in a running lab."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.browser.test_pages import log_in
from tests.lab import Lab

pytestmark = pytest.mark.lab

CLICKS = (
    "addEventListener('click', () => sessionStorage.clicks = Number(sessionStorage.clicks || 0) + 1, true)"
)


def clicks(page: Page) -> int:
    return int(page.evaluate("sessionStorage.clicks"))


def choose(page: Page, *names: str) -> None:
    for name in names:
        page.get_by_label(f"Choose {name}").check()


def change(page: Page, deed: str, reason: str = "") -> None:
    page.get_by_label("Reason", exact=True).fill(reason)
    page.get_by_role("button", name=f"{deed} the chosen devices").click()


def bring_back(page: Page, lab: Lab) -> None:
    page.goto(f"{lab.url}/devices/")
    page.get_by_label("All shown").check()
    change(page, "Bring back")
    expect(page.get_by_role("status").filter(has_text="Brought back")).to_be_visible()


def test_a_device_is_taken_out_and_brought_back_in_three_clicks_each(page: Page, lab: Lab) -> None:
    log_in(page, lab, "/")
    page.add_init_script(CLICKS)
    page.reload()

    page.get_by_role("link", name="Devices", exact=True).click()
    page.get_by_role("link", name="local-03").click()
    page.get_by_label("Reason").type("new fan on Tuesday")
    page.get_by_role("button", name="Take out local-03").click()

    expect(page.locator("#device-head")).to_contain_text("new fan on Tuesday")
    assert clicks(page) == 3
    page.goto(f"{lab.url}/")
    expect(page.locator("#lab")).to_contain_text("new fan on Tuesday")
    page.get_by_role("link", name="local-03").click()
    page.get_by_role("button", name="Bring back local-03").click()
    expect(page.locator("#device-head .status.pill").first).to_have_text("Good")
    assert clicks(page) == 5


def test_what_is_chosen_and_typed_outlives_the_renewal_of_the_list(page: Page, lab: Lab) -> None:
    log_in(page, lab, "/devices/")
    choose(page, "local-01", "local-03")
    page.get_by_label("Reason", exact=True).fill("the whole shelf")
    page.evaluate("document.getElementById('devices').dataset.old = 'yes'")

    other = page.context.new_page()
    other.goto(f"{lab.url}/device/local-02/")
    other.get_by_label("Reason").fill("changed by somebody else")
    other.get_by_role("button", name="Take out local-02").click()

    expect(page.locator("#devices")).to_contain_text("changed by somebody else")
    expect(page.locator("#devices[data-old]")).to_have_count(0)
    expect(page.get_by_text("2 chosen")).to_be_visible()
    change(page, "Take out", "the whole shelf")
    expect(page.get_by_role("status").filter(has_text="Taken out: local-01, local-03.")).to_be_visible()
    other.close()
    bring_back(page, lab)


def test_the_list_is_live_for_who_stands_on_a_box(page: Page, lab: Lab) -> None:
    log_in(page, lab, "/devices/")
    choose(page, "local-01")
    other = page.context.new_page()
    other.goto(f"{lab.url}/device/local-02/")

    other.get_by_label("Reason").fill("seen at once")
    other.get_by_role("button", name="Take out local-02").click()

    expect(page.locator("#devices")).to_contain_text("seen at once")
    expect(page.get_by_label("Choose local-01")).to_be_focused()
    expect(page.get_by_label("Choose local-01")).to_be_checked()
    other.close()
    bring_back(page, lab)


def test_all_that_are_shown_are_chosen_by_one_box(page: Page, lab: Lab) -> None:
    log_in(page, lab, "/devices/")
    everything = page.get_by_label("All shown")

    expect(page.get_by_role("button", name="Take out the chosen devices")).to_be_hidden()
    choose(page, "local-01")
    assert everything.evaluate("box => box.indeterminate")
    everything.check()
    expect(page.get_by_text("3 chosen")).to_be_visible()
    everything.uncheck()

    expect(page.get_by_text("Choose devices above")).to_be_visible()
    expect(page.get_by_label("Choose local-01")).not_to_be_checked()


def test_devices_are_changed_by_keyboard_alone(page: Page, lab: Lab) -> None:
    log_in(page, lab, "/devices/")

    page.get_by_label("Choose local-02").focus()
    page.keyboard.press("Space")
    page.get_by_label("Reason", exact=True).focus()
    page.keyboard.type("by keyboard")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")

    expect(page.get_by_role("status").filter(has_text="Taken out: local-02.")).to_be_visible()
    bring_back(page, lab)


def test_retiring_is_asked_about(page: Page, lab: Lab) -> None:
    log_in(page, lab, "/devices/?sort=name")
    choose(page, "local-02")
    change(page, "Retire", "broken connector")

    expect(page.get_by_role("heading", name="Retire local-02?")).to_be_visible()
    expect(page.get_by_label("Reason")).to_have_value("broken connector")
    page.get_by_role("link", name="Change nothing").click()

    page.wait_for_url(f"{lab.url}/devices/?sort=name")
    expect(page.get_by_role("link", name="local-02")).to_be_visible()


def test_without_scripts_devices_are_chosen_and_changed(chromium: Browser, page: Page, lab: Lab) -> None:
    context = chromium.new_context(java_script_enabled=False)
    plain = context.new_page()
    log_in(plain, lab, "/devices/")

    choose(plain, "local-01", "local-02")
    change(plain, "Take out", "without scripts")

    expect(plain.locator(".messages")).to_have_text("Taken out: local-01, local-02.")
    choose(plain, "local-01", "local-02")
    change(plain, "Bring back")
    expect(plain.locator(".messages")).to_have_text("Brought back: local-01, local-02.")
    context.close()


def test_a_token_is_made_used_and_revoked(page: Page, lab: Lab) -> None:
    log_in(page, lab, "/tokens/")

    page.get_by_label("What is it for?").fill("browser test")
    page.get_by_role("button", name="Make the token").click()
    secret = page.locator("#secret").inner_text()
    works, _ = lab.get("/api/v0.2/jobs/", token=secret)
    page.get_by_role("link", name="Revoke browser test").click()
    page.get_by_role("button", name="Revoke").click()

    expect(page.get_by_role("status").filter(has_text="Revoked: browser test.")).to_be_visible()
    refused, _ = lab.get("/api/v0.2/jobs/", token=secret)
    assert (works, refused) == (200, 403)


PAGES = [
    "/devices/?health=ailing",
    "/device/local-01/",
    "/device-types/",
    "/device-type/local/",
    "/workers/",
    "/worker/local/",
    "/tokens/",
    "/account/",
    "/account/password/",
    "/login/",
]


@pytest.mark.parametrize("address", PAGES)
def test_no_page_of_the_inventory_is_wider_than_a_phone(chromium: Browser, lab: Lab, address: str) -> None:
    context = chromium.new_context(viewport={"width": 390, "height": 844})
    phone = context.new_page()
    log_in(phone, lab, "/devices/")
    phone.goto(f"{lab.url}{address}")

    overflow = phone.evaluate("document.documentElement.scrollWidth - innerWidth")

    context.close()
    assert overflow <= 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("address", PAGES)
def test_axe_finds_nothing_on_the_pages_of_the_inventory(
    chromium: Browser, lab: Lab, address: str, scheme: str
) -> None:
    context = chromium.new_context(color_scheme=scheme, bypass_csp=True)  # type: ignore[arg-type]
    page = context.new_page()
    log_in(page, lab, "/devices/")
    page.goto(f"{lab.url}{address}")

    found = Axe().run(page)

    context.close()
    assert [f"{each['id']}: {each['nodes'][0]['html']}" for each in found.response["violations"]] == []
