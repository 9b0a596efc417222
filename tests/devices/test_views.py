from __future__ import annotations

import re

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from devices import lifecycle
from devices.models import Device, DeviceRight, DeviceTypeRight, Right, Worker
from devices.page_parts import DEVICES_OF_PAGE
from devices.states import DeviceHealth, WorkerHealth, WorkerState
from jobs.models import Job
from jobs.states import State
from tests import build

pytestmark = pytest.mark.django_db


def page(client: Client, address: str, status: int = 200) -> str:
    response = client.get(address)
    assert response.status_code == status
    return response.content.decode()


@pytest.fixture
def caretaker(bob: User) -> User:
    bob.user_permissions.add(Permission.objects.get(codename="change_device"))
    return bob


def test_a_lab_without_devices_says_so(client: Client) -> None:
    assert "No device yet." in page(client, "/devices/")


def test_the_list_shows_health_reason_state_and_job(client: Client) -> None:
    job = build.job(state=State.RUNNING)
    build.device("qemu02", tags=("usb", "hdmi"))
    lifecycle.maintenance("qemu02", by="admin", reason="fan is loud")

    html = page(client, "/devices/")

    assert f'href="/job/{job.pk}/">#{job.pk} hello</a>' in html
    assert "Maintenance" in html
    assert "fan is loud" in html
    assert "hdmi, usb" in html


def names(html: str) -> list[str]:
    """The devices of a list, from above."""
    return re.findall(r'id="device-([\w-]+)" href', html)


@pytest.mark.parametrize(
    ("query", "shown"), [("", []), ("?all=on", ["old-board"]), ("?health=retired", ["old-board"])]
)
def test_the_list_leaves_out_retired_devices_unless_asked(
    client: Client, query: str, shown: list[str]
) -> None:
    build.device("old-board")
    lifecycle.retire("old-board", by="admin")

    assert names(page(client, f"/devices/{query}")) == shown


@pytest.fixture
def rack() -> None:
    """A device in each condition."""
    build.worker("away", state=WorkerState.OFFLINE)
    build.device("well-b")
    build.device("well-a", tags=("usb",), device_type="imx8")
    build.device("doubtful", health=DeviceHealth.UNKNOWN)
    build.device("taken-out", health=DeviceHealth.MAINTENANCE, health_reason="fan is loud")
    build.device("looping", health=DeviceHealth.LOOPING)
    build.device("cut-off", worker="away")
    build.device("broken", health=DeviceHealth.BAD)
    build.device("gone", health=DeviceHealth.RETIRED)


IN_SERVICE = ["broken", "cut-off", "looping", "taken-out", "doubtful", "well-a", "well-b"]


@pytest.mark.usefixtures("rack")
@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("", IN_SERVICE),
        ("health=ailing", IN_SERVICE[:4]),
        ("health=good&sort=-name", ["well-b", "well-a", "cut-off"]),
        ("sort=name", sorted(IN_SERVICE)),
        ("type=imx8", ["well-a"]),
        ("worker=away", ["cut-off"]),
        ("tag=usb", ["well-a"]),
        ("state=running", []),
        ("q=FAN", ["taken-out"]),
        ("q=usb", ["well-a"]),
        ("q=away", ["cut-off"]),
        ("q=well&type=imx8", ["well-a"]),
        ("page=99", IN_SERVICE),
    ],
)
def test_the_address_of_the_list_says_what_is_shown_and_in_which_order(
    client: Client, query: str, shown: list[str]
) -> None:
    assert names(page(client, f"/devices/?{query}")) == shown


@pytest.mark.usefixtures("rack")
def test_the_list_counts_the_devices_in_each_health(client: Client) -> None:
    html = page(client, "/devices/?health=bad")

    pills = dict(re.findall(r'id="pill-(\w+)".*?class="number">(\d+)<', html, re.DOTALL))
    ill = {"unknown": "1", "looping": "1", "bad": "1", "maintenance": "1", "retired": "1"}
    assert pills == {"all": "7", "ailing": "4", "good": "3", **ill}


@pytest.mark.usefixtures("rack")
def test_the_links_of_the_list_keep_the_other_filters(client: Client) -> None:
    html = page(client, "/devices/?q=well&sort=-name&fragment=live")

    assert 'href="?q=well&amp;sort=-name&amp;health=good"' in html
    assert 'href="?q=well&amp;sort=name"' in html
    assert 'aria-sort="descending"' in html


@pytest.mark.parametrize(
    ("query", "complaint"),
    [
        ("type=toaster", "There is no type “toaster” here"),
        ("health=fine", "There is no health “fine” here"),
        ("sort=age", "There is no sort “age” here"),
        ("q=%00", "Null characters are not allowed"),
    ],
)
def test_a_filter_that_is_not_understood_is_named(client: Client, query: str, complaint: str) -> None:
    assert complaint in page(client, f"/devices/?{query}", 400)


def test_a_long_list_comes_in_pages(client: Client) -> None:
    for number in range(DEVICES_OF_PAGE + 1):
        build.device(f"board-{number:03}")

    first, second = page(client, "/devices/"), page(client, "/devices/?page=2")

    assert len(names(first)) == DEVICES_OF_PAGE
    assert 'href="?page=2"' in first
    assert names(second) == [f"board-{DEVICES_OF_PAGE:03}"]


def test_a_device_whose_worker_is_away_says_so(client: Client) -> None:
    build.worker(state=WorkerState.OFFLINE)
    build.device()

    for address in ("/devices/", "/device/qemu01/", "/"):
        assert "Worker offline" in page(client, address)


@pytest.mark.parametrize(
    "address", ["/devices/", "/device-types/", "/device-type/qemu/", "/workers/", "/worker/worker01/"]
)
def test_a_page_asks_the_database_as_often_for_many_rows_as_for_one(
    client: Client, admin: User, address: str
) -> None:
    client.force_login(admin)
    build.device("board-0", tags=("usb",))
    page(client, address)  # what is asked once for each process, such as content types
    with CaptureQueriesContext(connection) as for_one:
        page(client, address)
    for number in range(1, 10):
        build.device(f"board-{number}", tags=("usb",), worker=f"worker{number}", device_type=f"type{number}")
        build.device(f"more-{number}")
        build.job(state=State.RUNNING, device=f"more-{number}")
    with CaptureQueriesContext(connection) as for_many:
        page(client, address)

    assert len(for_many) == len(for_one)


def test_the_page_of_a_device_asks_as_often_for_many_jobs_and_changes_as_for_one(
    client: Client, admin: User
) -> None:
    client.force_login(admin)
    build.job(state=State.FINISHED)
    with CaptureQueriesContext(connection) as for_one:
        page(client, "/device/qemu01/")
    for number in range(9):
        build.job(state=State.FINISHED)
        lifecycle.good("qemu01", by="admin", reason=f"look {number}")
    with CaptureQueriesContext(connection) as for_many:
        page(client, "/device/qemu01/")

    assert len(for_many) == len(for_one)


def test_the_page_of_a_device_shows_who_changed_its_health_and_why(client: Client) -> None:
    build.device()
    lifecycle.maintenance("qemu01", by="carol", reason="new relay on Tuesday")

    html = page(client, "/device/qemu01/")

    assert "new relay on Tuesday" in html
    assert "by carol" in html


def test_the_page_of_a_device_shows_its_last_jobs(client: Client) -> None:
    build.job(state=State.FINISHED, name="yesterday")
    build.job(state=State.RUNNING, name="today")

    html = page(client, "/device/qemu01/")

    jobs = html.partition("Last jobs")[2]
    assert 0 < jobs.index("today") < jobs.index("yesterday")


def test_a_hidden_job_is_seen_on_no_page_of_its_device(client: Client, alice: User, mallory: User) -> None:
    job = build.job(submitter=alice, state=State.RUNNING, name="hush", visibility="personal")
    client.force_login(mallory)

    for address in ("/devices/", "/device/qemu01/"):
        html = page(client, address)
        assert "hush" not in html
        assert f"/job/{job.pk}/" not in html


def test_an_unknown_device_is_not_found(client: Client) -> None:
    page(client, "/device/nobody/", 404)
    assert client.post("/device/nobody/health/").status_code == 404


@pytest.mark.parametrize(
    ("health", "told"), [(DeviceHealth.MAINTENANCE, "Taken out"), (DeviceHealth.RETIRED, "Retired")]
)
def test_a_caretaker_takes_a_device_out_with_a_reason(
    client: Client, caretaker: User, health: DeviceHealth, told: str
) -> None:
    build.device()
    client.force_login(caretaker)

    response = client.post(
        "/device/qemu01/health/",
        {"health": health.value, "reason": "smoke", "is_confirmed": "yes"},
        follow=True,
    )

    device = Device.objects.get()
    assert f"{told}: qemu01." in response.content.decode()
    assert (device.health, device.health_reason, device.health_by) == (health, "smoke", "bob")
    assert build.events_of(device)[-1] == "device.changed"
    assert LogEntry.objects.get().get_change_message() == f"{health.label}: smoke"


def test_a_caretaker_brings_a_device_back(client: Client, caretaker: User) -> None:
    build.device(health=DeviceHealth.MAINTENANCE)
    client.force_login(caretaker)

    client.post("/device/qemu01/health/", {"health": DeviceHealth.GOOD.value, "reason": ""})

    assert Device.objects.get().health == DeviceHealth.GOOD


def test_retiring_a_busy_device_cancels_its_job(client: Client, admin: User) -> None:
    job = build.job(state=State.RUNNING)
    client.force_login(admin)

    client.post("/device/qemu01/health/", {"health": DeviceHealth.RETIRED.value, "is_confirmed": "yes"})

    assert Job.objects.get(pk=job.pk).state == State.CANCELING


def test_a_stranger_changes_no_device_and_sees_no_form(client: Client, mallory: User) -> None:
    build.device()
    client.force_login(mallory)

    response = client.post("/device/qemu01/health/", {"health": DeviceHealth.RETIRED.value})

    assert response.status_code == 403
    assert "You do not look after qemu01." in response.content.decode()
    assert Device.objects.get().health == DeviceHealth.GOOD
    assert "<form" not in page(client, "/device/qemu01/").partition("<main")[2]


def test_who_is_not_logged_in_is_led_back_to_the_device_after_logging_in(client: Client) -> None:
    build.device()

    response = client.post("/device/qemu01/health/", {"health": DeviceHealth.RETIRED.value})

    assert response.headers["Location"] == "/login/?next=/device/qemu01/"
    assert Device.objects.get().health == DeviceHealth.GOOD


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"health": "3"}, "Select a valid choice"),
        ({"health": "soon"}, "Select a valid choice"),
        ({}, "This field is required"),
        ({"health": "4", "reason": "x" * 501}, "at most 500 characters"),
    ],
)
def test_a_form_that_is_not_understood_says_why_and_changes_nothing(
    client: Client, admin: User, fields: dict[str, str], complaint: str
) -> None:
    build.device()
    client.force_login(admin)

    response = client.post("/device/qemu01/health/", fields)

    assert response.status_code == 400
    assert complaint in response.content.decode()
    assert Device.objects.get().health == DeviceHealth.GOOD


def test_the_health_is_changed_by_post_only(client: Client, admin: User) -> None:
    build.device()
    client.force_login(admin)

    assert client.get("/device/qemu01/health/").status_code == 405


def test_the_parts_that_change_come_without_the_form(client: Client, admin: User) -> None:
    build.device()
    client.force_login(admin)

    html = page(client, "/device/qemu01/?fragment=live")

    assert 'id="device-head" data-live' in html
    assert "<form" not in html


# Many at once


OUT = DeviceHealth.MAINTENANCE.value


def healths() -> dict[str, int]:
    return dict(Device.objects.values_list("pk", "health"))


@pytest.fixture
def pair() -> None:
    build.device("qemu01")
    build.device("qemu02")


@pytest.mark.usefixtures("pair")
def test_many_devices_are_taken_out_with_one_reason_and_named(client: Client, caretaker: User) -> None:
    client.force_login(caretaker)

    response = client.post(
        "/devices/health/?sort=name", {"device": ["qemu02", "qemu01"], "health": OUT, "reason": "new rack"}
    )

    assert response.headers["Location"] == "/devices/?sort=name"
    assert "Taken out: qemu01, qemu02." in page(client, "/devices/?sort=name")
    assert healths() == {"qemu01": OUT, "qemu02": OUT}
    assert set(Device.objects.values_list("health_reason", flat=True)) == {"new rack"}


@pytest.mark.usefixtures("pair")
def test_all_are_changed_or_none_and_what_is_left_can_be_changed_from_there(
    client: Client, admin: User
) -> None:
    client.force_login(admin)

    response = client.post("/devices/health/", {"device": ["qemu01", "gone"], "health": OUT})

    html = response.content.decode()
    assert response.status_code == 404
    assert "There is no device gone." in html
    assert '<input type="hidden" name="device" value="qemu01">' in html
    assert OUT not in healths().values()


@pytest.mark.usefixtures("pair")
def test_one_device_of_others_keeps_all_from_being_changed(client: Client, alice: User, group: Group) -> None:
    DeviceRight.objects.create(group=group, device_id="qemu01", right=Right.CHANGE)
    client.force_login(alice)

    response = client.post("/devices/health/", {"device": ["qemu01", "qemu02"], "health": OUT})

    assert response.status_code == 403
    assert "You do not look after qemu02." in response.content.decode()
    assert OUT not in healths().values()


@pytest.mark.usefixtures("pair")
def test_only_what_one_looks_after_can_be_chosen(client: Client, alice: User, group: Group) -> None:
    DeviceRight.objects.create(group=group, device_id="qemu01", right=Right.CHANGE)
    client.force_login(alice)

    html = page(client, "/devices/")

    assert re.findall(r'aria-label="Choose ([\w-]+)"', html) == ["qemu01"]


@pytest.mark.usefixtures("pair")
def test_a_visitor_chooses_nothing_and_is_asked_to_log_in(client: Client) -> None:
    html = page(client, "/devices/")
    response = client.post("/devices/health/?health=good", {"device": "qemu01", "health": OUT})

    assert "checkbox" not in html.partition('id="devices"')[2]
    assert response.headers["Location"] == "/login/?next=/devices/%3Fhealth%3Dgood"
    assert OUT not in healths().values()


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"health": OUT}, "Choose at least one device"),
        ({"device": "no such", "health": OUT}, "There is no device"),
        ({"device": "\0", "health": OUT}, "There is no device"),
        ({"device": "qemu01"}, "This field is required"),
        ({"device": "qemu01", "health": OUT, "reason": "x" * 501}, "at most 500 characters"),
    ],
)
def test_a_choice_that_is_not_understood_says_why_and_changes_nothing(
    client: Client, admin: User, fields: dict[str, str], complaint: str
) -> None:
    build.device()
    client.force_login(admin)

    response = client.post("/devices/health/", fields)

    assert response.status_code == 400
    assert complaint in response.content.decode()
    assert healths() == {"qemu01": DeviceHealth.GOOD}


@pytest.mark.parametrize("address", ["/devices/health/", "/device/qemu01/health/"])
def test_before_a_device_is_retired_the_job_that_it_would_cost_is_shown(
    client: Client, admin: User, address: str
) -> None:
    job = build.job(state=State.RUNNING)
    client.force_login(admin)

    response = client.post(
        address, {"device": "qemu01", "health": DeviceHealth.RETIRED.value, "reason": "old"}
    )

    html = response.content.decode()
    assert "Retire qemu01?" in html
    assert f"#{job.pk} hello" in html
    assert "it will be canceled" in html
    assert 'value="old"' in html
    assert healths() == {"qemu01": DeviceHealth.GOOD}


# Device


def test_a_job_that_is_hidden_is_told_of_without_its_name(client: Client, mallory: User) -> None:
    build.job(state=State.RUNNING, name="hush", visibility="personal")
    client.force_login(mallory)

    for address in ("/devices/", "/device/qemu01/"):
        assert "a job that is hidden from you" in page(client, address)


def test_the_history_of_health_tells_from_what_to_what_by_whom_and_why(client: Client) -> None:
    build.device()
    lifecycle.maintenance("qemu01", by="carol", reason="fan is loud")

    change = page(client, "/device/qemu01/").partition('class="history"')[2].partition("</li>")[0]

    assert re.findall("Good|Maintenance", change) == ["Good", "Maintenance"]
    assert "fan is loud" in change
    assert "carol" in change


def test_a_long_history_comes_in_pages(client: Client) -> None:
    build.device()
    for number in range(15):
        lifecycle.maintenance("qemu01", by="carol", reason=f"look {number:02}")

    first = page(client, "/device/qemu01/")
    older = re.search(r'href="(\?before=\d+)#device-history"', first)
    assert older is not None
    second = page(client, f"/device/qemu01/{older[1]}")

    looks = re.findall(r"look \d\d", first.partition('class="history"')[2])
    assert looks == [f"look {number:02}" for number in range(14, 4, -1)]
    assert "look 04" in second
    assert "look 05" not in second.partition('class="history"')[2]


def test_the_last_jobs_are_a_strip_of_how_they_ended(client: Client) -> None:
    build.job(state=State.FINISHED)
    build.job(state=State.FINISHED, ending=build.FAILED)
    build.job(state=State.RUNNING)

    strip = page(client, "/device/qemu01/").partition('class="strip"')[2].partition("</ol>")[0]

    ended = re.findall(r'title="#\d+ ([\w ]+)"', strip)
    assert ended == ["Running", "Incomplete", "Complete"]


def test_the_configuration_is_for_those_who_look_after_the_device(
    client: Client, alice: User, admin: User
) -> None:
    build.device(dictionary="password: secret")

    for user, is_shown in ((None, False), (alice, False), (admin, True)):
        if user is not None:
            client.force_login(user)
        assert ("password: secret" in page(client, "/device/qemu01/")) == is_shown


def test_a_device_shows_only_the_deeds_that_change_it(client: Client, admin: User) -> None:
    build.device(health=DeviceHealth.MAINTENANCE)
    client.force_login(admin)

    deeds = re.findall(r'id="deed-\d".*?>([\w ]+)<span', page(client, "/device/qemu01/"))

    assert deeds == ["Bring back", "Retire"]


def test_a_hidden_device_is_not_found_and_in_no_list(
    client: Client, alice: User, mallory: User, group: Group
) -> None:
    build.device("secret-board")
    DeviceRight.objects.create(group=group, device_id="secret-board", right=Right.VIEW)

    client.force_login(mallory)
    for address in ("/devices/", "/device-type/qemu/", "/worker/worker01/"):
        assert "secret-board" not in page(client, address)
    page(client, "/device/secret-board/", 404)
    assert client.post("/device/secret-board/health/", {"health": OUT}).status_code == 404
    assert client.post("/devices/health/", {"device": "secret-board", "health": OUT}).status_code == 404
    client.force_login(alice)
    page(client, "/device/secret-board/")


def in_words(html: str) -> list[str]:
    return re.findall(r"<dt>(?:Seen by|Runs jobs of|Looked after by)</dt><dd>(.*?)</dd>", html)


@pytest.mark.parametrize(
    ("on_type", "on_device", "told"),
    [
        ([], [], ["everybody", "everybody who has an account", "administrators"]),
        ([Right.SUBMIT], [], ["everybody", "types, administrators", "administrators"]),
        ([Right.VIEW], [], ["types, administrators", "types, administrators", "administrators"]),
        ([Right.CHANGE], [], ["everybody", "everybody who has an account", "types, administrators"]),
        ([Right.SUBMIT], [Right.SUBMIT], ["everybody", "devices, administrators", "administrators"]),
        (
            [Right.SUBMIT],
            [Right.CHANGE],
            ["everybody", "devices, types, administrators", "devices, administrators"],
        ),
        (
            [Right.CHANGE],
            [Right.VIEW],
            ["devices, administrators", "devices, administrators", "administrators"],
        ),
    ],
)
def test_rights_are_told_in_words_as_they_hold(
    client: Client, mallory: User, on_type: list[Right], on_device: list[Right], told: list[str]
) -> None:
    device = build.device()
    types, devices = build.group("types"), build.group("devices")
    for right in on_type:
        DeviceTypeRight.objects.create(group=types, device_type_id="qemu", right=right)
    for right in on_device:
        DeviceRight.objects.create(group=devices, device=device, right=right)
    in_types, in_devices = build.user("tess", types), build.user("dave", devices)
    shown = [name for name in (in_types, in_devices) if Device.objects.visible_to(name).exists()]
    client.force_login(shown[0])

    assert in_words(page(client, "/device/qemu01/")) == told
    for user, word in ((in_types, "types"), (in_devices, "devices")):
        rules = (Device.objects.visible_to, Device.objects.open_to, Device.objects.changeable_by)
        for rule, words in zip(rules, told, strict=True):
            assert rule(user).exists() == (word in words or "everybody" in words)


# Types


def test_a_type_tells_how_many_devices_are_free_and_how_many_jobs_wait(client: Client) -> None:
    build.job(state=State.RUNNING, device="qemu01")
    build.device("qemu02")
    build.device("qemu03", health=DeviceHealth.BAD)
    build.job()

    for address in ("/device-types/", "/device-type/qemu/"):
        html = page(client, address)
        for words in ("1 free", "1 at work", "1 out", "1 waiting"):
            assert words in html


def test_a_hidden_type_is_not_found_and_in_no_list(client: Client, mallory: User, group: Group) -> None:
    build.device_type("secret-type")
    DeviceTypeRight.objects.create(group=group, device_type_id="secret-type", right=Right.VIEW)
    client.force_login(mallory)

    assert "secret-type" not in page(client, "/device-types/")
    page(client, "/device-type/secret-type/", 404)


def test_an_alias_is_shown_with_its_type(client: Client) -> None:
    build.device_type().aliases.create(name="emulated")

    assert "emulated" in page(client, "/device-types/")
    assert "emulated" in page(client, "/device-type/qemu/")


# Workers


def test_who_may_add_workers_is_led_to_where_that_is_done(client: Client, admin: User, alice: User) -> None:
    build.worker("worker01")
    add, change = "/admin/devices/worker/add/", "/admin/devices/worker/worker01/change/"

    client.force_login(alice)
    assert add not in page(client, "/workers/")
    assert change not in page(client, "/worker/worker01/")
    client.force_login(admin)
    assert f'href="{add}"' in page(client, "/workers/")
    assert f'href="{change}"' in page(client, "/worker/worker01/")


def test_the_list_of_workers_tells_state_health_and_jobs(client: Client) -> None:
    build.job(state=State.RUNNING)
    build.worker("away", state=WorkerState.OFFLINE, health=WorkerHealth.MAINTENANCE)

    html = page(client, "/workers/")

    for word in ("Online", "Offline", "Active", "Maintenance", "1<span"):
        assert word in html


def test_a_worker_is_taken_out_with_a_reason_and_brought_back(client: Client, admin: User) -> None:
    worker = build.worker()
    client.force_login(admin)

    client.post("/worker/worker01/health/", {"health": WorkerHealth.MAINTENANCE.value, "reason": "new disk"})
    html = page(client, "/worker/worker01/")

    assert Worker.objects.get().health == WorkerHealth.MAINTENANCE
    assert build.events_of(worker)[-1] == "worker.changed"
    assert "Taken out: worker01." in html
    assert "Maintenance: new disk" in html.partition("What people did with it")[2]
    client.post("/worker/worker01/health/", {"health": WorkerHealth.ACTIVE.value})
    assert Worker.objects.get().health == WorkerHealth.ACTIVE


def test_a_stranger_changes_no_worker_and_sees_no_form(client: Client, mallory: User) -> None:
    build.worker()
    client.force_login(mallory)

    response = client.post("/worker/worker01/health/", {"health": WorkerHealth.RETIRED.value})

    assert response.status_code == 403
    assert "those who look after workers" in response.content.decode()
    assert Worker.objects.get().health == WorkerHealth.ACTIVE
    assert "<form" not in page(client, "/worker/worker01/").partition("<main")[2]


def test_a_visitor_who_changes_a_worker_is_led_back_to_it_after_logging_in(client: Client) -> None:
    build.worker()

    response = client.post("/worker/worker01/health/", {"health": WorkerHealth.RETIRED.value})

    assert response.headers["Location"] == "/login/?next=/worker/worker01/"


@pytest.mark.parametrize("fields", [{}, {"health": "9"}, {"health": "1", "reason": "x" * 501}])
def test_what_is_not_understood_of_a_worker_says_so(
    client: Client, admin: User, fields: dict[str, str]
) -> None:
    build.worker()
    client.force_login(admin)

    response = client.post("/worker/worker01/health/", fields)

    assert response.status_code == 400
    assert "Back to worker01" in response.content.decode()


@pytest.mark.parametrize(
    ("address", "words"),
    [("/workers/", "No worker yet."), ("/device-types/", "No device type yet.")],
)
def test_an_empty_list_says_what_is_next(client: Client, address: str, words: str) -> None:
    assert words in page(client, address)


# A closed device


def test_a_closed_device_says_why_and_what_to_do(client: Client, admin: User) -> None:
    job = build.given_up()

    seen = page(client, "/device/qemu01/")
    client.force_login(admin)
    looked_after = page(client, "/device/qemu01/")

    assert "Closed: it gets no job." in seen
    assert f'href="/job/{job.pk}/">#{job.pk} hello</a> by itself, and worker01 has not confirmed' in seen
    assert "deed-free" not in seen
    assert "say how you know as the reason, and free it" in looked_after
    assert 'formaction="/device/qemu01/free/"' in looked_after


def test_a_list_shows_that_a_device_is_closed(client: Client) -> None:
    build.given_up()

    html = page(client, "/devices/")

    assert "Closed" in html
    assert "the end of a job, not confirmed yet" in html


def test_a_closed_device_keeps_silent_about_a_hidden_job(client: Client, alice: User, mallory: User) -> None:
    job = build.given_up(submitter=alice, visibility="personal", name="hush")
    client.force_login(mallory)

    html = page(client, "/device/qemu01/")

    assert "a job that is hidden from you" in html
    assert "hush" not in html
    assert f"#{job.pk}" not in html


def test_a_caretaker_frees_a_device_with_a_reason(client: Client, caretaker: User) -> None:
    build.given_up()
    client.force_login(caretaker)

    response = client.post("/device/qemu01/free/", {"reason": "I pulled the plug"}, follow=True)

    assert "Freed: qemu01." in response.content.decode()
    assert not Device.objects.get().is_closed
    assert LogEntry.objects.get().get_change_message() == "Freed: I pulled the plug"


def test_a_device_is_not_freed_without_a_reason(client: Client, admin: User) -> None:
    build.given_up()
    client.force_login(admin)

    response = client.post("/device/qemu01/free/", {"reason": " "}, follow=True)

    assert "qemu01 stays closed: Say how you know." in response.content.decode()
    assert Device.objects.get().is_closed


def test_a_device_that_a_job_has_is_not_freed_and_says_so(client: Client, admin: User) -> None:
    build.job(state=State.RUNNING)
    client.force_login(admin)

    response = client.post("/device/qemu01/free/", {"reason": "sure"}, follow=True)

    assert "cancel the job instead of freeing the device" in response.content.decode()


def test_a_stranger_frees_no_device(client: Client, mallory: User) -> None:
    build.given_up()
    anonymous = client.post("/device/qemu01/free/", {"reason": "sure"})
    client.force_login(mallory)

    assert client.post("/device/qemu01/free/", {"reason": "sure"}).status_code == 403
    assert anonymous.headers["Location"] == "/login/?next=/device/qemu01/"
    assert Device.objects.get().is_closed


def test_a_caretaker_has_a_device_checked(client: Client, caretaker: User) -> None:
    build.device_type("qemu", health_check=build.definition())
    build.device("qemu01")
    client.force_login(caretaker)
    assert 'formaction="/device/qemu01/check/"' in page(client, "/device/qemu01/")

    response = client.post("/device/qemu01/check/", {"reason": "new cables"}, follow=True)

    assert "qemu01 is checked before it gets any other job." in response.content.decode()
    assert Device.objects.get().health == DeviceHealth.UNKNOWN
    assert LogEntry.objects.get().get_change_message() == "Check: new cables"


def test_a_caretaker_loops_the_check_of_a_device(client: Client, caretaker: User) -> None:
    build.device_type("qemu", health_check=build.definition())
    build.device("qemu01")
    client.force_login(caretaker)

    response = client.post("/device/qemu01/health/", {"health": DeviceHealth.LOOPING.value}, follow=True)

    assert "Looping the health check: qemu01." in response.content.decode()
    assert Device.objects.get().health == DeviceHealth.LOOPING


def test_a_device_without_a_check_offers_none(client: Client, caretaker: User) -> None:
    build.device("qemu01")
    client.force_login(caretaker)

    html = page(client, "/device/qemu01/")
    asked = client.post("/device/qemu01/check/", follow=True)
    looped = client.post("/device/qemu01/health/", {"health": DeviceHealth.LOOPING.value}, follow=True)

    assert "Check now" not in html
    assert "Loop checks" not in html
    assert "Devices of type qemu are not checked" in asked.content.decode()
    assert "Nothing was changed: devices of type qemu are not checked" in looped.content.decode()
    assert Device.objects.get().health == DeviceHealth.GOOD


def test_a_stranger_has_no_device_checked(client: Client, mallory: User) -> None:
    build.device("qemu01")
    anonymous = client.post("/device/qemu01/check/")
    client.force_login(mallory)

    assert anonymous["Location"].startswith("/login/")
    assert client.post("/device/qemu01/check/").status_code == 403


def test_a_type_tells_how_its_devices_are_checked(client: Client, admin: User) -> None:
    build.device_type("qemu", health_check=build.definition(name="is it well?"), health_frequency=5)

    seen = page(client, "/device-type/qemu/")
    client.force_login(admin)
    looked_after = page(client, "/device-type/qemu/")

    assert "every 5 hours" in seen
    assert "is it well?" not in seen
    assert "is it well?" in looked_after
