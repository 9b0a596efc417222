"""Who asks: `Authorization: Token …`, as LAVA's clients send it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, Throttled
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from accounts import throttle
from accounts.middleware import secret_in
from accounts.models import Scope, Token


class TokenAuthentication(BaseAuthentication):
    """A wrong token is refused with LAVA's words, never treated as no token."""

    def authenticate(self, request: Request) -> tuple[User, Token] | None:
        secret = secret_in(request._request)
        if secret is None:
            return None
        token = Token.of(secret)
        if token is None:
            raise AuthenticationFailed("Invalid token.")
        return token.user, token


def by_password(request: Request, username: str, password: str) -> User:
    """AuthenticationFailed if they do not belong together; Throttled for who has guessed too often."""
    try:
        throttle.check(request._request, username)
    except throttle.TooManyFailures as error:
        raise Throttled(throttle.SECONDS, str(error)) from None
    user = authenticate(request._request, username=username, password=password)
    if not isinstance(user, User):
        raise AuthenticationFailed("There is no user of this name with this password.")
    return user


class InScope(BasePermission):
    """Whether the token, if it is one that opened the door, reaches as far as the request.

    A view names in `scopes` the scope of each method that is not as usual: to look takes READ, to change FULL.
    """

    def has_permission(self, request: Request, view: Any) -> bool:
        token = request.auth
        if not isinstance(token, Token):
            return True
        needed = self.needed(view, request.method or "")
        self.message = (
            f"This token is for {Scope(token.scope).label} only; this takes one for {needed.label}."
        )
        return token.allows(needed)

    @staticmethod
    def needed(view: Any, method: str) -> Scope:
        scopes: Mapping[str, Scope] = getattr(view, "scopes", {})
        usual = Scope.READ if method in SAFE_METHODS else Scope.FULL
        return scopes.get("GET" if method == "HEAD" else method, usual)
