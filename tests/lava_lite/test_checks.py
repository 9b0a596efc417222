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
