"""What Prometheus reads of a lab."""

from __future__ import annotations

import urllib.request
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import Settings

from accounts.models import Token
from core.beats import Pulse
from core.tally import tally
from events import publisher
from events.subscriptions import lifecycle as subscriptions
from events.transports.memory import Memory
from jobs.models import Job
from lava_lite.health import metrics, probes
from tests import build
from tests.lab import eventually
from tests.lava_lite.test_probes import ELSEWHERE, asked
from tests.serving import Site, do, hear

pytestmark = pytest.mark.django_db(transaction=True)


def figures(body: str) -> dict[tuple[str, ...], float]:
    """By name and the values of the labels, in the order of their names."""
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(body)
        for sample in family.samples
    }


def scraped() -> dict[tuple[str, ...], float]:
    status, body = asked(probes.metrics)
    assert status == 200
    return figures(body)


@pytest.fixture
def transport(monkeypatch: pytest.MonkeyPatch) -> Memory:
    memory = Memory("zmq tcp://127.0.0.1:5500")
    monkeypatch.setattr(publisher, "configured", lambda: [memory])
    return memory


def told_to_core4() -> int:
    return tally.counts("lava_lite_listener_events_total").get(("core4",), 0)


# Who may read them


def test_a_stranger_reads_none() -> None:
    status, body = asked(probes.metrics, client=ELSEWHERE)

    assert status == 403
    assert "METRICS_AUDIENCE" in body


def test_a_person_without_staff_rights_reads_none() -> None:
    secret = Token.objects.issue(build.user("mallory"))

    assert asked(probes.metrics, client=ELSEWHERE, authorization=f"Token {secret}")[0] == 403


def test_a_token_of_staff_reads_them() -> None:
    secret = Token.objects.issue(build.admin())

    assert asked(probes.metrics, client=ELSEWHERE, authorization=f"Bearer {secret}")[0] == 200


def test_a_setting_opens_them_to_all(settings: Settings) -> None:
    settings.METRICS_AUDIENCE = "all"

    assert asked(probes.metrics, client=ELSEWHERE)[0] == 200


# What they tell


def test_the_queue_is_counted_by_state_and_type() -> None:
    job = build.job()
    Job.objects.filter(pk=job.pk).update(submit_time=timezone.now() - timedelta(hours=1))

    told = scraped()

    assert told["lava_lite_jobs", "qemu", "Submitted"] == 1
    assert told["lava_lite_queue_oldest_seconds",] >= 3600


def test_devices_and_workers_are_counted_by_state_and_health() -> None:
    build.device("qemu01")

    told = scraped()

    assert told["lava_lite_devices", "Good", "Idle"] == 1
    assert told["lava_lite_workers", "Active", "Online"] == 1


def test_a_transport_that_is_down_shows_what_waits_for_it(transport: Memory) -> None:
    publisher.run_once([transport])
    transport.is_down = True
    build.device("qemu01")
    publisher.run_once([transport])
    name = transport.name

    told = scraped()

    assert told["lava_lite_transport_up", name] == 0
    assert told["lava_lite_transport_lag_events", name] == told["lava_lite_events_total",] > 0
    assert told["lava_lite_transport_failures_total", name] == 1


def test_a_transport_that_took_all_has_no_lag(transport: Memory) -> None:
    publisher.run_once([transport])
    build.device("qemu01")
    publisher.run_once([transport])

    told = scraped()

    assert told["lava_lite_transport_published_total", transport.name] == len(transport.sent) > 0
    assert told["lava_lite_transport_lag_events", transport.name] == 0
    assert told["lava_lite_transport_lag_seconds", transport.name] == 0


def test_a_loop_that_is_stuck_is_marked(settings: Settings, tmp_path: Path) -> None:
    settings.RUN = tmp_path
    settings.STUCK_AFTER = -10
    Pulse(tmp_path, "scheduler", poll=1.0).beat()

    assert scraped()["lava_lite_loop_stuck", "scheduler"] == 1


def test_live_listeners_are_counted_while_they_listen(site: Site) -> None:
    told_before = told_to_core4()
    client = site.connect("/core4/api/v1/event")
    client.send('{"interest": ["summary"]}')
    hear(client)

    assert scraped()["lava_lite_listeners", "core4"] == 1

    do(lambda: build.device("qemu01"))
    assert eventually(lambda: told_to_core4() > told_before)
    client.close()
    assert eventually(lambda: scraped()["lava_lite_listeners", "core4"] == 0)


def test_answers_are_counted_by_part_and_status(site: Site) -> None:
    key = ("lava_lite_http_request_seconds_count", "healthz", "2xx")
    before = scraped().get(key, 0)

    urllib.request.urlopen(f"http://127.0.0.1:{site.port}/healthz").close()

    assert scraped()[key] == before + 1


def test_without_a_database_the_rest_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> Any:
        raise metrics.Error("gone")

    monkeypatch.setattr(metrics, "of_lab", away)

    told = scraped()

    assert told["lava_lite_database_up",] == 0
    assert ("lava_lite_jobs", "qemu", "Submitted") not in told


def test_a_scrape_takes_fourteen_queries_and_one_for_each_transport(transport: Memory) -> None:
    publisher.run_once([transport])
    for _ in range(5):
        build.job()

    with CaptureQueriesContext(
        connection,
    ) as queries:
        metrics.of_lab()

    assert len(queries) == 14 + 1


def test_every_metric_that_is_told_is_in_the_table_and_the_other_way_round() -> None:
    known = {meaning.name for meaning in metrics.METRICS if meaning.kind != "histogram"}

    assert set(metrics.of_lab() | metrics.of_process()) == known


def test_subscriptions_are_counted_with_the_one_that_is_furthest_behind(alice: User, admin: User) -> None:
    subscriptions.expire([subscriptions.add(alice, "old")], by=admin, reason="")
    do(lambda: build.device("qemu01"))
    subscriptions.add(alice, "slow")
    do(lambda: build.device("qemu02"))
    subscriptions.add(alice, "quick")

    found = scraped()

    last = found["lava_lite_events_total",]
    assert found["lava_lite_subscriptions", "active"] == 2
    assert found["lava_lite_subscriptions", "expired"] == 1
    assert found["lava_lite_subscriptions_lag_events", "expired"] == last
    assert found["lava_lite_subscriptions_lag_events", "active"] == 1
