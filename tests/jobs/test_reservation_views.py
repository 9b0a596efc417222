"""The pages on which people reserve devices, keep them for longer, and give them back."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from core.templatetags.lab import clock
from devices.models import Right
from jobs import scheduler
from jobs.models import Job
from jobs.states import Health, State
from tests import build

pytestmark = pytest.mark.django_db

HOUR = {"length": "60", "purpose": "bisecting the boot"}
FORM = "/reserve/?device=qemu01"


def html(client: Client, address: str, status: int = 200) -> str:
    response = client.get(address)
    assert response.status_code == status
    return response.content.decode()


def words(client: Client, address: str) -> str:
    """What a person reads, without the tags."""
    text = html(client, address).partition("<main")[2]
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", text)).split())


def as_user(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def end_of(job: Job) -> str:
    found = Job.objects.get(pk=job.pk)
    assert found.deadline is not None
    return re.sub("<[^>]*>", "", clock(found.deadline))


# To reserve


def test_the_page_of_a_device_leads_to_the_form(alice: User) -> None:
    build.device()

    assert "/reserve/?device=qemu01" in html(as_user(alice), "/device/qemu01/")
    assert "Reserve qemu01" in words(as_user(alice), FORM)


def test_a_device_is_reserved_by_the_form(alice: User) -> None:
    build.device()

    answer = as_user(alice).post(FORM, HOUR)

    job = Job.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, f"/job/{job.pk}/")
    assert (job.is_reservation, job.wanted_device, job.description) == (True, "qemu01", "bisecting the boot")
    assert job.job_timeout == timedelta(hours=1)


def test_any_device_of_a_type_is_reserved_from_its_page(alice: User) -> None:
    build.device("usb01", tags=("usb",))
    client = as_user(alice)
    assert "/reserve/?type=qemu" in html(client, "/device-type/qemu/")

    client.post("/reserve/?type=qemu", HOUR | {"tags": "usb, "})
    scheduler.run_once()

    job = Job.objects.get()
    assert (job.wanted_device, job.device_id) == ("", "usb01")


def test_what_the_lab_does_not_accept_is_told_in_the_form(alice: User) -> None:
    build.device()
    client = as_user(alice)
    client.post(FORM, HOUR)
    client.post(FORM, HOUR)

    answer = client.post(FORM, HOUR)
    without = client.post(FORM, {"length": "60", "purpose": ""})

    assert answer.status_code == 400
    assert "One person may hold or wait for 2 (RESERVATIONS_PER_PERSON)" in answer.content.decode()
    assert (without.status_code, Job.objects.count()) == (400, 2)
    assert "This field is required." in without.content.decode()


def test_the_lengths_are_those_that_the_lab_allows(alice: User, settings: Settings) -> None:
    settings.RESERVATION_LIMIT = 90 * 60
    build.device()

    assert re.findall(r'<option value="(\d+)"', html(as_user(alice), FORM)) == ["15", "30", "60", "90"]


def test_whoever_has_not_logged_in_does_that_first(client: Client) -> None:
    build.device()

    answer = client.get(FORM)

    assert answer["Location"] == "/login/?next=/reserve/%3Fdevice%3Dqemu01"
    assert "/reserve/" not in html(client, "/device/qemu01/")


def test_a_hidden_device_is_not_found(group: Group, mallory: User) -> None:
    build.device()
    build.right(group, "qemu01", Right.VIEW)

    assert as_user(mallory).get(FORM).status_code == 404
    assert as_user(mallory).post(FORM, HOUR).status_code == 404


def test_who_may_not_submit_to_a_device_sees_no_button_and_is_refused(group: Group, mallory: User) -> None:
    build.device()
    build.right(group, "qemu01", Right.SUBMIT)
    client = as_user(mallory)

    answer = client.post(FORM, HOUR)

    assert "/reserve/" not in html(client, "/device/qemu01/")
    assert answer.status_code == 400
    assert "You may not submit jobs to qemu01." in answer.content.decode()


def test_a_lab_without_reservations_shows_no_button(alice: User, settings: Settings) -> None:
    settings.RESERVATION_LIMIT = 0
    build.device()

    assert "/reserve/" not in html(as_user(alice), "/device/qemu01/")
    assert "/reserve/" not in html(as_user(alice), "/device-type/qemu/")


# The page of a reservation


def test_it_says_why_it_waits_and_can_be_canceled(alice: User) -> None:
    build.job(state=State.RUNNING)
    job = build.reservation(by=alice, state=State.SUBMITTED, device="qemu01")
    client = as_user(alice)

    shown = words(client, f"/job/{job.pk}/")
    client.post(f"/job/{job.pk}/cancel/")

    assert "It waits for a device that fits: 1 busy." in shown
    assert "Cancel" in shown
    assert Job.objects.get(pk=job.pk).health == Health.CANCELED


def test_one_that_waits_is_put_off_and_hurried_on_its_page(alice: User) -> None:
    build.job(state=State.RUNNING)
    job = build.reservation(by=alice, state=State.SUBMITTED, device="qemu01")
    client = as_user(alice)

    client.post(f"/job/{job.pk}/defer/", {"minutes": "90", "reason": "lunch"})
    shown = words(client, f"/job/{job.pk}/")
    assert "Deferred until" in shown
    assert "Hold now Hold later…" in shown
    assert "Place" not in shown

    client.post(f"/job/{job.pk}/hurry/")
    assert "It waits for a device that fits: 1 busy." in words(client, f"/job/{job.pk}/")


def test_one_that_is_held_is_pinned_on_its_page_and_not_put_off(alice: User) -> None:
    job = build.reservation(by=alice)
    client = as_user(alice)

    client.post(f"/job/{job.pk}/pin/")

    shown = words(client, f"/job/{job.pk}/")
    assert "Unpin" in shown
    assert "Hold later" not in shown


def test_its_holder_reads_until_when_and_how_the_device_is_reached(alice: User, mallory: User) -> None:
    build.device(dictionary="access: [ssh root@qemu01, 'picocom <tty>']\nexecutor: shell\n")
    job = build.reservation(by=alice)

    shown = words(as_user(alice), f"/job/{job.pk}/")

    assert f"Held reservation of qemu01 by alice, just now until {end_of(job)}" in shown
    assert "How to reach qemu01 Copy ssh root@qemu01 picocom <tty>" in shown
    for client in (as_user(mallory), Client()):
        text = html(client, f"/job/{job.pk}/")
        assert "bisecting the boot" in text
        assert "root@qemu01" not in text
        assert "release-button" not in text


def test_it_has_no_log_and_no_results(alice: User) -> None:
    text = html(as_user(alice), f"/job/{build.reservation(by=alice).pk}/")

    assert "data-log" not in text
    assert "Results" not in text


def test_a_click_extends_and_another_releases_it(alice: User) -> None:
    job = build.reservation(by=alice)
    client = as_user(alice)

    client.post(f"/job/{job.pk}/extend/", {"minutes": "30"})
    assert Job.objects.get(pk=job.pk).job_timeout == timedelta(minutes=90)

    client.post(f"/job/{job.pk}/release/")
    shown = words(client, f"/job/{job.pk}/")
    assert "Released reservation of qemu01" in shown
    assert "Released by alice after" in shown
    assert "Reserve again" in shown


def test_what_cannot_be_extended_says_why(alice: User, settings: Settings) -> None:
    settings.RESERVATION_LIMIT = 3600
    job = build.reservation(by=alice)
    client = as_user(alice)

    answer = client.post(f"/job/{job.pk}/extend/", {"minutes": "30"}, follow=True)
    odd = client.post(f"/job/{job.pk}/extend/", {"minutes": "7"}, follow=True)

    assert "This lab allows 1 h in all (RESERVATION_LIMIT)" in answer.content.decode()
    assert "extend-30" not in answer.content.decode()
    assert "say by how many minutes" in odd.content.decode()


def test_a_stranger_extends_and_releases_nothing(alice: User, mallory: User) -> None:
    job = build.reservation(by=alice)
    client = as_user(mallory)

    refused = [
        client.post(f"/job/{job.pk}/{verb}/", {"minutes": "30"}).status_code for verb in ("extend", "release")
    ]

    assert refused == [403, 403]
    assert Job.objects.get(pk=job.pk).state == State.RUNNING


def test_it_warns_before_its_end(alice: User) -> None:
    job = build.reservation(by=alice)
    Job.objects.filter(pk=job.pk).update(deadline=timezone.now() + timedelta(minutes=5))
    scheduler.run_once()

    shown = words(as_user(alice), f"/job/{job.pk}/")

    assert f"It ends at {end_of(job)}" in shown
    assert "Then the lab takes qemu01 back." in shown


def test_it_tells_its_holder_who_else_waits(alice: User, bob: User) -> None:
    job = build.reservation(by=alice)
    build.job(submitter=bob)

    assert "1 waits for a device of type qemu. If you need it no longer, release it." in words(
        as_user(alice), f"/job/{job.pk}/"
    )


def test_to_reserve_again_beyond_the_number_is_refused_in_words(alice: User, settings: Settings) -> None:
    job = build.reservation(by=alice, state=State.FINISHED)
    settings.RESERVATIONS_PER_PERSON = 0

    answer = as_user(alice).post(f"/job/{job.pk}/resubmit/", follow=True)

    assert (
        "Not reserved: one person may hold or wait for 0 (RESERVATIONS_PER_PERSON)."
        in answer.content.decode()
    )


# The lists


@pytest.mark.parametrize("address", ["/devices/", "/device/qemu01/", "/device-type/qemu/", "/", "/jobs/"])
def test_everybody_reads_who_holds_a_device_and_until_when(address: str, alice: User, client: Client) -> None:
    job = build.reservation(by=alice)

    shown = words(client, address)

    assert f"held by alice until {end_of(job)}" in shown
    assert "bisecting the boot" in shown


def test_reservations_have_a_filter_of_their_own(alice: User, client: Client) -> None:
    build.job(submitter=alice, name="hello", state=State.FINISHED)
    build.reservation(by=alice)

    shown = words(client, "/jobs/?status=reservations")

    assert "bisecting the boot" in shown
    assert "hello" not in shown


def test_a_private_reservation_hides_who_holds_the_device(alice: User, client: Client) -> None:
    job = build.reservation(by=alice)
    Job.objects.filter(pk=job.pk).update(visibility="personal")

    shown = words(client, "/device/qemu01/")

    assert "has a job that is hidden from you" in shown
    assert "alice" not in shown
