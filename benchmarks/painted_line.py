"""How late a line of a job's output is on the screen of who watches it. Run: python -m benchmarks.painted_line"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from statistics import quantiles

from playwright.sync_api import Page, sync_playwright

from tests.lab import Lab

LINES = 60
# Each line is the time at which it was written; the pauses are no multiple of any interval of the page.
JOB = f"""
job_name: watched
device_type: local
visibility: public
timeouts: {{job: {{minutes: 3}}, action: {{minutes: 3}}}}
actions:
  - test:
      definitions:
        - from: inline
          name: times
          path: inline/times.yaml
          repository:
            metadata: {{format: Lava-Test Test Definition 1.0, name: times}}
            run:
              steps:
                - i=0; while [ $i -lt {LINES} ]; do echo "at $(date +%s%3N)"; sleep 0.$((i * 7 % 10))37; i=$((i + 1)); done
"""
# Notes for each line when the frame that has it was painted.
OBSERVE = """
    window.late = [];
    const seen = new Set();
    new MutationObserver(() => requestAnimationFrame(() => {
        const now = Date.now();
        const text = document.querySelector("[data-log-lines]").textContent;
        for (const [line, at] of text.matchAll(/^at (\\d+)$/gm)) {
            if (!seen.has(line)) window.late.push(now - Number(at));
            seen.add(line);
        }
    })).observe(document.querySelector("[data-log-lines]"), { childList: true, subtree: true });
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        lab = Lab(Path(name))
        lab.start()
        try:
            late = sorted(watch(lab))
        finally:
            lab.stop()
    cuts = quantiles(late, n=20, method="inclusive")
    print(f"line to painted page: p50 {cuts[9]:.0f} ms, p95 {cuts[18]:.0f} ms, max {late[-1]:.0f} ms")
    print(f"({len(late)} lines; LAVA 2023.01 needs 4,600 ms in the middle and 9,100 ms at most)")


def watch(lab: Lab) -> list[float]:
    """Milliseconds for each line of a job that is watched in a browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page()
        submit(page, lab)
        page.evaluate(OBSERVE)
        page.get_by_text("Complete log").wait_for(timeout=180_000)
        late: list[float] = page.evaluate("window.late")
        browser.close()
    return late


def submit(page: Page, lab: Lab) -> None:
    page.goto(f"{lab.url}/login/?next=/submit/")
    page.get_by_label("User name").fill("admin")
    page.get_by_label("Password").fill(lab.password)
    page.locator("main").get_by_role("button", name="Log in").click()
    page.get_by_label("Definition").fill(JOB)
    page.get_by_role("button", name="Submit").click()
    page.wait_for_url("**/job/*/")


if __name__ == "__main__":
    main()
