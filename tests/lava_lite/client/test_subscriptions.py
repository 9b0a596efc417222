"""`lava-lite events subscribe`, `consume` …: what the lab keeps is acknowledged when it is dealt with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lava_lite.client import follow
from lava_lite.client.commands import subscriptions
from tests.lava_lite.client.conftest import FakeServer, LavaLite, Reply, problem
from tests.lava_lite.client.test_events import event

SUBSCRIPTIONS = "/api/v1/subscriptions/"
BRIDGE = f"{SUBSCRIPTIONS}bridge/"
FETCH, ACK = f"{BRIDGE}fetch/", f"{BRIDGE}ack/"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscriptions, "PAUSE", 0.01)
    monkeypatch.setattr(follow, "FIRST_RETRY", 0.01)


def subscription(name: str = "bridge", **fields: Any) -> dict[str, Any]:
    return {
        "id": 3,
        "name": name,
        "filter": "job.#",
        "created": "2026-01-31T12:00:00Z",
        "state": "active",
        "reason": "",
        "days": 7,
        "expires": "2026-02-07T12:00:00Z",
        "fetched": None,
        "sequence": 6,
        "lag": 2,
        **fields,
    }


def batch(*numbers: int, generation: int = 1, lag: int = 0) -> dict[str, Any]:
    ack = {"sequence": numbers[-1], "generation": generation} if numbers else None
    return {"events": [event(number) for number in numbers], "ack": ack, "sequence": 6, "lag": lag}


def acknowledged(fake: FakeServer) -> list[dict[str, int]]:
    return [asked.json for asked in fake.asked if asked.path == ACK]


def test_a_place_among_the_events_is_kept_under_a_name(lava_lite: LavaLite, fake: FakeServer) -> None:
    fake.on("POST", SUBSCRIPTIONS, Reply(body=subscription(), status=201))

    words = ("--filter", "job.#", "--since", "oldest", "--days", "3")
    done = lava_lite("events", "subscribe", "bridge", *words)

    assert (done.code, done.out) == (0, "bridge\t6\n")
    assert fake.asked[0].json == {"name": "bridge", "filter": "job.#", "since": "oldest", "days": 3}


def test_a_place_that_does_not_exist_is_refused(lava_lite: LavaLite) -> None:
    done = lava_lite("events", "subscribe", "bridge", "--since", "yesterday")

    assert done.code == 2
    assert "expected the sequence of an event, or now or oldest" in done.err


def test_what_is_written_is_acknowledged(lava_lite: LavaLite, fake: FakeServer) -> None:
    fake.on("POST", FETCH, batch(7, 8), batch(9, generation=2), batch())
    fake.on("POST", ACK, subscription())

    done = lava_lite("events", "consume", "bridge", "--once")

    assert [line.split("\t")[1] for line in done.out.splitlines()] == ["7", "8", "9"]
    assert acknowledged(fake) == [{"sequence": 8, "generation": 1}, {"sequence": 9, "generation": 2}]
    assert done.code == 0


def test_with_json_each_line_is_the_event(lava_lite: LavaLite, fake: FakeServer) -> None:
    fake.on("POST", FETCH, batch(7), batch())
    fake.on("POST", ACK, subscription())

    done = lava_lite("events", "consume", "bridge", "--once", "--json", "--batch", "1")

    assert json.loads(done.out) == event(7)
    assert fake.asked[0].json == {"limit": 1, "wait": 0}


def test_a_command_gets_each_event_and_those_are_acknowledged_with_which_it_ended_well(
    lava_lite: LavaLite, fake: FakeServer, tmp_path: Path
) -> None:
    fake.on("POST", FETCH, batch(7, 8, 9))
    fake.on("POST", ACK, subscription())
    out = tmp_path / "out"
    command = f"cat >> {out}; echo >> {out}; test $(wc -l < {out}) -lt 2"

    done = lava_lite("events", "consume", "bridge", "--exec", command)

    assert [json.loads(line) for line in out.read_text().splitlines()] == [event(7), event(8)]
    assert acknowledged(fake) == [{"sequence": 7, "generation": 1}]
    assert done.code == 1
    assert "The command ended with 1. Event 8 is not acknowledged: it comes again at the next start." in (
        done.err
    )


def test_it_waits_and_goes_on_while_there_is_nothing(lava_lite: LavaLite, fake: FakeServer) -> None:
    no_more = problem(410, "This subscription is expired", "Nothing was fetched for 7 days.")
    fake.on("POST", FETCH, batch(), batch(lag=5), batch(7), no_more)
    fake.on("POST", ACK, subscription())

    done = lava_lite("events", "consume", "bridge")

    assert {asked.json["wait"] for asked in fake.asked if asked.path == FETCH} == {subscriptions.WAIT}
    assert len(acknowledged(fake)) == 1
    assert done.code == 2
    assert "expired" in done.err


def test_with_once_it_ends_when_all_is_looked_through(lava_lite: LavaLite, fake: FakeServer) -> None:
    fake.on("POST", FETCH, batch(lag=5), batch(lag=1), batch())

    assert lava_lite("events", "consume", "bridge", "--once").code == 0
    assert fake.paths("POST") == [FETCH] * 3


def test_a_server_that_is_away_is_waited_for(lava_lite: LavaLite, fake: FakeServer) -> None:
    busy = problem(503, "The database is busy")
    fake.on("POST", FETCH, busy, batch(7), batch())
    fake.on("POST", ACK, busy, subscription())

    done = lava_lite("events", "consume", "bridge", "--once")

    assert (done.code, len(done.out.splitlines())) == (0, 1)
    assert len(acknowledged(fake)) == 2


def test_who_is_overtaken_by_another_ends(lava_lite: LavaLite, fake: FakeServer) -> None:
    fake.on("POST", FETCH, batch(7))
    fake.on("POST", ACK, problem(409, "This cannot be done now", "Generation 1 does not count any more."))

    done = lava_lite("events", "consume", "bridge")

    assert done.code == 2
    assert "does not count any more" in done.err


def test_it_ends_when_its_time_is_over(lava_lite: LavaLite, fake: FakeServer) -> None:
    fake.on("POST", FETCH, batch())

    done = lava_lite("events", "consume", "bridge", "--timeout", "0.2")

    assert done.code == 124
    assert all(asked.json["wait"] <= 0.2 for asked in fake.asked)


def test_the_subscriptions_are_listed(lava_lite: LavaLite, fake: FakeServer) -> None:
    rows = [subscription(), subscription("old", state="expired")]
    fake.on("GET", f"{SUBSCRIPTIONS}?limit=50", {"items": rows, "next": None})

    done = lava_lite("events", "subscriptions")

    assert [line.split("\t")[:3] for line in done.out.splitlines()] == [
        ["bridge", "active", "2"],
        ["old", "expired", "2"],
    ]


def test_one_begins_anew(lava_lite: LavaLite, fake: FakeServer) -> None:
    fake.on("POST", f"{BRIDGE}renew/", subscription(sequence=40))

    done = lava_lite("events", "renew", "bridge", "--since", "40", "--json")

    assert done.json["sequence"] == 40
    assert fake.asked[0].json == {"since": 40}


def test_several_are_deleted_and_one_that_is_not_there_is_told(lava_lite: LavaLite, fake: FakeServer) -> None:
    fake.on("DELETE", BRIDGE, Reply(body=b"", status=204))

    done = lava_lite("events", "unsubscribe", "bridge", "other")

    assert done.code == 5
    assert "The subscription bridge is deleted." in done.err
