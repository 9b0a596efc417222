from __future__ import annotations

from pathlib import Path

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User

from lava_lite import rescue
from lava_lite.claims import NotStarted


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A data directory that looks like a lab's; the database is the test's."""
    monkeypatch.setenv("LAVA_LITE_DATA", str(tmp_path))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    (tmp_path / "lava_lite.sqlite3").touch()


def test_whoever_is_locked_out_gets_in_again(database: None, admin: User) -> None:
    rescue.set_password("admin", "correct horse")

    admin.refresh_from_db()
    assert admin.check_password("correct horse")
    assert LogEntry.objects.get().change_message == "password changed on the machine of the lab"


def test_a_user_who_is_not_there_is_told(database: None, admin: User) -> None:
    with pytest.raises(NotStarted, match="There is no user 'alice'"):
        rescue.set_password("alice", "correct horse")


def test_no_database_is_made_where_there_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LAVA_LITE_DATA", str(tmp_path))
    monkeypatch.delenv("DATABASE_URL", raising=False)

    with pytest.raises(NotStarted, match="There is no database"):
        rescue.set_password("admin", "correct horse")

    assert list(tmp_path.iterdir()) == []
