"""A lab of a benchmark's own: an empty database and a data directory that are gone afterwards.

SQLite, or PostgreSQL where DATABASE_URL names a server; there the database is made beside the named one.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import django


@contextmanager
def lab() -> Iterator[Path]:
    """The data directory. Nothing that has models may be imported before this is entered."""
    with tempfile.TemporaryDirectory(prefix="lava-lite-benchmark-") as name:
        data = Path(name)
        os.environ["LAVA_LITE_DATA"] = name
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lava_lite.settings")
        django.setup()
        from django.conf import settings
        from django.db import connection, connections

        database = settings.DATABASES["default"]
        on_sqlite = database["ENGINE"].endswith("sqlite3")
        test_name = str(data / "lava_lite.sqlite3") if on_sqlite else f"benchmark_{os.getpid()}"
        connection.settings_dict["TEST"]["NAME"] = test_name
        # The client of Django's tests calls this host.
        settings.ALLOWED_HOSTS.append("testserver")
        connection.creation.create_test_db(verbosity=0, autoclobber=True)
        print(f"database: {connection.vendor}")
        try:
            yield data
        finally:
            connections.close_all()
            connection.creation.destroy_test_db(str(database["NAME"]), verbosity=0)


def percentile(values: Sequence[float], percent: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]
