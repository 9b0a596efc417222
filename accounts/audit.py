"""The audit trail: who did what, by whichever edge. Django's own log of the admin site, written by the others too."""

from __future__ import annotations

from collections.abc import Iterable

from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.db import models

__all__ = ["ADDITION", "CHANGE", "DELETION", "note", "note_each", "of"]


def note(by: User, row: models.Model, text: str, *, kind: int = CHANGE) -> None:
    """One act of `by`, told in words; in the transaction of the act itself. A deleted row must still have its key."""
    note_each(by, [row], text, kind=kind)


def note_each(by: User, rows: Iterable[models.Model], text: str, *, kind: int = CHANGE) -> None:
    """The same act on each of these rows."""
    LogEntry.objects.log_actions(by.pk, list(rows), kind, change_message=text)


def of(row: models.Model) -> models.QuerySet[LogEntry]:
    """What people did with this row, the newest first."""
    kind = ContentType.objects.get_for_model(row)
    return LogEntry.objects.filter(content_type=kind, object_id=str(row.pk)).select_related("user")
