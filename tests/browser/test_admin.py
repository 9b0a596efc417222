"""The admin site of a running lab: under the strict policy for scripts and styles, and heard of outside."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import zmq
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.build import PASSWORD
from tests.lab import Lab, eventually

PAGES = (
    "/admin/",
    "/admin/devices/device/",
    "/admin/devices/device/add/",
    "/admin/devices/device/local-01/change/",
    "/admin/devices/worker/local/change/",
    "/admin/devices/devicetype/local/change/",
    "/admin/devices/healthchange/",
    "/admin/auth/user/1/change/",
    "/admin/auth/group/add/",
    "/admin/admin/logentry/",
    "/admin/jobs/job/",
    "/admin/jobs/job/1/change/",
    "/admin/events/event/",
    "/admin/accounts/token/add/",
)
# What Django's own widgets do: a tooltip in a label, and a column of delete boxes without a heading.
DJANGOS = ("aria-prohibited-attr", "empty-table-header")


@pytest.fixture
def site(page: Page, lab: Lab) -> Page:
    """An administrator at the admin site."""
    log_in(page, lab)
    return page


def log_in(page: Page, lab: Lab) -> None:
    page.goto(f"{lab.url}/admin/")
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill(lab.password)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("button", name="Log out")).to_be_visible()


@pytest.fixture
def subscriber(lab: Lab) -> Iterator[zmq.Socket[bytes]]:
    context = zmq.Context()
    socket = context.socket(zmq.SUB)
    socket.setsockopt(zmq.SUBSCRIBE, b"")
    socket.connect(lab.zmq)
    yield socket
    context.destroy(linger=0)


class Heard:
    """What a subscriber has heard so far."""

    def __init__(self, socket: zmq.Socket[bytes]) -> None:
        self._socket = socket
        self._payloads: list[dict[str, Any]] = []

    def of_device(self, name: str) -> list[dict[str, Any]]:
        while self._socket.poll(0):
            self._payloads.append(json.loads(self._socket.recv_multipart()[4]))
        return [each for each in self._payloads if each.get("device") == name and "job" not in each]


def change_health(site: Page, lab: Lab, name: str, button: str, reason: str) -> None:
    site.goto(f"{lab.url}/admin/devices/device/{name}/change/")
    site.get_by_role("button", name=button).click()
    site.get_by_label("Reason").fill(reason)
    site.locator("input[type=submit]").click()
    expect(site.locator(".messagelist .success")).to_contain_text(name)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_asks_for_a_script_or_style_that_the_policy_forbids(
    site: Page, lab: Lab, scheme: Any
) -> None:
    site.emulate_media(color_scheme=scheme)
    missing: list[str] = []
    site.on("response", lambda response: missing.append(response.url) if response.status >= 400 else None)

    for address in PAGES:
        site.goto(f"{lab.url}{address}", wait_until="networkidle")

    assert missing == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_that_is_ours(chromium: Browser, lab: Lab, scheme: Any) -> None:
    # axe writes styles into the page that the policy would forbid.
    context = chromium.new_context(bypass_csp=True, color_scheme=scheme)
    page = context.new_page()
    log_in(page, lab)

    found = {}
    for address in PAGES:
        page.goto(f"{lab.url}{address}")
        report = Axe().run(page, options={"rules": {rule: {"enabled": False} for rule in DJANGOS}})
        found[address] = [
            (each["id"], node["target"]) for each in report.response["violations"] for node in each["nodes"]
        ]
    context.close()

    assert {address: faults for address, faults in found.items() if faults} == {}


def test_no_page_is_wider_than_a_phone(site: Page, lab: Lab) -> None:
    site.set_viewport_size({"width": 390, "height": 800})
    widths = {}
    for address in PAGES:
        site.goto(f"{lab.url}{address}")
        widths[address] = site.evaluate("document.documentElement.scrollWidth")

    assert {address: width for address, width in widths.items() if width > 390} == {}


def test_the_first_page_leads_to_a_new_user_who_can_log_in(site: Page, lab: Lab, chromium: Browser) -> None:
    site.goto(f"{lab.url}/admin/")
    site.get_by_role("link", name="Add to users").click()
    site.get_by_label("Username").fill("carol")
    site.get_by_label("Password:", exact=True).fill(PASSWORD)
    site.get_by_label("Password confirmation").fill(PASSWORD)
    site.get_by_role("button", name="Save", exact=True).click()
    expect(site.locator(".messagelist .success")).to_contain_text("carol")

    hers = chromium.new_context()
    page = hers.new_page()
    page.goto(f"{lab.url}/login/")
    page.locator("input[name=username]").fill("carol")
    page.locator("input[name=password]").fill(PASSWORD)
    page.locator("main").get_by_role("button", name="Log in").click()
    page.wait_for_url(f"{lab.url}/")
    hers.close()


def test_a_device_put_into_maintenance_in_the_admin_site_is_heard_on_zmq(
    site: Page, lab: Lab, subscriber: zmq.Socket[bytes]
) -> None:
    heard = Heard(subscriber)
    # A SUB socket hears nothing before it is connected, so another device is moved until it is heard of.
    for number in range(10):
        change_health(site, lab, "local-02", "Bring back as good", f"try {number}")
        if eventually(lambda: heard.of_device("local-02"), seconds=1.0):
            break

    change_health(site, lab, "local-03", "Take out for maintenance", "new power supply")
    change_health(site, lab, "local-03", "Bring back as good", "has it")

    assert eventually(lambda: len(heard.of_device("local-03")) == 2)
    told = [(each["health"], each["reason"]) for each in heard.of_device("local-03")]
    assert told == [("Maintenance", "new power supply"), ("Good", "has it")]
