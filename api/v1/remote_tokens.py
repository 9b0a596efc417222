"""My tokens for other servers: jobs name them, and no answer has one."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import lifecycle
from accounts.lifecycle import check_printable
from accounts.models import RemoteToken, Scope
from api.v1 import parameters
from api.v1.base import Body, Listing, Resource, find
from api.v1.fields import Text


class RemoteTokenSerializer(serializers.ModelSerializer[RemoteToken]):
    class Meta:
        model = RemoteToken
        fields = ["id", "name"]


class RemoteTokenBody(Body):
    name = Text(max_length=RemoteToken.LONGEST_NAME, help_text="as jobs write it")
    token = Text(max_length=RemoteToken.LONGEST_SECRET, help_text="what the other server takes")

    def validate_name(self, value: str) -> str:
        return _printable("name", value, RemoteToken.LONGEST_NAME)

    def validate_token(self, value: str) -> str:
        return _printable("token", value, RemoteToken.LONGEST_SECRET)


def _printable(field: str, value: str, longest: int) -> str:
    try:
        check_printable(field, value, longest)
    except ValueError as wrong:
        raise ValidationError("expected printable characters") from wrong
    return value


class RemoteTokenResource(Resource):
    permission_classes = [IsAuthenticated]
    serializer_class = RemoteTokenSerializer
    scopes = {"GET": Scope.FULL}

    def get_queryset(self) -> QuerySet[RemoteToken]:
        return RemoteToken.objects.filter(user=self.user)


class RemoteTokens(Listing, RemoteTokenResource):
    """List your tokens for other servers.

    By their names; the tokens themselves are told to nobody but the workers of your jobs.
    """

    parameters = parameters.PAGES_BY_ID

    @extend_schema(
        request=RemoteTokenBody, responses={201: RemoteTokenSerializer, 200: RemoteTokenSerializer}
    )
    def post(self, request: Request) -> Response:
        """Keep a token for another server.

        In place of an older one of the same name, which is a 200; a new one is a 201. A job names it as a value of
        `secrets`, or of `headers` beside a `url` in a deploy action, and its worker gets the token.
        """
        wanted: dict[str, Any] = self.body(RemoteTokenBody)
        token, is_new = lifecycle.keep_remote_token(self.user, wanted["name"], wanted["token"])
        return self.answer(token, status=201 if is_new else 200)


class OneRemoteToken(RemoteTokenResource):
    @extend_schema(responses={204: None})
    def delete(self, request: Request, token_id: int) -> Response:
        """Forget a token for another server.

        The other server still takes it.
        """
        token = find(self.get_queryset(), "token of yours", pk=token_id)
        lifecycle.forget_remote_tokens([token], by=self.user)
        return Response(status=204)
