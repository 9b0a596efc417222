"""Who asks: `Authorization: Token …`, as LAVA's clients send it."""

from __future__ import annotations

from django.contrib.auth.models import User
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from accounts.middleware import secret_in
from accounts.models import Token


class TokenAuthentication(BaseAuthentication):
    """A wrong token is refused with LAVA's words, never treated as no token."""

    def authenticate(self, request: Request) -> tuple[User, str] | None:
        secret = secret_in(request._request)
        if secret is None:
            return None
        user = Token.objects.user_of(secret)
        if user is None:
            raise AuthenticationFailed("Invalid token.")
        return user, secret
