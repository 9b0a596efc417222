"""Dictionaries that are Jinja2 templates, children of a device type's: rendered in a process of its own. No ORM."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devices.dictionary import InvalidDictionary
from devices.rendering import DICTIONARY

SECONDS = 10  # after which a rendering is given up, however little of the processor it got
TOO_LONG = "takes too long to render: is there an endless loop in a template?"

_BLOCK = re.compile(r"^\s*\{[%#]", re.MULTILINE)
_PROGRAM = Path(__file__).with_name("rendering.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a line of a rendered text comes from."""

    template: str  # `dictionary`, or the name of a template in one of the directories
    line: int
    from_dictionary: tuple[
        tuple[str, int], ...
    ] = ()  # variables that the line may depend on, and their lines
    from_job: tuple[str, ...] = ()  # those of the job's context

    @property
    def is_default(self) -> bool:
        """Whether nobody but the templates had a say in it."""
        return self.template != DICTIONARY and not self.from_dictionary and not self.from_job


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    text: str
    origins: tuple[Origin, ...] | None  # of each line; None if that cannot be told, or nobody asked


def is_template(text: str) -> bool:
    """Whether a line of the text begins with a block or a comment of Jinja2's, as none does in YAML."""
    return _BLOCK.search(text) is not None


def render(
    text: str, context: Mapping[str, Any], directories: Sequence[Path], *, trace: bool = False
) -> Rendered:
    """The YAML that a template makes, with what a job says. What the dictionary sets wins over the job's context.

    InvalidDictionary if it cannot be rendered, or takes too much time, memory or room; it takes about 0.1 s.
    """
    question = {
        "dictionary": text,
        "context": dict(context),
        "directories": [str(each) for each in directories],
        "trace": trace,
    }
    try:
        # Of the server's environment, where its secrets are, it gets nothing.
        child = subprocess.run(
            [sys.executable, "-I", str(_PROGRAM)],
            input=json.dumps(question).encode(),
            capture_output=True,
            timeout=SECONDS,
            env={},
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise InvalidDictionary(TOO_LONG) from None
    if child.returncode < 0:  # it was killed for the time that it took
        raise InvalidDictionary(TOO_LONG)
    if child.returncode:
        raise InvalidDictionary(f"cannot be rendered: {child.stderr.decode(errors='replace')[-300:]}")
    return _read(json.loads(child.stdout))


def _read(answer: Mapping[str, Any]) -> Rendered:
    if "fault" in answer:
        place = [str(answer["template"])] if answer["template"] else []
        place += [f"line {answer['line']}"] if answer["line"] else []
        raise InvalidDictionary(": ".join(filter(None, [", ".join(place), answer["fault"]])))
    lines = answer["lines"]
    return Rendered(text=answer["text"], origins=None if lines is None else tuple(map(_origin, lines)))


def _origin(line: Mapping[str, Any]) -> Origin:
    said = [(name, number) for name, number in line["variables"] if number is not None]
    asked = [name for name, number in line["variables"] if number is None]
    return Origin(
        template=line["template"],
        line=line["line"],
        from_dictionary=tuple(said),
        from_job=tuple(asked),
    )
