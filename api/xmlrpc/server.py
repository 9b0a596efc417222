"""The address `/RPC2`: LAVA's XML-RPC, as `lavacli` and plain `xmlrpc.client` call it.

Whatever goes wrong is a Fault with HTTP status 200, since clients repeat a request that was answered with a 5xx;
only who gives a wrong token gets a 401.
"""

from __future__ import annotations

import base64
import binascii
import logging
from typing import Any
from xmlrpc.client import Fault, dumps, loads

from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from accounts.models import Scope, Token
from api.errors import BUSY, DATABASE_BUSY, kind_of
from api.xmlrpc import inventory, remote_tokens, scheduler, system  # noqa: F401  (importing registers their methods)
from api.xmlrpc.methods import INTERNAL, UNREADABLE, Caller, call

log = logging.getLogger(__name__)

# LAVA leaves the charset out, and clients then read text as latin-1.
CONTENT_TYPE = "application/xml; charset=utf-8"


class WrongToken(Exception):
    """The credentials are none of a user's here."""


@csrf_exempt
@require_POST
def rpc(request: HttpRequest) -> HttpResponse:
    """One call."""
    try:
        caller = _caller(request)
    except WrongToken:
        refused = HttpResponse("Invalid token", status=401, content_type="text/plain; charset=utf-8")
        refused["WWW-Authenticate"] = 'Basic realm="XML-RPC Authentication token"'
        return refused
    return HttpResponse(_answer(request.body, caller), content_type=CONTENT_TYPE)


def _caller(request: HttpRequest) -> Caller:
    """Who `Authorization: Basic user:token` says it is. WrongToken for what is not so."""
    header = request.headers.get("Authorization")
    if header is None:
        return Caller(user=AnonymousUser())
    scheme, _, encoded = header.partition(" ")
    try:
        name, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise WrongToken from error
    token = Token.of(secret) if scheme.lower() == "basic" else None
    if token is None or token.user.username != name:
        raise WrongToken
    return Caller(user=token.user, scope=Scope(token.scope))


def _answer(body: bytes, caller: Caller) -> str:
    try:
        arguments, name = loads(body, use_builtin_types=True)
    except Exception as error:  # the parser raises whatever it stumbles over
        return _fault(Fault(UNREADABLE, f"This is no XML-RPC request: {error}"))
    try:
        result = call(name or "", caller, arguments)
        return dumps((result,), methodresponse=True, allow_none=True, encoding="utf-8")
    except Exception as error:
        return _fault(_as_fault(error, name))


def _as_fault(error: Exception, name: Any) -> Fault:
    if isinstance(error, Fault):
        return error
    if kind := kind_of(error):
        return Fault(kind.status, BUSY if kind is DATABASE_BUSY else str(error))
    log.exception("%s failed", name)
    return Fault(INTERNAL, "The server failed; its log says why.")


def _fault(fault: Fault) -> str:
    return dumps(fault, encoding="utf-8")
