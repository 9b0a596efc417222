"""A real sshd on loopback, for the user who runs the tests, with keys of its own."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROGRAM = Path("/usr/sbin/sshd")
_RUN = Path("/run/sshd")  # where sshd, as root, wants to find an empty directory
_CONFIG = """\
ListenAddress 127.0.0.1
Port {port}
HostKey {directory}/host_key
AuthorizedKeysFile {directory}/client_key.pub
PidFile none
StrictModes no
UsePAM no
PermitRootLogin yes
PasswordAuthentication no
KbdInteractiveAuthentication no
PrintMotd yes
"""
_SLOWLY = """\
ForceCommand /bin/sh -c "$SSH_ORIGINAL_COMMAND"; code=$?; sleep {seconds}; exit $code
"""


@dataclass
class SshServer:
    directory: Path
    port: int = 0
    process: subprocess.Popen[bytes] | None = None
    more: str = ""  # lines of its configuration

    def __post_init__(self) -> None:
        self.directory.mkdir()
        self.there.mkdir()
        for name in ("host_key", "client_key"):
            key = str(self.directory / name)
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
        if os.getuid() == 0:
            _RUN.mkdir(exist_ok=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.start()

    @property
    def there(self) -> Path:
        """Where jobs have their directories."""
        return self.directory / "there"

    @property
    def host_key(self) -> str:
        kind, key, *_ = (self.directory / "host_key.pub").read_text().split()
        return f"[127.0.0.1]:{self.port} {kind} {key}"

    def device(self, **changes: Any) -> dict[str, Any]:
        settings = {
            "host": "127.0.0.1",
            "port": self.port,
            "user": pwd.getpwuid(os.getuid()).pw_name,
            "identity_file": str(self.directory / "client_key"),
            "known_hosts": self.host_key,
            "directory": str(self.there),
            **changes,
        }
        return {
            "executor": "ssh",
            "ssh": {key: value for key, value in settings.items() if value is not None},
        }

    def start(self) -> None:
        config = self.directory / "sshd_config"
        config.write_text(_CONFIG.format(port=self.port, directory=self.directory) + self.more)
        with open(self.directory / "log", "ab") as log:
            self.process = subprocess.Popen(
                [str(PROGRAM), "-D", "-e", "-f", str(config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + 20
        while not self._answers():
            assert self.process.poll() is None, (self.directory / "log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
                return connection.recv(4) == b"SSH-"
        except OSError:
            return False

    def say_ends_after(self, seconds: float) -> None:
        """Of each command, from now on."""
        self.go_down()
        self.more = _SLOWLY.format(seconds=seconds)
        self.start()

    def connections(self) -> set[int]:
        """The processes of sshd that serve one."""
        assert self.process is not None
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return {int(pid) for pid in children.read_text().split()}

    def processes(self) -> set[int]:
        """Whatever runs over there for a job."""
        wanted = f"{self.there}/lava-lite-".encode()
        return {
            int(name)
            for name in os.listdir("/proc")
            if name.isdigit()
            and any(wanted in _read(name, file) for file in ("cmdline", "environ"))
            and not _read(name, "cmdline").startswith(b"ssh\0")
        }

    def go_down(self) -> None:
        """Connections that are open stay open."""
        assert self.process is not None
        self.process.terminate()
        self.process.wait(20)

    def stop(self) -> None:
        self.go_down()
        shutil.rmtree(self.directory)


def _read(pid: str, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""
