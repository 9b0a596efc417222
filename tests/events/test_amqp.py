"""Events on a real RabbitMQ: nothing lost, nothing told to whom it is hidden from, nobody held up."""

from __future__ import annotations

import ast
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from pytest_django import Settings

from events import catalogue, cloud, outbox, publisher, pulp, topics, visibility
from events.catalogue import CATALOGUE
from events.models import Event, Position
from events.transports import amqp as transport_module
from events.transports.amqp import Broker, TopicExchange
from events.transports.memory import Memory
from jobs import lifecycle
from jobs.states import State
from tests import build
from tests.events import checking, everything, rabbit
from tests.events.cable import Cable
from tests.events.publishing import publishing
from tests.events.rabbit import Exchange
from tests.lab import eventually

pytestmark = pytest.mark.django_db(transaction=True)

# What Pulp's consumers find in a Task Report.
OF_PULP = {
    "_href",
    "task_id",
    "task_type",
    "state",
    "progress_report",
    "start_time",
    "finish_time",
    "result",
    "error",
    "exception",
    "traceback",
    "worker_name",
    "queue",
    "tags",
    "group_id",
    "spawned_tasks",
}


@contextmanager
def at(exchange: Exchange, *, url: str = rabbit.URL, tells_all: bool = False) -> Iterator[TopicExchange]:
    """A transport that begins with what happens from now on."""
    with closing(TopicExchange(url, exchange.name, tells_all=tells_all)) as transport:
        publisher.number()
        publisher.prepare([transport])
        yield transport


def ids(*events: Event) -> list[str]:
    return [str(event.uid) for event in events]


def tell(count: int) -> list[Event]:
    """Events of a worker, in one transaction."""
    news = [outbox.News(type="worker.changed", subject="worker01", data=OF_A_WORKER) for _ in range(count)]
    with transaction.atomic():
        return outbox.record_all(news, cause=build.CAUSE)


OF_A_WORKER = {**build.OF_A_WORKER, "previous_state": "Offline", "previous_health": "Active"}


def test_a_consumer_of_one_task_hears_its_reports_and_no_others(exchange: Exchange, alice: User) -> None:
    exchange.declare()
    job = build.job(submitter=alice)
    with at(exchange) as transport, rabbit.consumer(exchange, f"tasks.{job.uuid}") as process:
        lifecycle.schedule(job.pk, "qemu01")
        build.job(submitter=alice)
        lifecycle.start(job.pk, worker="worker01")
        lifecycle.finish(job.pk, build.PASSED, worker="worker01")
        publisher.run_once([transport])

        assert process.stdout is not None
        reports = [ast.literal_eval(process.stdout.readline()) for _ in range(3)]

    assert [report["state"] for report in reports] == ["accepted", "running", "finished"]
    assert {report["task_id"] for report in reports} == {str(job.uuid)}


def test_a_consumer_of_all_hears_every_event_and_the_reports(exchange: Exchange, alice: User) -> None:
    exchange.declare()
    with at(exchange) as transport, rabbit.consumer(exchange, "#") as process:
        job = build.job(submitter=alice, state=State.RUNNING)
        publisher.run_once([transport])
        told = list(Event.objects.order_by("sequence"))
        reported = [event for event in told if CATALOGUE[event.type].pulp]

        assert process.stdout is not None
        heard = [ast.literal_eval(process.stdout.readline()) for _ in range(len(told) + len(reported))]

    events = [body for body in heard if "specversion" in body]
    reports = [body for body in heard if "task_id" in body]
    assert [body["id"] for body in events] == ids(*told)
    assert [body["event_id"] for body in reports] == ids(*reported)
    assert {body["task_id"] for body in reports} == {str(job.uuid)}


def test_both_messages_of_an_event_carry_its_id_and_say_what_they_are(
    exchange: Exchange, alice: User
) -> None:
    build.device()
    with at(exchange) as transport:
        queue = exchange.bind()
        build.job(submitter=alice)
        publisher.run_once([transport])
        event, report = queue.all()

    stored = Event.objects.get(type="job.submitted")
    assert event.body == cloud.rendered(stored)
    assert checking.faults_in_cloud_event(event.body) == []
    assert (event.key, event.properties["content_type"]) == ("job.submitted", cloud.MEDIA_TYPE)
    assert (report.key, report.properties["content_type"]) == (
        f"tasks.{stored.data['uuid']}",
        "application/json",
    )
    assert event.id == report.id == str(stored.uid)
    assert event.properties["delivery_mode"] == report.properties["delivery_mode"] == 2


def test_a_report_has_the_keys_of_pulp_and_says_how_the_job_ended(exchange: Exchange, alice: User) -> None:
    with at(exchange) as transport:
        queue = exchange.bind("tasks.#")
        failed = build.job(submitter=alice, state=State.FINISHED, ending=build.FAILED)
        passed = build.job(submitter=alice, state=State.FINISHED)
        publisher.run_once([transport])
        last = {message.body["task_id"]: message.body for message in queue.all()}

    good, bad = last[str(passed.uuid)], last[str(failed.uuid)]
    assert OF_PULP | {"event", "event_id", "sequence", "job_sequence"} == good.keys() == bad.keys()
    assert (good["state"], good["result"], good["error"]) == ("finished", {"health": "Complete"}, None)
    assert (bad["state"], bad["error"]["code"]) == ("error", "job.failed")
    assert good["start_time"] == passed.start_time.isoformat()
    assert good["finish_time"] == passed.end_time.isoformat()
    assert good["worker_name"] == "worker01"
    assert "lava_lite:device:qemu01" in good["tags"]


def test_a_report_of_progress_says_in_which_state_the_job_is(exchange: Exchange, alice: User) -> None:
    job = build.job(submitter=alice, state=State.RUNNING)
    with at(exchange) as transport:
        queue = exchange.bind("tasks.#")
        build.log(job, "Received signal: <PROGRESS> 40 flashing", level="debug")
        lifecycle.finish(job.pk, build.PASSED, worker="worker01")
        publisher.run_once([transport])
        progress, ended = [message.body for message in queue.all()]

    assert (progress["state"], ended["state"]) == ("running", "finished")
    assert progress["worker_name"] == "worker01"
    assert progress["progress_report"] == ended["progress_report"]
    assert progress["progress_report"]["percent"] == 40
    assert progress["progress_report"]["text"] == "flashing"


def test_progress_of_a_job_that_waits_for_a_person_leaves_it_suspended(
    exchange: Exchange, alice: User
) -> None:
    job = build.job(submitter=alice, state=State.RUNNING)
    with at(exchange) as transport:
        queue = exchange.bind("tasks.#")
        build.question(job)
        publisher.run_once([transport])
        build.log(job, "Received signal: <PROGRESS> 40 flashing", level="debug")
        publisher.run_once([transport])
        states = [message.body["state"] for message in queue.all()]

    assert states[-2:] == ["suspended", "suspended"]


def test_another_attempt_begins_without_the_progress_of_the_first(exchange: Exchange, alice: User) -> None:
    with at(exchange) as transport:
        queue = exchange.bind("tasks.#")
        job = build.job(submitter=alice, state=State.RUNNING, lava_lite={"retry": 3})
        build.log(job, "Received signal: <PROGRESS> 40 flashing", level="debug")
        lifecycle.finish(job.pk, build.BROKEN, worker="worker01")
        lifecycle.schedule(job.pk, "qemu01")
        publisher.run_once([transport])
        *_, failed, again = [message.body for message in queue.all()]

    assert (failed["event"], failed["progress_report"]["percent"]) == ("job.attempt_failed", 40)
    assert (again["event"], again["progress_report"]) == ("job.scheduled", {})


@pytest.mark.parametrize(
    "pattern", ["#", "job.#", "*.changed", "job.*", "*", "#.added", "step.started", "tasks.#", "tasks.*"]
)
def test_a_binding_means_what_a_pattern_means_everywhere(
    pattern: str, exchange: Exchange, alice: User
) -> None:
    with at(exchange) as transport:
        queue = exchange.bind(pattern)
        job = build.job(submitter=alice, state=State.FINISHED)
        publisher.run_once([transport])
        keys = [message.key for message in queue.all()]

    events = list(Event.objects.order_by("sequence"))
    sent = [event.type for event in events]
    sent += [pulp.routing_key(str(job.uuid)) for event in events if CATALOGUE[event.type].pulp]
    assert sorted(keys) == sorted(key for key in sent if topics.matches(pattern, key))


def test_a_shared_broker_is_told_what_an_anonymous_visitor_may_see(exchange: Exchange, alice: User) -> None:
    with at(exchange) as transport:
        queue = exchange.bind()
        everything.happens(alice)
        hidden = build.job(submitter=alice, state=State.RUNNING, visibility="personal", device="qemu20")
        publisher.number()
        public = {
            str(event.uid): cloud.rendered(event)
            for event in visibility.public(Event.objects.order_by("sequence"))
        }
        publisher.run_once([transport])
        heard = queue.all()

    told = {message.id: message.body for message in heard if not message.key.startswith("tasks.")}
    assert told == public
    assert {message.id for message in heard} == public.keys()
    assert str(hidden.uuid) not in str([message.body for message in heard])


def test_a_broker_that_is_trusted_is_told_of_everything(exchange: Exchange, alice: User) -> None:
    with at(exchange, tells_all=True) as transport:
        queue = exchange.bind()
        everything.happens(alice)
        hidden = build.job(submitter=alice, visibility="personal", device="qemu20")
        publisher.run_once([transport])
        heard = queue.all()

    events = [message for message in heard if not message.key.startswith("tasks.")]
    assert [event.body["sequence"] for event in events] == [
        f"{event.sequence:019}" for event in Event.objects.order_by("sequence")
    ]
    told = {catalogue.find(event.body["type"].removeprefix("lava_lite.")) for event in events}
    assert told == set(CATALOGUE.values())
    assert pulp.routing_key(str(hidden.uuid)) in {message.key for message in heard}


def test_a_worker_that_was_hidden_since_is_not_told_with_later_progress(
    exchange: Exchange, alice: User
) -> None:
    """The state comes from an earlier event, and what may be told of that is asked again."""
    job = build.job(submitter=alice, state=State.RUNNING)
    with at(exchange) as transport:
        publisher.run_once([transport])
        build.log(job, "Received signal: <PROGRESS> 40 flashing", level="debug")
        group = build.group("secret")
        build.right(group, "qemu01", build.Right.VIEW)
        queue = exchange.bind()
        publisher.run_once([transport])

        assert queue.all() == []


def test_what_was_rolled_back_is_not_told(exchange: Exchange) -> None:
    with at(exchange) as transport:
        queue = exchange.bind()
        with transaction.atomic():
            tell(1)
            transaction.set_rollback(True)
        (told,) = tell(1)
        publisher.run_once([transport])

        assert [message.id for message in queue.all()] == ids(told)


def test_a_position_that_is_set_back_has_events_sent_again(exchange: Exchange) -> None:
    with at(exchange) as transport:
        queue = exchange.bind()
        told = tell(2)
        publisher.run_once([transport])
        Position.objects.update(sequence=0)
        publisher.run_once([transport])

        assert [message.id for message in queue.all()] == ids(*told, *told)


def test_a_queue_that_is_full_and_refuses_gets_the_rest_when_it_has_room(exchange: Exchange) -> None:
    heard = []
    with at(exchange) as transport:
        queue = exchange.bind(arguments={"x-max-length": 2, "x-overflow": "reject-publish"})
        told = tell(5)
        publisher.run_once([transport])
        assert "reject-publish" in Position.objects.get().trouble

        while not is_sent(transport, told[-1]):
            heard += queue.all()
        heard += queue.all()

    assert list(dict.fromkeys(message.id for message in heard)) == ids(*told)


def test_ten_thousand_events_use_one_connection(exchange: Exchange, cable: Cable) -> None:
    with at(exchange, url=rabbit.url(cable.port)) as transport:
        queue = exchange.bind()
        for _ in range(20):
            tell(500)
        publisher.run_once([transport])

        assert len(queue) == 10_000
    assert cable.connections == 1


def test_an_outage_loses_nothing_and_keeps_the_order(exchange: Exchange, cable: Cable, alice: User) -> None:
    with at(exchange, url=rabbit.url(cable.port)) as transport:
        queue = exchange.bind()
        with publishing(transport):
            jobs = [build.job(submitter=alice, state=State.FINISHED)]
            queue.wait_for(ids(*Event.objects.all()))
            cable.cut()
            jobs.append(build.job(submitter=alice, state=State.FINISHED))
            assert eventually(is_down(transport))
            cable.mend()
            jobs.append(build.job(submitter=alice, state=State.FINISHED))
            missed = Event.objects.filter(job_id__in=[job.pk for job in jobs[1:]])
            heard = queue.wait_for(ids(*missed))

    events = [message for message in heard if message.key.startswith("job.")]
    for job in jobs[1:]:
        numbers = [message.body["jobsequence"] for message in events if message.body["data"]["job"] == job.pk]
        # What comes again comes after all of it came once: sorted without what was told before.
        assert list(dict.fromkeys(numbers)) == sorted(set(numbers)) == list(range(1, len(set(numbers)) + 1))
    assert not is_down(transport)()


def test_a_cut_in_the_middle_of_a_batch_loses_nothing(exchange: Exchange, cable: Cable) -> None:
    with at(exchange, url=rabbit.url(cable.port)) as transport:
        queue = exchange.bind()
        told = tell(500)
        cable.snap_after(100_000)
        publisher.run_once([transport])
        assert eventually(lambda: len(queue))
        heard = queue.all()
        assert len(heard) < len(told)

        publisher.run_once([transport])
        heard += queue.all()

    assert list(dict.fromkeys(message.id for message in heard)) == ids(*told)


def test_a_broker_that_hangs_delays_nobody_and_no_end(exchange: Exchange, cable: Cable) -> None:
    others = Memory()
    with at(exchange, url=rabbit.url(cable.port)) as transport:
        publisher.prepare([others])
        with publishing(transport, others) as stop:
            assert eventually(lambda: cable.connections)
            with cable.held():
                (told,) = tell(1)
                assert eventually(lambda: told.uid in {event.uid for event in others.sent})
                assert (
                    Position.objects.get(pk=transport.name).sequence < Event.objects.get(pk=told.pk).sequence
                )
                stop.set()
                assert eventually(lambda: others.is_down)
            assert eventually(lambda: transport.name not in {each.name for each in threading.enumerate()})


def test_a_broker_that_confirms_nothing_is_given_up_and_called_again(
    exchange: Exchange, cable: Cable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport_module, "PATIENCE", 0.2)
    with at(exchange, url=rabbit.url(cable.port)) as transport:
        queue = exchange.bind()
        publisher.run_once([transport])
        with cable.held():
            (told,) = tell(1)
            publisher.run_once([transport])
            assert "says nothing" in Position.objects.get(pk=transport.name).trouble
        publisher.run_once([transport])

        assert set(ids(told)) == {message.id for message in queue.wait_for(ids(told))}
    assert cable.connections == 2


def test_a_broker_without_memory_is_waited_for_on_the_same_connection(
    exchange: Exchange, cable: Cable
) -> None:
    with at(exchange, url=rabbit.url(cable.port)) as transport:
        queue = exchange.bind()
        publisher.run_once([transport])
        with cable.blocked():
            told = tell(2)
            for _ in range(3):
                publisher.run_once([transport])
            position = Position.objects.get(pk=transport.name)
            assert "want of memory" in position.trouble
            assert queue.all() == []
        told += tell(1)

        assert eventually(lambda: is_sent(transport, told[-1]))
        assert [message.id for message in queue.all()] == ids(*told)
        assert Position.objects.get(pk=transport.name).down_since is None
    assert cable.connections == 1


def test_an_exchange_of_another_kind_is_told_with_the_remedy(exchange: Exchange) -> None:
    exchange.declare("direct")
    with at(exchange) as transport:
        publisher.run_once([transport])

    trouble = Position.objects.get(pk=transport.name).trouble
    assert exchange.name in trouble
    assert "EVENT_AMQP_EXCHANGE" in trouble


def test_the_password_is_told_nowhere(exchange: Exchange, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    wrong = rabbit.URL.replace("guest:guest", "guest:hunter2")
    with at(exchange, url=wrong) as transport:
        publisher.run_once([transport])

    position = Position.objects.get(pk=transport.name)
    assert "refused" in position.trouble
    assert "hunter2" not in position.trouble + position.transport + caplog.text + repr(Broker.at(wrong))


def test_a_change_of_state_never_asks_the_broker(
    exchange: Exchange, cable: Cable, alice: User, settings: Settings
) -> None:
    settings.EVENT_AMQP_ENABLED = True
    settings.EVENT_AMQP_URL = rabbit.url(cable.port)

    build.job(submitter=alice, state=State.FINISHED)

    assert cable.connections == 0


def test_an_event_that_cannot_be_made_a_message_sends_no_others_again_and_again(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    with at(exchange) as transport:
        queue = exchange.bind()
        tell(1)
        (odd,) = tell(1)
        rendered = cloud.rendered
        monkeypatch.setattr(
            cloud, "rendered", lambda event: {}[""] if event.uid == odd.uid else rendered(event)
        )

        publisher.run_once([transport])

        assert queue.all() == []
        assert "KeyError" in Position.objects.get(pk=transport.name).trouble


def test_the_settings_name_the_exchange(settings: Settings) -> None:
    settings.EVENT_AMQP_ENABLED = True
    settings.EVENT_AMQP_EXCHANGE = "lab"

    assert [transport.name for transport in publisher.configured()][-1] == "amqp lab"


def is_down(transport: TopicExchange) -> Callable[[], bool]:
    return Position.objects.filter(pk=transport.name, down_since__isnull=False).exists


def is_sent(transport: TopicExchange, event: Event) -> bool:
    publisher.run_once([transport])
    number = Event.objects.get(pk=event.pk).sequence
    return Position.objects.filter(pk=transport.name, sequence__gte=number).exists()
