"""`system.*`: what the server says of itself and of its methods."""

from __future__ import annotations

import inspect

from api.rest.system import LAVA_LEVEL
from api.xmlrpc.methods import METHODS, Caller, method

API_VERSION = 2  # LAVA's


@method("system.version")
def version(caller: Caller) -> str:
    """The version of LAVA whose methods these are."""
    return LAVA_LEVEL


@method("system.api_version")
def api_version(caller: Caller) -> int:
    """The version of the API."""
    return API_VERSION


@method("system.whoami")
def whoami(caller: Caller) -> str | None:
    """Your user name; nil if you gave no token."""
    return caller.user.get_username() or None


@method("system.listMethods")
def list_methods(caller: Caller) -> list[str]:
    """The names of all methods."""
    return sorted(METHODS)


@method("system.methodHelp")
def method_help(caller: Caller, name: str) -> str:
    """What a method does; empty for one that is not there."""
    return inspect.getdoc(METHODS[name]) or "" if name in METHODS else ""


@method("system.methodSignature")
def method_signature(caller: Caller, name: str) -> str:
    """The types of a method's arguments are not declared."""
    return "undef"
