"""What is raised for the faults of a definition. No ORM."""

from __future__ import annotations

from collections.abc import Iterable

from core.faults import Fault


class InvalidDefinition(Exception):
    """Carries all faults of a definition; its text has one of them in each line."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))
