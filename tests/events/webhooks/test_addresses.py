"""Where nothing is ever sent, whatever the address looks like."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from ipaddress import ip_address

import pytest
from pytest_django import Settings

from events.webhooks import addresses
from events.webhooks.addresses import BadAddress, Ip, Resolve

PUBLIC = "93.184.216.34"


def resolving(*texts: str) -> Resolve:
    """A name service that knows these addresses, whatever it is asked for."""

    def resolve(host: str, port: int) -> Sequence[Ip]:
        return [ip_address(text) for text in texts]

    return resolve


def checked(text: str, *texts: str) -> list[Ip]:
    return addresses.checked(addresses.parse(text), resolving(*texts))


@pytest.mark.parametrize(
    ("text", "host", "port", "path"),
    [
        ("https://ci.example.org", "ci.example.org", 443, "/"),
        ("http://CI.example.org:8080/lab?key=1", "ci.example.org", 8080, "/lab?key=1"),
        ("https://[2606:2800:220:1::1]/x", "2606:2800:220:1::1", 443, "/x"),
        ("https://bücher.example/", "xn--bcher-kva.example", 443, "/"),
    ],
)
def test_an_address_is_understood(text: str, host: str, port: int, path: str) -> None:
    target = addresses.parse(text)

    assert (target.host, target.port, target.path) == (host, port, path)


@pytest.mark.parametrize(
    ("text", "authority"),
    [
        ("https://ci.example.org:443/", "ci.example.org"),
        ("http://ci.example.org:8080/", "ci.example.org:8080"),
        ("https://[2606:2800:220:1::1]/", "[2606:2800:220:1::1]"),
    ],
)
def test_the_host_is_named_as_http_wants_it(text: str, authority: str) -> None:
    assert addresses.parse(text).authority == authority


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "expected an address"),
        ("ci.example.org/lab", "expected an address"),
        ("ftp://ci.example.org/", "expected an address"),
        ("file:///etc/passwd", "expected an address"),
        ("https:///lab", "expected an address"),
        ("https://alice:secret@ci.example.org/", "leave the name and password out"),
        ("https://alice@ci.example.org/", "leave the name and password out"),
        ("https://ci.example.org/#top", "leave out the #"),
        ("https://ci.example.org/a b", "a space or a control character"),
        ("https://ci.example.org/a\r\nX-Evil: 1", "a space or a control character"),
        ("https://ci.example.org/ä", "letters beyond ASCII"),
        ("https://ci.example.org:22/", "nothing is sent to port 22"),
        ("https://ci.example.org:0/", "nothing is sent to port 0"),
        ("https://ci.example.org:99999/", "cannot be read"),
        ("https://[fe80::1%25eth0]/", "the address of a link|cannot be read"),
        ("https://[::1/", "cannot be read"),
        ("https://a_b$.example/", "no name of a host"),
        ("https://" + "a" * 2000, "2,008 characters"),
    ],
)
def test_what_is_no_address_of_a_webhook_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(BadAddress, match=complaint):
        addresses.parse(text)


@pytest.mark.parametrize(
    "ip",
    [
        "127.0.0.1",
        "127.255.255.254",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.7.1",
        "169.254.169.254",
        "100.64.0.1",
        "192.0.0.8",
        "192.0.2.1",
        "198.18.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "240.0.0.1",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::1",
        "2002:7f00:1::",
        "2001:0:53aa:64c::1",
        "2001:db8::1",
        "3fff::1",
        "fc00::1",
        "fd12::1",
        "fe80::1",
        "fec0::1",
        "ff02::1",
    ],
)
def test_no_address_of_an_inner_network_is_reached(ip: str) -> None:
    with pytest.raises(BadAddress, match="WEBHOOK_ALLOWED_NETWORKS"):
        checked("https://ci.example.org/", ip)


@pytest.mark.parametrize("ip", [PUBLIC, "172.32.0.1", "2606:2800:220:1::1", "::ffff:93.184.216.34"])
def test_an_address_on_the_internet_is_reached(ip: str) -> None:
    assert checked("https://ci.example.org/", ip) == [ip_address(ip)]


def test_one_inner_address_among_others_is_enough_to_refuse(settings: Settings) -> None:
    with pytest.raises(BadAddress, match="not on the public internet"):
        checked("https://ci.example.org/", PUBLIC, "10.0.0.1")


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "127.1", "017700000001", "localhost", "127.0.0.1"])
def test_loopback_is_found_out_however_it_is_written(host: str) -> None:
    with pytest.raises(BadAddress):
        addresses.checked(addresses.parse(f"http://{host}:8000/"))


def test_a_network_that_the_lab_opens_is_reached_and_its_neighbour_is_not(settings: Settings) -> None:
    settings.WEBHOOK_ALLOWED_NETWORKS = ["192.168.7.0/24", "fd12::/16"]

    for inside in ("192.168.7.9", "::ffff:192.168.7.9", "fd12::9"):
        assert checked("http://ci.lan/", inside) == [ip_address(inside)]
    with pytest.raises(BadAddress):
        checked("http://ci.lan/", "192.168.8.9")


@pytest.mark.parametrize("name", ["lab.example.org", "LAB.example.org", "other.example.org"])
def test_the_lab_itself_is_not_reached_by_its_names(name: str, settings: Settings) -> None:
    settings.LAB_URL = "https://lab.example.org"
    settings.ALLOWED_HOSTS = ["other.example.org"]

    with pytest.raises(BadAddress, match="the lab"):
        checked(f"https://{name}/", PUBLIC)


def test_an_address_of_this_machine_is_known_without_asking_anybody() -> None:
    assert addresses.is_of_this_machine(ip_address("127.0.0.1"))
    assert not addresses.is_of_this_machine(ip_address(PUBLIC))


def test_a_name_that_nobody_knows_is_told() -> None:
    def resolve(host: str, port: int) -> Sequence[Ip]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with pytest.raises(BadAddress, match=r"ci\.example\.org cannot be found"):
        addresses.checked(addresses.parse("https://ci.example.org/"), resolve)
