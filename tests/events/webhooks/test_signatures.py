"""Signatures and secrets."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from uuid import UUID

import pytest
from pytest_django import Settings

from events.webhooks import signatures

WEBHOOK = UUID("5cf8a8ee-5b6f-4a6c-9b0a-2c4a9d6a3c11")
AT = datetime(2026, 11, 22, 12, tzinfo=UTC)


def test_the_example_of_the_standard_is_signed_as_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    monkeypatch.setattr(signatures, "_key", lambda uuid, generation: key)
    at = datetime.fromtimestamp(1614265330, UTC)

    told = signatures.headers(
        WEBHOOK, [1], id="msg_p5jXN8AQM9LWM0D4loKWxJek", body=b'{"test": 2432232314}', at=at
    )

    assert told == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_a_secret_has_the_form_and_length_of_the_standard() -> None:
    secret = signatures.secret_of(WEBHOOK, 1)

    assert secret.startswith("whsec_")
    assert 24 <= len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) <= 64


def test_each_webhook_and_each_generation_has_another_secret() -> None:
    other = UUID(int=1)

    assert len({signatures.secret_of(uuid, number) for uuid in (WEBHOOK, other) for number in (1, 2)}) == 4


def test_a_secret_of_another_lab_is_another(settings: Settings) -> None:
    ours = signatures.secret_of(WEBHOOK, 1)
    settings.SECRET_KEY = "another lab's"

    assert signatures.secret_of(WEBHOOK, 1) != ours
