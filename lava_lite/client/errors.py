"""What goes wrong between the command line and a server. Each has its exit code, and lines for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from lava_lite.client.exits import Exit

_NOT_ALLOWED = (401, 403, 404, 405)


class ClientError(Exception):
    exit: ClassVar[Exit] = Exit.USAGE

    @property
    def code(self) -> Exit:
        return self.exit

    def lines(self) -> list[str]:
        first, *others = str(self).splitlines()
        return [f"lava-lite: {first}", *others]


class Usage(ClientError):
    """The command line or a file says something that cannot be used."""


class Faulty(ClientError):
    """Definitions that the server would refuse: a line for each fault, and nothing before it, as compilers do."""

    def lines(self) -> list[str]:
        return str(self).splitlines()


class Unreachable(ClientError):
    """No server answers, or it cannot answer now; the same call may work later."""

    exit = Exit.UNREACHABLE


class OutOfTime(ClientError):
    """The time that was given with --timeout is over."""

    exit = Exit.TIMEOUT


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is wrong with a definition, and where."""

    path: str
    message: str
    line: int | None = None

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> Self:
        line = answer.get("line")
        return cls(
            path=str(answer.get("path") or ""),
            message=str(answer.get("message") or ""),
            line=line if isinstance(line, int) else None,
        )

    def at(self, file: str) -> str:
        """As compilers say it, so that editors find the place."""
        place = f"{file}:{self.line}" if self.line else file
        return ": ".join(filter(None, [place, self.path, self.message]))


class Problem(ClientError):
    """The server understood and said no."""

    def __init__(self, status: int, answer: Mapping[str, Any]) -> None:
        self.status = status
        self.answer = answer
        self.title = str(answer.get("title") or "")
        self.detail = str(answer.get("detail") or answer.get("error") or "")
        self.faults = [Fault.of(fault) for fault in _mappings(answer.get("faults"))]
        self.errors = _errors(answer.get("errors"))
        why = "" if self.errors and self.title else self.detail
        super().__init__(": ".join(filter(None, [self.title, why])) or f"the server answers {status}")

    @property
    def code(self) -> Exit:
        return Exit.NOT_ALLOWED if self.status in _NOT_ALLOWED else Exit.USAGE

    def lines(self) -> list[str]:
        faults = [fault.at("definition") for fault in self.faults]
        return [*super().lines(), *(f"  {line}" for line in [*faults, *self.errors])]


def _mappings(value: Any) -> Sequence[Mapping[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _errors(value: Any) -> list[str]:
    """`name: what would be right`, a line for each."""
    if not isinstance(value, dict):
        return []
    return [
        f"{name}: {text}"
        for name, texts in value.items()
        for text in (texts if isinstance(texts, list) else [texts])
    ]
