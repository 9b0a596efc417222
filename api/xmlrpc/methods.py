"""The register of XML-RPC methods, and how they say that something is wrong."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from xmlrpc.client import Fault

from django.contrib.auth.models import User

from accounts.models import Scope
from accounts.rights import Anyone

Method = Callable[..., Any]

# LAVA's codes: those of HTTP for what a caller can mend, those of XML-RPC for the rest.
BAD_REQUEST = 400
UNAUTHORIZED = 401
FORBIDDEN = 403
NOT_FOUND = 404
UNREADABLE = -32700
NO_SUCH_METHOD = -32601
INTERNAL = -32603

METHODS: dict[str, Method] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who calls, and how far the token reaches."""

    user: Anyone
    scope: Scope = Scope.READ

    def acting(self, scope: Scope) -> User:
        """The user, for a deed that takes this scope. Fault 401 for an anonymous caller, 403 for a lesser token."""
        if not isinstance(self.user, User):
            raise Fault(UNAUTHORIZED, "Authentication with user and token required for this API.")
        if self.scope < scope:
            raise Fault(
                FORBIDDEN, f"This token is for {self.scope.label} only; this takes one for {scope.label}."
            )
        return self.user


def method(*names: str) -> Callable[[Method], Method]:
    """Register `function(caller, *arguments)` under its names; its docstring is the help that callers read."""

    def register(function: Method) -> Method:
        METHODS.update(dict.fromkeys(names, function))
        return function

    return register


def call(name: str, caller: Caller, arguments: tuple[Any, ...]) -> Any:
    """Fault for an unknown method and for a wrong number of arguments."""
    function = METHODS.get(name)
    if function is None:
        raise Fault(NO_SUCH_METHOD, f"There is no method {name!r}; system.listMethods names those that are.")
    try:
        inspect.signature(function).bind(caller, *arguments)
    except TypeError as wrong:
        raise Fault(INTERNAL, f"{name}: {wrong}") from wrong
    return function(caller, *arguments)
