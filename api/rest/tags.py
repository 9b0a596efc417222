"""Tags: what devices have and jobs ask for. As in LAVA, for those who have logged in."""

from __future__ import annotations

from rest_framework.permissions import IsAuthenticated

from api.rest import filters
from api.rest.base import Resource
from api.rest.inventory import Item, NameField, RowSerializer, Shelf
from devices.models import Tag


class TagSerializer(RowSerializer):
    name = NameField(max_length=64)

    class Meta:
        model = Tag
        fields = ["id", "name", "description"]


class TagResource(Resource):
    permission_classes = [IsAuthenticated]
    serializer_class = TagSerializer
    queryset = Tag.objects.all()


class Tags(Shelf, TagResource):
    """What devices have and jobs ask for."""

    filters = filters.number("id") | filters.text("name") | filters.text("description")
    searched = ("name", "description")
    orderings = {"id": "id", "name": "name"}


class OneTag(Item, TagResource):
    """A tag."""

    lookup_url_kwarg = "tag_id"
