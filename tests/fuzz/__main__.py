"""Fuzz both APIs as everybody of the cast: `make fuzz MINUTES=10`, or `python -m tests.fuzz [--minutes 10] [--seed 1]`.

No answer may be a 5xx, or one that the API's description does not have. Each visitor has a lab of its own.
"""

from __future__ import annotations

import argparse
import random
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.fuzz.run import APIS, VISITORS, Finding, fuzz
from tests.gallery.lab import serving


def main() -> int:
    asked = _arguments()
    seconds = max(1, int(asked.minutes * 60 / len(APIS) / len(VISITORS)))
    print(f"seed {asked.seed}, {seconds} s for each API and visitor")
    findings = [finding for visitor in VISITORS for finding in _as_visitor(visitor, seconds, asked.seed)]
    faulty = [finding for finding in findings if not finding.is_clean]
    for finding in faulty:
        print(finding.output)
    print(f"{sum(finding.cases for finding in findings):,} cases, seed {asked.seed}", end=": ")
    print(f"{len(faulty)} of {len(findings)} runs found faults" if faulty else "no faults")
    return bool(faulty)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--minutes", type=float, default=10, help="in all; 10 by default")
    parser.add_argument("--seed", type=int, default=random.randrange(2**32), help="of an earlier run")
    return parser.parse_args()


def _as_visitor(visitor: str, seconds: int, seed: int) -> list[Finding]:
    findings = []
    with TemporaryDirectory() as directory, serving(Path(directory), "full") as lab:
        for api in APIS:
            finding = fuzz(lab, api, visitor, f"--max-time={seconds}", f"--seed={seed}")
            word = "no faults" if finding.is_clean else "FAULTS"
            who = visitor or "anonymous"
            print(
                f"{api:5} {who:9} {finding.operations:3} operations {finding.cases:8,} cases  {word}",
                flush=True,
            )
            findings.append(finding)
    return findings


if __name__ == "__main__":
    sys.exit(main())
