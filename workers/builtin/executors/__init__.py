"""The executors, by the name that a device's dictionary has for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from workers.builtin.executors.base import Executor, Task
from workers.builtin.executors.shell import Shell

EXECUTORS: Mapping[str, Callable[[Task], Executor]] = MappingProxyType({"shell": Shell})
