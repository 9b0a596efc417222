"""The executors, by the name that a device's dictionary has for them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from workers.builtin.executors.container import Docker, Podman
from workers.builtin.executors.shell import Shell
from workers.builtin.executors.ssh import Ssh

EXECUTORS: Mapping[str, type[Shell | Ssh | Docker | Podman]] = MappingProxyType(
    {"shell": Shell, "ssh": Ssh, "docker": Docker, "podman": Podman}
)
