from __future__ import annotations

from typing import Any

from jobs.secrets import secrets_of
from tests import build


def found(**top: Any) -> set[str]:
    return set(secrets_of(build.definition(**top)))


def test_the_values_of_secrets_are_secret_as_texts() -> None:
    assert found(secrets={"KEY": "hunter2x", "PIN": 123456, "ON": True, "NONE": None}) == {
        "hunter2x",
        "123456",
    }


def test_headers_that_let_somebody_in_are_secret_and_others_are_not() -> None:
    image = {"url": "https://x/", "headers": {"Authorization": "Bearer abc", "Accept": "text/html"}}

    assert found(actions=[{"deploy": {"images": {"rootfs": image}}}]) == {"Bearer abc"}


def test_the_token_of_a_callback_is_secret() -> None:
    callback = {"url": "https://ci.example.com/", "token": "abcdef"}

    assert found(notify={"callback": callback, "callbacks": [callback | {"token": "ghijkl"}]}) == {
        "abcdef",
        "ghijkl",
    }


def test_a_password_in_an_address_is_secret_also_as_it_is_typed() -> None:
    steps = ("git clone https://ci:p%40ssword@git.example.com/x", "curl http://lab:8000/@me")

    assert found(steps=steps) == {"p%40ssword", "p@ssword"}


def test_a_definition_without_secrets_has_none() -> None:
    assert secrets_of(build.definition()) == ()
    assert secrets_of("- no mapping") == ()
    assert secrets_of("{broken") == ()
