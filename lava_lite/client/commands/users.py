"""`lava-lite user …`, for administrators, and `lava-lite whoami`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lava_lite.client.api import Row, segment
from lava_lite.client.context import Context
from lava_lite.client.errors import Usage
from lava_lite.client.exits import Exit
from lava_lite.client.shapes import age, ago, column, plain

LIST = (
    column("NAME", "username"),
    column("RIGHTS", lambda user: _rights(user)),
    column("GROUPS", "groups"),
    column("LAST LOGIN", "last_login", age),
    column("EMAIL", "email"),
)


def list_users(context: Context) -> Exit:
    rows = context.api.items("users/", limit=context.words.limit)
    return context.show_rows(LIST, rows)


def show(context: Context) -> Exit:
    user = context.api.get(f"users/{segment(context.words.user)}/")
    if context.console.as_json:
        context.console.json(user)
    else:
        _show(context, user)
    return Exit.OK


def add(context: Context) -> Exit:
    words = context.words
    user = context.api.post(
        "users/",
        {
            "username": words.user,
            "password": password_given(context),
            "email": words.email,
            "is_staff": words.staff or words.superuser or None,
            "is_superuser": words.superuser or None,
            "groups": words.group or None,
        },
    )
    if context.console.as_json:
        context.console.json(user)
    else:
        _show(context, user)
        _show_once(context, user)
    return Exit.OK


def password(context: Context) -> Exit:
    """Given or made by the server, or with --local without any server."""
    name, given = context.words.user, password_given(context)
    if context.words.local:
        user = _set_local_password(context, name, given)
    else:
        user = context.api.patch(f"users/{segment(name)}/", {"password": given})
    if context.console.as_json:
        context.console.json(user)
        return Exit.OK
    context.console.note(f"{name} has a new password.")
    _show_once(context, user)
    return Exit.OK


def _set_local_password(context: Context, name: str, given: str | None) -> Row:
    from core.private import make_password

    new = given or make_password()
    context.here.set_password(name, new)
    return {"username": name} if given else {"username": name, "password": new}


def whoami(context: Context) -> Exit:
    me = context.api.get("whoami/")
    if context.console.as_json:
        context.console.json(me)
        return Exit.OK
    source = context.target.source
    context.console.facts(
        [
            ("user", me["user"] or "nobody: not logged in"),
            ("rights", _rights(me)),
            ("groups", plain(me["groups"])),
            ("scope", me["scope"] or ""),
            ("server", context.target.server),
            ("token from", source),
        ]
    )
    return Exit.OK


def password_given(context: Context) -> str | None:
    """The first line of standard input, where that was asked for."""
    if not context.words.password_stdin:
        return None
    given = context.stdin.readline().rstrip("\r\n")
    if not given:
        raise Usage("--password-stdin: expected a password on standard input, got nothing")
    return given


def _show(context: Context, user: Row) -> None:
    name = " ".join(filter(None, [user.get("first_name"), user.get("last_name")]))
    context.console.facts(
        [
            ("user", user["username"]),
            ("name", name),
            ("email", user.get("email") or ""),
            ("rights", _rights(user)),
            ("groups", plain(user.get("groups") or [])),
            ("last login", ago(user.get("last_login"))),
        ]
    )


def _show_once(context: Context, user: Row) -> None:
    if user.get("password"):
        context.console.facts([("password", user["password"])])
        context.console.note("The password is shown only this once.")


def _rights(user: Mapping[str, Any]) -> str:
    if not user.get("is_active", True):
        return "may not log in"
    if user.get("is_superuser"):
        return "administrator"
    return "staff" if user.get("is_staff") else ""
