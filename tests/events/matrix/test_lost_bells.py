"""Every wake-up is lost: who listens hears all the same, by looking, within five seconds."""

from __future__ import annotations

import threading

import pytest
from django.contrib.auth.models import User
from django.db import connections
from pytest_django import Settings

from core import doorbell
from events import live, plugins, publisher
from events.transports.memory import Memory
from events.webhooks import sender
from tests import build
from tests.events.publishing import publishing
from tests.events.webhooks.endpoint import listening
from tests.events.webhooks.office import hook
from tests.lab import eventually
from tests.serving import PATIENCE, Site, hear

ALLOWED = 5.0  # seconds
OFTEN = 0.05


def test_whoever_is_not_woken_looks_often_enough() -> None:
    numbered = publisher.POLL_SECONDS
    for looks in (live.POLL_SECONDS, publisher.POLL_SECONDS, sender.POLL_SECONDS, plugins.POLL_SECONDS):
        assert numbered + looks < ALLOWED


def test_with_every_wake_up_lost_events_arrive_all_the_same(
    site: Site, alice: User, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    settings.WEBHOOK_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    monkeypatch.setattr(doorbell, "_ring_one", lambda path: None)
    for module in (live, publisher, sender):
        monkeypatch.setattr(module, "POLL_SECONDS", OFTEN)
    build.device()
    transport, stop = Memory(), threading.Event()
    with listening() as endpoint:
        hook(alice, endpoint, "job.submitted")
        publisher.prepare([transport])
        client = site.connect("/ws/")
        thread = threading.Thread(target=_send_webhooks, args=(stop,))
        thread.start()
        try:
            with publishing(transport):
                build.job(submitter=alice)

                assert hear(client)[3] == "alice"
                assert eventually(lambda: "job.submitted" in [each.type for each in transport.sent], PATIENCE)
                assert eventually(lambda: endpoint.types == ["job.submitted"], PATIENCE)
        finally:
            stop.set()
            thread.join(PATIENCE)
        assert not thread.is_alive()


def _send_webhooks(stop: threading.Event) -> None:
    try:
        sender.run(stop)
    finally:
        connections.close_all()
