"""core4's calls over HTTP: to log in, to make a user, and for the history of the queue."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.utils import timezone
from rest_framework import serializers
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, NotFound, ValidationError
from rest_framework.parsers import FormParser
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.validators import UniqueValidator

from accounts import audit
from accounts.models import Scope, Token
from api.auth import by_password
from api.core4 import envelope
from api.core4.dialect import ID_DIGITS
from api.rest.parsers import JSONParser
from api.v1 import base, history
from api.v1.base import Body, IsSuperuser, TokenAuthentication
from api.v1.fields import Text
from api.v1.parameters import Parameter
from api.v1.users import NewUserBody

LOGIN = timedelta(hours=8)  # core4's
DESCRIPTION = "core4's login"
IGNORED = (
    "Roles and permissions of core4 are not given here. A user sees what everybody sees; groups and the rights of "
    "groups on devices give more."
)
TOKEN = Parameter(help="Your token, for clients that send no header.")


class TokenInQuery(BaseAuthentication):
    """`?token=`, where there is no header."""

    def authenticate(self, request: Request) -> tuple[User, Token] | None:
        secret = request.query_params.get("token")
        if secret is None:
            return None
        token = Token.of(secret)
        if token is None:
            raise AuthenticationFailed("Invalid token.")
        return token.user, token


class Resource(base.Resource):
    """What every address has in common. No cookie opens one, so none can be misused from another site."""

    authentication_classes = [TokenAuthentication, TokenInQuery]
    parser_classes = [JSONParser]

    def get_exception_handler(self) -> Callable[[Exception, dict[str, Any]], Response | None]:
        return envelope.answer_error


class LoginBody(Body):
    username = Text()
    password = Text(trim_whitespace=False)


class Login(Resource):
    """A token for a name and a password."""

    authentication_classes = []
    permission_classes = [AllowAny]
    parser_classes = [JSONParser, FormParser]
    parameters = {
        "username": Parameter(help="Your name."),
        "password": Parameter(help="Your password."),
    }

    def get(self, request: Request) -> Response:
        return self.log_in(request, request.query_params)

    def post(self, request: Request) -> Response:
        return self.log_in(request, request.data)

    def log_in(self, request: Request, given: Any) -> Response:
        """Of the scope `read`; for superusers `full`, since with it they make users."""
        body = LoginBody(data=given)
        body.is_valid(raise_exception=True)
        user = by_password(request, **body.validated_data)
        user.tokens.filter(description=DESCRIPTION, expires__lte=timezone.now()).delete()
        secret = Token.objects.issue(
            user,
            description=DESCRIPTION,
            expires=timezone.now() + LOGIN,
            scope=Scope.FULL if user.is_superuser else Scope.READ,
        )
        return Response(envelope.wrapped({"token": secret}), headers={"Cache-Control": "no-store"})


class RoleBody(Body):
    """core4's word for a user and for a group; here users alone are made."""

    name = Text(
        source="username",
        max_length=150,
        validators=[User.username_validator, UniqueValidator(User.objects.all(), "this name is taken")],
    )
    realname = Text(max_length=150, required=False, default="", allow_blank=True)
    email = serializers.EmailField(max_length=254, required=False, default="", allow_blank=True)
    password = Text(trim_whitespace=False, max_length=4096)
    role = serializers.ListField(child=Text(max_length=150), required=False, default=list)
    perm = serializers.ListField(child=Text(max_length=500), required=False, default=list)

    validate_password = NewUserBody.validate_password


class Roles(Resource):
    permission_classes = [IsSuperuser]

    def post(self, request: Request) -> Response:
        """Make a user, who gets no more rights than any other."""
        wanted = self.body(RoleBody)
        user = self.make(wanted)
        shown = {
            "_id": _digits("user", user.pk),
            "name": user.username,
            "realname": wanted["realname"],
            "email": user.email,
            "role": [],
            "perm": [],
            "etag": _digits(user.pk, user.username, user.email, user.password),
        }
        ignored = {"role": wanted["role"], "perm": wanted["perm"]}
        return Response(envelope.wrapped(shown | {"ignored": ignored, "note": IGNORED}))

    @transaction.atomic
    def make(self, wanted: dict[str, Any]) -> User:
        first, _, last = wanted["realname"].partition(" ")
        try:
            with transaction.atomic():
                user = User.objects.create_user(
                    wanted["username"], wanted["email"], wanted["password"], first_name=first, last_name=last
                )
        except IntegrityError:
            raise ValidationError({"name": ["this name is taken"]}) from None
        audit.note(self.user, user, "Added", kind=audit.ADDITION)
        return user


class JobsHistory(history.JobsHistory):
    """As that of version 1, which answers in core4's shape already; also for a token in the address."""

    authentication_classes = Resource.authentication_classes
    parameters = {**history.JobsHistory.parameters, "token": TOKEN}
    get_exception_handler = Resource.get_exception_handler


class Nothing(Resource):
    """An address that is not there, whatever the method."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        raise NotFound("There is no such address among those of core4 that this lab has.")


def _digits(*parts: object) -> str:
    """As an id of MongoDB's looks."""
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:ID_DIGITS]
