"""What the addresses of the inventory have in common: each row is listed, shown, added, changed and deleted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, cast

from django.contrib.auth.models import User
from django.db import IntegrityError, models, transaction
from rest_framework import mixins, serializers
from rest_framework.exceptions import ValidationError
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from accounts.rights import NotAllowed
from api.rest.base import Listing, Resource
from devices import inventory
from devices.models import name_is_plain


class NameField(serializers.CharField):
    """The name that is also a row's key."""

    def __init__(self, *, max_length: int, **options: Any) -> None:
        super().__init__(max_length=max_length, validators=[name_is_plain], **options)


class RowSerializer(serializers.ModelSerializer[Any]):
    """What is said of a row; `name_field` is the one that holds its key, and keeps it for ever."""

    name_field: ClassVar = "name"

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        name = attrs.pop("name", None) if self.instance is not None else attrs.get("name")
        if name is None:
            return attrs
        if self.instance is not None and name != self.instance.name:
            raise ValidationError({self.name_field: [f"expected {self.instance.name!r}: a name is for ever"]})
        if self.instance is None and model_of(self)._default_manager.filter(name=name).exists():
            raise self.taken(name)
        return attrs

    def taken(self, name: str) -> ValidationError:
        kind = model_of(self)._meta.verbose_name
        return ValidationError({self.name_field: [f"there is a {kind} {name!r} already"]})


class HasRight(BasePermission):
    """Asked before a body is looked at, so that who may not hears that and nothing else."""

    ACTS: ClassVar = {"POST": "change", "PUT": "change", "PATCH": "change", "DELETE": "delete"}

    def has_permission(self, request: Request, view: Any) -> bool:
        if request.method != "POST" or not isinstance(view, Shelf):
            return True
        return self._may(request, "add", view.rows().model)

    def has_object_permission(self, request: Request, view: Any, row: models.Model) -> bool:
        act = self.ACTS.get(request.method or "")
        return act is None or self._may(request, act, row)

    def _may(self, request: Request, act: str, what: models.Model | type[models.Model]) -> bool:
        try:
            inventory.require(actor(request), act, what)
        except NotAllowed as refused:
            self.message = str(refused)
            return False
        return True


class OfInventory(Resource):
    def get_permissions(self) -> list[Any]:
        return [*super().get_permissions(), HasRight()]


class Shelf(mixins.CreateModelMixin, OfInventory, Listing):
    """All rows of one kind."""

    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.create(request)

    def perform_create(self, serializer: BaseSerializer[Any]) -> None:
        given = cast(RowSerializer, serializer)
        try:
            given.instance = self.add(model_of(given), given.validated_data)
        except IntegrityError:
            # Somebody was faster.
            raise given.taken(str(given.validated_data.get("name"))) from None

    def add(self, model: type[models.Model], values: Mapping[str, Any]) -> models.Model:
        return inventory.add(model, values, by=actor(self.request))


class Item(mixins.RetrieveModelMixin, mixins.UpdateModelMixin, mixins.DestroyModelMixin, OfInventory):
    """One of them."""

    failures: ClassVar[Mapping[str, tuple[int, ...]]] = {
        "PUT": (409,),
        "PATCH": (409,),
        "DELETE": (409,),
    }  # beside those of every address; for the description of the API
    lookup_url_kwarg = "name"

    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.retrieve(request)

    def put(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.update(request)

    def patch(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.partial_update(request)

    def delete(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.destroy(request)

    @transaction.atomic
    def perform_update(self, serializer: BaseSerializer[Any]) -> None:
        serializer.instance = self.change(serializer.instance, dict(serializer.validated_data))

    def change(self, row: Any, values: dict[str, Any]) -> models.Model:
        changed: models.Model = inventory.change(row, values, by=actor(self.request))
        return changed

    def perform_destroy(self, instance: models.Model) -> None:
        inventory.remove(instance, by=actor(self.request))


def model_of(serializer: serializers.ModelSerializer[Any]) -> type[models.Model]:
    model: type[models.Model] = serializer.Meta.model
    return model


def actor(request: Request) -> User:
    """Who changes something; whoever has not logged in was refused before."""
    return cast(User, request.user)
