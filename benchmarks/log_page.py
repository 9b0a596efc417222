"""The log in its page, in a real Chromium: big logs, busy logs, many tabs. Run: python -m benchmarks.log_page

`--megabytes 100` is the size of the finished log, `--seconds 60` how long a job writes 1,000 lines a second. Figures
stand beside their targets; the text that is shown is compared with the file.
"""

from __future__ import annotations

import argparse
import os
import socket
import time
from datetime import datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import Any

from playwright.sync_api import Browser, Page

from benchmarks import throwaway
from benchmarks.browser import chromium
from benchmarks.processes import forked, serve, wait_until_it_answers

BATCH = 10_000  # records
TABS = 20
TEXT = "document.querySelector('[data-log-lines]').textContent"
VIEW = "document.querySelector('[data-log-view]')"
NUMBERED = "() => document.querySelector('[data-log-lines] [data-at]') && performance.now()"
# From a line's being drawn to its being laid out, of a log that is this large already; and the longest pause meanwhile.
DRAW = """async megabytes => {
    const { linesIn } = await import("/static/js/log-lines.js");
    const element = document.querySelector("[data-log-lines]");
    const lines = linesIn(element, () => {});
    lines.clear(1);
    const piece = Array.from({ length: 800 }, (_, at) => `[ ${at}.000000] usb 1-1.${at % 7}: a line that a kernel says ${at} xx\\n`).join("");
    const spent = [];
    let size = 0;
    while (size < megabytes * 1e6) {
        const began = performance.now();
        lines.append(piece);
        spent.push(performance.now() - began);
        size += piece.length;
        if (spent.length % 20 === 0) await new Promise(requestAnimationFrame);
    }
    const drawn = size / 1e3 / spent.reduce((a, b) => a + b);
    const view = element.parentElement;
    const layout = [];
    for (let round = 0; round < 30; round++) {
        await new Promise(requestAnimationFrame);
        const began = performance.now();
        lines.append("one more line\\n");
        view.scrollTop = view.scrollHeight;
        layout.push(performance.now() - began);
    }
    return { drawn, longest: Math.max(...spent), append: layout.sort((a, b) => a - b)[15] };
}"""
# The same lines as elements of a document, which is all that this machine's browser could draw if nothing were to be read.
BARE = """megabytes => {
    const line = "[ 400.000000] usb 1-1.1: a line that a kernel says 400 xx\\n";
    let size = 0;
    const began = performance.now();
    while (size < megabytes * 1e6) {
        const block = document.createElement("pre");
        const spans = Array.from({ length: 500 }, () => document.createElement("span"));
        for (const span of spans) span.textContent = line;
        block.append(...spans);
        document.body.append(block);
        size += 500 * line.length;
    }
    return size / 1e3 / (performance.now() - began);
}"""
# From the choice to the frame in which all that is on the screen has its time.
TOGGLE = """() => new Promise(done => {
    const began = performance.now();
    document.querySelector("[value=utc]").click();
    requestAnimationFrame(() => setTimeout(() => done(performance.now() - began)));
})"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=100)
    parser.add_argument("--seconds", type=int, default=60)
    given = parser.parse_args()
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"  # Playwright has an event loop in this thread
    with throwaway.lab():
        measure(given.megabytes, given.seconds)


def measure(megabytes: int, seconds: int) -> None:
    from django.db import connections

    from jobs.states import State
    from tests import build

    big = build.job(state=State.FINISHED, device="qemu01")
    count = fill(big.log_directory(), megabytes)
    busy = build.job(state=State.RUNNING, device="qemu02")
    connections.close_all()
    listener = socket.create_server(("127.0.0.1", 0), backlog=100)
    site = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with forked(lambda: serve(listener)), chromium() as browser:
        listener.close()
        wait_until_it_answers(int(site.rpartition(":")[2]))
        print(f"load {os.getloadavg()[0]:.1f}; a log of {megabytes} MB, {count:,} lines")
        big_log(browser, f"{site}/job/{big.pk}/", count, big.log_directory())
        drawing(browser, f"{site}/job/{big.pk}/")
        many_tabs(browser, site, f"/job/{busy.pk}/")
        busy_log(browser, f"{site}/job/{busy.pk}/", busy.log_directory(), seconds)


def report(what: str, figure: float, unit: str, target: float, *, at_least: bool = False) -> None:
    met = figure >= target if at_least else figure <= target
    word = "at least" if at_least else "at most"
    print(f"{what:58} {figure:9,.1f} {unit:5} ({word} {target:,.0f}){'' if met else '  MISSED'}", flush=True)


def big_log(browser: Browser, address: str, count: int, directory: Path) -> None:
    page = browser.new_page()
    asked: list[int] = []
    page.on("response", lambda response: asked.append(int(response.headers.get("content-length", 0))))
    page.goto(address)
    report("L20 the end of it is on the screen", _settled(page, NUMBERED), "ms", 1_000)
    report("L28 times are shown", page.evaluate(TOGGLE), "ms", 50)
    middle = count // 2
    began = time.monotonic()
    page.evaluate(f"location.hash = 'L{middle}'")
    page.locator(".marked").wait_for()
    report("L26 a line in its middle is gone to", (time.monotonic() - began) * 1000, "ms", 500)
    report("    loaded for all this", sum(asked) / 1e6, "MB", 3)
    shown = page.evaluate(TEXT)
    print(
        "    the text is the file's"
        if shown.encode() in _around(directory, middle, count)
        else "    THE TEXT IS NOT THE FILE'S"
    )
    began = time.monotonic()
    page.get_by_role("searchbox").fill(f"number {middle}")
    page.wait_for_function("() => document.querySelector('output').textContent === '1'")
    report(
        "L27 the whole log is searched, from the last key on", (time.monotonic() - began) * 1000, "ms", 450
    )
    page.close()


def drawing(browser: Browser, address: str) -> None:
    for megabytes, limit in ((10, 2), (100, 5)):
        page = browser.new_page()
        page.goto(address)
        page.locator("[data-at]").first.wait_for()
        found: dict[str, float] = page.evaluate(DRAW, megabytes)
        page.goto("about:blank")
        bare: float = page.evaluate(BARE, megabytes)
        report(f"L24 drawn, of {megabytes} MB", found["drawn"], "MB/s", 50, at_least=True)
        print(f"    {'lines that nobody reads, as bare elements':54} {bare:9,.1f} MB/s", flush=True)
        report(f"L20 a line more behind {megabytes} MB, laid out", found["append"], "ms", limit)
        report("    the longest pause while it came", found["longest"], "ms", 100)
        page.close()


def many_tabs(browser: Browser, site: str, path: str) -> None:
    context = browser.new_context()
    for _ in range(TABS):
        tab = context.new_page()
        tab.goto(site + path)
        tab.get_by_text("Live", exact=True).wait_for()
    began = time.monotonic()
    context.new_page().goto(f"{site}/jobs/")
    report(f"L23 one more page beside {TABS} tabs", (time.monotonic() - began) * 1000, "ms", 1_000)
    context.close()


def busy_log(browser: Browser, address: str, directory: Path, seconds: int) -> None:
    from tests.jobs.log_live.writing import write_busily

    page = browser.new_page()
    page.goto(address)
    page.get_by_text("Live", exact=True).wait_for()
    writer = Thread(target=write_busily, args=(directory, seconds))
    writer.start()
    page.wait_for_timeout(seconds * 500)
    page.locator("[data-log-view]").hover()
    page.mouse.wheel(0, -2_000)
    page.wait_for_timeout(500)
    place = page.evaluate(f"{VIEW}.scrollTop")
    while writer.is_alive():
        page.wait_for_timeout(100)
    writer.join()
    whole = (directory / "output.log").read_text()
    began = time.monotonic()
    page.wait_for_function(f"() => {TEXT}.length >= {len(whole)}", timeout=120_000)
    report(
        "L5  the last of 1,000 lines a second is there after", (time.monotonic() - began) * 1000, "ms", 300
    )
    report("L22 what was read has moved", abs(page.evaluate(f"{VIEW}.scrollTop") - place), "px", 0)
    print("    the text is the file's" if page.evaluate(TEXT) == whole else "    THE TEXT IS NOT THE FILE'S")
    page.close()


def fill(directory: Path, megabytes: int) -> int:
    """Writes a log of this size. How many lines it has."""
    from jobs import logs
    from jobs.logs import Record

    number, begin = 0, datetime(2026, 3, 1, 12)
    while logs.size(directory) < megabytes * 1_000_000:
        batch = [
            Record(
                time=begin + timedelta(milliseconds=each),
                level="target",
                message=f"[ {each / 1000:12.6f}] this is number {each} of the lines, and it goes on for a while longer",
            )
            for each in range(number, number + BATCH)
        ]
        logs.append(directory, number, batch)
        number += BATCH
    return number


def _settled(page: Page, condition: str) -> float:
    told: Any = page.wait_for_function(condition).json_value()
    return float(told)


def _around(directory: Path, middle: int, count: int) -> bytes:
    """A tenth of the file, about its middle."""
    size = (directory / "output.log").stat().st_size
    with (directory / "output.log").open("rb") as file:
        file.seek(int(size * (middle / count - 0.05)))
        return file.read(size // 10)


if __name__ == "__main__":
    main()
