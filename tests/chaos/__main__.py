"""Make a lab suffer, and audit what everybody heard: `make chaos MINUTES=10`.

Or `python -m tests.chaos [--minutes 10] [--seed 1]`. It ends with 1 if something promised does not hold.
"""

from __future__ import annotations

import argparse
import random
import sys
from functools import partial

from tests.chaos import servers
from tests.chaos.run import Plan, run


def main() -> int:
    asked = _arguments()
    if reason := servers.why_not():
        print(f"This {reason}.", file=sys.stderr)
        return 2
    report = run(Plan(seed=asked.seed, seconds=asked.minutes * 60), partial(print, flush=True))
    print(report.table if report.is_clean else report.story)
    print("all of it holds" if report.is_clean else "FAULTS", f"(seed {report.seed})", sep=" ")
    return not report.is_clean


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos")
    parser.add_argument("--minutes", type=float, default=10, help="of chaos; 10 by default")
    parser.add_argument("--seed", type=int, default=random.randrange(2**32), help="of an earlier run")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
