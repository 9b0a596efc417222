"""The page of events in a running lab."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_pages import log_in
from tests.lab import Lab, eventually

pytestmark = pytest.mark.lab


def take_out(lab: Lab, device: str, health: str) -> None:
    body = json.dumps({"health": health, "reason": "a look at the events"}).encode()
    status, _ = lab.request("POST", f"/api/v1/devices/{device}/health/", body, "application/json")
    assert status == 200


def test_what_happens_is_shown_as_soon_as_the_stream_tells_of_it(page: Page, lab: Lab) -> None:
    log_in(page, lab, "/events/")
    page.goto(f"{lab.url}/events/?filter=device.%23")
    page.evaluate("window.heard = 0; addEventListener('events:heard', () => { window.heard += 1 })")
    take_out(lab, "local-02", "Maintenance")

    assert eventually(lambda: page.evaluate("window.heard"))
    expect(page.locator("#events tbody tr").first).to_contain_text("Good → Maintenance")
    page.locator("#events tbody tr").first.get_by_role("link").first.click()
    expect(page.get_by_role("heading", name="As a CloudEvent")).to_be_visible()
    take_out(lab, "local-02", "Good")


def test_a_filter_that_is_typed_is_in_the_address(page: Page, lab: Lab) -> None:
    log_in(page, lab, "/events/")
    page.get_by_role("searchbox", name="Filter").fill("worker.#")
    page.get_by_role("button", name="Show").click()

    page.wait_for_url("**/events/?filter=worker.%23")
    expect(page.locator("#events tbody tr").first).to_contain_text("worker.")
