"""Two schedulers, each in a process of its own, share a lab: python -m benchmarks.two_schedulers

200 devices on workers with a limit, 5,000 jobs, some of them in groups of two, that are started and finished as workers
do it, by the verbs. Nothing may be given twice, no limit exceeded, no group split, and nobody forgotten. Meant for
PostgreSQL (DATABASE_URL).
"""

from __future__ import annotations

import argparse
import logging
import os
import sys

from benchmarks.throwaway import lab

WORKERS = 8


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=5_000)
    parser.add_argument("--groups", type=int, default=250, help="of two of the jobs each")
    parser.add_argument("--devices", type=int, default=200)
    parser.add_argument(
        "--job-limit", type=int, default=4, help="of each of the workers; low, so that it binds"
    )
    parser.add_argument("--drivers", type=int, default=2, help="threads that play the workers")
    words = parser.parse_args()
    os.environ["MULTINODE_PATIENCE"] = "0"  # groups are overtaken as little as jobs
    with lab():
        from tests.jobs import busy_lab

        logging.disable(logging.INFO)
        busy_lab.fill(
            jobs=words.jobs,
            groups=words.groups,
            devices=words.devices,
            workers=WORKERS,
            job_limit=words.job_limit,
        )
        report = busy_lab.run(drivers=words.drivers)
    print(f"{report.finished:,} of {words.jobs:,} jobs finished in {report.seconds:.1f} s")
    print(f"devices given by each scheduler: {', '.join(map(str, report.given))}")
    print(f"given twice: {report.double_bookings} (limit 0)")
    print(f"groups of which one began before the other had its device: {report.split_groups} (limit 0)")
    print(f"most jobs on a worker at once: {report.most_on_a_worker} (limit {words.job_limit})")
    print(f"jobs of a device: {report.fewest_on_a_device} to {report.most_on_a_device}")
    print(f"the most unlucky job was overtaken by {report.overtaken} later ones (limit {2 * words.devices})")
    kept = report.finished == words.jobs and not report.double_bookings and not report.split_groups
    fair = report.fewest_on_a_device > 0 and report.overtaken <= 2 * words.devices
    return 0 if kept and fair and report.most_on_a_worker <= words.job_limit else 1


if __name__ == "__main__":
    sys.exit(main())
