"""Models whose changes of state are told to the world, whoever makes them.

A verb takes the row under a lock, changes it, says with `tell()` what happened, and saves; the `post_save`
receiver of the model's package then writes exactly that to the outbox. A bare `save()` in a shell or a form
has told nothing: it is compared with the row as it is in the database, under the lock, and announced by the
rule for that move. A save writes what was changed on the instance and nothing else, so a stale instance
cannot bring an old state back.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from django.core.exceptions import FieldError
from django.db import connection, models, transaction

from core import rows
from events.outbox import SHELL, Cause


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """What a verb says happened to an instance."""

    events: tuple[str, ...]  # canonical types, in order
    cause: Cause


class AnnouncedQuerySet(models.QuerySet[Any, Any]):
    """Reads as ever; writes of a guarded field go through `save()`, so that they are told."""

    def lock(self, pk: Any) -> Any:
        """The row as it is now, held until the transaction ends. DoesNotExist if it is gone."""
        return self._lock(pk)[0]

    def _lock(self, pk: Any, *also: str) -> tuple[Any, ...]:
        """The row, and what SQL says of it besides."""
        if not connection.in_atomic_block:
            raise transaction.TransactionManagementError(f"{pk} is locked outside a transaction")
        options, reading = self.model._meta, rows.reading(self.model)
        table, key = options.db_table, options.pk.column
        held = f" FOR UPDATE OF {table}" if connection.features.has_select_for_update else ""
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT {', '.join([reading.columns, *also])} FROM {table} WHERE {table}.{key} = %s{held}",
                [pk],
            )
            row = cursor.fetchone()
        if row is None:
            raise self.model.DoesNotExist(f"{options.object_name} matching query does not exist.")
        return reading.instance(self.model, row), *row[len(reading.names) :]

    def update(self, **changes: Any) -> int:
        if not self.model.GUARDED & changes.keys():
            return super().update(**changes)
        with transaction.atomic():
            changed = list(self.order_by("pk"))
            for row in changed:
                for name, value in changes.items():
                    setattr(row, name, value)
                row.save()
        return len(changed)

    def bulk_update(self, objs: Iterable[Any], fields: Iterable[str], batch_size: int | None = None) -> int:
        names = list(fields)
        if guarded := sorted(self.model.GUARDED & set(names)):
            raise FieldError(f"{', '.join(guarded)} cannot be changed in bulk; use the verbs or save each")
        return super().bulk_update(objs, names, batch_size=batch_size)

    def bulk_create(self, objs: Iterable[Any], *args: Any, **kwargs: Any) -> list[Any]:
        raise FieldError(f"a {self.model._meta.verbose_name} is made with save(), so that it is announced")


class AnnouncedModel(models.Model):
    """A model with guarded fields: their changes are announced."""

    GUARDED: ClassVar[frozenset[str]] = frozenset()

    class Meta:
        abstract = True

    _loaded: dict[str, Any]
    _happening: Happening | None = None
    before: dict[str, Any] | None = (
        None  # the guarded fields before this save, for its receivers; None: added
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._loaded = {}

    def save(self, *args: Any, update_fields: Iterable[str] | None = None, **kwargs: Any) -> None:
        # A verb is whole or nothing, and needs no point half-way to go back to.
        with transaction.atomic(savepoint=self._happening is None):
            if self._state.adding:
                self.before = None
                kwargs["force_insert"] = True  # a row that has this name already is not written over
            else:
                update_fields = self._fields_to_write(update_fields)
            try:
                super().save(*args, update_fields=update_fields, **kwargs)
            finally:
                self._happening = None
            self._remember(update_fields)

    @classmethod
    def from_db(
        cls, db: str | None, field_names: Collection[str], values: Collection[Any], **kwargs: Any
    ) -> Self:
        instance = super().from_db(db, field_names, values, **kwargs)
        instance._remember()
        return instance

    def refresh_from_db(
        self,
        using: str | None = None,
        fields: Iterable[str] | None = None,
        from_queryset: models.QuerySet[Any, Any] | None = None,
    ) -> None:
        names = None if fields is None else list(fields)
        super().refresh_from_db(using=using, fields=names, from_queryset=from_queryset)
        self._remember(names)

    def tell(self, *events: str, cause: Cause) -> None:
        """Say what the next save is about. Only a verb that holds the row's lock may say so."""
        self._happening = Happening(events=events, cause=cause)

    @property
    def happening(self) -> Happening | None:
        """What the verb has told; None for a bare save."""
        return self._happening

    @property
    def cause(self) -> Cause:
        return self._happening.cause if self._happening else SHELL

    def changed_fields(self) -> list[str]:
        """The fields that differ from what was loaded, or were set without having been loaded."""
        unknown = object()
        return [
            name
            for name in self._value_names()
            if name in self.__dict__ and self._loaded.get(name, unknown) != self.__dict__[name]
        ]

    def _fields_to_write(self, update_fields: Iterable[str] | None) -> list[str]:
        """Find out what was there before; the fields to write."""
        asked = self.changed_fields() if update_fields is None else list(update_fields)
        if self._happening:
            self.before = {name: self._loaded[name] for name in self.GUARDED}
            return asked
        if not self.GUARDED & set(asked):
            self.before = {name: getattr(self, name) for name in self.GUARDED}
            return asked
        self.lock_neighbours()
        self._catch_up(kept={*asked, *self.changed_fields()})
        by_hand = set(self.changed_fields())
        self.follow_rule()
        return [*asked, *sorted(set(self.changed_fields()) - by_hand)]

    def _catch_up(self, *, kept: set[str]) -> None:
        """Lock the row and take from it what is not `kept`, so that a stale instance tells no old tale."""
        in_table = type(self)._base_manager.select_for_update().filter(pk=self.pk)
        row = in_table.values(*self._value_names()).get()
        self.before = {name: row[name] for name in self.GUARDED}
        for name in row.keys() - kept:
            setattr(self, name, row[name])
        self._remember(row.keys() - kept)

    @property
    def has_moved(self) -> bool:
        """Whether this save changes a guarded field of the row; for its receivers."""
        before = self.before or {}
        return any(before[name] != getattr(self, name) for name in before)

    def lock_neighbours(self) -> None:
        """Take the locks that come before this row's in the house's order (device, then job)."""

    def follow_rule(self) -> None:
        """Check a bare change of state against the table, knowing `before`, and set what belongs to it."""

    @classmethod
    def _value_names(cls) -> list[str]:
        """The attributes that hold the columns, the key left out."""
        return [field.attname for field in cls._meta.concrete_fields if not field.primary_key]

    def _remember(self, names: Iterable[str] | None = None) -> None:
        """What is in the row now: all values, or those of the fields of these names."""
        wanted = None if names is None else set(names)
        for field in self._meta.concrete_fields:
            if field.primary_key or field.attname not in self.__dict__:
                continue
            if wanted is None or wanted & {field.name, field.attname}:
                self._loaded[field.attname] = self.__dict__[field.attname]
