"""A real podman, with a storage of its own and a tiny image, made without any network.

`docker` is the same podman by another name, which speaks docker's command line: set TEST_DOCKER=1 where a docker
daemon runs to test with that instead.
"""

from __future__ import annotations

import io
import os
import shlex
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

IMAGE = "localhost/lava-lite-test:1"
SHELLLESS = "localhost/lava-lite-shellless:1"
BUSYBOX = Path("/bin/busybox")

# Where the machine is a container itself, the runtime may be allowed less than it asks for: limits that only the
# real root may raise, and two kinds of control groups side by side.
_CONFINED = """\
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1000:1000"]
cgroups = "disabled"
"""
_STORAGE = """\
[storage]
driver = "{driver}"
graphroot = "{top}/s"
runroot = "{top}/r"
"""
_WAYS = (
    ("overlay", "", 'exec {podman} "$@"'),
    ("vfs", "", 'exec {podman} "$@"'),
    (
        "overlay",
        _CONFINED,
        'exec unshare -m sh -c \'umount -l /sys/fs/cgroup/unified 2>/dev/null; exec "$0" "$@"\' {podman} "$@"',
    ),
)


class NoContainers(Exception):
    """Says what this machine lacks, and how to get it."""


class Containers:
    """`bin` is a directory for the PATH."""

    def __init__(self) -> None:
        podman = shutil.which("podman")
        if not podman or not BUSYBOX.exists():
            raise NoContainers("needs podman and busybox: apt-get install podman crun busybox-static")
        self.top = Path(tempfile.mkdtemp(prefix="ll", dir="/tmp"))  # podman wants a short path
        self.bin = self.top / "bin"
        self.bin.mkdir()
        said = [self._try(podman, *way) for way in _WAYS]
        if "" not in said:
            raise NoContainers(f"needs a podman that runs containers: {said}")
        self._name_docker()

    def run(self, *command: str, program: str = "podman", stdin: bytes = b"") -> str:
        done = subprocess.run([self.bin / program, *command], input=stdin, capture_output=True)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    def names(self, program: str) -> list[str]:
        """Of all containers of jobs."""
        listing = ["ps", "--all", "--filter", "label=lava-lite.job", "--format", "{{.Names}}"]
        return self.run(*listing, program=program).split()

    def close(self) -> None:
        self.run("rm", "--all", "--force")
        self.run("rmi", "--all", "--force")
        self._forget_storage()
        shutil.rmtree(self.top, ignore_errors=True)

    def _forget_storage(self) -> None:
        """Root's podman leaves a mount there."""
        subprocess.run(["umount", "--lazy", self.top / "s" / "overlay"], capture_output=True)
        shutil.rmtree(self.top / "s", ignore_errors=True)

    def _try(self, podman: str, driver: str, config: str, command: str) -> str:
        """Why it does not work in this way; empty if it does."""
        if (self.top / "works").exists():
            return "not tried"
        for name, text in (("c.conf", config), ("s.conf", _STORAGE.format(driver=driver, top=self.top))):
            (self.top / name).write_text(text)
        self._forget_storage()
        lines = [
            "#!/bin/sh",
            f"export CONTAINERS_CONF={self.top}/c.conf CONTAINERS_STORAGE_CONF={self.top}/s.conf",
            command.format(podman=shlex.quote(podman)),
        ]
        _write_program(self.bin / "podman", lines)
        try:
            self.run("import", "-", IMAGE, stdin=_image(BUSYBOX.read_bytes()))
            self.run("import", "-", SHELLLESS, stdin=_image(b""))
            self.run("run", "--rm", IMAGE, "true")
        except AssertionError as error:
            return str(error)
        (self.top / "works").touch()
        return ""

    def _name_docker(self) -> None:
        if "TEST_DOCKER" not in os.environ:
            _write_program(self.bin / "docker", ["#!/bin/sh", f'exec {self.bin}/podman "$@"'])
            return
        docker = shutil.which("docker")
        assert docker, "TEST_DOCKER is set, and there is no docker."
        _write_program(self.bin / "docker", ["#!/bin/sh", f'exec {docker} "$@"'])
        self.run("import", "-", IMAGE, program="docker", stdin=_image(BUSYBOX.read_bytes()))
        self.run("import", "-", SHELLLESS, program="docker", stdin=_image(b""))


def _write_program(path: Path, lines: list[str]) -> None:
    path.write_text("\n".join(lines) + "\n")
    path.chmod(0o755)


def _image(busybox: bytes) -> bytes:
    """A root directory with a shell and its tools, or with nothing that could run."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for name in ("bin", "dev", "etc", "proc", "sys", "tmp"):
            directory = tarfile.TarInfo(name)
            directory.type = tarfile.DIRTYPE
            directory.mode = 0o1777 if name == "tmp" else 0o755
            tar.addfile(directory)
        if busybox:
            program = tarfile.TarInfo("bin/busybox")
            program.size, program.mode = len(busybox), 0o755
            tar.addfile(program, io.BytesIO(busybox))
            for name in subprocess.check_output([BUSYBOX, "--list"], text=True).split():
                if name != "busybox":
                    link = tarfile.TarInfo(f"bin/{name}")
                    link.type, link.linkname = tarfile.SYMTYPE, "busybox"
                    tar.addfile(link)
    return file.getvalue()
