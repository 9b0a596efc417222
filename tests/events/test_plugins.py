"""Plugins: modules that hear of everything that happens in the lab."""

from __future__ import annotations

import logging
import queue
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connections
from django.db.utils import OperationalError
from pytest_django import Settings

from events import catalogue, custom, feed, lambdacd, numbering, outbox, plugins, publisher
from events.bus import Bus, Message, Subscription
from events.models import Event
from events.plugins import BadPlugin, Follower, Plugin
from jobs import lifecycle, sayings
from jobs.models import Job
from jobs.outline import StepState
from jobs.states import State
from tests import build
from tests.events import everything

pytestmark = pytest.mark.django_db(transaction=True)

PATIENCE = 20.0  # seconds; only what fails takes them

NOTING = """
messages = []

def connect(bus):
    bus.handle("#", messages.append)
"""


@pytest.fixture
def home(data: Path, settings: Settings) -> Iterator[Path]:
    """Where a test puts its plugins."""
    place = data / "plugins"
    place.mkdir()
    before = set(sys.modules)
    path = list(sys.path)
    yield place
    sys.path[:] = path
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(place)):
            del sys.modules[name]


@pytest.fixture
def bus() -> Iterator[Bus]:
    bus = Bus(at_end=connections.close_all)
    yield bus
    assert bus.close(PATIENCE) == []


@pytest.fixture
def follower(bus: Bus) -> Follower:
    """One that begins now, without plugins."""
    follower = Follower(bus)
    goes_on(follower)
    return follower


def goes_on(follower: Follower) -> None:
    """A pass, after everything has its number."""
    numbering.number_committed()
    follower.run_once(threading.Event())


def taken(subscription: Subscription) -> list[Message]:
    return [subscription.take(0) for _ in range(subscription.waiting)]


def payloads(subscription: Subscription) -> list[Any]:
    return [message.payload for message in taken(subscription)]


def written(home: Path, name: str, text: str) -> str:
    (home / f"{name}.py").write_text(text)
    return name


# What is told


def test_every_event_is_told_under_its_canonical_type(bus: Bus, follower: Follower, alice: User) -> None:
    subscription = bus.subscribe("#")
    everything.happens(alice)

    goes_on(follower)

    told = [message for message in taken(subscription) if "." in message.topic]
    recorded = list(Event.objects.order_by("sequence"))
    assert [(message.topic, message.payload) for message in told] == [
        (event.type, event.payload) for event in recorded
    ]


def test_a_plugin_hears_what_happens_from_its_start_on_once_and_in_order(
    bus: Bus, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "BATCH", 2)
    build.job(submitter=alice)
    follower, subscription = Follower(bus), bus.subscribe("job.#")
    goes_on(follower)
    for _ in range(3):
        job = build.job(submitter=alice)
        lifecycle.cancel(job.pk, by="alice")
        goes_on(follower)
        goes_on(follower)

    told = [message.topic for message in taken(subscription)]

    assert told == ["job.submitted", "job.removal_requested", "job.removed"] * 3


def test_hidden_jobs_are_told_too(bus: Bus, follower: Follower, alice: User) -> None:
    subscription = bus.subscribe("job.submitted")
    job = build.job(submitter=alice, visibility="personal")

    goes_on(follower)

    assert subscription.take(0).payload["uuid"] == str(job.uuid)


def test_who_is_told_of_something_finds_it_in_the_database(bus: Bus, follower: Follower, alice: User) -> None:
    found: queue.Queue[str] = queue.Queue()

    def look(message: Message) -> None:
        found.put(State(Job.objects.get(uuid=message.payload["uuid"]).state).label)

    bus.handle("job.submitted", look)
    build.job(submitter=alice)
    goes_on(follower)

    assert found.get(timeout=PATIENCE) == "Submitted"


def test_what_is_rolled_back_is_told_to_nobody(bus: Bus, follower: Follower, alice: User) -> None:
    subscription = bus.subscribe("job.#")
    with build.rolled_back():
        build.job(submitter=alice)

    goes_on(follower)

    assert subscription.waiting == 0


def test_a_database_that_is_away_for_a_pass_costs_no_event(
    bus: Bus, follower: Follower, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscription = bus.subscribe("job.#")
    job = build.job(submitter=alice, state=State.RUNNING)
    lifecycle.finish(job.pk, build.PASSED, worker="worker01")
    numbering.number_committed()
    with monkeypatch.context() as broken:
        broken.setattr(lambdacd, "_outputs", _away)
        with pytest.raises(OperationalError):
            follower.run_once(threading.Event())

    goes_on(follower)

    told = [message.topic for message in taken(subscription)]
    assert told == ["job.submitted", "job.scheduled", "job.started", "job.completed"]


def _away(event: Event) -> Any:
    raise OperationalError("the database is away")


def test_events_that_were_cleared_away_before_they_were_told_are_missed_aloud(
    bus: Bus, follower: Follower, alice: User, caplog: pytest.LogCaptureFixture
) -> None:
    subscription = bus.subscribe("job.#")
    job = build.job(submitter=alice)
    numbering.number_committed()
    Event.objects.filter(job_id=job.pk).delete()
    build.job(submitter=alice)

    goes_on(follower)

    assert len(taken(subscription)) == 1
    assert "The plugins missed 1 events" in caplog.text


def test_a_role_that_is_told_to_end_does_not_tell_the_rest(bus: Bus, follower: Follower, alice: User) -> None:
    subscription, stop = bus.subscribe("#"), threading.Event()
    build.job(submitter=alice)
    numbering.number_committed()
    stop.set()

    follower.run_once(stop)

    assert subscription.waiting == 0


# LambdaCD's topics


def test_a_pipeline_starts_and_finishes_with_the_outputs_of_its_steps(
    bus: Bus, follower: Follower, alice: User
) -> None:
    starts, ends = bus.subscribe("pipeline-started"), bus.subscribe("pipeline-finished")
    job = build.job(submitter=alice, state=State.RUNNING)
    build.log(job, "start: 1 deploy", "end: 1 deploy (duration 00:00:01)")
    lifecycle.finish(job.pk, build.PASSED, worker="worker01")

    goes_on(follower)

    (started,), (finished,) = payloads(starts), payloads(ends)
    assert (started["build_number"], started["event"]) == (job.pk, "job.started")
    assert (finished["build_number"], finished["status"]) == (job.pk, "success")
    assert finished["outputs"] == {(1,): {"status": "success", "name": "deploy"}}


def test_steps_are_told_with_their_id_and_result(bus: Bus, follower: Follower, alice: User) -> None:
    starts, ends = bus.subscribe("step-started"), bus.subscribe("step-finished")
    job = build.job(submitter=alice, state=State.RUNNING)
    build.log(job, "start: 2 test", "start: 2.1 shell", "end: 2.1 shell (duration 00:00:01)")

    goes_on(follower)

    assert [(told["build_number"], told["step_id"], told["step_result"]) for told in payloads(starts)] == [
        (job.pk, [2], {"status": "running", "name": "test"}),
        (job.pk, [1, 2], {"status": "running", "name": "shell"}),
    ]
    (finished,) = payloads(ends)
    assert (finished["step_id"], finished["final_result"]) == ([1, 2], {"status": "success", "name": "shell"})


@pytest.mark.parametrize(
    ("ending", "status"), [(build.PASSED, "success"), (build.FAILED, "failure"), (None, "killed")]
)
def test_a_pipeline_says_how_it_ended(
    ending: Any, status: str, bus: Bus, follower: Follower, alice: User
) -> None:
    subscription = bus.subscribe("pipeline-finished")
    state = State.RUNNING if ending else State.CANCELING
    job = build.job(submitter=alice, state=state)
    lifecycle.finish(job.pk, ending or build.FAILED, worker="worker01")

    goes_on(follower)

    assert subscription.take(0).payload["status"] == status


def test_every_state_of_a_step_has_a_status() -> None:
    assert set(lambdacd.OF_STEPS) == {state.value for state in StepState}


def test_every_topic_of_the_catalogue_is_told_in_lambdacd_s_shape(
    bus: Bus, follower: Follower, alice: User
) -> None:
    wanted = {entry.lambdacd for entry in catalogue.CATALOGUE.values() if entry.lambdacd}
    subscription = bus.subscribe("*")
    everything.happens(alice)

    goes_on(follower)

    told = taken(subscription)
    assert {message.topic for message in told} == wanted
    assert all("build_number" in message.payload for message in told)


# What is said on the way


def test_a_plugin_hears_what_a_test_says(bus: Bus, follower: Follower, alice: User) -> None:
    subscription = bus.subscribe("custom.foo-topic")
    job = build.job(submitter=alice, state=State.RUNNING)
    build.log(job, 'foo-topic: {"some": "data"}', level="event")

    goes_on(follower)

    assert subscription.take(0).payload["data"] == {"some": "data"}


def test_a_test_cannot_speak_on_the_topics_of_the_lab(bus: Bus, follower: Follower, alice: User) -> None:
    lab = [bus.subscribe(topic) for topic in ("job.completed", "pipeline-finished")]
    job = build.job(submitter=alice, state=State.RUNNING)
    build.log(job, "job.completed: really", "pipeline-finished: really", level="event")

    goes_on(follower)

    assert [subscription.waiting for subscription in lab] == [0, 0]


def test_a_handler_may_say_something_that_comes_round_to_it(
    bus: Bus, follower: Follower, alice: User
) -> None:
    heard: queue.Queue[str] = queue.Queue()
    said = threading.Event()

    def answer(message: Message) -> None:
        job = Job.objects.get(uuid=message.payload["uuid"])
        sayings.say(job.pk, "seen", cause=outbox.Cause(kind="policy", actor="greeter"))
        custom.say("busy", by="greeter")
        said.set()

    bus.handle("job.submitted", answer)
    bus.handle("custom.#", lambda message: heard.put(message.topic))
    build.job(submitter=alice)
    goes_on(follower)
    assert said.wait(PATIENCE)
    goes_on(follower)

    assert [heard.get(timeout=PATIENCE) for _ in range(2)] == ["custom.seen", "custom.busy"]


# The modules


def test_a_plugin_in_the_data_directory_is_connected_to_the_bus(
    home: Path, settings: Settings, alice: User
) -> None:
    settings.PLUGINS = [written(home, "noting_plugin", NOTING)]
    bus = Bus(at_end=connections.close_all)
    follower = Follower(bus)
    goes_on(follower)
    build.job(submitter=alice)
    goes_on(follower)

    assert bus.close(PATIENCE) == []
    assert "job.submitted" in [message.topic for message in sys.modules["noting_plugin"].messages]


BAD = [
    ("missing_plugin", None, r"missing_plugin cannot be imported \(ModuleNotFoundError: No module named"),
    ("broken_plugin", "1 / 0", r"broken_plugin cannot be imported \(ZeroDivisionError: division by zero\)"),
    ("leaving_plugin", "raise SystemExit(3)", r"leaving_plugin cannot be imported \(SystemExit: 3\)"),
    ("empty_plugin", "", r"empty_plugin has no function connect\(bus\)"),
    ("", None, r"the plugin  cannot be imported"),
]


@pytest.mark.parametrize(("name", "text", "why"), BAD, ids=lambda value: "")
def test_a_module_that_can_be_no_plugin_says_why(name: str, text: str | None, why: str, home: Path) -> None:
    if text is not None:
        written(home, name, text)

    with pytest.raises(BadPlugin, match=why):
        plugins.find(name)


def test_the_lab_goes_on_without_plugins_that_fail(
    home: Path, settings: Settings, alice: User, caplog: pytest.LogCaptureFixture
) -> None:
    failing = "def connect(bus):\n    raise OSError('no such board')\n"
    settings.PLUGINS = [
        "missing_plugin",
        written(home, "failing_plugin", failing),
        written(home, "noting_plugin", NOTING),
    ]
    caplog.set_level(logging.INFO)
    bus = Bus(at_end=connections.close_all)
    follower = Follower(bus)

    goes_on(follower)
    build.job(submitter=alice)
    goes_on(follower)

    assert bus.close(PATIENCE) == []
    assert "job.submitted" in [message.topic for message in sys.modules["noting_plugin"].messages]
    assert "The lab goes on without a plugin: the plugin missing_plugin cannot be imported" in caplog.text
    assert "connect() of the plugin failing_plugin failed; the lab goes on without it" in caplog.text
    assert "The plugin noting_plugin is connected" in caplog.text


def test_a_plugin_that_never_comes_back_from_connect_holds_up_nobody(
    home: Path,
    settings: Settings,
    alice: User,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(plugins, "CONNECT_PATIENCE", 0.1)
    blocking = """
messages = []

def connect(bus):
    for message in bus.subscribe("job.#"):
        messages.append(message)
"""
    settings.PLUGINS = [written(home, "blocking_plugin", blocking)]
    bus = Bus()
    follower = Follower(bus)
    goes_on(follower)
    build.job(submitter=alice)
    goes_on(follower)

    assert "connect() of the plugin blocking_plugin has not returned" in caplog.text
    bus.close(0)
    (thread,) = [each for each in threading.enumerate() if each.name == "blocking_plugin"]
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert [message.topic for message in sys.modules["blocking_plugin"].messages] == ["job.submitted"]


# As a part of the engine


def test_a_running_follower_is_woken_by_a_commit_and_ends_when_told(
    settings: Settings, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plugins, "POLL_SECONDS", 60.0)  # only the bell can wake it in time
    came: queue.Queue[object] = queue.Queue()

    def connect(bus: Bus) -> None:
        bus.handle("job.submitted", came.put)
        came.put("connected")

    monkeypatch.setattr(plugins, "find", lambda name: Plugin(name=name, connect=connect))
    settings.PLUGINS = ["waiting_plugin"]
    stop = threading.Event()
    thread = threading.Thread(target=_run, args=(stop,))
    thread.start()
    assert came.get(timeout=PATIENCE) == "connected"

    build.job(submitter=alice)
    publisher.run_once([])

    message = came.get(timeout=PATIENCE)
    stop.set()
    thread.join(PATIENCE)
    assert isinstance(message, Message)
    assert message.topic == "job.submitted"
    assert not thread.is_alive()


def _run(stop: threading.Event) -> None:
    try:
        plugins.run(stop)
    finally:
        connections.close_all()
