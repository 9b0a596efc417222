"""A token opens the pages for reading, and nothing else."""

from __future__ import annotations

import json

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from accounts.middleware import TokenMiddleware
from accounts.models import Token

pytestmark = pytest.mark.django_db


def reply(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(request.user))


def ask(path: str, header: str | None, method: str = "GET") -> HttpResponse:
    headers = {} if header is None else {"authorization": header}
    request = RequestFactory().generic(method, path, headers=headers)
    request.user = AnonymousUser()
    return TokenMiddleware(reply)(request)


@pytest.mark.parametrize("scheme", ["Token", "token", "Bearer"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_a_token_reads_as_its_user(scheme: str, method: str, alice: User) -> None:
    secret = Token.objects.issue(alice)

    assert ask("/job/1/", f"{scheme} {secret}", method).content == b"alice"


def test_a_wrong_token_is_refused_and_not_treated_as_none() -> None:
    answer = ask("/job/1/", "Token wrong")

    assert answer.status_code == 401
    assert json.loads(answer.content) == {"error": "This token is unknown, expired or revoked."}


@pytest.mark.parametrize("header", [None, "Basic YWxpY2U6eA==", ""])
def test_other_requests_pass(header: str | None) -> None:
    assert ask("/job/1/", header).content == b"AnonymousUser"


def test_a_token_changes_nothing_outside_the_apis(alice: User) -> None:
    secret = Token.objects.issue(alice)

    assert ask("/job/1/cancel", f"Token {secret}", "POST").content == b"AnonymousUser"


def test_the_apis_read_the_header_themselves(alice: User) -> None:
    assert ask("/api/v0.2/jobs/", "Token wrong").content == b"AnonymousUser"
