"""What the built-in worker has to know before it can begin."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerConfig:
    """Times are in seconds."""

    url: str  # of the server, without a trailing slash; may have a path
    name: str
    directory: Path  # the worker's own: its token and its jobs live there
    token: str | None = None  # else the file `token` in the directory, else the worker registers itself
    ping_interval: float = 20.0
    ping_interval_unheard: float = 5.0  # while there is no socket that could wake the worker
    http_timeout: float = 60.0
    end_jobs_on_stop: bool = False  # else the runners go on, and the next start takes them over
    stop_timeout: float = 10.0
    allow_file_repositories: bool = False  # test definitions may come from repositories on this machine

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"the server's address must look like http://host:port, got {self.url!r}")

    @property
    def websocket_url(self) -> str:
        parts = urlsplit(self.url)
        scheme = "wss" if parts.scheme == "https" else "ws"
        return urlunsplit((scheme, parts.netloc, parts.path.rstrip("/") + "/ws/", "", ""))

    @property
    def token_file(self) -> Path:
        return self.directory / "token"

    @property
    def jobs(self) -> Path:
        return self.directory / "jobs"


@cache
def own_version() -> str:
    try:
        return version("lava-lite")
    except PackageNotFoundError:  # run from a checkout that was never installed
        return "unknown"
