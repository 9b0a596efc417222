from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from lava_lite.client import targets
from lava_lite.client.errors import Usage
from lava_lite.client.targets import Identity, Target, Wanted

HOME = Identity(server="https://home", token="home-token", user="alice")
WORK = Identity(server="https://office/", token="work-token")
IDENTITIES = {"default": HOME, "work": WORK}


def chosen(
    environ: dict[str, str] | None = None,
    identities: dict[str, Identity] = IDENTITIES,
    server: str | None = None,
    token: str | None = None,
    identity: str | None = None,
) -> tuple[str, str | None]:
    wanted = Wanted(server=server, token=token, identity=identity)
    target = targets.choose(wanted, environ or {}, identities, lambda: "http://127.0.0.1:8000/")
    return target.server, target.token


ENVIRON = {"LAVA_LITE_SERVER": "https://environ", "LAVA_LITE_TOKEN": "environ-token"}


def test_without_anything_it_is_the_lab_on_this_machine() -> None:
    assert chosen(identities={}) == ("http://127.0.0.1:8000", None)


def test_the_default_identity_stands_before_the_lab_on_this_machine() -> None:
    assert chosen() == ("https://home", "home-token")


def test_the_environment_stands_before_the_file() -> None:
    assert chosen(ENVIRON) == ("https://environ", "environ-token")


def test_the_command_line_stands_before_the_environment() -> None:
    assert chosen(ENVIRON, server="https://said", token="said-token") == ("https://said", "said-token")
    assert chosen(ENVIRON, identity="work") == ("https://office", "work-token")


def test_a_token_of_the_file_goes_to_its_own_server_only() -> None:
    assert chosen(server="https://other") == ("https://other", None)
    assert chosen(server="https://other", identity="work") == ("https://other", None)
    assert chosen(server="https://home.example.org") == ("https://home.example.org", None)


def test_a_server_that_the_file_knows_gets_its_token() -> None:
    assert chosen(server="https://office") == ("https://office", "work-token")
    assert chosen({"LAVA_LITE_SERVER": "https://office/"}) == ("https://office", "work-token")


def test_an_identity_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(Usage, match=r"no identity 'lab'.*known: default, work"):
        chosen(identity="lab")


def test_a_token_is_never_shown_by_accident() -> None:
    shown = repr([HOME, Target(server="https://home", token="home-token"), Wanted(token="home-token")])

    assert "home-token" not in shown


def test_the_file_is_for_its_owner_alone_and_keeps_what_it_has(tmp_path: Path) -> None:
    path = tmp_path / "config" / "lava_lite.yaml"
    old = os.umask(0)
    try:
        targets.save(path, "default", HOME)
    finally:
        os.umask(old)
    targets.save(path, "work", Identity(server="https://office", token="1234"))

    assert targets.load(path) == {"default": HOME, "work": Identity(server="https://office", token="1234")}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not targets.is_open_to_others(path)


def test_a_file_that_others_can_read_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "lava_lite.yaml"
    path.write_text("")
    path.chmod(0o644)

    assert targets.is_open_to_others(path)


def test_no_file_and_an_empty_one_know_nobody(tmp_path: Path) -> None:
    empty = tmp_path / "empty.yaml"
    empty.write_text("# nothing yet\n")

    assert targets.load(tmp_path / "none.yaml") == {}
    assert targets.load(empty) == {}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("- a\n", "expected the names of identities"),
        ("home: https://lab\n", "home: expected a server"),
        ("home: {token: x}\n", "home: expected a server"),
        (
            "home: {server: https://lab, pasword: x}\n",
            "home: there is no pasword; known: server, token, user",
        ),
        ("home: [\n", "line 2"),
    ],
)
def test_a_file_that_cannot_be_used_says_where_and_why(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "lava_lite.yaml"
    path.write_text(text)

    with pytest.raises(Usage) as refused:
        targets.load(path)

    assert str(refused.value).startswith(f"{path}: ")
    assert says in str(refused.value)


def test_the_file_is_where_configuration_belongs() -> None:
    assert targets.file_path({"XDG_CONFIG_HOME": "/etc/mine"}) == Path("/etc/mine/lava_lite.yaml")
    assert targets.file_path({}) == Path("~/.config/lava_lite.yaml").expanduser()
