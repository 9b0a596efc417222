"""Secrets: made, and written to files that their owner alone may read."""

from __future__ import annotations

import os
import secrets
import string
from pathlib import Path

_PASSWORD_GROUPS = 4
_PASSWORD_LETTERS = string.ascii_lowercase + string.digits


def make_password() -> str:
    """One that a person can read aloud: `1wbf-socz-jakc-c92z`."""
    groups = ("".join(secrets.choice(_PASSWORD_LETTERS) for _ in range(4)) for _ in range(_PASSWORD_GROUPS))
    return "-".join(groups)


def write_private(path: Path, text: str) -> None:
    """Write a whole file or nothing, for the owner's eyes only."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(descriptor)
    new.replace(path)
