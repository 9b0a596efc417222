"""What every request passes through."""

from __future__ import annotations

import pytest
from django.db import OperationalError
from django.test import Client


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
