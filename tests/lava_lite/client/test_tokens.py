from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest

from lava_lite.client import targets
from lava_lite.client.targets import Identity
from tests.lava_lite.client.conftest import FakeServer, LavaLite, Reply, problem

TOKENS = "/api/v1/tokens/"
SECRET = "s3cret" * 10


def token(number: int = 3, **fields: Any) -> dict[str, Any]:
    return {
        "id": number,
        "description": "nightly",
        "scope": "submit",
        "created": "2026-01-31T12:00:00Z",
        "expires": None,
        "last_used": None,
        **fields,
    }


@pytest.fixture
def identities(tmp_path: Path) -> Path:
    return tmp_path / "config" / "lava_lite.yaml"


def test_a_login_keeps_a_token_for_its_owner_alone(
    lava_lite: LavaLite, fake: FakeServer, identities: Path
) -> None:
    fake.on("POST", f"{TOKENS}login/", Reply(body=token(secret=SECRET), status=201))

    done = lava_lite("token", "login", "--user", "alice", "--password-stdin", stdin=b"correct horse\n")

    assert (done.code, done.out) == (0, "")
    assert done.err == f"Logged in to {fake.url} as alice. The token is in {identities}.\n"
    assert targets.load(identities) == {"default": Identity(server=fake.url, token=SECRET, user="alice")}
    assert stat.S_IMODE(identities.stat().st_mode) == 0o600
    asked = fake.asked[0].json
    assert (asked["username"], asked["password"], asked["scope"]) == ("alice", "correct horse", "full")
    assert asked["description"].startswith("lava-lite on ")


def test_whoever_is_logged_in_needs_no_token_any_more(
    lava_lite: LavaLite, fake: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.on("POST", f"{TOKENS}login/", Reply(body=token(secret=SECRET), status=201))
    fake.on("GET", f"{TOKENS}?limit=50", {"items": [], "next": None})
    lava_lite("login", "--identity", "work", "--user", "alice", "--password-stdin", stdin=b"correct horse\n")
    monkeypatch.delenv("LAVA_LITE_SERVER")

    done = lava_lite("token", "list", "--identity", "work")

    assert done.code == 0
    assert fake.asked[-1].headers["authorization"] == f"Token {SECRET}"


def test_a_wrong_password_keeps_nothing(lava_lite: LavaLite, fake: FakeServer, identities: Path) -> None:
    fake.on("POST", f"{TOKENS}login/", problem(401, "A valid token is needed", "No user with this password"))

    done = lava_lite("login", "--user", "alice", "--password-stdin", stdin=b"wrong horse\n")

    assert done.code == 5
    assert done.err == "lava-lite: A valid token is needed: No user with this password\n"
    assert not identities.exists()


def test_a_token_that_one_has_is_kept_when_it_is_good(
    lava_lite: LavaLite, fake: FakeServer, identities: Path
) -> None:
    fake.on("GET", "/api/v1/whoami/", {"user": "alice", "scope": "read"})

    done = lava_lite("login", "--with-token", "--json", stdin=f"{SECRET}\n".encode())

    assert done.json == {"user": "alice", "scope": "read"}
    assert targets.load(identities)["default"].token == SECRET
    assert fake.asked[0].headers["authorization"] == f"Token {SECRET}"


def test_an_old_token_is_not_in_the_way_of_a_new_one(
    lava_lite: LavaLite, fake: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAVA_LITE_TOKEN", "expired")
    fake.on("POST", f"{TOKENS}login/", Reply(body=token(secret=SECRET), status=201))

    done = lava_lite("login", "--user", "alice", "--password-stdin", stdin=b"correct horse\n")

    assert "LAVA_LITE_TOKEN in the environment stands before it" in done.err
    assert "authorization" not in fake.asked[0].headers


def test_where_nobody_can_be_asked_it_is_told_what_to_give(lava_lite: LavaLite) -> None:
    done = lava_lite("login")

    assert done.code == 2
    assert "give --user NAME and --password-stdin" in done.err


def test_a_new_token_is_all_that_is_printed(lava_lite: LavaLite, fake: FakeServer) -> None:
    fake.on("POST", TOKENS, Reply(body=token(secret=SECRET), status=201))

    done = lava_lite("token", "add", "nightly", "--scope", "submit", "--days", "30")

    assert done.out == f"{SECRET}\n"
    assert done.err == "Token 3 may read, and submit and cancel jobs. It is shown only this once.\n"
    assert fake.asked[0].json == {"description": "nightly", "scope": "submit", "days": 30}


def test_tokens_are_listed(lava_lite: LavaLite, fake: FakeServer) -> None:
    fake.on("GET", f"{TOKENS}?limit=50", {"items": [token()], "next": None})

    assert lava_lite("token", "list").out == "3\tsubmit\t2026-01-31T12:00:00Z\t\tnever\tnightly\n"


def test_tokens_are_revoked(lava_lite: LavaLite, fake: FakeServer) -> None:
    fake.on("DELETE", f"{TOKENS}3/", Reply(body=b"", status=204))
    fake.on("DELETE", f"{TOKENS}4/", problem(404, "There is nothing here"))

    done = lava_lite("token", "revoke", "3", "4")

    assert (done.code, done.err) == (5, "Token 3 is revoked.\nlava-lite: There is nothing here\n")


def test_a_token_that_is_refused_is_not_repeated(
    lava_lite: LavaLite, fake: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAVA_LITE_TOKEN", SECRET)
    fake.on("GET", "/api/v1/whoami/", problem(401, "A valid token is needed", "Invalid token."))

    done = lava_lite("whoami")

    assert done.code == 5
    assert SECRET not in done.out + done.err
