"""One grammar of filters for streams, history, webhooks and the command line."""

from __future__ import annotations

from typing import Any

import pytest

from events.selection import LONGEST, BadFilter, Selection

JOB: dict[str, Any] = {
    "job": "12.1",
    "uuid": "0d8c2a0e-0000-4000-8000-000000000001",
    "submitter": "alice",
    "device_type": "qemu",
    "worker": "worker01",
    "state": "Running",
    "health": "Unknown",
    "tags": ["usb", "hdmi"],
    "target_group": "0d8c2a0e-0000-4000-8000-000000000002",
}
DEVICE: dict[str, Any] = {"device": "qemu01", "device_type": "qemu", "state": "Running", "health": "Good"}


def chosen(text: str, type: str = "job.started", data: dict[str, Any] = JOB) -> bool:
    return Selection.parse(text).matches(type, data)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "job.started",
        "job.*",
        "topic=job.#",
        "device.changed job.*",
        "job=12.1",
        "job=0d8c2a0e-0000-4000-8000-000000000001",
        "group=0d8c2a0e-0000-4000-8000-000000000002",
        "submitter=alice",
        "submitter=bob,alice",
        "submitter=bob submitter=alice",
        "tag=hdmi",
        "worker=worker01",
        "state=running",
        "state=Running",
        "job.# submitter=alice device_type=qemu state=running",
    ],
)
def test_an_event_is_chosen_by_what_it_is_and_says(text: str) -> None:
    assert chosen(text)


@pytest.mark.parametrize(
    "text",
    [
        "job.completed",
        "device.#",
        "job=12",
        "submitter=bob",
        "submitter=Alice",
        "tag=usb2",
        "state=finished",
        "job.# submitter=alice device_type=beaglebone",
    ],
)
def test_one_thing_that_does_not_hold_is_enough_to_pass_it_over(text: str) -> None:
    assert not chosen(text)


def test_what_an_event_does_not_say_it_is_not_chosen_by() -> None:
    assert not chosen("submitter=alice", "device.changed", DEVICE)
    assert chosen("device_type=qemu", "device.changed", DEVICE)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("colour=red", "no 'colour' to choose by"),
        ("submitter=", "write submitter=one"),
        ("submitter=alice,", "a value is missing"),
        ("job..started", "is no topic"),
        ("state=runnning", "no state is called 'runnning'; there are canceled"),
        ("=", "no '' to choose by"),
        ("a" * (LONGEST + 1), "at most 2,000"),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_would(text: str, says: str) -> None:
    with pytest.raises(BadFilter, match=says):
        Selection.parse(text)
