"""`scheduler.remote_artifact_tokens.*`: a user's own secrets for other servers, which jobs name."""

from __future__ import annotations

from typing import Any
from xmlrpc.client import Fault

from django.contrib.auth.models import User

from accounts import lifecycle
from accounts.models import RemoteToken, Scope
from api.xmlrpc.methods import BAD_REQUEST, NOT_FOUND, Caller, method


@method("scheduler.remote_artifact_tokens.list")
def list_tokens(caller: Caller) -> list[dict[str, str]]:
    """Your tokens, each with its name and the token itself."""
    return [{"name": each.name, "token": each.secret} for each in _tokens(caller.acting(Scope.FULL))]


@method("scheduler.remote_artifact_tokens.show")
def show(caller: Caller, name: str) -> str:
    """The token of this name; fault 404 if you have none."""
    return str(_find(caller.acting(Scope.FULL), name).secret)


@method("scheduler.remote_artifact_tokens.add")
def add(caller: Caller, name: str, token: str) -> None:
    """Keep a token under a name, in place of an older one. Whoever gives you jobs to submit can have it sent anywhere."""
    user = caller.acting(Scope.FULL)
    try:
        lifecycle.keep_remote_token(user, name, token)
    except ValueError as wrong:
        raise Fault(BAD_REQUEST, str(wrong)) from wrong


@method("scheduler.remote_artifact_tokens.delete")
def delete(caller: Caller, name: str) -> None:
    """Forget the token of this name; fault 404 if you have none."""
    user = caller.acting(Scope.FULL)
    lifecycle.forget_remote_tokens([_find(user, name)], by=user)


def _tokens(user: User) -> Any:
    return RemoteToken.objects.filter(user=user)


def _find(user: User, name: Any) -> RemoteToken:
    found: RemoteToken | None = _tokens(user).filter(name=str(name)[: RemoteToken.LONGEST_NAME]).first()
    if found is None:
        raise Fault(NOT_FOUND, f"You have no token {str(name)[:40]!r}.")
    return found
