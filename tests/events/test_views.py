"""The pages of events."""

from __future__ import annotations

import json
from html import unescape

import pytest
from django.contrib.auth.models import User
from django.test import Client

from events import numbering, publisher, views
from events.models import Event
from jobs.history import summary
from jobs.models import Job
from tests import build

pytestmark = pytest.mark.django_db


@pytest.fixture
def jobs(alice: User) -> tuple[Job, Job]:
    made = build.job(submitter=alice), build.job(submitter=alice, visibility="personal", name="hush")
    publisher.run_once([])
    return made


def numbers(page: str) -> list[int]:
    return [int(part.partition('"')[0]) for part in page.split('id="event-')[1:]]


def text(client: Client, address: str, status: int = 200) -> str:
    answer = client.get(address)
    assert answer.status_code == status
    return unescape(answer.content.decode())


def test_the_newest_events_come_first(client: Client, alice: User, jobs: tuple[Job, Job]) -> None:
    client.force_login(alice)

    assert numbers(text(client, "/events/")) == list(range(numbering.last_number(), 0, -1))


def test_a_lab_in_which_nothing_has_happened_says_so_and_leads_nowhere(client: Client) -> None:
    page = text(client, "/events/")

    assert "No event yet." in page
    assert "older-page" not in page


def test_older_events_are_on_the_next_page(
    client: Client, alice: User, jobs: tuple[Job, Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "SHOWN", 2)
    client.force_login(alice)
    last = numbering.last_number()

    first = text(client, "/events/")
    second = text(client, f"/events/?before={last - 1}")

    assert (numbers(first), numbers(second)) == ([last, last - 1], [last - 2, last - 3])
    assert f'href="?before={last - 1}"' in first
    assert 'href="/events/"' in second


def test_only_what_one_may_see_is_shown(client: Client, mallory: User, jobs: tuple[Job, Job]) -> None:
    shown, hidden = jobs
    client.force_login(mallory)

    page = text(client, "/events/?filter=job.%23")

    assert f'href="/job/{shown.pk}/"' in page
    assert f'href="/job/{hidden.pk}/"' not in page
    sequence = Event.objects.get(type="job.submitted", job_id=hidden.pk).sequence
    text(client, f"/events/{sequence}/", status=404)


def test_a_filter_is_in_the_address_and_chooses(client: Client, jobs: tuple[Job, Job]) -> None:
    page = text(client, "/events/?filter=device.%23")

    assert len(numbers(page)) == Event.objects.filter(type__startswith="device.").count()
    assert 'value="device.#"' in page
    assert 'data-filter="device.#"' in page


def test_a_filter_that_makes_no_sense_is_explained_where_it_was_typed(client: Client) -> None:
    page = text(client, "/events/?filter=mood%3Dgood", status=400)

    assert "there is no 'mood' to choose by" in page
    assert 'value="mood=good"' in page


def test_a_summary_of_the_queue_is_told_in_words(client: Client, jobs: tuple[Job, Job]) -> None:
    summary.run_once()
    publisher.run_once([])

    assert "2 Submitted" in text(client, "/events/?filter=queue.%23")


def test_a_single_event_is_shown_whole(client: Client, jobs: tuple[Job, Job]) -> None:
    event = Event.objects.get(type="job.submitted", job_id=jobs[0].pk)

    page = text(client, f"/events/{event.sequence}/")

    shown = json.loads(page.split("<pre")[1].partition(">")[2].partition("</pre>")[0])
    assert (shown["id"], shown["data"]["job"]) == (str(event.uid), jobs[0].pk)


@pytest.mark.parametrize("address", ["/events/9999/", f"/events/{10**30}/"])
def test_an_event_that_is_not_there_is_not_found(address: str, client: Client) -> None:
    text(client, address, status=404)


def test_the_page_renews_only_what_changes(client: Client, jobs: tuple[Job, Job]) -> None:
    part = text(client, "/events/?fragment=live")

    assert part.strip().startswith('<div id="events" data-live>')
    assert numbers(part)


def test_an_older_page_does_not_listen(client: Client, jobs: tuple[Job, Job]) -> None:
    assert " hidden></div>" in text(client, "/events/?before=3")
