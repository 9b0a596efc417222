"""What the lab says of itself, and of who asks."""

from __future__ import annotations

from importlib.metadata import version

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from accounts.models import Scope, Token
from api.rest.system import LAVA_LEVEL
from api.v1.base import Resource, Shape

COLLECTIONS = {"jobs": "jobs", "devices": "devices", "device_types": "device-types", "workers": "workers"}


class RootSerializer(Shape):
    def get_fields(self) -> dict[str, serializers.Field[str, str, str, str]]:
        return {name: serializers.URLField() for name in COLLECTIONS}


class SystemSerializer(Shape):
    name = serializers.CharField(help_text="lava_lite")
    version = serializers.CharField(help_text="of lava_lite")
    api = serializers.CharField(help_text="the version of this API")
    lava = serializers.CharField(help_text="the LAVA whose dialect the other APIs speak")


class WhoAmISerializer(Shape):
    user = serializers.CharField(allow_null=True, help_text="null for somebody who has not logged in")
    is_staff = serializers.BooleanField()
    is_superuser = serializers.BooleanField()
    groups = serializers.ListField(child=serializers.CharField())
    scope = serializers.ChoiceField(
        Scope.labels, allow_null=True, help_text="of the token; null for a session or nobody"
    )


class Root(Resource):
    authentication_classes = []

    @extend_schema(responses=RootSerializer)
    def get(self, request: Request) -> Response:
        """Show where the collections are."""
        addresses = {name: reverse(f"api:v1-{view}", request=request) for name, view in COLLECTIONS.items()}
        return Response(addresses)


class System(Resource):
    authentication_classes = []

    @extend_schema(responses=SystemSerializer)
    def get(self, request: Request) -> Response:
        """Show what this is.

        Name and versions. Asks nothing of the database, and so is right for probes.
        """
        return Response(
            {"name": "lava_lite", "version": version("lava-lite"), "api": "v1", "lava": LAVA_LEVEL}
        )


class WhoAmI(Resource):
    @extend_schema(responses=WhoAmISerializer)
    def get(self, request: Request) -> Response:
        """Show who you are.

        To the lab, and what your token may be used for.
        """
        user, token = request.user, request.auth
        return Response(
            {
                "user": user.get_username() or None,
                "is_staff": user.is_staff,
                "is_superuser": user.is_superuser,
                "groups": sorted(user.groups.values_list("name", flat=True)),
                "scope": Scope(token.scope).label if isinstance(token, Token) else None,
            }
        )
