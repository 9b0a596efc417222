"""The two ways to run a lab: on loopback by plain HTTP, and served by HTTPS."""

from __future__ import annotations

import http.client
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from core.private import make_password
from jobs.models import Job
from jobs.states import State
from lava_lite import first_start, options
from tests import build
from tests.docs.tables import DOCS
from tests.lab import Lab, eventually

COMMAND = Path(sys.executable).with_name("lava-lite")
HOST = "lab.example.org"

HEADERS = {
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
# Of each kind of answer at least one; {job} is a job that has ended.
ADDRESSES = [
    "/",
    "/jobs/",
    "/job/{job}/",
    "/job/{job}/log",
    "/job/{job}/log-tail?start=0",
    "/job/{job}/definition",
    "/job/99999/",
    "/devices/",
    "/device/qemu01/",
    "/submit/",
    "/login/",
    "/nowhere/",
    "/admin/",
    "/admin/login/",
    "/admin/devices/device/",
    "/admin/devices/device/qemu01/change/",
    "/admin/jobs/job/add/",
    "/api/v0.2/",
    "/api/v0.2/jobs/",
    "/api/v0.2/nowhere/",
    "/RPC2",
]
# Asked with tokens and not with cookies, or (the API) with a check of their own for cookies.
WITHOUT_CSRF = ("api/", "core4/api/", "RPC2", "scheduler/internal/")


def settings_of_the_page() -> str:
    return re.findall(r"```yaml\n(.*?)```", (DOCS / "serving.md").read_text(), re.DOTALL)[0]


def check(data: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("DJANGO_", "DATABASE_"))
    }
    return subprocess.run(
        [COMMAND, "check", "--deploy"],
        capture_output=True,
        text=True,
        timeout=120,
        env={**inherited, "LAVA_LITE_DATA": str(data), **environment},
    )


def routes(resolver: URLResolver, before: str = "") -> Iterator[tuple[str, Any]]:
    for each in resolver.url_patterns:
        address = before + str(each.pattern)
        if isinstance(each, URLPattern):
            yield address, each.callback
        else:
            yield from routes(each, address)


@pytest.fixture
def job(admin: User) -> Job:
    return build.job(submitter=admin, state=State.FINISHED)


def test_the_check_has_nothing_to_say_of_the_settings_that_are_recommended(tmp_path: Path) -> None:
    first_start.make_key(tmp_path)
    (tmp_path / "settings.yaml").write_text(settings_of_the_page())

    done = check(tmp_path)

    assert done.stdout == "System check identified no issues (0 silenced).\n"
    assert (done.returncode, done.stderr) == (0, "")


def test_the_check_names_what_a_served_lab_lacks(tmp_path: Path) -> None:
    first_start.make_key(tmp_path)
    (tmp_path / "secret.key").chmod(0o644)

    done = check(tmp_path, SERVED="true")

    assert done.returncode == 1
    assert set(re.findall(r"lava_lite\.[EW]\d+", done.stderr)) == {"lava_lite.E003", "lava_lite.W002"}


def test_every_check_is_explained() -> None:
    code = (Path(options.__file__).parent / "checks.py").read_text()

    explained = set(re.findall(r"`(lava_lite\.[EW]\d+)`", (DOCS / "serving.md").read_text()))

    assert explained == set(re.findall(r"lava_lite\.[EW]\d+", code))


def test_debug_pages_on_a_served_lab_are_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(options.BadSetting, match="shows settings and code to everybody"):
        options.load(tmp_path, {"SERVED": "true", "DEBUG": "true"})


@pytest.mark.parametrize("logged_in", [True, False], ids=["logged-in", "anonymous"])
@pytest.mark.parametrize("address", ADDRESSES)
def test_every_kind_of_answer_has_the_headers_that_protect_it(
    client: Client, admin: User, job: Job, address: str, logged_in: bool
) -> None:
    if logged_in:
        client.force_login(admin)

    answer = client.get(address.format(job=job.pk))

    assert {name: answer.get(name) for name in HEADERS} == HEADERS
    policy = answer["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy


def test_only_what_programs_call_goes_without_the_token_against_forged_forms() -> None:
    exempt = [address for address, view in routes(get_resolver()) if getattr(view, "csrf_exempt", False)]

    assert exempt != []
    assert [address for address in exempt if not address.startswith(WITHOUT_CSRF)] == []


@pytest.mark.parametrize(
    "address",
    [
        "/submit/",
        "/job/{job}/cancel/",
        "/job/{job}/resubmit/",
        "/device/qemu01/health/",
        "/login/",
        "/logout/",
        "/admin/login/",
        "/admin/devices/device/",
        "/admin/devices/device/qemu01/change/",
        "/api/v0.2/jobs/",
        "/api/v0.2/jobs/{job}/cancel/",
    ],
)
def test_a_forged_form_is_refused_although_the_session_is_good(admin: User, job: Job, address: str) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(admin)

    answer = browser.post(address.format(job=job.pk), {"definition": build.definition(), "action": "retire"})

    assert answer.status_code == 403
    assert Job.objects.count() == 1


def test_a_lab_on_loopback_works_by_plain_http(client: Client, admin: User) -> None:
    form = {"username": "admin", "password": build.PASSWORD}

    answer = client.post(reverse("login"), form)

    assert answer.status_code == 302
    cookie = answer.cookies["sessionid"]
    assert (cookie["secure"], cookie["httponly"], cookie["samesite"]) == ("", True, "Lax")
    assert "Strict-Transport-Security" not in client.get("/")


@dataclass(frozen=True)
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: str

    def header(self, name: str) -> str:
        return next((value for found, value in self.headers if found.lower() == name.lower()), "")

    def cookie(self, name: str) -> str:
        cookies = [value for found, value in self.headers if found.lower() == "set-cookie"]
        return next(cookie for cookie in cookies if cookie.startswith(f"{name}="))


class Served:
    """A served lab as its proxy calls it."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab

    def ask(self, path: str, form: dict[str, str] | None = None, **headers: str) -> Answer:
        sent = {"Host": HOST, "X-Forwarded-Proto": "https", **headers}
        if form is not None:
            sent["Content-Type"] = "application/x-www-form-urlencoded"
        with closing(http.client.HTTPConnection("127.0.0.1", self.lab.port, timeout=30)) as connection:
            method = "GET" if form is None else "POST"
            connection.request(method, path, body=urlencode(form or {}), headers=sent)
            answer = connection.getresponse()
            return Answer(answer.status, answer.getheaders(), answer.read().decode())


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    lab = Lab(tmp_path)
    lab.data.mkdir(mode=0o700)
    (lab.data / "settings.yaml").write_text(settings_of_the_page())
    lab.start()
    yield Served(lab)
    lab.stop()


@pytest.mark.lab
def test_a_served_lab_behind_its_proxy(served: Served) -> None:
    redirect = served.ask("/jobs/", **{"X-Forwarded-Proto": "http"})
    assert (redirect.status, redirect.header("Location")) == (301, f"https://{HOST}/jobs/")

    page = served.ask("/login/")
    cookie = page.cookie("__Host-csrftoken")
    assert page.header("Strict-Transport-Security") == "max-age=31536000; includeSubDomains; preload"
    assert all(word in cookie for word in ("Secure", "HttpOnly", "Path=/", "SameSite=Lax"))
    assert "Domain" not in cookie

    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.body)
    assert token
    form = {"username": "admin", "password": served.lab.password, "csrfmiddlewaretoken": token[1]}
    sent = {"Cookie": cookie.partition(";")[0]}
    assert served.ask("/login/", form, Origin="https://evil.example.org", **sent).status == 403
    welcome = served.ask("/login/", form, Origin=f"https://{HOST}", **sent)
    assert welcome.status == 302
    assert "Max-Age=604800" in welcome.cookie("__Host-sessionid")

    assert served.ask("/jobs/", Host="evil.example.org").status == 400
    # The built-in worker goes on calling the lab directly, by plain HTTP.
    job = "/api/v0.2/jobs/1/"
    assert eventually(lambda: json.loads(served.ask(job).body)["health"] == "Complete")


def test_no_two_labs_begin_with_the_same_password() -> None:
    made = {make_password() for _ in range(50)}

    assert len(made) == 50
    assert all(len(password) >= 16 for password in made)
