"""What the number of a job looks like: 12, or as LAVA numbers those of a group 12.1. No ORM."""

from __future__ import annotations

from typing import Any, Final

ALONE: Final = r"[0-9]{1,18}"
MEMBER: Final = rf"{ALONE}\.[0-9]{{1,5}}"
EITHER: Final = rf"{ALONE}(?:\.[0-9]{{1,5}})?"
KEY: Final = rf"{EITHER}|[0-9a-fA-F]{{8}}(?:-[0-9a-fA-F]{{4}}){{3}}-[0-9a-fA-F]{{12}}"  # or its uuid

# JSON Schemas, for any of which it may be.
SCHEMAS: Final[list[dict[str, Any]]] = [
    {"type": "integer", "minimum": 0, "maximum": 10**18 - 1},
    {"type": "string", "pattern": f"^{MEMBER}$"},
]
