"""A job of the ring beside one that a real LAVA 2023.01 ran: what LAVA tells of it is here too, under the same names.

What the values are differs with the guest and the day, so it is their names and types that are compared.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
import websocket
import yaml

from tests.lab import Lab
from tests.lava_worker.ring import Ring

pytestmark = [pytest.mark.lava_worker, pytest.mark.timeout(240)]

GOLDEN = Path(__file__).parent.parent / "golden"
JOB2 = GOLDEN / "job2-shell"


def lacking(theirs: Any, ours: Any, at: str = "") -> list[str]:
    """Where ours has not what theirs has, or has it in another type; None stands for any."""
    if theirs is None or ours is None:
        return []
    if type(theirs) is not type(ours):
        return [f"{at}: {type(ours).__name__} instead of {type(theirs).__name__}"]
    if isinstance(theirs, dict):
        missing = [f"{at}.{key}: missing" for key in theirs.keys() - ours.keys()]
        both = theirs.keys() & ours.keys()
        return missing + [found for key in both for found in lacking(theirs[key], ours[key], f"{at}.{key}")]
    return []


def golden(name: str) -> Any:
    return json.loads((JOB2 / name).read_text())


def frames_there() -> list[tuple[str, dict[str, Any]]]:
    lines = (JOB2 / "events-zmq.jsonl").read_text().splitlines()
    parts = [json.loads(line)["parts"] for line in lines]
    return [(topic.rpartition(".")[2], json.loads(data)) for topic, _, _, _, data in parts]


def frames_here(lab: Lab, number: int, device: str) -> list[tuple[str, dict[str, Any]]]:
    """All that concern the job, from the first to the last; told anew by the socket."""
    client = websocket.create_connection(f"{lab.url.replace('http', 'ws')}/ws/?since=0", timeout=30)
    found = []
    try:
        while True:
            topic, _, _, _, text = json.loads(client.recv())
            kind, data = topic.rpartition(".")[2], json.loads(text)
            if data.get("job") == number or (found and data.get("device") == device and kind == "device"):
                found.append((kind, data))
            if kind == "testjob" and data["job"] == number and data["state"] == "Finished":
                return found
    finally:
        client.close()


def test_its_events_are_lava_s_in_the_same_order(ring: Ring, whole: int) -> None:
    device = ring.ended(whole)["actual_device"]

    ours, theirs = frames_here(ring.lab, whole, device), frames_there()

    ours = [frame for frame in ours if frame[0] in ("testjob", "device")]
    assert [(kind, data["state"], data["health"]) for kind, data in ours] == [
        (kind, data["state"], data["health"]) for kind, data in theirs
    ]
    assert [lacking(there, here) for (_, there), (_, here) in zip(theirs, ours, strict=True)] == [[]] * len(
        theirs
    )


@pytest.mark.parametrize(
    ("address", "name"), [("", "rest.json"), ("suites/", "rest_suites.json"), ("tests/", "rest_tests.json")]
)
def test_rest_tells_what_lava_s_tells(address: str, name: str, ring: Ring, whole: int) -> None:
    ring.ended(whole)

    ours = json.loads(ring.lab.get(f"/api/v0.2/jobs/{whole}/{address}")[1])

    theirs = golden(name)
    theirs.pop("token", None)  # the worker's secret for the job, which nobody is shown here
    assert lacking(theirs, ours) == []
    for there in theirs.get("results", []):
        assert [lacking(there, here) for here in ours["results"]] == [[]] * len(ours["results"])


def test_the_dispatcher_s_own_results_are_those_of_lava(ring: Ring, whole: int) -> None:
    ring.ended(whole)

    of_lava = {
        test["name"]: test for test in golden("rest_tests.json")["results"] if test["unit"] == "seconds"
    }

    ours = {test["name"]: test for test in ring.results(whole) if test["unit"] == "seconds"}
    # The guest there has a disk for its tests, and here they are in its first archive.
    assert of_lava.keys() - ours.keys() <= {"apply-overlay-guest"}
    for name in of_lava.keys() & ours.keys():
        assert lacking(of_lava[name], ours[name]) == []


def test_its_log_has_lava_s_records(ring: Ring, whole: int) -> None:
    ring.ended(whole)
    theirs = yaml.load(gzip.decompress((GOLDEN / "job2-shell.output.yaml.gz").read_bytes()), yaml.CSafeLoader)

    ours = yaml.load(ring.lab.get(f"/api/v0.2/jobs/{whole}/logs/")[1], yaml.CSafeLoader)

    # Feedback is what a guest still prints when nobody waits for it; this one has nothing more to say.
    assert {record["lvl"] for record in theirs} - {"feedback"} <= {record["lvl"] for record in ours}
    assert {tuple(record) for record in ours} <= {tuple(record) for record in theirs}
    assert (ours[0]["msg"], ours[-1]["msg"]) == (theirs[0]["msg"], theirs[-1]["msg"])
