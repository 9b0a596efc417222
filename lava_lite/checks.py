"""System checks: mistakes in the settings that would hurt later are told before."""

from __future__ import annotations

import ipaddress
import os
import stat
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

from events import plugins

OTHERS = stat.S_IRWXG | stat.S_IRWXO


@register()
def data_directory_is_ours(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    if not settings.DATA.exists() or os.access(settings.DATA, os.R_OK | os.W_OK | os.X_OK):
        return []
    return [
        Error(
            f"The data directory {settings.DATA} cannot be written.",
            hint="Change its owner, or name another one in LAVA_LITE_DATA.",
            id="lava_lite.E001",
        )
    ]


@register()
def event_socket_is_an_address(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    if not settings.EVENT_NOTIFICATION or _is_zmq_address(settings.EVENT_SOCKET):
        return []
    return [
        Error(
            f"EVENT_SOCKET is {settings.EVENT_SOCKET!r}, which ZMQ cannot bind.",
            hint="Write tcp://127.0.0.1:5500, tcp://*:5500 or ipc:///a/path.",
            id="lava_lite.E002",
        )
    ]


@register()
def broker_is_near_or_called_by_tls(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    parts = urlsplit(settings.EVENT_AMQP_URL)
    if not settings.EVENT_AMQP_ENABLED or parts.scheme == "amqps" or _is_loopback(parts.hostname or ""):
        return []
    return [
        Warning(
            f"The broker {parts.hostname} is called without TLS: its password and all events cross the network in clear.",
            hint="Write amqps:// in EVENT_AMQP_URL, if the broker listens for TLS.",
            id="lava_lite.W003",
        )
    ]


@register()
def open_to_others_only_with_https(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    if settings.SERVED or _is_loopback(settings.LISTEN):
        return []
    return [
        Warning(
            f"The lab listens on {settings.LISTEN} without HTTPS: passwords and tokens cross the network in clear.",
            hint="Listen on 127.0.0.1, or put a proxy with HTTPS before it and set SERVED=true.",
            id="lava_lite.W001",
        )
    ]


@register()
def served_lab_knows_its_name(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    if not settings.SERVED:
        return []
    if "*" in settings.ALLOWED_HOSTS:
        trouble = "ALLOWED_HOSTS lets any host name in, and links are made of the name that a visitor sends."
    elif all(_is_loopback(host.strip("[]")) or host == settings.LISTEN for host in settings.ALLOWED_HOSTS):
        trouble = "ALLOWED_HOSTS has no name by which others call this lab; each of their requests is a 400."
    else:
        return []
    return [
        Error(
            trouble,
            hint="Name the lab as browsers do: ALLOWED_HOSTS=lab.example.org,localhost",
            id="lava_lite.E003",
        )
    ]


@register()
def secret_key_is_private(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    path = settings.SECRET_KEY_FILE
    if not path.exists() or not stat.S_IMODE(path.stat().st_mode) & OTHERS:
        return []
    return [
        Warning(
            f"Others on this machine can read {path}: with it they can make themselves a session of anybody.",
            hint=f"chmod 600 {path}; if somebody may have read it, remove it, and the next start makes a new one.",
            id="lava_lite.W002",
        )
    ]


@register()
def plugins_can_be_used(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    return [
        Warning(f"PLUGINS: {fault}.", hint="The lab runs without it meanwhile.", id="lava_lite.W004")
        for fault in plugins.faults()
    ]


@register()
def events_stay_for_who_is_away(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    if not 0 < settings.KEEP_EVENTS_DAYS < settings.SUBSCRIPTION_DAYS:
        return []
    return [
        Warning(
            f"A subscription may be away for {settings.SUBSCRIPTION_DAYS} days before it expires, and events are "
            f"deleted after {settings.KEEP_EVENTS_DAYS}: it can miss some in between.",
            hint="Make KEEP_EVENTS_DAYS larger, or SUBSCRIPTION_DAYS smaller.",
            id="lava_lite.W005",
        )
    ]


def _is_zmq_address(address: str) -> bool:
    try:
        parts = urlsplit(address)
        if parts.scheme == "tcp":
            return bool(parts.hostname) and parts.port is not None
    except ValueError:
        return False
    return parts.scheme == "ipc" and bool(parts.netloc + parts.path)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
