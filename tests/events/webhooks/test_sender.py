"""What is sent, in which order, and what becomes of it when the endpoint, the lab or both fail."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connections
from pytest_django import DjangoAssertNumQueries, Settings

from core import doorbell
from events import retention
from events.models import Event
from events.webhooks import courier, lifecycle, sender
from events.webhooks.models import Delivery, Webhook, WebhookState
from jobs import lifecycle as jobs
from jobs.states import State
from tests import build, children
from tests.events import checking
from tests.events.webhooks.endpoint import Answer, Endpoint, listening, signatures_by
from tests.events.webhooks.office import Office, hook, log_of, subjects, tell
from tests.lab import eventually

pytestmark = pytest.mark.django_db(transaction=True)

DOWN = Answer(status=503)
MORE_THAN_A_HANDFUL = [f"worker{number:02}" for number in range(2 * courier.MOST_AT_ONCE)]


def test_a_ci_hears_of_the_end_of_its_job(office: Office, endpoint: Endpoint, alice: User) -> None:
    webhook = hook(alice, endpoint, "job.# submitter=alice state=finished")
    job = build.job(submitter=alice, state=State.FINISHED)

    office.run()

    (request,) = endpoint.requests
    event = Event.objects.get(type="job.completed")
    assert (request.method, request.path) == ("POST", "/hook")
    assert request.event["data"]["job"] == job.pk
    assert request.id == request.event["id"] == str(event.uid)
    assert request.headers["content-type"].startswith("application/cloudevents+json")
    assert request.headers["user-agent"] == "lava_lite"
    assert checking.faults_in_cloud_event(request.event) == []
    assert log_of(webhook) == [("job.completed", "delivered", 204)]


def test_the_signature_is_what_standard_webhooks_says(
    office: Office, endpoint: Endpoint, alice: User
) -> None:
    webhook = hook(alice, endpoint)
    tell("a")

    office.run()

    (request,) = endpoint.requests
    assert request.headers["webhook-signature"] == signatures_by(webhook.secret, request)


def test_for_a_day_both_secrets_sign_and_then_the_new_one_alone(
    office: Office, endpoint: Endpoint, alice: User
) -> None:
    old = hook(alice, endpoint)
    new = lifecycle.renew_secret(old, by=alice)
    tell("a")
    office.run()
    office.wait(hours=25)
    tell("b")

    office.run()

    first, second = endpoint.requests
    both = [signatures_by(new.secret, first), signatures_by(old.secret, first)]
    assert first.headers["webhook-signature"].split(" ") == both
    assert second.headers["webhook-signature"] == signatures_by(new.secret, second)
    assert new.secret != old.secret


def test_a_new_webhook_does_not_begin_with_the_lab_s_past(
    office: Office, endpoint: Endpoint, alice: User
) -> None:
    tell("past")
    hook(alice, endpoint)
    tell("present")

    office.run()

    assert subjects(endpoint) == ["present"]


def test_every_event_comes_once_and_in_order(office: Office, endpoint: Endpoint, alice: User) -> None:
    hook(alice, endpoint)
    names = [str(number) for number in range(30)]
    tell(*names)

    office.run()
    office.run()

    assert subjects(endpoint) == names


def test_a_server_error_is_tried_again_with_the_same_id_and_the_others_wait(
    office: Office, endpoint: Endpoint, alice: User
) -> None:
    webhook = hook(alice, endpoint)
    endpoint.script = [DOWN]
    tell("a", "b")

    office.run()
    assert subjects(endpoint) == ["a"]
    office.wait(seconds=6)
    office.run()

    assert subjects(endpoint) == ["a", "a", "b"]
    assert endpoint.requests[0].id == endpoint.requests[1].id
    assert log_of(webhook) == [
        ("worker.added", "will retry", 503),
        ("worker.added", "delivered", 204),
        ("worker.added", "delivered", 204),
    ]
    assert list(Delivery.objects.order_by("pk").values_list("number", flat=True)) == [1, 2, 1]


def test_after_an_outage_of_ten_minutes_all_of_it_comes_in_order(
    office: Office, endpoint: Endpoint, alice: User
) -> None:
    hook(alice, endpoint, "job.#")
    endpoint.answer = DOWN
    jobs = [build.job(submitter=alice, state=State.FINISHED) for _ in range(3)]
    for _ in range(10):
        office.run()
        office.wait(minutes=1)
    endpoint.answer = Answer()
    endpoint.requests.clear()

    office.wait(minutes=11)
    office.run()

    told = [request.event["data"] for request in endpoint.requests]
    assert [data["sequence"] for data in told] == list(
        Event.objects.filter(type__startswith="job.").order_by("sequence").values_list("sequence", flat=True)
    )
    for job in jobs:
        of_job = [data["job_sequence"] for data in told if data["job"] == job.pk]
        assert of_job == list(range(1, len(of_job) + 1))
        assert of_job


def test_the_pauses_between_tries_grow(office: Office, endpoint: Endpoint, alice: User) -> None:
    webhook = hook(alice, endpoint)
    endpoint.answer = DOWN
    tell("a")
    pauses = []
    for _ in range(7):
        office.run()
        row = Webhook.objects.get(pk=webhook.pk)
        assert row.next_try is not None
        pause = row.next_try - Delivery.objects.latest("pk").time
        pauses.append(pause.total_seconds())
        office.wait(seconds=pause.total_seconds() + 1)

    for pause, meant in zip(pauses, [5, 30, 120, 600, 1800, 3600, 3600], strict=True):
        assert 0.9 * meant <= pause <= 1.1 * meant


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503])
def test_what_may_be_better_later_waits_as_long_as_it_asks(
    office: Office, endpoint: Endpoint, alice: User, status: int
) -> None:
    hook(alice, endpoint)
    endpoint.script = [Answer(status=status, headers={"Retry-After": "300"})]
    tell("a")
    office.run()

    office.wait(seconds=290)
    office.run()
    assert len(endpoint.requests) == 1
    office.wait(seconds=11)
    office.run()

    assert subjects(endpoint) == ["a", "a"]


def test_after_a_day_of_failing_it_is_disabled_and_says_why(
    office: Office, endpoint: Endpoint, alice: User
) -> None:
    webhook = hook(alice, endpoint)
    endpoint.answer = DOWN
    tell("a")
    for _ in range(30):
        office.run()
        office.wait(hours=1, minutes=7)

    row = Webhook.objects.get(pk=webhook.pk)

    assert row.state == WebhookState.DISABLED
    assert row.reason == (
        "Nothing could be delivered for a day. The last try: it answered 503 Service Unavailable."
    )
    assert row.failing_since is not None
    assert timedelta(hours=24) <= row.state_since - row.failing_since < timedelta(hours=26)
    assert log_of(webhook)[-1] == ("worker.added", "failed", 503)


def test_switched_on_again_it_goes_on_from_where_it_stopped(
    office: Office, endpoint: Endpoint, alice: User
) -> None:
    webhook = hook(alice, endpoint)
    endpoint.script = [Answer(), Answer(status=410)]
    tell("a", "b", "c")
    office.run()
    row = Webhook.objects.get(pk=webhook.pk)
    assert (row.state, row.reason) == (
        WebhookState.DISABLED,
        "The endpoint says that it is gone for good (410).",
    )
    tell("d")
    office.wait(days=3)
    office.run()
    assert subjects(endpoint) == ["a", "b"]

    lifecycle.resume(webhook, by=alice)
    office.run()

    assert subjects(endpoint) == ["a", "b", "b", "c", "d"]


def test_an_event_that_is_refused_three_times_is_left_out(
    office: Office, endpoint: Endpoint, alice: User
) -> None:
    webhook = hook(alice, endpoint)
    endpoint.script = [Answer(status=422, body=b"no such worker")] * 3
    tell("a", "b")
    for _ in range(3):
        office.run()
        office.wait(minutes=1)

    assert subjects(endpoint) == ["a", "a", "a", "b"]
    assert [outcome for _, outcome, _ in log_of(webhook)] == [
        "will retry",
        "will retry",
        "rejected",
        "delivered",
    ]
    assert Delivery.objects.filter(answer="no such worker").count() == 3


def test_refusals_do_not_count_the_tries_that_failed_otherwise(
    office: Office, endpoint: Endpoint, alice: User
) -> None:
    webhook = hook(alice, endpoint)
    endpoint.script = [DOWN, DOWN, Answer(status=404), DOWN, Answer(status=404)]
    tell("a")
    for _ in range(6):
        office.run()
        office.wait(hours=1, minutes=7)

    assert [outcome for _, outcome, _ in log_of(webhook)] == [*["will retry"] * 5, "delivered"]


def test_an_endpoint_that_refuses_everything_is_disabled(
    office: Office, endpoint: Endpoint, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("events.webhooks.verdicts.MOST_REJECTED", 2)
    webhook = hook(alice, endpoint)
    endpoint.answer = Answer(status=404)
    tell("a", "b", "c")
    for _ in range(6):
        office.run()
        office.wait(minutes=1)

    row = Webhook.objects.get(pk=webhook.pk)
    assert row.reason == "It refused 2 events, one after the other. The last time: it answered 404 Not Found."
    assert subjects(endpoint) == ["a"] * 3 + ["b"] * 3


def test_nobody_is_told_what_they_may_not_see(
    office: Office, endpoint: Endpoint, alice: User, mallory: User
) -> None:
    hook(mallory, endpoint, "job.#")
    build.job(submitter=alice, visibility="personal")
    shown = build.job(submitter=alice)

    office.run()

    assert [request.event["data"]["job"] for request in endpoint.requests] == [shown.pk]


def test_a_right_that_was_revoked_counts_for_what_is_still_to_be_sent(
    office: Office, endpoint: Endpoint, alice: User, bob: User
) -> None:
    hook(bob, endpoint, "job.#")
    endpoint.answer = DOWN
    build.job(submitter=alice, visibility={"group": ["kernel"]})
    office.run()
    assert endpoint.types == ["job.submitted"]

    bob.groups.clear()
    endpoint.answer = Answer()
    office.wait(minutes=1)
    office.run()

    assert len(endpoint.requests) == 1


def test_a_filter_tells_nothing_of_what_an_event_hides(
    office: Office, endpoint: Endpoint, alice: User, mallory: User
) -> None:
    job = build.job(submitter=alice, visibility="personal")
    hook(mallory, endpoint, f"device.# job={job.pk}")
    build.device("qemu01")
    jobs.schedule(job.pk, "qemu01")

    office.run()

    assert endpoint.requests == []


def test_nothing_is_sent_for_somebody_who_may_not_log_in(
    office: Office, endpoint: Endpoint, alice: User
) -> None:
    hook(alice, endpoint)
    User.objects.filter(pk=alice.pk).update(is_active=False)
    tell("a")
    office.run()
    assert endpoint.requests == []

    User.objects.filter(pk=alice.pk).update(is_active=True)
    office.run()

    assert subjects(endpoint) == ["a"]


def test_what_is_paused_waits_and_is_sent_later(office: Office, endpoint: Endpoint, alice: User) -> None:
    webhook = hook(alice, endpoint)
    lifecycle.pause(webhook, by=alice)
    tell("a")
    office.run()
    assert endpoint.requests == []

    lifecycle.resume(webhook, by=alice)
    office.run()

    assert subjects(endpoint) == ["a"]


def test_a_dead_endpoint_delays_itself_only(office: Office, endpoint: Endpoint, alice: User) -> None:
    release = threading.Event()
    with listening() as dead:
        dead.answer = Answer(wait=release)
        hook(alice, dead)
        hook(alice, endpoint)
        tell("a")
        office.sender.run_once()

        assert eventually(lambda: subjects(endpoint) == ["a"] and subjects(dead) == ["a"])
        tell("b")

        def heard() -> bool:
            office.sender.run_once()
            return subjects(endpoint) == ["a", "b"]

        assert eventually(heard)
        assert subjects(dead) == ["a"]  # one request at a time
        release.set()
        office.run()
        assert subjects(dead) == ["a", "b"]


def test_a_few_slow_endpoints_of_one_user_leave_room_for_others(
    office: Office, endpoint: Endpoint, alice: User, mallory: User
) -> None:
    release = threading.Event()
    with listening() as slow:
        slow.answer = Answer(wait=release)
        for _ in range(12):
            hook(mallory, slow)
        hook(alice, endpoint)
        tell("a")
        office.sender.run_once()

        assert eventually(lambda: subjects(endpoint) == ["a"])
        assert eventually(lambda: len(slow.requests) == sender.AT_ONCE_OF_ONE_USER)
        release.set()
        office.run()

    assert len(slow.requests) == 12


def test_one_that_wants_nothing_is_looked_through_once(
    office: Office, endpoint: Endpoint, alice: User, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(20):
        hook(alice, endpoint, "job.# submitter=nobody")
    tell("a", "b")
    office.run()

    with django_assert_max_num_queries(3):  # who leads, how far the events are, and who is not there yet
        office.sender.run_once()

    assert not Delivery.objects.exists()


def test_what_was_looked_through_is_written_down_at_the_end(
    office: Office, endpoint: Endpoint, alice: User
) -> None:
    webhook = hook(alice, endpoint, "job.#")
    tell("a", "b")
    office.run()

    office.close()

    assert Webhook.objects.get(pk=webhook.pk).sequence == Event.objects.latest("sequence").sequence


def test_a_lab_that_starts_again_goes_on(office: Office, endpoint: Endpoint, alice: User) -> None:
    hook(alice, endpoint)
    tell("a")
    office.run()
    office.restart()
    tell("b")

    office.run()

    assert subjects(endpoint) == ["a", "b"]


def test_what_was_sent_and_not_written_down_is_sent_again_with_the_same_id(
    office: Office, endpoint: Endpoint, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a kill -9 between the answer and the commit."""
    hook(alice, endpoint)
    tell("a", "b")
    monkeypatch.setenv("WEBHOOK_ALLOWED_NETWORKS", "127.0.0.0/8")
    with children.start("tests.events.webhooks.dying") as lab:
        assert lab.wait(60) == -signal.SIGKILL
    assert subjects(endpoint) == ["a"]
    assert not Delivery.objects.exists()

    office.run()

    assert subjects(endpoint) == ["a", "a", "b"]
    assert endpoint.requests[0].id == endpoint.requests[1].id


def test_two_who_send_for_one_webhook_do_not_pass_each_other(
    office: Office, endpoint: Endpoint, alice: User
) -> None:
    webhook = hook(alice, endpoint)
    tell(*MORE_THAN_A_HANDFUL)
    end = Event.objects.latest("sequence").sequence

    def overtake(request: object) -> None:
        if len(endpoint.requests) == 1:
            Webhook.objects.filter(pk=webhook.pk).update(sequence=end)

    endpoint.before_answer = _in_this_thread(overtake)
    office.run()

    assert len(endpoint.requests) < len(MORE_THAN_A_HANDFUL)
    assert Webhook.objects.get(pk=webhook.pk).sequence == end


def test_one_that_is_deleted_while_it_is_served_is_gone(
    office: Office, endpoint: Endpoint, alice: User
) -> None:
    webhook = hook(alice, endpoint)
    tell(*MORE_THAN_A_HANDFUL)

    def delete(request: object) -> None:
        Webhook.objects.filter(pk=webhook.pk).delete()

    endpoint.before_answer = _in_this_thread(delete)
    office.run()

    assert len(endpoint.requests) < len(MORE_THAN_A_HANDFUL)
    assert not Delivery.objects.exists()


def test_events_that_are_not_kept_are_told_of_before_it_goes_on(
    office: Office, endpoint: Endpoint, alice: User
) -> None:
    webhook = hook(alice, endpoint)
    first = webhook.sequence + 1
    tell("a", "b", "c")
    retention.clear(Event.objects.filter(subject__in=["a", "b"]))

    office.run()

    reset, event = endpoint.requests
    assert reset.type == "lava_lite.webhook.reset"
    assert reset.event["data"] == {"webhook": str(webhook.uuid), "first": first, "last": first + 1}
    assert event.event["subject"] == "c"
    assert log_of(webhook)[0] == ("webhook.reset", "delivered", 204)
    about = f"events {first} to {first + 1} are not all kept any more"
    assert Delivery.objects.earliest("pk").about == about


def test_a_gap_is_told_of_once_and_with_the_same_id(office: Office, endpoint: Endpoint, alice: User) -> None:
    hook(alice, endpoint)
    tell("a", "b")
    retention.clear(Event.objects.filter(subject__in=["a", "b"]))
    endpoint.script = [DOWN]
    office.run()
    office.wait(seconds=6)
    office.run()
    tell("c")
    office.run()

    assert endpoint.types == ["webhook.reset", "webhook.reset", "worker.added"]
    assert endpoint.requests[0].id == endpoint.requests[1].id


def test_what_is_kept_beyond_its_time_is_still_sent(office: Office, endpoint: Endpoint, alice: User) -> None:
    hook(alice, endpoint)
    tell("kept", "gone", "new")
    retention.clear(Event.objects.filter(subject="gone"))

    office.run()

    assert subjects(endpoint)[1:] == ["kept", "new"]


def test_while_notification_is_off_nothing_is_sent_then_or_later(
    office: Office, endpoint: Endpoint, alice: User, settings: Settings
) -> None:
    hook(alice, endpoint)
    settings.EVENT_NOTIFICATION = False
    tell("silent")
    office.run()

    settings.EVENT_NOTIFICATION = True
    tell("loud")
    office.run()

    assert subjects(endpoint) == ["loud"]


def test_a_filter_that_is_not_understood_any_more_holds_up_nobody_else(
    office: Office, endpoint: Endpoint, alice: User
) -> None:
    old = hook(alice, endpoint)
    hook(alice, endpoint)
    Webhook.objects.filter(pk=old.pk).update(filter="color=red")
    tell("a")

    office.run()

    old.refresh_from_db()
    assert subjects(endpoint) == ["a"]
    assert old.is_disabled
    assert old.reason.startswith("Its filter cannot be understood any more: 'color=red'")


def test_the_log_keeps_the_newest(
    office: Office, endpoint: Endpoint, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Delivery, "KEPT", 3)
    webhook = hook(alice, endpoint)
    tell(*"abcdef")

    office.run()

    kept = Delivery.objects.filter(webhook=webhook).order_by("pk")
    assert len(kept) == 3
    assert Event.objects.get(sequence=kept[2].sequence).subject == "f"


def test_old_deliveries_are_deleted_in_time(
    office: Office, endpoint: Endpoint, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "TIDY_SECONDS", 0.0)
    hook(alice, endpoint)
    tell("a")
    office.run()
    assert Delivery.objects.exists()

    office.wait(days=31)
    office.run()

    assert not Delivery.objects.exists()


def test_a_running_loop_sends_at_once_and_ends_when_told(
    endpoint: Endpoint, alice: User, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    hook(alice, endpoint)
    monkeypatch.setattr(sender, "POLL_SECONDS", 60.0)  # only the bell can wake it in time
    stop = threading.Event()
    thread = threading.Thread(target=_send, args=(stop,))
    thread.start()
    assert eventually(lambda: list(settings.RUN.glob("web.*")))

    tell("a")
    doorbell.ring(settings.RUN, "web")

    assert eventually(lambda: subjects(endpoint) == ["a"])
    stop.set()
    thread.join(20)
    assert not thread.is_alive()


def _send(stop: threading.Event) -> None:
    try:
        sender.run(stop)
    finally:
        connections.close_all()


def _in_this_thread(deed: Callable[[object], object]) -> Callable[[object], None]:
    """A thread of the endpoint closes the connection that it opened."""

    def whole(request: object) -> None:
        try:
            deed(request)
        finally:
            connections.close_all()

    return whole
