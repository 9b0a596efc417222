"""kill -9 between any two statements leaves both the change and its events, or neither."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests import children

Report = dict[str, Any]

EXPECTED = {
    "submit": ("", ["job.submitted"]),
    "schedule": ("Scheduled Unknown", ["device.changed", "job.scheduled"]),
    "start": ("Running Unknown", ["device.changed", "job.started"]),
    "finish": ("Finished Incomplete", ["device.changed", "job.failed"]),
    "cancel queued": ("Finished Canceled", ["job.removal_requested", "job.removed"]),
    "cancel running": ("Canceling Unknown", ["job.cancel_requested"]),
    "end canceled": ("Finished Canceled", ["device.changed", "job.canceled"]),
    "flag overtime": ("Running Unknown", ["job.overtime"]),
    "flag lost": ("Running Unknown", ["job.lost"]),
    "clear lost": ("Running Unknown", ["job.found"]),
    "end overdue": ("Finished Incomplete", ["device.changed", "job.start_failed"]),
    "end oversized": ("Finished Incomplete", ["device.changed", "job.failed"]),
    "confirm the end": ("Finished Incomplete", ["device.changed"]),
    "begin a reservation": ("Running Unknown", ["device.changed", "job.started"]),
    "extend a reservation": ("Running Unknown", ["job.extended"]),
    "warn of the end of a reservation": ("Running Unknown", ["job.expiring"]),
    "release a reservation": ("Finished Complete", ["device.changed", "job.completed"]),
    "cancel a reservation": ("Finished Canceled", ["job.cancel_requested", "device.changed", "job.canceled"]),
    "end a reservation": ("Finished Complete", ["device.changed", "job.completed"]),
    "try again": ("Submitted Unknown", ["device.changed", "job.attempt_failed"]),
    "try again elsewhere": ("Submitted Unknown", ["device.changed", "job.attempt_failed"]),
    "put off by its test": ("Submitted Unknown", ["device.changed", "job.deferred"]),
    "put off for too long": (
        "Finished Incomplete",
        ["device.changed", "job.deferred", "job.inactivated"],
    ),
    "defer": ("Submitted Unknown", ["job.deferred"]),
    "hurry": ("Submitted Unknown", ["job.hurried"]),
    "resubmit": ("Finished Complete", ["job.submitted", "job.resubmitted"]),
    "tell of a step": ("Running Unknown", ["step.started", "step.finished", "job.progress"]),
    "ask a person": ("Running Unknown", ["job.waiting"]),
    "answer": ("Running Unknown", ["job.resumed"]),
    "say something in a test": ("Running Unknown", ["custom.flashed", "custom.message"]),
    "say something for a job": ("Submitted Unknown", ["custom.reviewed"]),
    "bare save": ("Finished Incomplete", ["device.changed", "job.failed"]),
    "update": ("Canceling Unknown", ["job.cancel_requested"]),
    "delete": ("", ["job.deleted"]),
    "maintenance": ("", ["device.changed"]),
    "worker seen": ("", ["worker.changed"]),
}


@pytest.mark.django_db(transaction=True)
def test_a_process_killed_at_any_statement_of_any_verb_leaves_all_or_nothing() -> None:
    reports = [json.loads(line) for line in children.run("tests.jobs.dying").splitlines()]

    assert [report["deed"] for report in reports] == list(EXPECTED)
    for report in reports:
        state, events = EXPECTED[report["deed"]]
        assert report["kills"] >= 4, report
        assert report["changed"] == [], report
        assert report["died"], report
        assert (report["state"], report["events"]) == (state, events), report
