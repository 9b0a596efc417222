"""What people see of the jobs of a group, and by which number they find them."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from devices.models import Device
from devices.states import DeviceHealth
from jobs.models import Job, Visibility
from jobs.states import State
from tests import build
from tests.jobs.test_views import main_of, page, words_of

pytestmark = pytest.mark.django_db


def panel_of(html: str, name: str) -> str:
    """What a person reads in the part of this name."""
    return words_of("<main>" + html.partition(f'aria-labelledby="{name}">')[2].partition("</section>")[0])


def queries(client: Client, address: str) -> int:
    page(client, address)
    with CaptureQueriesContext(connection) as asked:
        page(client, address)
    return len(asked)


# By its number


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("/job/{0}.1/", "/job/{1}/"),
        ("/job/{0}.0/?tab=results", "/job/{0}/?tab=results"),
        ("/job/{0}.1/log", "/job/{1}/log"),
        ("/scheduler/job/{0}.1", "/scheduler/job/{1}/"),
        ("/scheduler/job/{0}.1/log_file/plain", "/scheduler/job/{1}/log_file/plain"),
        ("/scheduler/job/{0}.1/definition/plain", "/scheduler/job/{1}/definition/plain"),
    ],
)
def test_a_job_is_found_at_its_number_in_the_group(client: Client, typed: str, found: str) -> None:
    first, second = build.members("server", "client", state=State.FINISHED)

    answer = client.get(typed.format(first.pk, second.pk))

    assert (answer.status_code, answer["Location"]) == (302, found.format(first.pk, second.pk))
    assert client.get(answer["Location"], follow=True).status_code == 200


def test_a_slash_is_added_to_the_number_as_to_other_addresses(client: Client) -> None:
    first, second = build.members("server", "client")

    answer = client.get(f"/job/{first.pk}.1", follow=True)

    assert answer.redirect_chain[-1][0] == f"/job/{second.pk}/"


def test_a_hidden_job_is_not_found_at_its_number(client: Client, alice: User, mallory: User) -> None:
    first, _ = build.members("server", "client", submitter=alice, visibility="personal")
    client.force_login(mallory)

    for address in (f"/job/{first.pk}.1/", f"/scheduler/job/{first.pk}.1", f"/job/{first.pk}.7/"):
        page(client, address, 404)


def test_nothing_is_done_at_the_number_of_a_job(client: Client, alice: User) -> None:
    first, second = build.members("server", "client", submitter=alice)
    client.force_login(alice)

    assert client.post(f"/job/{first.pk}.1/cancel/").status_code == 405

    second.refresh_from_db()
    assert second.state == State.SUBMITTED


@pytest.mark.parametrize("text", ["{0}.1", "%23{0}.1"])
def test_a_job_is_searched_by_its_number_in_the_group(client: Client, text: str) -> None:
    first, second = build.members("server", "client")

    html = page(client, f"/jobs/?q={text.format(first.pk)}")

    assert re.findall(r'href="/job/(\d+)/"', main_of(html)) == [str(second.pk)]


# The pages


@pytest.mark.parametrize(
    ("address", "state"),
    [
        *[(address, State.SUBMITTED) for address in ("/", "/jobs/", "/device-type/qemu/")],
        *[
            (address, State.RUNNING)
            for address in ("/", "/device/qemu02/", "/device-type/qemu/", "/devices/")
        ],
        *[(address, State.FINISHED) for address in ("/", "/jobs/", "/device/qemu02/")],
    ],
)
def test_a_job_of_a_group_has_its_number_wherever_it_is_shown(
    client: Client, address: str, state: State
) -> None:
    first, second = build.members("server", "client", state=state)

    html = main_of(page(client, address))

    assert f"#{first.pk}.1" in html
    assert f'href="{second.get_absolute_url()}"' in html
    assert f"#{second.pk}<" not in html


@pytest.mark.parametrize("address", ["/", "/jobs/", "/device-type/qemu/", "/devices/"])
@pytest.mark.parametrize("state", [State.SUBMITTED, State.RUNNING])
def test_a_page_asks_the_database_as_often_for_many_jobs_of_groups_as_for_two(
    client: Client, address: str, state: State
) -> None:
    build.members("server", "client", state=state)
    for_two = queries(client, address)

    for number in (10, 20, 30):
        build.members("server", "client", "client", device=f"qemu{number}", state=state)

    assert queries(client, address) == for_two


def test_a_job_asks_the_database_as_often_for_many_jobs_of_its_group_as_for_two(client: Client) -> None:
    small, _ = build.members("server", "client", state=State.RUNNING)
    large, *_ = build.members("server", *["client"] * 4, device="qemu10", state=State.RUNNING)

    assert queries(client, small.get_absolute_url()) == queries(client, large.get_absolute_url())


def test_a_job_shows_its_group(client: Client) -> None:
    first, second = build.members("server", "client", state=State.RUNNING)

    html = page(client, second.get_absolute_url())

    assert f"#{first.pk}.1 hello" in words_of(html)
    assert "as client in its group" in words_of(html)
    group = panel_of(html, "group")
    assert f"#{first.pk}.0 server on qemu01essential" in group
    assert f"#{first.pk}.1 client on qemu02Running" in group
    assert re.findall(r'id="member-(\d)" href="([^"]*)"', html) == [("0", first.get_absolute_url())]
    assert f'<strong aria-current="page"><span class="number">#{first.pk}.1</span> client</strong>' in html


def test_a_group_says_for_what_its_jobs_wait(client: Client) -> None:
    first, _ = build.members("server", "client")

    assert "client wants qemuSubmitted" in panel_of(page(client, first.get_absolute_url()), "group")


def test_the_group_is_renewed_with_the_page(client: Client) -> None:
    first, _ = build.members("server", "client", state=State.RUNNING)

    html = page(client, f"{first.get_absolute_url()}?fragment=live")

    assert 'id="member-1"' in html


def test_of_a_group_a_visitor_sees_what_is_not_hidden(client: Client, alice: User, mallory: User) -> None:
    first, second = build.members("server", "client", submitter=alice)
    Job.objects.filter(pk=second.pk).update(visibility=Visibility.PERSONAL, description="hush")
    client.force_login(mallory)

    html = page(client, first.get_absolute_url())

    assert f"#{first.pk}.0 server" in panel_of(html, "group")
    assert 'id="member-1"' not in html
    assert "hush" not in html


def test_a_job_without_a_group_shows_none(client: Client) -> None:
    html = page(client, build.job(state=State.RUNNING).get_absolute_url())

    assert 'aria-labelledby="group"' not in html
    assert "in its group" not in html


def test_what_is_done_to_the_whole_group_says_so(client: Client, alice: User) -> None:
    first, _ = build.members("server", "client", submitter=alice)
    plain = build.job(submitter=alice)
    client.force_login(alice)

    of_group = words_of(page(client, first.get_absolute_url()))
    of_one = words_of(page(client, plain.get_absolute_url()))

    assert "Cancel the group" in of_group
    assert "Run the group later…" in of_group
    assert "the group" not in of_one


# The definition


def test_a_job_shows_its_own_definition_and_offers_that_of_the_group(client: Client) -> None:
    first, second = build.members("server", "client")

    own = page(client, f"{second.get_absolute_url()}?tab=definition")
    whole = page(client, f"{second.get_absolute_url()}?tab=definition&whole")

    assert "roles:" not in words_of(own)
    assert "?tab=definition&amp;whole" in own
    assert "roles:" in words_of(whole)
    assert page(client, f"/job/{second.pk}/definition") == second.definition
    assert page(client, f"/job/{second.pk}/definition/whole") == first.group.definition
    assert page(client, f"/scheduler/job/{second.pk}/multinode_definition/plain") == first.group.definition


def test_the_whole_definition_of_a_job_without_a_group_is_its_own(client: Client) -> None:
    job = build.job()

    assert page(client, f"/job/{job.pk}/definition/whole") == job.definition
    assert "whole group" not in page(client, f"/job/{job.pk}/?tab=definition&whole")


def test_a_command_runs_the_whole_group_again(client: Client) -> None:
    _, second = build.members("server", "client")

    assert f"/job/{second.pk}/definition/whole" in page(client, f"/job/{second.pk}/?tab=definition")


def test_the_whole_definition_is_for_those_who_see_every_job_of_the_group(
    client: Client, alice: User, mallory: User
) -> None:
    first, second = build.members("server", "hush", submitter=alice)
    Job.objects.filter(pk=second.pk).update(visibility=Visibility.PERSONAL)
    client.force_login(mallory)

    html = page(client, f"/job/{first.pk}/?tab=definition&whole")
    assert "resubmit-button" not in html

    assert "hush" not in html
    assert "definition/whole" not in html
    for address in (
        f"/job/{first.pk}/definition/whole",
        f"/scheduler/job/{first.pk}/multinode_definition/plain",
        f"/submit/?job={first.pk}",
    ):
        page(client, address, 404)
    client.force_login(alice)
    assert "hush" in page(client, f"/job/{first.pk}/definition/whole")


@pytest.mark.parametrize("number", ["{0}", "{1}", "{0}.1"])
def test_editing_begins_with_the_definition_of_the_whole_group(
    client: Client, alice: User, number: str
) -> None:
    first, second = build.members("server", "client", submitter=alice)
    client.force_login(alice)

    html = page(client, f"/submit/?job={number.format(first.pk, second.pk)}")

    assert "roles:" in words_of(html)


def test_a_submitted_group_leads_to_its_first_job(client: Client, alice: User) -> None:
    build.device("qemu01")
    build.device("qemu02")
    client.force_login(alice)

    answer = client.post("/submit/", {"definition": build.multinode("server", "client")})

    first, second = Job.objects.order_by("pk")
    assert (answer.status_code, answer["Location"]) == (302, first.get_absolute_url())
    assert (first.number, second.number) == (f"{first.pk}.0", f"{first.pk}.1")


def test_a_job_that_is_run_again_takes_its_whole_group_with_it(client: Client, alice: User) -> None:
    _, second = build.members("server", "client", submitter=alice, state=State.FINISHED)
    client.force_login(alice)

    answer = client.post(f"/job/{second.pk}/resubmit/")

    first, again = Job.objects.filter(pk__gt=second.pk).order_by("pk")
    assert answer["Location"] == first.get_absolute_url()
    assert (first.role, again.role) == ("server", "client")
    assert f"again after #{second.number}" in words_of(page(client, again.get_absolute_url()))


def test_a_group_that_cannot_run_again_is_shown_to_be_mended(client: Client, alice: User) -> None:
    first, _ = build.members("server", "client", submitter=alice, state=State.FINISHED)
    Device.objects.filter(pk="qemu02").update(health=DeviceHealth.RETIRED)
    Device.objects.filter(pk="qemu01").update(health=DeviceHealth.RETIRED)
    client.force_login(alice)

    answer = client.post(f"/job/{first.pk}/resubmit/")

    assert answer.status_code == 400
    assert "roles:" in words_of(answer.content.decode())


def test_a_group_is_run_again_by_those_who_see_every_job_of_it(
    client: Client, alice: User, mallory: User
) -> None:
    first, second = build.members("server", "hush", submitter=alice, state=State.FINISHED)
    Job.objects.filter(pk=second.pk).update(visibility=Visibility.PERSONAL)
    client.force_login(mallory)

    answer = client.post(f"/job/{first.pk}/resubmit/")

    assert answer.status_code == 403
    assert "hush" not in answer.content.decode()
    assert Job.objects.count() == 2


# What is done


@pytest.mark.parametrize(("verb", "state"), [("cancel", State.FINISHED), ("defer", State.SUBMITTED)])
def test_what_is_done_to_one_job_is_done_to_its_group(
    client: Client, alice: User, verb: str, state: State
) -> None:
    first, second = build.members("server", "client", submitter=alice)
    client.force_login(alice)

    client.post(f"/job/{second.pk}/{verb}/", {"minutes": 10})

    for job in (first, second):
        job.refresh_from_db()
        assert job.state == state
        assert job.is_put_off == (verb == "defer")
    if verb == "defer":
        assert "Run the group now" in words_of(page(client, first.get_absolute_url()))
