"""A token opens the pages' addresses too, so that `curl` reads what the browser reads."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, JsonResponse

from accounts.models import Token

SCHEMES = ("token", "bearer")
APIS = ("/api/", "/core4/")  # which know tokens by themselves
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


def secret_in(request: HttpRequest) -> str | None:
    """The secret of `Authorization: Token …` (or Bearer); None where there is no such header."""
    scheme, _, secret = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    return secret.strip() if scheme.lower() in SCHEMES else None


class TokenMiddleware:
    """For reading only: what a token changes, it changes through the APIs, where no cookie is involved."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path.startswith(APIS) or request.method not in SAFE_METHODS:
            return self.get_response(request)
        secret = secret_in(request)
        if secret is None:
            return self.get_response(request)
        token = Token.of(secret)
        if token is None:
            return JsonResponse({"error": "This token is unknown, expired or revoked."}, status=401)
        request.user = token.user
        return self.get_response(request)
