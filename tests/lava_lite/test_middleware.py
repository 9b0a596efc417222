"""What every request passes through."""

from __future__ import annotations

import pytest
from csp.constants import NONCE
from csp.decorators import csp_replace
from csp.exceptions import CSPNonceError
from csp.middleware import CSPMiddleware
from django.conf import settings
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory, override_settings

from lava_lite.middleware import PolicyMiddleware

POLICY = "Content-Security-Policy"


@pytest.fixture
def client() -> Client:
    return Client(raise_request_exception=False)


def fail(error: Exception) -> object:
    def failing(*arguments: object, **options: object) -> None:
        raise error

    return failing


@pytest.mark.django_db
def test_a_database_that_is_busy_for_a_middleware_is_answered_as_for_a_page(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "django.contrib.sessions.backends.db.SessionStore.save", fail(OperationalError("database is locked"))
    )

    response = client.post("/submit/", {"definition": "job_name: kept until after the login"})

    assert (response.status_code, response["Retry-After"]) == (503, "5")
    assert "The lab is busy" in response.content.decode()


@pytest.mark.django_db
def test_another_fault_of_a_middleware_is_an_error_without_a_trace(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "django.contrib.sessions.backends.db.SessionStore.save", fail(ZeroDivisionError("secret detail"))
    )

    response = client.post("/submit/", {"definition": "job_name: kept until after the login"})

    assert response.status_code == 500
    assert "secret detail" not in response.content.decode()


def plain(request: HttpRequest) -> HttpResponse:
    return HttpResponse("a page")


def test_the_policy_is_the_one_that_django_csp_makes() -> None:
    answer, theirs = (
        middleware(plain)(RequestFactory().get("/")) for middleware in (PolicyMiddleware, CSPMiddleware)
    )

    assert sorted(answer[POLICY].split("; ")) == sorted(theirs[POLICY].split("; "))


def test_a_page_that_asks_for_a_policy_of_its_own_has_that_one() -> None:
    own = csp_replace({"img-src": ["'none'"]})(plain)

    answer = PolicyMiddleware(own)(RequestFactory().get("/"))

    assert "img-src 'none'" in answer[POLICY]


def test_a_page_that_uses_a_nonce_has_it_in_its_policy() -> None:
    def page(request: HttpRequest) -> HttpResponse:
        return HttpResponse(str(request.csp_nonce))  # type: ignore[attr-defined]

    policy = {"DIRECTIVES": settings.CONTENT_SECURITY_POLICY["DIRECTIVES"] | {"script-src": [NONCE]}}
    with override_settings(CONTENT_SECURITY_POLICY=policy):
        answer = PolicyMiddleware(page)(RequestFactory().get("/"))

    assert f"'nonce-{answer.content.decode()}'" in answer[POLICY]


def test_a_nonce_that_comes_too_late_for_the_policy_is_an_error() -> None:
    request = RequestFactory().get("/")
    PolicyMiddleware(plain)(request)

    with pytest.raises(CSPNonceError):
        str(request.csp_nonce)  # type: ignore[attr-defined]
