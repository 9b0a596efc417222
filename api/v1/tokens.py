"""My tokens. A secret is shown once, in the answer that makes it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import audit
from accounts.models import Scope, Token, digest
from api.auth import by_password
from api.rest.fields import TimeField
from api.v1 import parameters
from api.v1.base import Body, Listing, Resource, find
from api.v1.fields import Text, Whole

MOST_DAYS = 3650
SCOPES = {Scope(scope).label: Scope(scope) for scope in Scope}


class ScopeField(serializers.ChoiceField):
    """By its word."""

    def __init__(self, **options: Any) -> None:
        super().__init__(list(SCOPES), **options)

    def to_representation(self, value: Any) -> str:
        return str(Scope(value).label)


class TokenSerializer(serializers.ModelSerializer[Token]):
    scope = ScopeField(read_only=True)
    created = TimeField()
    expires = TimeField(allow_null=True)
    last_used = TimeField(allow_null=True)

    class Meta:
        model = Token
        fields = ["id", "description", "scope", "created", "expires", "last_used"]
        read_only_fields = ["description"]


class NewTokenSerializer(TokenSerializer):
    secret = serializers.SerializerMethodField(help_text="shown this once")

    class Meta(TokenSerializer.Meta):
        fields = [*TokenSerializer.Meta.fields, "secret"]

    def get_secret(self, token: Token) -> str:
        return str(self.context["secret"])


class TokenBody(Body):
    description = Text(max_length=200, required=False, default="", allow_blank=True)
    scope = ScopeField(required=False, default="full")
    expires = serializers.DateTimeField(required=False, allow_null=True, help_text="or `days`; else never")
    days = Whole(required=False, min_value=1, max_value=MOST_DAYS)

    def validate_expires(self, value: datetime | None) -> datetime | None:
        if value is not None and value <= timezone.now():
            raise ValidationError("expected a time to come")
        return value

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "days" not in attrs:
            return attrs
        if attrs.get("expires"):
            raise ValidationError({"days": ["give this or `expires`, not both"]})
        return {**attrs, "expires": timezone.now() + timedelta(days=attrs["days"])}


class LoginBody(TokenBody):
    username = Text()
    password = Text(trim_whitespace=False)
    description = Text(max_length=200, required=False, default="by name and password", allow_blank=True)


class TokenResource(Resource):
    permission_classes = [IsAuthenticated]
    serializer_class = TokenSerializer
    scopes = {"GET": Scope.FULL}

    def get_queryset(self) -> QuerySet[Token]:
        return Token.objects.filter(user=self.user)

    @transaction.atomic
    def issue(self, user: User, wanted: dict[str, Any]) -> Response:
        secret = Token.objects.issue(
            user,
            description=wanted["description"],
            expires=wanted.get("expires"),
            scope=SCOPES[wanted["scope"]],
        )
        token = Token.objects.get(digest=digest(secret))
        audit.note(user, token, f"Token for {wanted['scope']}", kind=audit.ADDITION)
        context = {**self.get_serializer_context(), "secret": secret}
        return Response(NewTokenSerializer(token, context=context).data, status=201)


class Tokens(Listing, TokenResource):
    """List your tokens.

    The newest first. Their secrets are not kept, and cannot be shown.
    """

    newest_first = True
    parameters = parameters.PAGES_BY_ID

    @extend_schema(request=TokenBody, responses={201: NewTokenSerializer})
    def post(self, request: Request) -> Response:
        """Make a token of yours.

        Its secret is in this answer and nowhere else.
        """
        return self.issue(self.user, self.body(TokenBody))


class OneToken(TokenResource):
    @extend_schema(responses={204: None})
    def delete(self, request: Request, token_id: int) -> Response:
        """Revoke a token of yours.

        At once and for good.
        """
        token = find(self.get_queryset(), "token of yours", pk=token_id)
        with transaction.atomic():
            audit.note(self.user, token, "Revoked", kind=audit.DELETION)
            token.delete()
        return Response(status=204)


class Login(TokenResource):
    authentication_classes = []
    permission_classes = [AllowAny]
    scopes = {}
    failures = {"POST": (401, 429)}

    @extend_schema(request=LoginBody, responses={201: NewTokenSerializer})
    def post(self, request: Request) -> Response:
        """Make a token for a name and a password.

        Its secret is in this answer and nowhere else.
        """
        wanted = self.body(LoginBody)
        user = by_password(request, wanted["username"], wanted["password"])
        return self.issue(user, wanted)
