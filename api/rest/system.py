"""What the lab says of itself."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from api.rest.base import Resource

LAVA_LEVEL = "2023.01"  # the LAVA whose dialect this is; clients choose by it what they ask for
NO_LIMIT = 1024 * 1024  # MiB: a log is shown however large it is
COLLECTIONS = {
    "jobs": "jobs",
    "devices": "devices",
    "devicetypes": "devicetypes",
    "workers": "workers",
    "aliases": "aliases",
    "tags": "tags",
    "groups": "groups",
    "users": "users",
    "permissions/devicetypes": "devicetype-permissions",
    "permissions/devices": "device-permissions",
}


class VersionSerializer(serializers.Serializer[Any]):
    version = serializers.CharField()


class WhoAmISerializer(serializers.Serializer[Any]):
    user = serializers.CharField()


class MasterConfigSerializer(serializers.Serializer[Any]):
    EVENT_TOPIC = serializers.CharField()
    EVENT_SOCKET = serializers.CharField()
    EVENT_NOTIFICATION = serializers.BooleanField()
    LOG_SIZE_LIMIT = serializers.IntegerField()


class Root(Resource):
    """The collections that are here."""

    authentication_classes = []

    def get(self, request: Request) -> Response:
        return Response({name: reverse(f"api:{view}", request=request) for name, view in COLLECTIONS.items()})


class Version(Resource):
    """Asks nothing of the database, and so is right for probes."""

    authentication_classes = []

    @extend_schema(responses=VersionSerializer)
    def get(self, request: Request) -> Response:
        return Response({"version": LAVA_LEVEL})


class WhoAmI(Resource):
    """Who asks; an empty name for nobody."""

    @extend_schema(responses=WhoAmISerializer)
    def get(self, request: Request) -> Response:
        return Response({"user": request.user.get_username()})


class MasterConfig(Resource):
    """Where events are told, and how."""

    authentication_classes = []

    @extend_schema(responses=MasterConfigSerializer)
    def get(self, request: Request) -> Response:
        return Response(
            {
                "EVENT_TOPIC": settings.EVENT_TOPIC,
                "EVENT_SOCKET": settings.EVENT_SOCKET,
                "EVENT_NOTIFICATION": settings.EVENT_NOTIFICATION,
                "LOG_SIZE_LIMIT": NO_LIMIT,
            }
        )
