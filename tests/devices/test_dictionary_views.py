from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from pytest_django import Settings

from devices.models import Device
from tests import build
from tests.devices.test_templates import BOARD, HERE

pytestmark = pytest.mark.django_db

PAGE = "/device/qemu01/dictionary/"


@pytest.fixture
def site(client: Client, bob: User, settings: Settings) -> Client:
    """As somebody who may change all devices."""
    settings.DEVICE_TEMPLATES = [str(HERE)]
    bob.user_permissions.add(Permission.objects.get(codename="change_device"))
    client.force_login(bob)
    return client


def text_of(html: bytes) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html.decode()))


def test_the_page_shows_what_a_worker_gets_and_where_each_value_comes_from(site: Client) -> None:
    build.device(dictionary=BOARD)

    text = text_of(site.get(PAGE, {"context": "{memory: 2048}"}).content)

    assert "Nothing is wrong with what a worker gets." in text
    assert "power_on: pdu on 3 base.jinja2:12 power_on_command: dictionary, line 2" in text
    assert "- -m 2048 board.jinja2:14 memory: context of the job" in text
    assert "command: qemu-system-x86_64 board.jinja2:12 default" in text


def test_checking_shows_the_faults_and_saves_nothing(site: Client) -> None:
    build.device(dictionary=BOARD)

    broken = BOARD.replace("'pdu on 3'", "[1, 2]") + "{% set frobnicate = 1 %}"
    text = text_of(site.post(PAGE, {"dictionary": broken, "check": "1"}).content)

    assert "commands.power_on[0]: expected text (in quotes, if it looks like a number), got a number" in text
    assert Device.objects.get().dictionary == BOARD


def test_a_dictionary_with_a_fault_is_not_saved(site: Client) -> None:
    build.device()

    answer = site.post(PAGE, {"dictionary": "{% extends 'gone.jinja2' %}"})

    assert answer.status_code == 400
    assert "dictionary, line 1: there is no template gone.jinja2" in text_of(answer.content)
    assert Device.objects.get().dictionary == ""


def test_what_was_changed_is_told_by_name_and_without_its_value(site: Client) -> None:
    build.device(dictionary=BOARD)

    answer = site.post(
        PAGE, {"dictionary": BOARD.replace("pdu on 3", "pdu -p hush on 3").replace("\n", "\r\n")}
    )

    assert answer.status_code == 302
    assert Device.objects.get().dictionary == BOARD.replace("pdu on 3", "pdu -p hush on 3")
    assert build.audit_trail() == ["bob: qemu01: Changed dictionary (power_on_command)"]


@pytest.mark.parametrize("context", ["[a]", "{1: 2}", "{"])
def test_a_context_that_is_no_mapping_is_refused(site: Client, context: str) -> None:
    build.device(dictionary=BOARD)

    assert 'role="alert"' in site.get(PAGE, {"context": context}).content.decode()


def test_a_device_without_a_dictionary_shows_its_type_s(site: Client) -> None:
    build.device_type("qemu", dictionary="executor: shell\n")
    build.device()

    text = text_of(site.get(PAGE).content)

    assert "as its type says executor: shell" in text
