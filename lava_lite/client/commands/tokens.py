"""`lava-lite token …`"""

from __future__ import annotations

import getpass
import socket
from contextlib import suppress

from lava_lite.client import targets
from lava_lite.client.api import Row, segment
from lava_lite.client.commands.users import password_given
from lava_lite.client.context import Context
from lava_lite.client.errors import Usage
from lava_lite.client.exits import Exit
from lava_lite.client.shapes import age, column
from lava_lite.client.targets import Identity

LIST = (
    column("ID", "id"),
    column("SCOPE", "scope"),
    column("CREATED", "created", age),
    column("LAST USED", "last_used", age),
    column("EXPIRES", lambda token: str(token.get("expires") or "never")),
    column("DESCRIPTION", "description"),
)


def list_tokens(context: Context) -> Exit:
    rows = context.api.items("tokens/", limit=context.words.limit)
    return context.show_rows(LIST, rows)


def add(context: Context) -> Exit:
    words = context.words
    token = context.api.post(
        "tokens/", {"description": words.description, "scope": words.scope, "days": words.days}
    )
    if context.console.as_json:
        context.console.json(token)
        return Exit.OK
    context.console.say(token["secret"])
    context.console.note(f"Token {token['id']} may {_may(token)}. It is shown only this once.")
    return Exit.OK


def revoke(context: Context) -> Exit:
    def revoke_one(name: str) -> tuple[Row, Exit]:
        context.api.delete(f"tokens/{segment(name)}/")
        context.console.note(f"Token {name} is revoked.")
        return {"id": int(name)}, Exit.OK

    return context.each(context.words.tokens, revoke_one)


def login(context: Context) -> Exit:
    """Keep a token in the file of identities: one that was given, or a new one for a user and a password."""
    words, server = context.words, context.login_server
    if server.startswith("http://") and not _is_on_this_machine(server):
        context.console.note(f"{server} is not encrypted: whoever listens on the way reads the password.")
    token = _given_token(context, server) if words.with_token else _new_token(context, server)
    name = words.identity or targets.DEFAULT
    path = targets.file_path(context.environ)
    targets.save(path, name, Identity(server=server, token=token["secret"], user=token["user"]))
    if context.console.as_json:
        context.console.json({key: value for key, value in token.items() if key != "secret"})
    else:
        context.console.note(f"Logged in to {server} as {token['user']}. The token is in {path}.")
    if context.environ.get("LAVA_LITE_TOKEN"):
        context.console.note(
            "LAVA_LITE_TOKEN in the environment stands before it: unset that to use the new one."
        )
    return Exit.OK


def _new_token(context: Context, server: str) -> Row:
    words = context.words
    user = words.user or _ask(context, "User: ")
    password = password_given(context)
    if password is None:
        password = _ask(context, "Password: ", secretly=True)
    fields = {
        "username": user,
        "password": password,
        "description": words.description or f"lava-lite on {socket.gethostname()}",
        "scope": words.scope,
        "days": words.days,
    }
    # Without the old token, which is perhaps no longer good and would be refused.
    return {**context.connect(server).post("tokens/login/", fields), "user": user}


def _given_token(context: Context, server: str) -> Row:
    secret = context.stdin.readline().strip()
    if not secret:
        raise Usage("--with-token: expected a token on standard input, got nothing")
    me = context.connect(server, secret).get("whoami/")
    return {"secret": secret, "user": me["user"], "scope": me["scope"]}


def _ask(context: Context, prompt: str, *, secretly: bool = False) -> str:
    if not context.stdin.isatty():
        raise Usage("Nobody can be asked here: give --user NAME and --password-stdin, or --with-token")
    with suppress(EOFError):
        if secretly:
            return getpass.getpass(prompt, stream=context.console.err)
        context.console.err.write(prompt)
        context.console.err.flush()
        return context.stdin.readline().strip()
    return ""


def _is_on_this_machine(server: str) -> bool:
    host = server.removeprefix("http://").split("/")[0].rpartition(":")[0] or server
    return host in ("localhost", "[::1]") or host.startswith("127.")


def _may(token: Row) -> str:
    return {"read": "read", "submit": "read, and submit and cancel jobs", "full": "do all that you may"}[
        token["scope"]
    ]
