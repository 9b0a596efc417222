"""One run of schemathesis against one API of a lab, as one visitor."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.gallery.lab import Lab

APIS = ("v0.2", "v1")
VISITORS = ("", "alice", "admin")  # "" is anonymous
COMMAND = Path(sys.executable).with_name("schemathesis")
CONFIGURATION = Path(__file__).with_name("schemathesis.toml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    cases: int
    operations: int
    is_clean: bool
    output: str


def fuzz(lab: Lab, api: str, visitor: str, *options: str) -> Finding:
    """`options` are schemathesis's own."""
    with TemporaryDirectory() as directory:
        report = Path(directory) / "report.json"
        done = subprocess.run(
            [
                COMMAND,
                f"--config-file={CONFIGURATION}",
                "run",
                f"{lab.url}/api/{api}/openapi.json",
                "--no-color",
                "--warnings=off",
                "--generation-database=none",
                f"--report-json-path={report}",
                *_credentials(lab, visitor),
                *options,
            ],
            cwd=directory,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        told = json.loads(report.read_text())
    _assert_known(lab, visitor)
    return Finding(
        cases=told["test_cases"]["generated"],
        operations=(told["operations"] or {}).get("tested", 0),
        is_clean=done.returncode == 0,
        output=done.stdout,
    )


def _credentials(lab: Lab, visitor: str) -> list[str]:
    return ["--header", f"Authorization: Token {lab.tokens[visitor]}"] if visitor else []


def _assert_known(lab: Lab, visitor: str) -> None:
    """A fuzzer that has revoked its own token has knocked at closed doors since."""
    headers = {"Authorization": f"Token {lab.tokens[visitor]}"} if visitor else {}
    request = urllib.request.Request(f"{lab.url}/api/v1/whoami/", headers=headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert (json.load(answer)["user"] or "") == visitor
