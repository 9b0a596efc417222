"""Users and groups, for administrators to look up."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Group, User
from rest_framework import mixins, serializers
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from api.rest import filters
from api.rest.base import IsAdministrator, Listing, Resource
from api.rest.fields import TimeField

USER_FILTERS = (
    filters.number("id")
    | filters.text("username")
    | filters.text("email")
    | filters.flag("is_active")
    | filters.flag("is_staff")
    | filters.flag("is_superuser")
    | filters.member("groups__name", "groups__name")
)


class GroupSerializer(serializers.ModelSerializer[Group]):
    class Meta:
        model = Group
        fields = ["id", "name"]


class UserSerializer(serializers.ModelSerializer[User]):
    groups = serializers.PrimaryKeyRelatedField[Any](many=True, read_only=True)
    date_joined = TimeField()
    last_login = TimeField(allow_null=True)

    class Meta:
        model = User
        fields = [
            "id",
            "username",
            "first_name",
            "last_name",
            "email",
            "groups",
            "is_active",
            "is_staff",
            "is_superuser",
            "date_joined",
            "last_login",
        ]


class GroupResource(Resource):
    permission_classes = [IsAuthenticated, IsAdministrator]
    serializer_class = GroupSerializer
    queryset = Group.objects.all()
    lookup_url_kwarg = "group_id"


class Groups(Listing, GroupResource):
    """All groups."""

    filters = filters.number("id") | filters.text("name")
    searched = ("name",)
    orderings = {"id": "id", "name": "name"}


class OneGroup(mixins.RetrieveModelMixin, GroupResource):
    """A group."""

    def get(self, request: Request, group_id: int) -> Response:
        return self.retrieve(request)


class UserResource(Resource):
    permission_classes = [IsAuthenticated, IsAdministrator]
    serializer_class = UserSerializer
    queryset = User.objects.prefetch_related("groups")
    lookup_url_kwarg = "user_id"


class Users(Listing, UserResource):
    """All users."""

    filters = USER_FILTERS
    searched = ("username", "first_name", "last_name", "email")
    orderings = {"id": "id", "username": "username", "date_joined": "date_joined"}


class OneUser(mixins.RetrieveModelMixin, UserResource):
    """A user."""

    def get(self, request: Request, user_id: int) -> Response:
        return self.retrieve(request)
