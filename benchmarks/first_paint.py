"""How soon a page is on the screen, on loopback, in a real Chromium. Run: python -m benchmarks.first_paint

Cold: with an empty cache, as the first visit of a day. Warm: with styles and scripts at hand.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from statistics import median

from playwright.sync_api import Browser, sync_playwright

from tests.gallery.lab import Lab, serving
from tests.gallery.pages import CHROMIUM, PRODUCT, Page, Windows

VISITS = 7
LIMIT = 300.0  # ms
# 0 until the browser has told of it, which may be after the load.
PAINTED = "() => (performance.getEntriesByName('first-contentful-paint')[0] || {startTime: 0}).startTime"


def main() -> None:
    missed = 0
    print(f"{'page':24} {'cold p50':>9} {'max':>6} {'warm p50':>9} {'max':>6}  ms")
    with (
        tempfile.TemporaryDirectory() as name,
        serving(Path(name), "full") as lab,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for page in PRODUCT:
            cold, warm = _visits(browser, lab, page)
            missed += max(median(cold), median(warm)) > LIMIT
            print(
                f"{page.name:24} {median(cold):9.0f} {max(cold):6.0f} {median(warm):9.0f} {max(warm):6.0f}",
                flush=True,
            )
        browser.close()
    print(f"{missed} of {len(PRODUCT)} pages take longer than {LIMIT:.0f} ms in the middle")


def _visits(browser: Browser, lab: Lab, page: Page) -> tuple[list[float], list[float]]:
    cold, warm = [], []
    for _ in range(VISITS):
        windows = Windows(browser, {"full": lab})
        cold.append(_first_paint(windows, page))
        warm.append(_first_paint(windows, page))
        windows.close()
    return cold, warm


def _first_paint(windows: Windows, page: Page) -> float:
    """Milliseconds from the click on."""
    painted = windows.show(page, "full").wait_for_function(PAINTED)
    return float(painted.json_value())


if __name__ == "__main__":
    main()
