"""Events in the admin site."""

from __future__ import annotations

from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from events.models import Event
from tests import build

LIST = reverse("admin:events_event_changelist")


def test_an_event_shows_its_payload(client: Client, admin: User) -> None:
    build.device("qemu01")
    event = Event.objects.get(type="device.added")
    client.force_login(admin)

    page = client.get(reverse("admin:events_event_change", args=[event.pk])).content.decode()

    assert "&quot;device&quot;: &quot;qemu01&quot;" in page


def test_nobody_adds_changes_or_deletes_an_event(client: Client, admin: User) -> None:
    build.device("qemu01")
    event = Event.objects.get(type="device.added")
    client.force_login(admin)

    answers = [
        client.post(reverse("admin:events_event_add"), {"type": "x"}),
        client.post(reverse("admin:events_event_change", args=[event.pk]), {"type": "x"}),
        client.post(reverse("admin:events_event_delete", args=[event.pk]), {"post": "yes"}),
    ]

    assert [answer.status_code for answer in answers] == [403, 403, 403]
    assert Event.objects.get(pk=event.pk).type == "device.added"


def test_the_list_can_be_narrowed_to_one_type(client: Client, admin: User) -> None:
    build.device("qemu01")
    build.job()
    client.force_login(admin)

    answer = client.get(LIST, {"type": "job.submitted"})

    assert [event.type for event in answer.context["cl"].result_list] == ["job.submitted"]


def test_the_list_of_events_takes_a_fixed_number_of_queries(
    client: Client, admin: User, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(20):
        build.device(f"qemu{number:02}")
    client.force_login(admin)

    with django_assert_max_num_queries(5):
        assert client.get(LIST).status_code == 200


def test_events_are_for_superusers_as_hidden_subjects_are_among_them(client: Client, mallory: User) -> None:
    mallory.is_staff = True
    mallory.save()
    mallory.user_permissions.add(Permission.objects.get(codename="view_event"))
    client.force_login(mallory)

    assert client.get(LIST).status_code == 403
