"""A token for a name and a password."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import AuthenticationFailed, ValidationError
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import Token
from api.auth import by_password
from api.rest.base import Resource

WRONG = "Unable to log in with provided credentials."


class CredentialsSerializer(serializers.Serializer[Any]):
    username = serializers.CharField()
    password = serializers.CharField(trim_whitespace=False)


class SecretSerializer(serializers.Serializer[Any]):
    token = serializers.CharField()


class IssueToken(Resource):
    """Each call makes a token of its own: none can be shown twice, as only its digest is kept."""

    authentication_classes = []
    permission_classes = [AllowAny]
    serializer_class = CredentialsSerializer
    failures = {"POST": (429,)}

    @extend_schema(responses=SecretSerializer)
    def post(self, request: Request) -> Response:
        given = self.get_serializer(data=request.data)
        given.is_valid(raise_exception=True)
        try:
            user = by_password(request, **given.validated_data)
        except AuthenticationFailed:
            raise ValidationError({"non_field_errors": [WRONG]}) from None
        return Response({"token": Token.objects.issue(user, description="by name and password")})
