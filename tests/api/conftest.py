"""Programs that call the API, each with the token of its user."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from accounts.models import Token

Login = Callable[[User], APIClient]


@pytest.fixture
def anyone(db: None) -> APIClient:
    return APIClient()


@pytest.fixture
def login() -> Login:
    """`login(alice)` is a client with a token of hers."""

    def with_token(user: User) -> APIClient:
        client = APIClient()
        client.credentials(HTTP_AUTHORIZATION=f"Token {Token.objects.issue(user)}")
        return client

    return with_token


@pytest.fixture
def browser(db: None) -> APIClient:
    """A client that only has a session, and whose forms are checked as a browser's are."""
    return APIClient(enforce_csrf_checks=True)
