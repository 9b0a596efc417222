"""A real Chromium, and what it looks at: a stub of a log, or a whole lab."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Playwright, sync_playwright

from tests.browser.stub import Stub
from tests.gallery.pages import CHROMIUM
from tests.lab import Lab

PATIENCE = 15_000  # milliseconds


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.browser)
            if CHROMIUM is None:
                item.add_marker(pytest.mark.skip(reason="needs a Chromium: apt-get install chromium"))


@pytest.fixture(scope="package")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="package")
def chromium(playwright: Playwright) -> Iterator[Browser]:
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
    yield browser
    browser.close()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A window; whatever its scripts or the policy of its page complain about fails the test."""
    context = chromium.new_context(viewport={"width": 1000, "height": 700})
    context.set_default_timeout(PATIENCE)
    window = context.new_page()
    complaints: list[str] = []
    window.on("pageerror", lambda error: complaints.append(str(error)))
    window.on("dialog", lambda dialog: (complaints.append(dialog.message), dialog.dismiss()))
    window.on(
        "console",
        lambda message: complaints.append(message.text) if "Security Policy" in message.text else None,
    )
    yield window
    context.close()
    assert complaints == []


@pytest.fixture
def stub() -> Iterator[Stub]:
    with Stub().serving() as serving:
        yield serving


@pytest.fixture(scope="package")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One lab for all of these tests, as starting it takes longer than looking at it."""
    running = Lab(tmp_path_factory.mktemp("lab"))
    running.start()
    yield running
    running.stop()
