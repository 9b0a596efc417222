"""Who is at the other end of a connection that stays open, and whether it may stay: for sockets and streams.

What a page's request says of its user holds for that request. A stream lives for days, so it remembers by what it
was let in, and is asked again every few seconds whether that still holds.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from importlib import import_module
from typing import Any
from urllib.parse import parse_qs

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import AnonymousUser, User
from django.db.models import Q
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from accounts.middleware import SCHEMES
from accounts.models import Token
from accounts.rights import Anyone

Scope = Mapping[str, Any]  # of ASGI


class Unwelcome(Exception):
    """What was shown to get in is unknown, expired or revoked; says which."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """By what somebody was let in. All with the same rights are equal."""

    user_id: int | None = None  # None: anonymous
    token_id: int | None = None
    session: str | None = None


ANONYMOUS = Visitor()


def visitor_of(scope: Scope) -> Visitor:
    """Who opens this connection: by `Authorization` (Token, Bearer, or Basic with a user's token), by `?token=`, or by the cookie of a browser.

    Unwelcome for a token that opens nothing: it is never treated as no token. Asks the database.
    """
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    name, secret = _shown(headers.get("authorization", ""))
    if secret is None:
        secret = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("token", [None])[0]
    if secret is not None:
        return _by_token(secret, name)
    return _by_session(_cookie(headers.get("cookie", "")))


def user_of(visitor: Visitor) -> Anyone:
    """The user as the database has it now. Unwelcome if there is no such user any more, or it may not log in."""
    if visitor.user_id is None:
        return AnonymousUser()
    user = User.objects.filter(pk=visitor.user_id, is_active=True).first()
    if user is None:
        raise Unwelcome("This user may not log in any more.")
    return user


def still_welcome(visitors: Iterable[Visitor]) -> set[Visitor]:
    """Those by whose token or session one would still get in; with as many queries for a thousand as for one."""
    asked = set(visitors)
    users = {visitor.user_id for visitor in asked if visitor.user_id is not None}
    active = set(User.objects.filter(pk__in=users, is_active=True).values_list("pk", flat=True)) | {None}
    unexpired = Q(expires__isnull=True) | Q(expires__gt=timezone.now())
    tokens = {visitor.token_id for visitor in asked if visitor.token_id is not None}
    valid = set(Token.objects.filter(unexpired, pk__in=tokens).values_list("pk", flat=True)) | {None}
    return {
        visitor
        for visitor in asked
        if visitor.user_id in active
        and visitor.token_id in valid
        and (visitor.session is None or _by_session(visitor.session) == visitor)
    }


def _shown(authorization: str) -> tuple[str | None, str | None]:
    """The user's name, where one is said, and the secret; None for each that is not there."""
    scheme, _, credentials = authorization.partition(" ")
    if scheme.lower() in SCHEMES:
        return None, credentials.strip()
    if scheme.lower() != "basic":
        return None, None
    try:
        plain = base64.b64decode(credentials.strip(), validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        raise Unwelcome("The Authorization header cannot be read.") from None
    name, _, secret = plain.partition(":")
    return name, secret


def _by_token(secret: str, name: str | None) -> Visitor:
    token = Token.of(secret)
    if token is None or (name is not None and token.user.username != name):
        raise Unwelcome("This token is unknown, expired or revoked.")
    return Visitor(user_id=token.user_id, token_id=token.pk)


def _cookie(header: str) -> str | None:
    try:
        cookies = SimpleCookie(header)
    except CookieError:
        return None
    found = cookies.get(settings.SESSION_COOKIE_NAME)
    return found.value if found else None


def _by_session(key: str | None) -> Visitor:
    """As django.contrib.auth does for a request; without a valid session: anonymous."""
    if not key:
        return ANONYMOUS
    session = import_module(settings.SESSION_ENGINE).SessionStore(key)
    user_id, backend = session.get(SESSION_KEY), session.get(BACKEND_SESSION_KEY)
    if user_id is None or backend not in settings.AUTHENTICATION_BACKENDS:
        return ANONYMOUS
    user = User.objects.filter(pk=user_id, is_active=True).first()
    if user is None or not constant_time_compare(
        session.get(HASH_SESSION_KEY, ""), user.get_session_auth_hash()
    ):
        return ANONYMOUS
    return Visitor(user_id=user.pk, session=key)
