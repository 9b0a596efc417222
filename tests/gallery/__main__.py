"""Take a picture of every page: `make screenshots`, or `python -m tests.gallery [--only WORDS]`.

They land in build/screenshots as <page>-<lab>-<width>-<scheme>.png, and those that the README shows in docs/images.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from playwright.sync_api import Page as Window
from playwright.sync_api import sync_playwright

from tests.gallery.lab import KINDS, serving
from tests.gallery.pages import CHROMIUM, PAGES, SCHEMES, WIDTHS, Page, Windows, dress

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "build" / "screenshots"
IMAGES = ROOT / "docs" / "images"


class Picture(NamedTuple):
    page: str
    lab: str
    width: int
    scheme: str


SHOWN = {  # in the README, by what it calls them
    Picture("job-failed", "full", 1400, "light"): "failed-job",
    Picture("home", "full", 1400, "dark"): "lab-now",
}
README_HEIGHT = 760  # pixels


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.gallery", description=__doc__)
    parser.add_argument("--only", metavar="WORDS", default="", help="pages with this in their names")
    words = parser.parse_args().only
    for directory in (PICTURES, IMAGES):
        directory.mkdir(parents=True, exist_ok=True)
    with _windows() as windows:
        for page in PAGES:
            if words in page.name:
                _take_all(windows, page)
    print(f"{len(list(PICTURES.glob('*.png')))} pictures in {PICTURES.relative_to(ROOT)}")  # noqa: T201


@contextmanager
def _windows() -> Iterator[Windows]:
    with ExitStack() as stack:
        labs = {}
        for kind in KINDS:
            directory = stack.enter_context(tempfile.TemporaryDirectory(prefix=f"lava-lite-{kind}-"))
            labs[kind] = stack.enter_context(serving(Path(directory), kind))
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        stack.callback(browser.close)
        yield Windows(browser, labs)


def _take_all(windows: Windows, page: Page) -> None:
    for kind in page.kinds:
        window = windows.show(page, kind)
        for width in WIDTHS:
            for scheme in SCHEMES:
                dress(window, width=width, scheme=scheme)
                _take(window, Picture(page.name, kind, width, scheme))


def _take(window: Window, picture: Picture) -> None:
    path = PICTURES / f"{'-'.join(map(str, picture))}.png"
    window.screenshot(path=path, full_page=True, animations="disabled")
    if picture in SHOWN:
        _take_for_readme(window, SHOWN[picture])


def _take_for_readme(window: Window, name: str) -> None:
    """Its upper part, since a README is read, not scrolled."""
    width = window.evaluate("innerWidth")
    window.screenshot(
        path=IMAGES / f"{name}.png",
        animations="disabled",
        clip={"x": 0, "y": 0, "width": width, "height": README_HEIGHT},
    )


if __name__ == "__main__":
    main()
