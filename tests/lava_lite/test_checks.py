from pathlib import Path

import pytest
from django.core.checks import CheckMessage
from pytest_django import Settings

from lava_lite import checks


def ids(messages: list[CheckMessage]) -> list[str | None]:
    return [message.id for message in messages]


def test_a_data_directory_that_is_not_there_yet_is_no_fault(settings: Settings, tmp_path: Path) -> None:
    settings.DATA = tmp_path / "new"

    assert checks.data_directory_is_ours(None) == []


def test_a_data_directory_that_cannot_be_written_is_told(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DATA = tmp_path
    monkeypatch.setattr("os.access", lambda path, mode: False)

    assert ids(checks.data_directory_is_ours(None)) == ["lava_lite.E001"]


@pytest.mark.parametrize(
    "address", ["tcp://127.0.0.1:5500", "tcp://*:5500", "tcp://[::1]:5500", "ipc:///run/events"]
)
def test_an_event_socket_that_zmq_can_bind_is_no_fault(settings: Settings, address: str) -> None:
    settings.EVENT_SOCKET = address

    assert checks.event_socket_is_an_address(None) == []


@pytest.mark.parametrize(
    "address", ["", "127.0.0.1:5500", "tcp://127.0.0.1", "tcp://127.0.0.1:x", "tcp://[::1:5500", "http://a:1"]
)
def test_an_event_socket_that_zmq_cannot_bind_is_told(settings: Settings, address: str) -> None:
    settings.EVENT_SOCKET = address

    assert ids(checks.event_socket_is_an_address(None)) == ["lava_lite.E002"]


def test_an_event_socket_that_is_not_used_may_be_anything(settings: Settings) -> None:
    settings.EVENT_NOTIFICATION = False
    settings.EVENT_SOCKET = "off"

    assert checks.event_socket_is_an_address(None) == []


@pytest.mark.parametrize("url", ["amqp://a:b@127.0.0.1/", "amqp://[::1]/", "amqps://a:b@rabbit.example.org/"])
def test_a_broker_nearby_or_called_by_tls_is_no_fault(settings: Settings, url: str) -> None:
    settings.EVENT_AMQP_ENABLED, settings.EVENT_AMQP_URL = True, url

    assert checks.broker_is_near_or_called_by_tls(None) == []


def test_a_broker_far_away_without_tls_is_told_without_its_password(settings: Settings) -> None:
    settings.EVENT_AMQP_ENABLED, settings.EVENT_AMQP_URL = True, "amqp://lab:hunter2@rabbit.example.org/"

    (found,) = checks.broker_is_near_or_called_by_tls(None)

    assert found.id == "lava_lite.W003"
    assert "rabbit.example.org" in found.msg
    assert "hunter2" not in found.msg


def test_a_broker_that_is_not_used_may_be_anywhere(settings: Settings) -> None:
    settings.EVENT_AMQP_URL = "amqp://rabbit.example.org/"

    assert checks.broker_is_near_or_called_by_tls(None) == []


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_loopback_needs_no_https(settings: Settings, host: str) -> None:
    settings.LISTEN, settings.SERVED = host, False

    assert checks.open_to_others_only_with_https(None) == []


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "lab.example.org", ""])
def test_a_lab_that_others_reach_without_https_is_warned_of(settings: Settings, host: str) -> None:
    settings.LISTEN, settings.SERVED = host, False

    assert ids(checks.open_to_others_only_with_https(None)) == ["lava_lite.W001"]


def test_a_served_lab_may_listen_anywhere(settings: Settings) -> None:
    settings.LISTEN, settings.SERVED = "0.0.0.0", True

    assert checks.open_to_others_only_with_https(None) == []


@pytest.mark.parametrize("hosts", [["localhost", "127.0.0.1", "[::1]"], ["localhost", "0.0.0.0"], ["*"]])
def test_a_served_lab_without_a_name_of_its_own_is_told_to_take_one(
    settings: Settings, hosts: list[str]
) -> None:
    settings.SERVED, settings.LISTEN, settings.ALLOWED_HOSTS = True, "0.0.0.0", hosts

    (found,) = checks.served_lab_knows_its_name(None)

    assert found.id == "lava_lite.E003"
    assert "ALLOWED_HOSTS=lab.example.org" in str(found.hint)


def test_a_served_lab_that_has_its_name_is_no_fault(settings: Settings) -> None:
    settings.SERVED, settings.ALLOWED_HOSTS = True, ["lab.example.org", "localhost"]

    assert checks.served_lab_knows_its_name(None) == []


def test_a_lab_on_loopback_needs_no_name(settings: Settings) -> None:
    settings.SERVED, settings.ALLOWED_HOSTS = False, ["localhost"]

    assert checks.served_lab_knows_its_name(None) == []


def test_a_plugin_that_cannot_be_used_is_told_and_stops_nothing(settings: Settings) -> None:
    settings.PLUGINS = ["missing_plugin", "json"]

    missing, no_plugin = checks.plugins_can_be_used(None)

    assert ids([missing, no_plugin]) == ["lava_lite.W004"] * 2
    assert "the plugin missing_plugin cannot be imported" in missing.msg
    assert f"put it into {settings.DATA}/plugins" in missing.msg
    assert "the plugin json has no function connect(bus)" in no_plugin.msg


@pytest.mark.parametrize(
    ("mode", "expected"), [(0o600, []), (0o640, ["lava_lite.W002"]), (0o604, ["lava_lite.W002"])]
)
def test_a_secret_key_that_others_can_read_is_told(
    settings: Settings, tmp_path: Path, mode: int, expected: list[str]
) -> None:
    settings.SECRET_KEY_FILE = tmp_path / "secret.key"
    settings.SECRET_KEY_FILE.write_text("key")
    settings.SECRET_KEY_FILE.chmod(mode)

    assert ids(checks.secret_key_is_private(None)) == expected


def test_a_secret_key_that_is_not_there_yet_is_no_fault(settings: Settings, tmp_path: Path) -> None:
    settings.SECRET_KEY_FILE = tmp_path / "secret.key"

    assert checks.secret_key_is_private(None) == []


@pytest.mark.parametrize(("kept", "found"), [(0, []), (7, []), (6, ["lava_lite.W005"])])
def test_events_that_go_before_a_subscription_expires_are_told(
    kept: int, found: list[str], settings: Settings
) -> None:
    settings.KEEP_EVENTS_DAYS, settings.SUBSCRIPTION_DAYS = kept, 7

    assert ids(checks.events_stay_for_who_is_away(None)) == found
