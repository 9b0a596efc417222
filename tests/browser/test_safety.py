"""Whatever people, workers and programs write, every page shows it as text and nothing of it runs."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from playwright.sync_api import Error, Page, Response

from tests import build
from tests.lab import COMMAND, Lab, eventually

pytestmark = pytest.mark.lab

# Whatever came to life would carry `data-xss`, set `pwned`, open a dialog, or annoy the policy.
CORPUS = (
    "<script data-xss>window.pwned=1</script>",
    "<img data-xss src=x onerror=window.pwned=1>",
    '"><svg data-xss onload=window.pwned=1>',
    "' data-xss onmouseover=alert(1) x='",
    "</pre></textarea></title></script><script data-xss>window.pwned=1</script>",
    '<a data-xss href="javascript:window.pwned=1">x</a>',
    "javascript:window.pwned=1",
    '<iframe data-xss srcdoc="<script>parent.pwned=1</script>"></iframe>',
    "<math><style><img data-xss src onerror=window.pwned=1>",
    '<i data-xss hx-get="/pwned" hx-trigger="load" hx-on::load="window.pwned=1">',
    "{{ 7*7 }} {% now 'Y' %} ${7*7} <%= 7*7 %>",
    "&lt;img data-xss src=x onerror=window.pwned=1&gt;",
    "<!-- --!><b data-xss> ]]><b data-xss>",
    "\N{RIGHT-TO-LEFT OVERRIDE}<b data-xss>\N{LEFT-TO-RIGHT ISOLATE}\N{ZERO WIDTH SPACE}",
)
# Only a log has these: forms and definitions refuse them.
OF_A_TERMINAL = (
    "\x1b]8;;javascript:window.pwned=1\x07a link\x1b]8;;\x07",
    "\x1b[31m<b data-xss>red\x1b[0m \x1b[1;2;3;999m",
    "\x1b]0;<script data-xss>window.pwned=1</script>\x07",
    '\x1b[31;"onclick=alert(1) data-xss="m',
    "\x00<b data-xss>\x08\x7f\x9b31m",
)

# Rows that no form would take, written past all of them.
POISON = """
from django.contrib.auth.models import Group, User
from accounts import audit
from accounts.models import Token
from devices import lifecycle as devices
from devices.models import Device, DeviceType, Tag, Worker
from devices.states import DeviceHealth, WorkerHealth
from jobs import lifecycle
from tests import build
from tests.browser.test_safety import CORPUS

everything = "\\n".join(CORPUS)
admin = User.objects.get(username="admin")
kind = DeviceType.objects.create(name="evil", description=everything, dictionary="x: |\\n  " + everything.replace("\\n", "\\n  "))
for number, text in enumerate(CORPUS):
    user = User.objects.create(username=text, first_name=text[:150], last_name=text[:150])
    user.groups.add(Group.objects.create(name=text))
    Token.objects.issue(user, description=text)
    Token.objects.issue(admin, description=text)
    tag = Tag.objects.create(name=f"evil-{number:02}", description=text)
    worker = Worker(name=f"evil-{number:02}", description=everything, version=text[:64])
    worker.save()
    devices.set_worker_health(worker.name, WorkerHealth.MAINTENANCE, by=text, reason=text)
    device = Device(name=f"evil-{number:02}", device_type=kind, worker=worker, description=everything)
    device.save()
    device.tags.add(tag)
    devices.set_health_for([device.name], DeviceHealth.GOOD, user=admin, reason=text)
    job = lifecycle.submit(build.definition(text, device_type="evil"), by=user)
    if number % 2:
        lifecycle.cancel_for(job, admin, reason=text)
    audit.note(admin, job, text)
"""

# The same shape is looked at this often; each shape has another template.
OF_EACH_SHAPE = 3
NAMED = re.compile(r"/(\d+|[^/]*evil[^/]*|local[^/]*|[^/]*[<>%\"'][^/]*)(?=/|$)")
LEFT_OUT = re.compile(r"/(static|logout|RPC2|admin/(jsi18n|logout))|\.(yaml|csv|xml|json)$")

FINDINGS = """() => {
    const all = [...document.querySelectorAll('*')];
    const live = (each) => each.hasAttribute('data-xss')
        || [...each.attributes].some(({name, value}) => name.startsWith('on')
            || ['href', 'src', 'action', 'formaction'].includes(name) && /^\\s*javascript:/i.test(value));
    return {
        pwned: window.pwned ?? null,
        alive: all.filter(live).map(each => each.outerHTML.slice(0, 200)),
        text: [document.documentElement.textContent, ...all.map(each => each.value ?? '')].join('\\n'),
        links: [...document.links].map(each => each.href),
    };
}"""


@pytest.fixture(scope="module")
def poisoned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab full of the corpus, in every field and in the log and the results of a job."""
    lab = Lab(tmp_path_factory.mktemp("poisoned"))
    lab.start()
    subprocess.run(
        [COMMAND, "manage", "shell", "-c", POISON],
        env=lab.environment,
        cwd=Path(__file__).parents[2],
        check=True,
        capture_output=True,
        timeout=120,
    )
    run_job(lab)
    yield lab
    lab.stop()


def run_job(lab: Lab) -> None:
    """One whose lines and results are the corpus."""
    steps = [f"printf '%b\\n' {shlex.quote(escaped(text))}" for text in (*CORPUS, *OF_A_TERMINAL)]
    steps += [
        f"lava-test-case {shlex.quote(text)} --result fail --units {shlex.quote(text)} --measurement 1"
        for text in CORPUS
    ]
    body = build.definition("evil steps", device_type="local", steps=tuple(steps)).encode()
    status, answer = lab.request("POST", "/api/v1/jobs", body, "application/yaml")
    assert status == 201, answer
    job = int(re.findall(rb'"id": ?(\d+)', answer)[0])
    assert eventually(lambda: b"Finished" in lab.get(f"/api/v0.2/jobs/{job}/")[1], 60)


def escaped(text: str) -> str:
    """As printf's %b writes it back."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f\\]", lambda found: f"\\0{ord(found[0]):o}", text)


def shape(address: str) -> str:
    return NAMED.sub("/*", unquote(urlsplit(address).path))


def log_in(page: Page, lab: Lab) -> None:
    page.goto(f"{lab.url}/admin/login/?next=/")
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill(lab.password)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"{lab.url}/")


def every_page(page: Page, lab: Lab) -> Iterator[tuple[str, dict[str, object]]]:
    """Open every page that links lead to, some of each shape; its address and what was found there."""
    waiting, known, seen = [f"{lab.url}/", f"{lab.url}/admin/"], set(), Counter[str]()
    while waiting:
        address = waiting.pop(0)
        seen[shape(address)] += 1
        if seen[shape(address)] > OF_EACH_SHAPE:
            continue
        answer = visit(page, address)
        if answer is None:
            continue
        assert answer.status < 500, address
        assert answer.headers.get("x-content-type-options") == "nosniff", address
        if not answer.headers.get("content-type", "").startswith("text/html"):
            continue
        found = page.evaluate(FINDINGS)
        yield address, found
        links = {link.partition("#")[0].partition("?")[0] for link in found["links"]}
        fresh = sorted(link for link in links - known if is_page(link, lab))
        known.update(fresh)
        waiting += fresh


def visit(page: Page, address: str) -> Response | None:
    """The answer; None for one that is a download."""
    try:
        return page.goto(address, wait_until="load")
    except Error as error:
        if "Download is starting" not in str(error):
            raise
        return None


def is_page(link: str, lab: Lab) -> bool:
    return link.startswith(f"{lab.url}/") and not LEFT_OUT.search(urlsplit(link).path)


def words(text: object) -> str:
    return " ".join(str(text).split())


def test_every_page_shows_the_corpus_as_text_and_nothing_of_it_comes_to_life(
    page: Page, poisoned: Lab
) -> None:
    log_in(page, poisoned)
    shown: dict[str, str] = {}

    for address, found in every_page(page, poisoned):
        assert (found["pwned"], found["alive"]) == (None, []), address
        shown[shape(address)] = shown.get(shape(address), "") + words(found["text"])

    for place in ("/jobs/", "/job/*/", "/admin/jobs/job/", "/admin/auth/user/", "/admin/admin/logentry/"):
        assert place in shown, sorted(shown)
    for text in CORPUS:
        assert words(text) in shown["/admin/auth/user/"]
        assert words(text) in shown["/jobs/"]
        assert words(text) in shown["/admin/admin/logentry/"]


def test_the_log_of_a_job_shows_the_corpus_as_text_and_escape_sequences_do_nothing(
    page: Page, poisoned: Lab
) -> None:
    log_in(page, poisoned)
    job = len(CORPUS) + 2

    page.goto(f"{poisoned.url}/job/{job}/")

    lines = page.locator("[data-log-lines]")
    assert eventually(lambda: "<b data-xss>red" in (lines.text_content() or ""))
    text = words(lines.text_content())
    found = page.evaluate(FINDINGS)
    assert (found["pwned"], found["alive"]) == (None, [])
    assert all(words(each) in text for each in CORPUS)
    assert not [link for link in found["links"] if not link.startswith("http")]
