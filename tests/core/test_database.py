"""What the house sets on its connections to the database."""

from __future__ import annotations

from django.db import connection


def test_postgresql_compiles_no_query(on_postgresql: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SHOW jit")

        assert cursor.fetchone() == ("off",)
