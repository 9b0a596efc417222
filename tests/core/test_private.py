import os
import re
import stat
from pathlib import Path

from core import private


def test_private_files_are_for_their_owner_only(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        private.write_private(tmp_path / "worker" / "token", "secret")
    finally:
        os.umask(old)

    assert stat.S_IMODE((tmp_path / "worker" / "token").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "worker").stat().st_mode) == 0o700


def test_a_password_can_be_read_aloud_and_is_never_the_same() -> None:
    first, second = private.make_password(), private.make_password()

    assert first != second
    assert re.fullmatch(r"([a-z0-9]{4}-){3}[a-z0-9]{4}", first)
