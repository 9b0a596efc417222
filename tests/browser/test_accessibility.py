"""axe finds nothing on any page: in both themes, on a desk and on a phone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser
from playwright.sync_api import Page as Window

from tests.gallery import lab as gallery
from tests.gallery.pages import ADMIN, PAGES, SCHEMES, WIDTHS, Page, Windows, dress

pytestmark = pytest.mark.lab

COLOURS = "color-contrast"
# What the widgets of Django's own admin site do: a tooltip in a label, and a column of boxes without a heading.
DJANGOS = ("aria-prohibited-attr", "empty-table-header")
# Whatever has to do with colours is looked at in both themes, all else in one, as a theme changes nothing but colours.
LOOKS = Path(__file__).with_name("looks.js").read_text()
RUN = """options => axe.run(%s, {resultTypes: ["violations"], ...options}).then(found => found.violations)"""
EVERYWHERE = RUN % "document"
WHAT_DIFFERS = RUN % f"{{include: {LOOKS.strip()}}}"


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


@pytest.fixture
def window(chromium: Browser) -> Iterator[Window]:
    with chromium.new_context(viewport={"width": 1000, "height": 700}) as context:
        yield context.new_page()


def faults(window: Window, scheme: str, page: Page) -> Iterator[str]:
    yield from told(window.evaluate(WHAT_DIFFERS, {"runOnly": [COLOURS]}))
    if scheme == SCHEMES[0]:
        left_out = (COLOURS, *DJANGOS) if page in ADMIN else (COLOURS,)
        rules = {rule: {"enabled": False} for rule in left_out}
        yield from told(window.evaluate(EVERYWHERE, {"rules": rules}))


def told(found: list[dict[str, Any]]) -> list[str]:
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
        window.evaluate(AXE_SCRIPT)
        for width in WIDTHS:
            for scheme in SCHEMES:
                dress(window, width=width, scheme=scheme)
                for fault in faults(window, scheme, page):
                    found[fault].append(f"{kind}, {width} px, {scheme}")

    assert not found, "\n".join(f"{'; '.join(looks)}: {fault}" for fault, looks in found.items())


WORD = '<p style="color: #111">word</p>'
ROW = f"<div>{WORD}</div>"
PALE_WORD = '<p style="color: #ddd">pale</p>'
PALE = f"<div>{PALE_WORD}</div>"
ON_A_NEIGHBOUR = """<div style="position: relative"><div style="background: #222; height: 40px"></div>
    <p style="color: #111; position: absolute; top: 0; margin: 0">word</p></div>"""


@pytest.mark.parametrize(
    "beside",
    [
        pytest.param(PALE, id="by its colour"),
        pytest.param(f'<div style="background: #222">{WORD}</div>', id="by its background"),
        pytest.param(f'<div style="opacity: 0.2">{WORD}</div>', id="by its opacity"),
        pytest.param(ON_A_NEIGHBOUR, id="by its place"),
        pytest.param(f"{PALE}<details><summary>more</summary>{PALE_WORD}</details>", id="by being shown"),
    ],
)
def test_text_that_is_hard_to_read_is_found_among_many_alike(window: Window, beside: str) -> None:
    window.set_content(f"<body style='background: #fff'>{ROW * 50}{beside}{ROW * 50}</body>")
    window.evaluate(AXE_SCRIPT)

    found = told(window.evaluate(WHAT_DIFFERS, {"runOnly": [COLOURS]}))

    assert len(found) == 1
    assert found[0].startswith(f"{COLOURS}: <p")


def test_of_many_alike_one_is_looked_at(window: Window) -> None:
    window.set_content(f"<body style='background: #fff'>{ROW * 50}</body>")

    assert window.evaluate(f"{LOOKS.strip()}.length") == 1
