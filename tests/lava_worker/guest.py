"""The machine that the jobs of the ring run on: Debian's kernel with busybox as all of its userland, in QEMU.

It boots in a few seconds without KVM, and asks for no login.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import yaml

KERNEL = Path(__file__).parent.parent.parent / "build" / "lava-worker" / "vmlinuz"  # of `install.sh`
PROMPT = "root@guest:~# "
BOOTED = "the guest is up"  # the last line before the first prompt

_BUSYBOX = Path("/bin/busybox")
_DIRECTORIES = ("bin", "dev", "etc", "proc", "root", "sys", "tmp")
_INIT = f"""#!/bin/busybox sh
export PATH=/bin HOME=/root TERM=vt102
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
hostname guest
echo "{BOOTED}"
export PS1='{PROMPT}'
cd /root
while :; do setsid sh -c 'exec sh -i </dev/ttyS0 >/dev/ttyS0 2>&1'; done
"""


def make_initramfs(path: Path) -> None:
    """An archive of the form `newc`, gzipped, as the kernel takes it and the dispatcher adds its tests to it."""
    root = path.with_suffix(".root")
    for name in _DIRECTORIES:
        (root / name).mkdir(parents=True)
    (root / "bin" / "busybox").write_bytes(_BUSYBOX.read_bytes())
    (root / "bin" / "busybox").chmod(0o755)
    (root / "init").write_text(_INIT)
    (root / "init").chmod(0o755)
    archive = "find . | cpio --create --format=newc --quiet | gzip -1"
    with path.open("wb") as target:
        subprocess.run(["sh", "-c", archive], cwd=root, stdout=target, check=True)


def dictionary() -> str:
    """What the dispatcher wants to know of a device: its rendered configuration."""
    return str(yaml.safe_dump(_DEVICE, sort_keys=False))


def deploy(initramfs: Path) -> dict[str, Any]:
    """The action that brings the guest and, beside it, the tests of the job."""
    command_line = "console=ttyS0,115200 rdinit=/init panic=1 tsc=unstable"
    return {
        "deploy": {
            "to": "tmpfs",
            "os": "oe",
            "timeout": {"minutes": 2},
            "images": {
                "kernel": {
                    "url": KERNEL.resolve().as_uri(),
                    "image_arg": f'-kernel {{kernel}} --append "{command_line}"',
                },
                "initrd": {
                    "url": initramfs.as_uri(),
                    "image_arg": "-initrd {initrd}",
                    "compression": "gz",
                    "format": "cpio.newc",
                    "overlays": {"lava": True},
                },
            },
        }
    }


def boot(prompt: str = PROMPT) -> dict[str, Any]:
    return {
        "boot": {"method": "qemu", "media": "tmpfs", "timeout": {"minutes": 2}, "prompts": [prompt]},
    }


_DEVICE = {
    "available_architectures": ["amd64"],
    "parameters": {},
    "constants": {
        "failure_retry": 1,
        "boot_retry": None,
        "kernel-start-message": "Linux version [0-9]",
        "default-shell-prompt": PROMPT,
        "shutdown-message": "The system is going down",
        "spawn_maxread": "4092",
        "posix": {
            "lava_test_results_dir": "/lava-%s",
            "lava_test_sh_cmd": "/bin/sh",
            "lava_test_shell_file": "~/.bashrc",
        },
    },
    "actions": {
        "deploy": {
            "connections": {"serial": None},
            "methods": {
                "image": {"parameters": {"guest": {"size": 16, "interface": "virtio", "driveid": "lavatest"}}}
            },
        },
        "boot": {
            "connections": {"serial": None},
            "methods": {
                "qemu": {
                    "parameters": {
                        "command": "/usr/bin/qemu-system-x86_64",
                        "options": ["-nographic", "-m 128", "-monitor none", "-nic none", "-no-reboot"],
                    }
                }
            },
        },
    },
    "timeouts": {
        "actions": {"lava-test-shell": {"minutes": 2}},
        "connections": {"lava-test-shell": {"seconds": 30}},
    },
}
