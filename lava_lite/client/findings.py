"""What a doctor finds, of this machine's lab or of a server, and how it is told."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Literal

from lava_lite.client.console import Console
from lava_lite.client.exits import Exit
from lava_lite.client.shapes import Tone

Level = Literal["ok", "warn", "bad"]

TONES: dict[Level, Tone] = {"ok": "good", "warn": "warn", "bad": "bad"}
WIDTH = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    what: str
    level: Level
    text: str
    remedy: str = ""


def ok(what: str, text: str) -> Finding:
    return Finding(what=what, level="ok", text=text)


def warn(what: str, text: str, remedy: str) -> Finding:
    return Finding(what=what, level="warn", text=text, remedy=remedy)


def bad(what: str, text: str, remedy: str) -> Finding:
    return Finding(what=what, level="bad", text=text, remedy=remedy)


def tell(console: Console, findings: Iterable[Finding]) -> Exit:
    """Each as soon as it is found. FAIL if anything is bad."""
    found = []
    for finding in findings:
        found.append(finding)
        if not console.as_json:
            _tell_of(console, finding)
    if console.as_json:
        console.json_list([asdict(finding) for finding in found])
    return Exit.FAIL if any(finding.level == "bad" for finding in found) else Exit.OK


def _tell_of(console: Console, finding: Finding) -> None:
    level = console.toned(f"{finding.level:<5}", TONES[finding.level])
    console.say(f"{level} {finding.what:<{WIDTH}} {' '.join(finding.text.split())}")
    for line in finding.remedy.splitlines():
        console.say(f"{'':<5} {'':<{WIDTH}} -> {line}")
