from __future__ import annotations

from typing import Any

from tests.lava_lite.client.conftest import FakeServer, LavaLite, Reply, problem

USERS = "/api/v1/users/"


def user(name: str, **fields: Any) -> dict[str, Any]:
    return {
        "username": name,
        "first_name": "",
        "last_name": "",
        "email": "",
        "is_active": True,
        "is_staff": False,
        "is_superuser": False,
        "groups": [],
        "last_login": None,
        **fields,
    }


def test_a_new_user_is_shown_with_the_password_that_was_made(lava_lite: LavaLite, fake: FakeServer) -> None:
    fake.on("POST", USERS, Reply(body=user("alice", groups=["kernel"], password="made-up"), status=201))

    done = lava_lite("user", "add", "alice", "--group", "kernel", "--superuser")

    assert done.out == "user\talice\ngroups\tkernel\npassword\tmade-up\n"
    assert done.err == "The password is shown only this once.\n"
    assert fake.asked[0].json == {
        "username": "alice",
        "groups": ["kernel"],
        "is_staff": True,
        "is_superuser": True,
    }


def test_a_password_that_was_given_is_not_shown(lava_lite: LavaLite, fake: FakeServer) -> None:
    fake.on("PATCH", f"{USERS}alice/", user("alice"))

    done = lava_lite("user", "password", "alice", "--password-stdin", stdin=b"correct horse\n")

    assert (done.out, done.err) == ("", "alice has a new password.\n")
    assert fake.asked[0].json == {"password": "correct horse"}


def test_without_one_the_server_makes_a_password(lava_lite: LavaLite, fake: FakeServer) -> None:
    fake.on("PATCH", f"{USERS}alice/", user("alice", password="made-up"))

    assert lava_lite("user", "password", "alice").out == "password\tmade-up\n"
    assert fake.asked[0].json == {"password": None}


def test_no_password_on_standard_input_is_told(lava_lite: LavaLite, fake: FakeServer) -> None:
    done = lava_lite("user", "add", "alice", "--password-stdin")

    assert (done.code, fake.asked) == (2, [])
    assert "expected a password on standard input" in done.err


def test_every_field_that_is_wrong_is_told_once(lava_lite: LavaLite, fake: FakeServer) -> None:
    errors = {"email": ["expected an address"], "groups": ["there is no group lab"]}
    detail = "email: expected an address; groups: there is no group lab"
    fake.on("POST", USERS, problem(400, "A field is wrong", detail, errors=errors))

    done = lava_lite("user", "add", "alice", "--email", "x")

    assert (done.code, done.err) == (
        2,
        "lava-lite: A field is wrong\n  email: expected an address\n  groups: there is no group lab\n",
    )


def test_users_are_listed_with_what_they_may(lava_lite: LavaLite, fake: FakeServer) -> None:
    people = [
        user("admin", is_superuser=True),
        user("alice", is_staff=True, groups=["kernel", "lab"]),
        user("mallory", is_active=False, email="m@example.org"),
    ]
    fake.on("GET", f"{USERS}?limit=50", {"items": people, "next": None})

    assert lava_lite("user", "list").out == (
        "admin\tadministrator\t\t\t\nalice\tstaff\tkernel,lab\t\t\nmallory\tmay not log in\t\t\tm@example.org\n"
    )


def test_a_user_is_shown(lava_lite: LavaLite, fake: FakeServer) -> None:
    fake.on("GET", f"{USERS}alice/", user("alice", first_name="Alice", last_name="Liddell"))

    assert lava_lite("user", "show", "alice").out == "user\talice\nname\tAlice Liddell\n"


def test_it_is_told_who_one_is_and_where(lava_lite: LavaLite, fake: FakeServer) -> None:
    me = {"user": None, "is_staff": False, "is_superuser": False, "groups": [], "scope": None}
    fake.on("GET", "/api/v1/whoami/", me)

    assert lava_lite("whoami").out == f"user\tnobody: not logged in\nserver\t{fake.url}\n"
    assert lava_lite("whoami", "--json").json == me
