"""`/metrics`: figures of the lab, and of the web process that answers, as Prometheus reads them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Literal

from django.conf import settings
from django.db import Error
from django.db.models import Count, Min, Q
from django.utils import timezone
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from accounts.visitors import Unwelcome
from core import beats
from core.asgi import Receive, Scope, Send
from core.tally import BUCKETS, Durations, tally
from devices.models import Device, Worker
from devices.states import DeviceHealth, DeviceState, WorkerHealth, WorkerState
from events import numbering, status
from events.models import Delivery, Subscription, Webhook
from events.subscriptions.models import SubscriptionState
from jobs.models import Job
from jobs.states import State
from lava_lite.health import checks, probes

Samples = dict[str, dict[tuple[str, ...], float]]  # by the metric's name and its labels

LATELY = timedelta(minutes=5)
REFUSAL = "Metrics are for staff and for this machine; send a token of staff, or set METRICS_AUDIENCE to all."


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """Of one metric. `process`: counted by the web process that answers since its start, else known to the whole lab."""

    name: str
    kind: Literal["gauge", "counter", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    of: Literal["lab", "process", "machine"] = "lab"


METRICS = (
    Meaning(name="lava_lite_database_up", kind="gauge", help="1 if the database answers within 3 seconds."),
    Meaning(
        name="lava_lite_loop_silence_seconds",
        kind="gauge",
        help="Time since a loop of the engine ended its last good pass.",
        labels=("loop",),
        of="machine",
    ),
    Meaning(
        name="lava_lite_loop_stuck",
        kind="gauge",
        help="1 if a loop of the engine is silent for longer than it may be.",
        labels=("loop",),
        of="machine",
    ),
    Meaning(
        name="lava_lite_jobs",
        kind="gauge",
        help="Jobs that are not finished; Submitted are those of the queue.",
        labels=("state", "device_type"),
    ),
    Meaning(
        name="lava_lite_queue_oldest_seconds",
        kind="gauge",
        help="How long the oldest job waits that could start; 0 if there is none.",
    ),
    Meaning(
        name="lava_lite_devices",
        kind="gauge",
        help="Devices, those that are retired left out.",
        labels=("state", "health"),
    ),
    Meaning(
        name="lava_lite_workers",
        kind="gauge",
        help="Workers, those that are retired left out.",
        labels=("state", "health"),
    ),
    Meaning(name="lava_lite_events_total", kind="counter", help="Events that have a number."),
    Meaning(
        name="lava_lite_events_unnumbered_seconds",
        kind="gauge",
        help="How long the oldest event waits for its number; 0 if none does.",
    ),
    Meaning(
        name="lava_lite_transport_published_total",
        kind="counter",
        help="Events that a transport took, those included that it tells nobody.",
        labels=("transport",),
    ),
    Meaning(
        name="lava_lite_transport_failures_total",
        kind="counter",
        help="Passes in which a transport did not take what there was.",
        labels=("transport",),
    ),
    Meaning(
        name="lava_lite_transport_lag_events",
        kind="gauge",
        help="Events that a transport has not taken yet.",
        labels=("transport",),
    ),
    Meaning(
        name="lava_lite_transport_lag_seconds",
        kind="gauge",
        help="Age of the first of them; 0 if there is none.",
        labels=("transport",),
    ),
    Meaning(
        name="lava_lite_transport_up",
        kind="gauge",
        help="0 while a transport takes no events, as its broker is away.",
        labels=("transport",),
    ),
    Meaning(name="lava_lite_webhooks", kind="gauge", help="Webhooks.", labels=("state",)),
    Meaning(
        name="lava_lite_webhooks_failing",
        kind="gauge",
        help="Active webhooks whose last message did not arrive.",
    ),
    Meaning(
        name="lava_lite_webhooks_lag_events",
        kind="gauge",
        help="Events that the slowest of the active webhooks has not passed.",
    ),
    Meaning(
        name="lava_lite_webhook_tries",
        kind="gauge",
        help="Messages to webhooks of the last 5 minutes, by what came of them.",
        labels=("outcome",),
    ),
    Meaning(name="lava_lite_subscriptions", kind="gauge", help="Subscriptions to events.", labels=("state",)),
    Meaning(
        name="lava_lite_subscriptions_lag_events",
        kind="gauge",
        help="Events that the slowest subscription of each state has not acknowledged or passed.",
        labels=("state",),
    ),
    Meaning(
        name="lava_lite_listeners",
        kind="gauge",
        help="Live listeners: sse, lava (/ws/), core4, and subscription (a fetch that waits).",
        labels=("dialect",),
        of="process",
    ),
    Meaning(
        name="lava_lite_listener_events_total",
        kind="counter",
        help="Events that were given to live listeners, each counted for each listener.",
        labels=("dialect",),
        of="process",
    ),
    Meaning(
        name="lava_lite_listener_resets_total",
        kind="counter",
        help="Live listeners that had to start anew, as events after their cursor are not kept any more.",
        labels=("dialect",),
        of="process",
    ),
    Meaning(
        name="lava_lite_listeners_dropped_total",
        kind="counter",
        help="Live connections (sse, websocket) that were ended, as their clients took nothing.",
        labels=("connection",),
        of="process",
    ),
    Meaning(
        name="lava_lite_log_viewers",
        kind="gauge",
        help="Who is told of each line of a log: by socket (pages), or by stream (?follow=1).",
        labels=("way",),
        of="process",
    ),
    Meaning(
        name="lava_lite_log_records_total",
        kind="counter",
        help="Records of logs that workers sent.",
        of="process",
    ),
    Meaning(
        name="lava_lite_log_bytes_total",
        kind="counter",
        help="Bytes of the requests that brought them.",
        of="process",
    ),
    Meaning(
        name="lava_lite_http_request_seconds",
        kind="histogram",
        help="Time until an answer begins: its part of the lab (waiting: a fetch of a subscription, which may wait), and the class of its status.",
        labels=("part", "status"),
        of="process",
    ),
)
FAMILIES: dict[str, type[GaugeMetricFamily] | type[CounterMetricFamily]] = {
    "gauge": GaugeMetricFamily,
    "counter": CounterMetricFamily,
}


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    try:
        is_welcome = settings.METRICS_AUDIENCE == "all" or await probes.is_insider(scope)
    except Unwelcome as error:
        await probes.refuse(send, HTTPStatus.UNAUTHORIZED, str(error))
        return
    if not is_welcome:
        await probes.refuse(send, HTTPStatus.FORBIDDEN, REFUSAL)
        return
    body = written(of_process() | await _of_lab_in_time())
    await probes.answer(send, HTTPStatus.OK, CONTENT_TYPE_LATEST.encode(), body)


async def _of_lab_in_time() -> Samples:
    try:
        return await asyncio.wait_for(probes.ask(of_lab), probes.PATIENCE)
    except (Error, TimeoutError):
        return {"lava_lite_database_up": {(): 0}}


def written(samples: Samples) -> bytes:
    registry = CollectorRegistry(auto_describe=False)
    ProcessCollector(registry=registry)  # type: ignore[no-untyped-call, unused-ignore]
    registry.register(_Collected(samples))
    return generate_latest(registry)


class _Collected(Collector):
    def __init__(self, samples: Samples) -> None:
        self._samples = samples

    def collect(self) -> Iterable[Metric]:
        for meaning in METRICS:
            if meaning.kind == "histogram":
                yield _histogram(meaning)
            elif meaning.name in self._samples:
                yield _family(meaning, self._samples[meaning.name])


def _family(meaning: Meaning, samples: dict[tuple[str, ...], float]) -> Metric:
    family = FAMILIES[meaning.kind](meaning.name, meaning.help, labels=meaning.labels)
    for labels, value in samples.items():
        family.add_metric(labels, value)
    return family


def _histogram(meaning: Meaning) -> Metric:
    family = HistogramMetricFamily(meaning.name, meaning.help, labels=meaning.labels)
    for labels, durations in tally.durations(meaning.name).items():
        family.add_metric(labels, buckets=list(_cumulated(durations)), sum_value=durations.seconds)
    return family


def _cumulated(durations: Durations) -> Iterator[tuple[str, float]]:
    total = 0
    for end, number in zip((*map(str, BUCKETS), "+Inf"), durations.counts, strict=True):
        total += number
        yield end, total


def of_process() -> Samples:
    """What needs no database."""
    counted: Samples = {
        meaning.name: {labels: float(number) for labels, number in tally.counts(meaning.name).items()}
        for meaning in METRICS
        if meaning.of == "process" and meaning.kind != "histogram"
    }
    return counted | _loops()


def _loops() -> Samples:
    known = beats.read(settings.RUN)
    here = [known[name] for name in checks.expected_loops() if name in known]
    return {
        "lava_lite_loop_silence_seconds": {(beat.loop,): beat.silent_for() for beat in here},
        "lava_lite_loop_stuck": {(beat.loop,): float(checks.is_stuck(beat)) for beat in here},
    }


def of_lab() -> Samples:
    """Fourteen queries, and one more for each transport."""
    parts: tuple[Callable[[], Samples], ...] = (
        _jobs,
        _inventory,
        _events,
        _transports,
        _webhooks,
        _subscriptions,
    )
    samples: Samples = {"lava_lite_database_up": {(): 1}}
    for part in parts:
        samples |= part()
    return samples


def _jobs() -> Samples:
    unfinished = [state for state in State if state != State.FINISHED]
    counted = (
        Job.objects.filter(state__in=unfinished)
        .order_by()
        .values_list("state", "device_type__name")
        .annotate(Count("pk"))
    )
    oldest = Job.objects.due().order_by().aggregate(oldest=Min("submit_time"))["oldest"]
    return {
        "lava_lite_jobs": {(State(state).label, kind): number for state, kind, number in counted},
        "lava_lite_queue_oldest_seconds": {(): _age(oldest)},
    }


def _inventory() -> Samples:
    devices = Device.objects.exclude(health=DeviceHealth.RETIRED)
    workers = Worker.objects.exclude(health=WorkerHealth.RETIRED)
    return {
        "lava_lite_devices": {
            (DeviceState(state).label, DeviceHealth(health).label): number
            for state, health, number in devices.order_by()
            .values_list("state", "health")
            .annotate(Count("pk"))
        },
        "lava_lite_workers": {
            (WorkerState(state).label, WorkerHealth(health).label): number
            for state, health, number in workers.order_by()
            .values_list("state", "health")
            .annotate(Count("pk"))
        },
    }


def _events() -> Samples:
    return {
        "lava_lite_events_total": {(): numbering.last_number()},
        "lava_lite_events_unnumbered_seconds": {(): _age(numbering.oldest_unnumbered())},
    }


def _transports() -> Samples:
    here = {(each.position.transport,): each for each in status.transports()}
    return {
        "lava_lite_transport_published_total": {key: each.position.published for key, each in here.items()},
        "lava_lite_transport_failures_total": {key: each.position.failures for key, each in here.items()},
        "lava_lite_transport_lag_events": {key: each.lag for key, each in here.items()},
        "lava_lite_transport_lag_seconds": {key: _age(each.oldest) for key, each in here.items()},
        "lava_lite_transport_up": {
            key: float(each.position.down_since is None) for key, each in here.items()
        },
    }


def _webhooks() -> Samples:
    states = Webhook.objects.order_by().values_list("state").annotate(Count("pk"))
    active = Webhook.objects.served().aggregate(
        failing=Count("pk", filter=Q(failing_since__isnull=False)),
        lag=numbering.last_number() - Min("sequence"),
    )
    tries = Delivery.objects.filter(time__gte=timezone.now() - LATELY)
    outcomes = tries.order_by().values_list("outcome").annotate(Count("pk"))
    return {
        "lava_lite_webhooks": {(state,): number for state, number in states},
        "lava_lite_webhooks_failing": {(): active["failing"]},
        "lava_lite_webhooks_lag_events": {(): max(0, active["lag"] or 0)},
        "lava_lite_webhook_tries": {(outcome,): number for outcome, number in outcomes},
    }


def _subscriptions() -> Samples:
    now, last = timezone.now(), numbering.last_number()
    states = {SubscriptionState.ACTIVE: Q(expires__gt=now), SubscriptionState.EXPIRED: Q(expires__lte=now)}
    numbers = {f"{state}_number": Count("pk", filter=of_state) for state, of_state in states.items()}
    places = {f"{state}_place": Min("sequence", filter=of_state) for state, of_state in states.items()}
    found = Subscription.objects.aggregate(**numbers, **places)
    slowest = {state: found[f"{state}_place"] for state in states}
    return {
        "lava_lite_subscriptions": {(state,): found[f"{state}_number"] for state in states},
        "lava_lite_subscriptions_lag_events": {
            (state,): 0 if place is None else max(0, last - place) for state, place in slowest.items()
        },
    }


def _age(moment: datetime | None) -> float:
    return max(0.0, (timezone.now() - moment).total_seconds()) if moment else 0.0
