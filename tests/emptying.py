"""What was committed by a test is gone after it: quicker than by Django's own `flush`.

That truncates every table, which costs PostgreSQL a file each, and then writes the permissions of all models anew.
Here rows are deleted, where there are any, and the permissions stay.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.apps import apps
from django.contrib.auth.models import Permission
from django.db import connection, transaction
from django.test import TransactionTestCase

KEPT = {"django_content_type", "auth_permission"}  # they come with the tables
flush = TransactionTestCase._fixture_teardown


@contextmanager
def quickly() -> Iterator[None]:
    """Instead of Django's way, as long as this lasts."""
    TransactionTestCase._fixture_teardown = _fixture_teardown
    try:
        yield
    finally:
        TransactionTestCase._fixture_teardown = flush


def _fixture_teardown(test: TransactionTestCase) -> None:
    if has_its_permissions():
        empty()
    else:
        flush(test)  # a test of migrations took the tables away, or one of permissions changed them


def has_its_permissions() -> bool:
    return Permission.objects.count() == _EXPECTED


def empty() -> None:
    with connection.constraint_checks_disabled(), transaction.atomic(), connection.cursor() as cursor:
        names = connection.introspection.django_table_names(only_existing=True, include_views=False)
        for name in names:
            if name not in KEPT:
                cursor.execute(f"DELETE FROM {connection.ops.quote_name(name)}")


_EXPECTED = sum(
    len(model._meta.permissions) + len(model._meta.default_permissions) for model in apps.get_models()
)
