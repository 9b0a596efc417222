"""What holds for every address of version 1: problems, forms of bodies, who asks."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError
from django.test import Client
from rest_framework.exceptions import Throttled
from rest_framework.test import APIClient

from accounts.models import Scope, Token
from api.rest.base import MOST_BYTES
from api.v1 import problems
from devices.lifecycle import DeviceBusy
from jobs.models import Job
from tests import build
from tests.api.conftest import Login

ROOT = "/api/v1/"
JOBS = f"{ROOT}jobs/"
VALIDATE = f"{JOBS}validate/"
JSON = "application/json"
YAML = "application/yaml"


def check(answer: Any, status: int, slug: str) -> dict[str, Any]:
    """The problem that the answer is."""
    problem: dict[str, Any] = answer.json()
    assert (answer.status_code, answer["Content-Type"]) == (status, "application/problem+json")
    assert problem["status"] == status
    assert problem["type"] == f"/api/docs/#problem-{slug}"
    assert problem["title"]
    assert problem["detail"].endswith((".", "!", "?")) or "errors" in problem
    return problem


@pytest.mark.parametrize("path", ["nosuch", "nosuch/", "jobs/x/", "jobs/1/nosuch", "devices/a%20b/"])
@pytest.mark.parametrize("method", ["get", "post", "delete", "options"])
def test_an_address_that_is_not_there_is_a_problem(anyone: APIClient, path: str, method: str) -> None:
    check(getattr(anyone, method)(ROOT + path), 404, "not-found")


@pytest.mark.parametrize("path", ["", "jobs", "devices", "device-types", "workers", "system", "whoami"])
def test_an_address_answers_with_and_without_a_slash(anyone: APIClient, path: str) -> None:
    address = f"{ROOT}{path}".rstrip("/")

    with_slash, without = anyone.get(f"{address}/"), anyone.get(address)

    assert (with_slash.status_code, without.status_code) == (200, 200)
    assert with_slash.json() == without.json()


def test_a_method_that_an_address_does_not_take_is_a_problem(admin: User, login: Login) -> None:
    answer = login(admin).delete(JOBS)

    check(answer, 405, "wrong-method")
    assert "GET, POST" in answer["Allow"]


@pytest.mark.parametrize(
    ("kind", "body", "words"),
    [
        (JSON, b"{", "JSON parse error"),
        (JSON, b'{"definition": "\xff"}', "not UTF-8"),
        (JSON, b"[" * 100_000, "nested too deeply"),
        (YAML, b"job_name: \xff", "not UTF-8"),
        ("multipart/form-data", b"x", "boundary"),
    ],
)
def test_a_body_that_cannot_be_read_is_a_problem(
    anyone: APIClient, kind: str, body: bytes, words: str
) -> None:
    problem = check(anyone.generic("POST", VALIDATE, body, content_type=kind), 400, "unreadable")

    assert words in problem["detail"]


@pytest.mark.parametrize("body", [b"[]", b"null", b'"x"', b"1", b'{"definition": "a\\u0000b"}', b"{}"])
def test_a_body_of_another_shape_is_a_problem(anyone: APIClient, body: bytes) -> None:
    problem = check(anyone.generic("POST", VALIDATE, body, content_type=JSON), 400, "invalid-value")

    assert set(problem["errors"]) <= {"body", "definition"}


def test_a_query_that_cannot_be_read_is_a_problem(anyone: APIClient) -> None:
    check(anyone.get(f"{JOBS}?q=%ff"), 400, "unreadable")
    check(anyone.get(f"{JOBS}?q=%00"), 400, "unreadable")


def test_a_body_of_another_kind_is_a_problem(anyone: APIClient) -> None:
    answer = anyone.generic("POST", VALIDATE, b"a=1", content_type="application/x-www-form-urlencoded")

    check(answer, 415, "wrong-media-type")


def test_a_body_that_is_too_large_is_a_problem(anyone: APIClient) -> None:
    answer = anyone.generic("POST", VALIDATE, b"x" * (MOST_BYTES + 1), content_type=YAML)

    assert str(MOST_BYTES) in check(answer, 413, "too-large")["detail"]


def test_a_definition_that_is_too_large_is_named_so(alice: User, login: Login, settings: Any) -> None:
    body = b"x" * (settings.DEFINITION_LIMIT + 1)

    answer = login(alice).generic("POST", JOBS, body, content_type=YAML)

    assert "larger than" in check(answer, 400, "invalid-definition")["faults"][0]["message"]


@pytest.mark.parametrize("path", ["jobs/", "whoami/", "tokens/"])
def test_a_wrong_token_is_asked_for_another_one(anyone: APIClient, path: str) -> None:
    answer = anyone.get(ROOT + path, HTTP_AUTHORIZATION="Token wrong")

    check(answer, 401, "who-are-you")
    assert answer["WWW-Authenticate"].startswith("Token")


def test_who_shows_nothing_is_asked_for_a_token(anyone: APIClient) -> None:
    answer = anyone.post(JOBS, {"definition": build.definition()})

    check(answer, 401, "who-are-you")
    assert answer["WWW-Authenticate"].startswith("Token")


def test_a_session_changes_something_only_with_the_csrf_token(alice: User, browser: APIClient) -> None:
    build.device()
    browser.login(username="alice", password=build.PASSWORD)
    secret = "a" * 32

    without = browser.post(JOBS, {"definition": build.definition()})
    browser.cookies["csrftoken"] = secret
    with_token = browser.post(JOBS, {"definition": build.definition()}, HTTP_X_CSRFTOKEN=secret)

    assert "CSRF" in check(without, 403, "not-allowed")["detail"]
    assert with_token.status_code == 201


def test_the_form_that_a_client_would_rather_have_makes_no_difference(anyone: APIClient) -> None:
    answer = anyone.get(JOBS, HTTP_ACCEPT="text/html")

    assert (answer.status_code, answer["Content-Type"]) == (200, JSON)


def test_a_busy_database_is_a_problem_that_says_when_to_come_again() -> None:
    answer = problems.answer(OperationalError("database is locked"), {})

    assert answer is not None
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert answer.data["type"] == "/api/docs/#problem-busy"
    assert "locked" not in answer.data["detail"]


def test_a_device_that_is_taken_is_a_conflict() -> None:
    answer = problems.answer(DeviceBusy("qemu01 is Running and cannot take job 3"), {})

    assert answer is not None
    assert (answer.status_code, answer.data["detail"]) == (409, "Qemu01 is Running and cannot take job 3.")


def test_a_problem_without_a_page_of_its_own_is_one_of_http() -> None:
    answer = problems.answer(Throttled(), {})

    assert answer is not None
    assert (answer.data["type"], answer.data["title"]) == ("about:blank", "Too Many Requests")


def test_an_error_that_nobody_expected_is_not_dressed_up() -> None:
    assert problems.answer(ZeroDivisionError(), {}) is None


def test_an_error_deep_in_a_body_has_its_path(admin: User, login: Login) -> None:
    answer = login(admin).post(f"{ROOT}devices/health/", {"devices": ["qemu01", None], "health": "Good"})

    assert list(check(answer, 400, "invalid-value")["errors"]) == ["devices[1]"]


# Who asks.


def test_who_am_i(alice: User, anyone: APIClient, login: Login) -> None:
    nobody = {"user": None, "is_staff": False, "is_superuser": False, "groups": [], "scope": None}

    assert anyone.get(f"{ROOT}whoami/").json() == nobody
    assert login(alice).get(f"{ROOT}whoami/").json() == {
        **nobody,
        "user": "alice",
        "groups": ["kernel"],
        "scope": "full",
    }


def test_a_session_has_no_scope(alice: User, client: Client) -> None:
    client.force_login(alice)

    answer = client.get(f"{ROOT}whoami/").json()

    assert (answer["user"], answer["scope"]) == ("alice", None)


@pytest.mark.parametrize("path", ["tokens/", "users/"])
@pytest.mark.parametrize("method", ["get", "head"])
def test_a_narrow_token_does_not_look_at_tokens_and_users(admin: User, path: str, method: str) -> None:
    secret = Token.objects.issue(admin, scope=Scope.SUBMIT)

    answer = getattr(APIClient(), method)(ROOT + path, HTTP_AUTHORIZATION=f"Token {secret}")

    assert answer.status_code == 403


# The lab.


@pytest.mark.django_db(databases=[])
def test_the_lab_says_what_it_is_without_its_database() -> None:
    answer = Client().get(f"{ROOT}system/").json()

    assert (answer["name"], answer["api"], answer["lava"]) == ("lava_lite", "v1", "2023.01")
    assert answer["version"]


def test_the_root_leads_to_the_collections(alice: User, anyone: APIClient) -> None:
    build.job(submitter=alice)

    collections = anyone.get(ROOT).json()

    assert set(collections) == {"jobs", "devices", "device_types", "workers"}
    assert all(anyone.get(address).json()["items"] for address in collections.values())
    assert Job.objects.count() == 1


@pytest.mark.parametrize("value", [b"1", b"true", b"null", b'["x"]'])
def test_a_text_in_json_is_nothing_else(admin: User, login: Login, value: bytes) -> None:
    build.device()
    body = b'{"health": "Good", "reason": ' + value + b"}"

    answer = login(admin).generic("POST", f"{ROOT}devices/qemu01/health/", body, content_type=JSON)

    assert list(check(answer, 400, "invalid-value")["errors"]) == ["reason"]


@pytest.mark.parametrize("method", ["put", "patch", "delete", "trace"])
def test_a_method_is_refused_before_anything_else_is_looked_at(anyone: APIClient, method: str) -> None:
    check(getattr(anyone, method)(f"{JOBS}?nosuch=1"), 405, "wrong-method")
