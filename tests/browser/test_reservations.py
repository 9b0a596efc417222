"""A board developer takes a device for a while, in a running lab."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_pages import log_in
from tests.lab import Lab

pytestmark = pytest.mark.lab


def test_a_device_is_reserved_held_extended_and_released(page: Page, lab: Lab) -> None:
    log_in(page, lab, "/device/local-03/")

    page.get_by_role("link", name="Reserve", exact=True).click()
    page.get_by_label("What for?").fill("looking at the pins")
    page.get_by_role("button", name="Reserve").click()

    reservation = page.locator("#reservation")
    expect(reservation).to_contain_text("Held")
    expect(reservation).to_contain_text(re.compile(r"until \d\d:\d\d|until \d{4}-"))
    expect(reservation).to_contain_text("of 1 h")
    page.get_by_role("button", name="+30 min longer").click()
    expect(reservation).to_contain_text("of 1 h 30 min")
    mine = page.url
    page.goto(f"{lab.url}/devices/")
    expect(page.locator("#devices")).to_contain_text("held by admin until")
    expect(page.locator("#devices")).to_contain_text("looking at the pins")
    page.goto(mine)
    page.get_by_role("button", name="Release").click()
    expect(reservation).to_contain_text("Released by admin after")
    page.goto(f"{lab.url}/device/local-03/")
    expect(page.locator("#device-head")).to_contain_text("Idle")
