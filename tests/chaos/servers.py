"""A PostgreSQL and a RabbitMQ of one run's own, which may be killed as nobody else is asked."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

import amqp
import psycopg

from tests.broker import connected
from tests.lab import eventually, free_port

TO_START = 120.0  # seconds, on a busy machine
SUPERUSER = "postgres"
# Debian's own are scripts that insist on the system's user and directories, or are not in the path at all.
POSTGRESQL = (*sorted(Path("/usr/lib/postgresql").glob("*/bin")), *map(Path, os.get_exec_path()))
RABBITMQ = (Path("/usr/lib/rabbitmq/bin"), *map(Path, os.get_exec_path()))


class NotStarted(Exception):
    """A server does not come up."""


def why_not() -> str | None:
    """What keeps servers from being started here."""
    wanted = [("PostgreSQL's", POSTGRESQL, "pg_ctl"), ("RabbitMQ's", RABBITMQ, "rabbitmq-server")]
    missing = [f"{whose} {name}" for whose, where, name in wanted if not _found(where, name)]
    return f"needs {' and '.join(missing)}" if missing else None


def _found(where: Sequence[Path], name: str) -> Path | None:
    return next((path for directory in where if (path := directory / name).is_file()), None)


class PostgreSQL:
    """A cluster in a new directory. PostgreSQL refuses to run as root, so for root it runs as its own user."""

    def __init__(self, directory: Path) -> None:
        self._data = directory / "postgresql"
        self._port = free_port()
        self._as = ["runuser", "-u", SUPERUSER, "--"] if os.geteuid() == 0 else []
        self.url = f"postgres://{SUPERUSER}@127.0.0.1:{self._port}/postgres"

    def create(self) -> None:
        self._data.mkdir()
        if self._as:
            shutil.chown(self._data, SUPERUSER)
        self._run("initdb", "--auth=trust", f"--username={SUPERUSER}", "--encoding=UTF8", "--no-sync")

    def start(self) -> None:
        options = (
            f"-c listen_addresses=127.0.0.1 -c port={self._port} -c unix_socket_directories={self._data}"
        )
        log = self._data / "server.log"
        self._run(
            "pg_ctl", "start", "--wait", f"--timeout={TO_START:g}", f"--log={log}", f"--options={options}"
        )

    def crash(self) -> None:
        """Nothing is written down that was not yet; the next start recovers from the log of transactions."""
        self._run("pg_ctl", "stop", "--mode=immediate", "--wait")

    def _run(self, name: str, *arguments: str) -> None:
        program = _found(POSTGRESQL, name)
        command = [*self._as, str(program), f"--pgdata={self._data}", *arguments]
        # No pipe: the server would keep it open.
        with tempfile.TemporaryFile() as told:
            ended = subprocess.run(command, cwd="/", stdin=subprocess.DEVNULL, stdout=told, stderr=told)
            told.seek(0)
            if ended.returncode:
                raise NotStarted(f"{' '.join(command)}: {told.read().decode()}")

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url, autocommit=True) as connection:
            return connection.execute(query.encode()).fetchall()

    def number(self, query: str) -> int:
        ((number,),) = self.ask(query)
        return int(number)


class RabbitMQ:
    """A node in a new directory, with a port mapper of its own."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory / "rabbitmq"
        self.port = free_port()
        self._mapper = {
            "ERL_EPMD_PORT": str(free_port()),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_RELAXED_COMMAND_CHECK": "1",  # it may be ended before it has noticed that its node is gone
        }
        self._process: subprocess.Popen[bytes] | None = None

    def create(self) -> None:
        self._directory.mkdir()
        # What the system's node has enabled may want ports that are taken.
        (self._directory / "enabled_plugins").write_text("[].\n")

    def start(self) -> None:
        program = _found(RABBITMQ, "rabbitmq-server")
        with (self._directory / "output.txt").open("ab") as output:
            self._process = subprocess.Popen(
                [str(program)],
                env=self._environment,
                cwd=self._directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        if not eventually(self._answers, TO_START):
            raise NotStarted((self._directory / "output.txt").read_text())

    @property
    def _environment(self) -> dict[str, str]:
        here = self._directory
        return {
            **os.environ,
            **self._mapper,
            "HOME": str(here),  # where Erlang keeps its cookie
            "RABBITMQ_NODENAME": f"chaos{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_MNESIA_BASE": str(here),
            "RABBITMQ_LOG_BASE": str(here),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(here / "enabled_plugins"),
            "RABBITMQ_CONFIG_FILE": str(here / "rabbitmq"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(here / "advanced.config"),
            "RABBITMQ_CONF_ENV_FILE": str(here / "rabbitmq-env.conf"),
        }

    def _answers(self) -> bool:
        with suppress(OSError, amqp.AMQPError), self.connection():
            return True
        return False

    def connection(self, port: int | None = None) -> AbstractContextManager[amqp.Connection]:
        """Through another port, if one leads here."""
        return connected(amqp.Connection(f"127.0.0.1:{port or self.port}", connect_timeout=5))

    def kill(self) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def clear(self) -> None:
        """Erlang leaves its port mapper behind."""
        self.kill()
        subprocess.run(["epmd", "-kill"], env={**os.environ, **self._mapper}, capture_output=True)


@contextmanager
def postgresql(directory: Path) -> Iterator[PostgreSQL]:
    server = PostgreSQL(directory)
    server.create()
    server.start()
    try:
        yield server
    finally:
        with suppress(NotStarted):  # it may be down already
            server.crash()


@contextmanager
def rabbitmq(directory: Path) -> Iterator[RabbitMQ]:
    server = RabbitMQ(directory)
    server.create()
    try:
        server.start()
        yield server
    finally:
        server.clear()


@contextmanager
def open_directory() -> Iterator[Path]:
    """One into which PostgreSQL's user may look, too."""
    directory = Path(tempfile.mkdtemp(prefix="lava-lite-chaos-"))
    try:
        directory.chmod(0o755)
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
