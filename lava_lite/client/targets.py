"""Which server is spoken to, and as whom: the command line, the environment, the file of identities, this machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lava_lite.client.errors import Usage

FILE_NAME = "lava_lite.yaml"
DEFAULT = "default"
HEAD = "# Whom lava-lite is to which server. A token is as good as a password: keep this file to yourself.\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    server: str
    token: str = field(default="", repr=False)
    user: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    server: str
    token: str | None = field(default=None, repr=False)
    source: str = ""  # where the token is from, for people


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the command line says."""

    server: str | None = None
    token: str | None = field(default=None, repr=False)
    identity: str | None = None


def file_path(environ: Mapping[str, str]) -> Path:
    return Path(environ.get("XDG_CONFIG_HOME") or "~/.config").expanduser() / FILE_NAME


def choose(
    wanted: Wanted,
    environ: Mapping[str, str],
    identities: Mapping[str, Identity],
    local: Callable[[], str],
) -> Target:
    """`local` is asked for the address of a lab on this machine where nothing else names a server."""
    server = wanted.server or (None if wanted.identity else environ.get("LAVA_LITE_SERVER"))
    token = wanted.token or (None if wanted.identity else environ.get("LAVA_LITE_TOKEN"))
    identity = _identity(wanted.identity, server, identities)
    server = tidy(server or (identity.server if identity else "") or local())
    if token:
        return Target(server=server, token=token, source="--token" if wanted.token else "LAVA_LITE_TOKEN")
    # A token goes to no other server than to that which it is for.
    if identity and identity.token and tidy(identity.server) == server:
        return Target(server=server, token=identity.token, source=FILE_NAME)
    return Target(server=server)


def tidy(server: str) -> str:
    return server.strip().rstrip("/")


def _identity(name: str | None, server: str | None, identities: Mapping[str, Identity]) -> Identity | None:
    if name is not None:
        if name not in identities:
            known = ", ".join(identities) or "none"
            raise Usage(f"There is no identity {name!r} in {FILE_NAME}; known: {known}")
        return identities[name]
    if server is None:
        return identities.get(DEFAULT)
    same = (identity for identity in identities.values() if tidy(identity.server) == tidy(server))
    return next(same, None)


def load(path: Path) -> dict[str, Identity]:
    """By name. Usage for a file that cannot be used."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as wrong:
        raise Usage(f"{path}: {getattr(wrong, 'strerror', None) or wrong}") from wrong
    from core import yaml  # reading YAML is slow to load, and most have no such file

    try:
        values = yaml.load(text)
    except yaml.YAMLError as wrong:
        raise Usage(f"{path}: {wrong}") from wrong
    if not isinstance(values or {}, dict):
        raise Usage(f"{path}: expected the names of identities, each with its server and token")
    return {str(name): _read(path, str(name), value) for name, value in (values or {}).items()}


def _read(path: Path, name: str, value: Any) -> Identity:
    if not isinstance(value, dict) or not isinstance(value.get("server"), str):
        raise Usage(f"{path}: {name}: expected a server, and a token")
    known = ("server", "token", "user")
    if unknown := [str(key) for key in value if key not in known]:
        raise Usage(f"{path}: {name}: there is no {', '.join(unknown)}; known: {', '.join(known)}")
    return Identity(**{key: str(value[key]) for key in known if value.get(key) is not None})


def save(path: Path, name: str, identity: Identity) -> None:
    """Add the identity, or put it in the place of the one of that name."""
    import yaml

    from core.private import write_private

    all_of_them = {**load(path), name: identity}
    rows = {
        key: {"server": one.server, "user": one.user, "token": one.token} for key, one in all_of_them.items()
    }
    try:
        write_private(path, HEAD + yaml.safe_dump(rows, sort_keys=False))
    except OSError as wrong:
        raise Usage(f"{path} cannot be written: {wrong.strerror}") from wrong


def is_open_to_others(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & 0o077)
    except OSError:
        return False
