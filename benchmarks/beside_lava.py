"""The live log of a running LAVA beside ours, in one run: opened, watched in a real Chromium, and polled.

Run: python -m benchmarks.beside_lava http://127.0.0.1:8000 --job 12 --token TOKEN [--pid PID ...] [--sizes 0.1 1 2.5 10]

The job is one that LAVA holds to be running, with an empty log, and the token is the one of its worker: the log is
filled through the address that LAVA's own workers use, in LAVA as here. The pids are LAVA's web server and its database,
for the time that they compute. The third one in the table is the simplest viewer that can be: a page with one `<pre>`
that asks our log-tail each second.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from threading import Thread
from typing import Any
from urllib.parse import urlencode, urlsplit

from playwright.sync_api import Browser, Page, Route, TimeoutError

from benchmarks import throwaway
from benchmarks.browser import chromium
from benchmarks.processes import forked, serve, wait_until_it_answers
from benchmarks.throwaway import percentile

BATCH = 1_000  # lines of one post, as lava-run sends at most
OPENINGS = 3
OPENED_WITHIN = 60_000  # ms
LINES = 20  # that are watched
SHOWN_WITHIN = 15  # seconds, three of LAVA's polls
PAUSE = (
    0.5,
    3.0,
)  # seconds between two of them, at random, so that no timer of a page is met or missed each time
LOAD_SECONDS = 3.0
CROWD = 8  # clients at once
LINE = '- {{"dt": "2026-03-01T12:00:00.{:06d}", "lvl": "target", "msg": "{}"}}'
TEXT = "[{:6d}.{:06d}] usb 1-1.{}: new high-speed USB device number {:2d} using xhci_hcd"

NAIVE = """<!doctype html><title>naive</title><pre></pre><script>
const pre = document.querySelector("pre");
let start = 0;
async function poll() {
    const answer = await (await fetch("ADDRESS?start=" + start)).json();
    if (answer.content) {
        pre.append(answer.content);
        scrollTo(0, document.body.scrollHeight);
    }
    const more = answer.new_size > start && answer.content.length > 500000;
    start = answer.new_size;
    setTimeout(poll, more ? 0 : 1000);
}
poll();
</script>"""
# In which millisecond of the page's life it has this text.
HAS = """([view, mark]) => {
    const element = document.querySelector(view);
    return element && element.textContent.includes(mark) && performance.now();
}"""
# Notes for each mark when the frame that has it was painted.
OBSERVE = """view => {
    window.shown = {};
    const look = text => {
        for (const [mark] of text.slice(-4000).matchAll(/mark \\d+;/g)) {
            requestAnimationFrame(() => setTimeout(() => (window.shown[mark] ??= Date.now())));
        }
    };
    new MutationObserver(changes => {
        for (const { target, addedNodes, type } of changes) {
            if (type === "characterData") look(target.data);
            for (const node of addedNodes) look(node.textContent);
        }
    }).observe(document.querySelector(view), { childList: true, subtree: true, characterData: true });
}"""


@dataclass(slots=True)
class Log:
    """The log of a running job, written as its worker writes it."""

    site: str
    job: int
    token: str
    lines: int = 0
    size: int = 0  # bytes of text

    def fill(self, size: int) -> None:
        while self.size < size:
            numbers = range(self.lines, self.lines + BATCH)
            self._post([TEXT.format(n // 100, n * 7, n % 7, n % 99) for n in numbers])

    def mark(self, number: int) -> str:
        """Writes a line that no other is like. What it has."""
        self._post([f"mark {number};"])
        return f"mark {number};"

    def _post(self, texts: Sequence[str]) -> None:
        lines = "\n".join(LINE.format(self.lines + at, text) for at, text in enumerate(texts))
        status, answer = Connection(self.site).post(
            f"/scheduler/internal/v1/jobs/{self.job}/logs/",
            urlencode({"lines": lines, "index": self.lines}),
            {"LAVA-Token": self.token, "Content-Type": "application/x-www-form-urlencoded"},
        )
        if status != http.client.OK:
            raise SystemExit(
                f"{self.site} does not take the lines of job {self.job}: {status} {answer[:200]!r}"
            )
        self.lines += int(json.loads(answer)["line_count"])
        self.size += sum(len(text) + 1 for text in texts)


@dataclass(frozen=True, kw_only=True)
class Viewer:
    """Who shows a log."""

    name: str
    log: Log
    page: str  # path
    view: str  # selector of what the lines are in
    poll: Callable[[], str]  # path of a request that finds nothing new
    pids: Sequence[int]
    route: Callable[[Route], None] | None = None  # what answers for the page, if the server has none


@dataclass(slots=True)
class Traffic:
    """Bytes that came to a page."""

    bytes: int = 0

    def count(self, page: Page) -> None:
        session = page.context.new_cdp_session(page)
        session.send("Network.enable")
        session.on("Network.loadingFinished", lambda event: self._add(event["encodedDataLength"]))
        session.on(
            "Network.webSocketFrameReceived", lambda event: self._add(len(event["response"]["payloadData"]))
        )

    def _add(self, size: float) -> None:
        self.bytes += int(size)


@dataclass(slots=True)
class Figures:
    opened: float | None = None  # ms; None: the log was not shown
    opened_bytes: int = 0
    late: list[float] = field(default_factory=list)  # ms for each line that was seen
    bytes_per_minute: float = 0
    cpu: float = 0  # ms of each poll


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("site", help="address of the LAVA")
    parser.add_argument("--job", type=int, required=True)
    parser.add_argument("--token", required=True)
    parser.add_argument(
        "--pid", type=int, action="append", default=[], help="of LAVA's web server and database"
    )
    parser.add_argument("--sizes", type=float, nargs="+", default=[0.1, 1, 2.5, 10], help="MB of text")
    given = parser.parse_args()
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"  # Playwright has an event loop in this thread
    lava_log = Log(given.site.rstrip("/"), given.job, given.token)
    with throwaway.lab(), our_log() as (log, pid), chromium() as browser:
        lava, ours, naive = viewers(lava_log, log, given.pid, pid)
        print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
        for at, size in enumerate(sorted(given.sizes)):
            for each in (lava_log, log):
                each.fill(int(size * 1e6))
            if at == 0:
                throughput(lava, ours)
            table(size, [(viewer, measured(browser, viewer)) for viewer in (lava, naive, ours)])


def viewers(lava: Log, log: Log, lava_pids: Sequence[int], pid: int) -> tuple[Viewer, Viewer, Viewer]:
    """LAVA's own page, ours, and the simplest one before our log-tail."""

    def tail() -> str:
        return f"/job/{log.job}/log-tail?start={log.size}"

    naive = NAIVE.replace("ADDRESS", f"/job/{log.job}/log-tail")
    return (
        Viewer(
            name="LAVA",
            log=lava,
            page=f"/scheduler/job/{lava.job}",
            view="#sectionlogs",
            poll=lambda: f"/scheduler/job/{lava.job}/log_pipeline_incremental?line={lava.lines}",
            pids=lava_pids,
        ),
        Viewer(
            name="lava_lite",
            log=log,
            page=f"/job/{log.job}/",
            view="[data-log-lines]",
            poll=tail,
            pids=[pid],
        ),
        Viewer(
            name="one <pre>",
            log=log,
            page="/naive",
            view="pre",
            poll=tail,
            pids=[pid],
            route=lambda route: route.fulfill(body=naive, content_type="text/html"),
        ),
    )


def measured(browser: Browser, viewer: Viewer) -> Figures:
    figures = Figures()
    openings = list(all_opened(browser, viewer))
    figures.opened_bytes = openings[0][1]
    if openings[-1][0] is not None:
        figures.opened = median(milliseconds or 0 for milliseconds, _ in openings)
        watch(browser, viewer, figures)
    _, figures.cpu = load(viewer, viewer.poll(), clients=1)
    return figures


def all_opened(browser: Browser, viewer: Viewer) -> Iterator[tuple[float | None, int]]:
    """Some openings; the last one of a log that is not shown."""
    for _ in range(OPENINGS):
        opening = opened(browser, viewer)
        yield opening
        if opening[0] is None:
            return


def opened(browser: Browser, viewer: Viewer) -> tuple[float | None, int]:
    """Milliseconds until the end of the log is on the screen, in a browser that has nothing yet, and bytes that came."""
    mark = viewer.log.mark(viewer.log.lines)
    context = browser.new_context()
    page, traffic = context.new_page(), Traffic()
    try:
        _go(page, viewer, traffic)
        shown: Any = page.wait_for_function(HAS, arg=[viewer.view, mark], timeout=OPENED_WITHIN).json_value()
        return float(shown), traffic.bytes
    except TimeoutError:
        return None, traffic.bytes
    finally:
        context.close()


def watch(browser: Browser, viewer: Viewer, figures: Figures) -> None:
    context = browser.new_context()
    page, traffic = context.new_page(), Traffic()
    _go(page, viewer, traffic)
    mark = viewer.log.mark(viewer.log.lines)
    page.wait_for_function(HAS, arg=[viewer.view, mark], timeout=OPENED_WITHIN)
    page.evaluate(OBSERVE, viewer.view)
    traffic.bytes = 0
    began = time.monotonic()
    chance = random.Random(34)
    written = {}
    for _ in range(LINES):
        page.wait_for_timeout(chance.uniform(*PAUSE) * 1000)
        now = time.time()
        written[viewer.log.mark(viewer.log.lines)] = now
    figures.bytes_per_minute = traffic.bytes / (time.monotonic() - began) * 60
    page.wait_for_function(
        "count => Object.keys(window.shown).length >= count", arg=LINES, timeout=SHOWN_WITHIN * 1000
    )
    shown: dict[str, float] = page.evaluate("window.shown")
    figures.late = [shown[mark] - when * 1000 for mark, when in written.items()]
    context.close()


def throughput(lava: Viewer, ours: Viewer) -> None:
    print(f"\n{'requests/s':34}{'LAVA':>9}{'lava_lite':>11}{'ratio':>8}{'CPU ms, LAVA':>14}{'lava_lite':>11}")
    for what, clients in (("a poll", 1), ("a poll", CROWD), ("the job's page", 1), ("the job's page", CROWD)):
        paths = [viewer.poll() if what == "a poll" else viewer.page for viewer in (lava, ours)]
        sides = [load(viewer, path, clients) for viewer, path in zip((lava, ours), paths, strict=True)]
        (there, there_cpu), (here, here_cpu) = sides
        name = f"{what}, {clients} at once" if clients > 1 else what
        print(
            f"{name:34}{there:9.0f}{here:11.0f}{here / there:7.1f}x{there_cpu:14.1f}{here_cpu:11.1f}",
            flush=True,
        )


def load(viewer: Viewer, path: str, clients: int) -> tuple[float, float]:
    """Requests per second, and milliseconds of a processor that each took of the server."""
    counts = [0] * clients
    Connection(viewer.log.site).get(path)
    before = computed(viewer.pids)
    until = time.monotonic() + LOAD_SECONDS

    def ask(client: int) -> None:
        connection = Connection(viewer.log.site)
        while time.monotonic() < until:
            connection.get(path)
            counts[client] += 1

    threads = [Thread(target=ask, args=(client,)) for client in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / LOAD_SECONDS, (computed(viewer.pids) - before) / max(1, sum(counts)) * 1000


def table(size: float, rows: Sequence[tuple[Viewer, Figures]]) -> None:
    print(f"\na log of {size:g} MB")
    print(f"{'':12}{'open ms':>10}{'kB':>8}{'line p50 ms':>13}{'p95':>8}{'kB/min':>8}{'CPU ms/poll':>13}")
    for viewer, figures in rows:
        opened = "not shown" if figures.opened is None else f"{figures.opened:,.0f}"
        late = [f"{percentile(figures.late, percent):,.0f}" if figures.late else "-" for percent in (50, 95)]
        print(
            f"{viewer.name:12}{opened:>10}{figures.opened_bytes / 1e3:8,.0f}{late[0]:>13}{late[1]:>8}"
            f"{figures.bytes_per_minute / 1e3:8,.1f}{figures.cpu:13.2f}",
            flush=True,
        )


def computed(pids: Sequence[int]) -> float:
    """Seconds of a processor that these processes and their children have had, those that have ended too."""
    parents: dict[int, int] = {}
    times: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        pid = int(path.parent.name)
        parents[pid] = int(fields[1])
        times[pid] = sum(map(int, fields[11:15]))
    wanted = set(pids)
    while more := {pid for pid, parent in parents.items() if parent in wanted} - wanted:
        wanted |= more
    return sum(times.get(pid, 0) for pid in wanted) / os.sysconf("SC_CLK_TCK")


@contextmanager
def our_log() -> Iterator[tuple[Log, int]]:
    """The log of a running job of a lab that is served, and the pid of the server."""
    from django.db import connections

    from jobs.states import State
    from lava_lite import claims
    from tests import build
    from workers.tokens import token_of

    job = build.job(state=State.RUNNING)
    connections.close_all()
    listener = claims.listen(
        "127.0.0.1", 0
    )  # as the lab listens: without it, each answer would wait for 40 ms
    port = listener.getsockname()[1]
    with forked(lambda: serve(listener)) as pid:
        listener.close()
        wait_until_it_answers(port)
        yield Log(f"http://127.0.0.1:{port}", job.pk, token_of(job.pk, job.attempt)), pid


def _go(page: Page, viewer: Viewer, traffic: Traffic) -> None:
    """On its way to the log."""
    traffic.count(page)
    if viewer.route is not None:
        page.route(f"{viewer.log.site}{viewer.page}", viewer.route)
    page.goto(f"{viewer.log.site}{viewer.page}", wait_until="commit", timeout=OPENED_WITHIN)


class Connection:
    """One connection to a site."""

    def __init__(self, site: str) -> None:
        parts = urlsplit(site)
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=60)

    def get(self, path: str) -> None:
        self._connection.request("GET", path)
        answer = self._connection.getresponse()
        body = answer.read()
        if answer.status != http.client.OK:
            raise SystemExit(f"{path}: {answer.status} {body[:200]!r}")

    def post(self, path: str, body: str, headers: dict[str, str]) -> tuple[int, bytes]:
        self._connection.request("POST", path, body, headers)
        answer = self._connection.getresponse()
        return answer.status, answer.read()


if __name__ == "__main__":
    main()
