"""axe finds nothing on any page: in both themes, on a desk and on a phone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser
from playwright.sync_api import Page as Window

from tests.gallery import lab as gallery
from tests.gallery.pages import ADMIN, PAGES, SCHEMES, WIDTHS, Page, Windows, dress

pytestmark = pytest.mark.lab

EVERYTHING: dict[str, Any] = {"resultTypes": ["violations"]}
# What the widgets of Django's own admin site do: a tooltip in a label, and a column of boxes without a heading.
DJANGOS = {rule: {"enabled": False} for rule in ("aria-prohibited-attr", "empty-table-header")}
COLOURS = EVERYTHING | {"runOnly": ["color-contrast"]}
axe = Axe()


@pytest.fixture(scope="module")
def windows(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Windows]:
    with (
        gallery.serving(tmp_path_factory.mktemp("full"), "full") as full,
        gallery.serving(tmp_path_factory.mktemp("empty"), "empty") as empty,
    ):
        # The policy of the pages is for their own scripts; axe is let in beside it.
        shown = Windows(chromium, {"full": full, "empty": empty}, bypass_csp=True)
        yield shown
        shown.close()


def faults(window: Window, options: dict[str, Any]) -> list[str]:
    found: list[dict[str, Any]] = axe.run(window, options=options).response["violations"]
    return [
        f"{fault['id']}: {node['html'][:160]}\n    {node['failureSummary']}"
        for fault in found
        for node in fault["nodes"]
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_axe_finds_nothing(windows: Windows, page: Page) -> None:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for kind in page.kinds:
        window = windows.show(page, kind)
        for width in WIDTHS:
            for scheme in SCHEMES:
                dress(window, width=width, scheme=scheme)
                # A theme changes nothing but colours.
                options = EVERYTHING if scheme == "light" else COLOURS
                rules = {"rules": DJANGOS} if page in ADMIN and scheme == "light" else {}
                for fault in faults(window, options | rules):
                    found[fault].append(f"{kind}, {width} px, {scheme}")

    assert not found, "\n".join(f"{'; '.join(looks)}: {fault}" for fault, looks in found.items())
