"""Users, for superusers."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Group, User
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError as Refused
from django.db import transaction
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.validators import UniqueValidator

from accounts import audit
from accounts.models import Scope, make_secret
from api.errors import Conflict
from api.rest.fields import TimeField
from api.v1 import parameters
from api.v1.base import Body, IsSuperuser, Listing, Resource, find
from api.v1.fields import Flag, Text

PASSWORD_LENGTH = 20
NEEDED = (
    "is_active",
    "is_superuser",
)  # nobody takes these from himself: it could be the last one who has them


class UserSerializer(serializers.ModelSerializer[User]):
    username = serializers.CharField(read_only=True)
    email = serializers.CharField(read_only=True)  # of some no address was ever asked
    is_active = serializers.BooleanField(read_only=True)
    is_staff = serializers.BooleanField(read_only=True, help_text="whether the admin site is open to them")
    is_superuser = serializers.BooleanField(read_only=True, help_text="whether they may do everything")
    groups = serializers.SlugRelatedField[Any](slug_field="name", many=True, read_only=True)
    last_login = TimeField(allow_null=True)

    class Meta:
        model = User
        fields = [
            "username",
            "first_name",
            "last_name",
            "email",
            "is_active",
            "is_staff",
            "is_superuser",
            "groups",
            "last_login",
        ]
        read_only_fields = ["first_name", "last_name"]


class UserWithPasswordSerializer(UserSerializer):
    password = serializers.SerializerMethodField(help_text="one that was made, shown this once; else null")

    class Meta(UserSerializer.Meta):
        fields = [*UserSerializer.Meta.fields, "password"]

    def get_password(self, user: User) -> str | None:
        made: str | None = self.context["password"]
        return made


class ChangeUserBody(Body):
    first_name = Text(max_length=150, allow_blank=True, required=False)
    last_name = Text(max_length=150, allow_blank=True, required=False)
    email = serializers.EmailField(max_length=254, allow_blank=True, required=False)
    is_active = Flag(required=False)
    is_staff = Flag(required=False)
    is_superuser = Flag(required=False)
    groups = serializers.ListField(
        child=Text(max_length=150), required=False, help_text="the names of all of them"
    )
    password = Text(
        required=False,
        allow_null=True,
        trim_whitespace=False,
        max_length=4096,
        help_text="null: one is made, and shown this once",
    )

    def validate_password(self, value: str | None) -> str | None:
        try:
            if value is not None:
                validate_password(value)
        except Refused as refused:
            raise ValidationError(list(refused.messages)) from None
        return value

    def validate_groups(self, value: list[str]) -> list[Group]:
        found = {group.name: group for group in Group.objects.filter(name__in=value)}
        if unknown := sorted(set(value) - set(found)):
            raise ValidationError(f"there is no group {', '.join(unknown)} here")
        return list(found.values())


class NewUserBody(ChangeUserBody):
    username = Text(
        max_length=150,
        validators=[User.username_validator, UniqueValidator(User.objects.all(), "this name is taken")],
    )


class UserResource(Resource):
    permission_classes = [IsSuperuser]
    serializer_class = UserSerializer
    scopes = {"GET": Scope.FULL}

    def get_queryset(self) -> Any:
        return User.objects.prefetch_related("groups")

    def find(self, username: str) -> User:
        user: User = find(self.get_queryset(), "user", username=username)
        return user

    @transaction.atomic
    def save(self, user: User, wanted: dict[str, Any]) -> str | None:
        """The password, if one was made."""
        groups: list[Group] | None = wanted.pop("groups", None)
        made = None
        if "password" in wanted:
            given: str | None = wanted.pop("password")
            made = None if given else make_secret()[:PASSWORD_LENGTH]
            user.set_password(given or made)
        for field, value in wanted.items():
            setattr(user, field, value)
        user.save()
        if groups is not None:
            user.groups.set(groups)
        return made

    def shown_with(self, username: str, password: str | None, **options: Any) -> Response:
        context = {**self.get_serializer_context(), "password": password}
        return Response(UserWithPasswordSerializer(self.find(username), context=context).data, **options)


class Users(Listing, UserResource):
    """List users.

    In the order in which they were made. For superusers.
    """

    parameters = {
        "q": parameters.part("A part of the name, in whatever case.", "username"),
        **parameters.PAGES_BY_ID,
    }

    @extend_schema(request=NewUserBody, responses={201: UserWithPasswordSerializer})
    def post(self, request: Request) -> Response:
        """Make a user.

        Without a password one is made, and shown in this answer only. For superusers.
        """
        wanted = {"password": None, **self.body(NewUserBody)}
        user = User()
        with transaction.atomic():
            password = self.save(user, wanted)
            audit.note(self.user, user, "Added", kind=audit.ADDITION)
        address = reverse("api:v1-user", [user.username], request=request)
        return self.shown_with(user.username, password, status=201, headers={"Location": address})


class OneUser(UserResource):
    failures = {"PATCH": (409,)}

    def get(self, request: Request, username: str) -> Response:
        """Show a user.

        For superusers.
        """
        return self.answer(self.find(username))

    @extend_schema(request=ChangeUserBody, responses=UserWithPasswordSerializer)
    def patch(self, request: Request, username: str) -> Response:
        """Change a user.

        What is not given stays as it is. A password of null makes a new one. For superusers.
        """
        wanted = self.body(ChangeUserBody)
        user = self.find(username)
        if user == self.user and (lost := [field for field in NEEDED if wanted.get(field) is False]):
            raise Conflict(f"You cannot take {', '.join(lost)} from yourself; ask another superuser.")
        changed = ", ".join(wanted) or "nothing"
        with transaction.atomic():
            password = self.save(user, wanted)
            audit.note(self.user, user, f"Changed {changed}")
        return self.shown_with(username, password)
