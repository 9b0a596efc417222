"""Where webhooks may go: by HTTP, to machines of others, and to no network that the lab has not opened."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from urllib.parse import urljoin, urlsplit

from django.conf import settings

LONGEST = 2000  # characters
PORTS = {"http": 80, "https": 443}
FIRST_FREE_PORT = 1024  # those below it belong to services of other kinds

Ip = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Resolve = Callable[[str, int], Sequence[Ip]]  # OSError for a name that has no address

_HOST = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?\.?")

# What IANA has set aside in IPv4. Python's `is_global` says so too, but not alike in each of its versions.
_SET_ASIDE = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",  # this network
            "10.0.0.0/8",  # private
            "100.64.0.0/10",  # behind a carrier's NAT
            "127.0.0.0/8",  # loopback
            "169.254.0.0/16",  # link-local, where clouds keep their machines' secrets
            "172.16.0.0/12",  # private
            "192.0.0.0/24",  # protocols
            "192.0.2.0/24",  # documentation
            "192.88.99.0/24",  # 6to4 relays
            "192.168.0.0/16",  # private
            "198.18.0.0/15",  # benchmarks
            "198.51.100.0/24",  # documentation
            "203.0.113.0/24",  # documentation
            "224.0.0.0/4",  # multicast
            "240.0.0.0/4",  # reserved, and broadcast
        ),
    )
)
# Of IPv6 only what is given out to the public, and of that not what leads into IPv4 by a side door.
_PUBLIC_V6 = IPv6Network("2000::/3")
_SET_ASIDE_V6 = tuple(
    map(
        IPv6Network,
        (
            "2001::/23",  # protocols, Teredo among them
            "2001:db8::/32",  # documentation
            "2002::/16",  # 6to4
            "3fff::/20",  # documentation
        ),
    )
)
# An IPv4 address in the last four bytes, and it is that one which is meant.
_HOLDS_V4 = tuple(map(IPv6Network, ("::ffff:0:0/96", "64:ff9b::/96")))


class BadAddress(ValueError):
    """An address to which nothing is sent; says why, and what would be right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """An address that was understood."""

    scheme: str
    host: str  # in ASCII and lower case, without brackets
    port: int
    path: str  # with the query

    @property
    def authority(self) -> str:
        """As the header Host has it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}"

    def moved(self, location: str) -> Target:
        """Where a redirect leads. BadAddress, as `parse`, or for a way out of TLS."""
        try:
            target = parse(urljoin(str(self), location))
        except ValueError as wrong:
            raise BadAddress(f"where it redirects to, {wrong}") from wrong
        if self.scheme == "https" and target.scheme == "http":
            raise BadAddress(f"a redirect from https to {target} is not followed")
        return target


def parse(text: str) -> Target:
    """BadAddress for what is no address of a webhook by its form alone."""
    if len(text) > LONGEST:
        raise BadAddress(f"the address has {len(text):,} characters; at most {LONGEST:,} are allowed")
    if not text.isascii():
        text = _in_ascii(text)
    if any(character <= " " or character == "\x7f" for character in text):
        raise BadAddress("the address has a space or a control character in it; write it as %20 and the like")
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError as wrong:
        raise BadAddress(f"the address cannot be read: {wrong}") from wrong
    if parts.scheme not in PORTS or not host:
        raise BadAddress("expected an address such as https://ci.example.org/lab")
    if parts.username is not None or parts.password is not None:
        raise BadAddress("leave the name and password out of the address; the signature says who sends it")
    if "#" in text:
        raise BadAddress("leave out the # and what follows; it is not sent")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    port = PORTS[parts.scheme] if port is None else port
    target = Target(scheme=parts.scheme, host=_host(host), port=port, path=path)
    if target.port not in PORTS.values() and target.port < FIRST_FREE_PORT:
        raise BadAddress(
            f"nothing is sent to port {target.port}; use 80, 443 or one from {FIRST_FREE_PORT} on"
        )
    return target


def resolve(host: str, port: int) -> list[Ip]:
    """All addresses of a name, as this machine knows them."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [ipaddress.ip_address(place[0]) for *_, place in dict.fromkeys(found)]


def checked(target: Target, resolve: Resolve = resolve) -> list[Ip]:
    """The addresses to which a connection may be made. BadAddress if one of them is not for webhooks.

    Connect to one of these and never to the name, which may be something else the next time it is asked.
    """
    try:
        found = list(resolve(target.host, target.port))
    except (OSError, UnicodeError) as unknown:
        raise BadAddress(f"{target.host} cannot be found: {unknown}") from unknown
    if not found:
        raise BadAddress(f"{target.host} has no address")
    opened = _networks(tuple(settings.WEBHOOK_ALLOWED_NETWORKS))
    for ip in found:
        if not (_is_in(ip, opened) or _is_in(_meant(ip), opened)):
            _check(ip, target.host)
    return found


def is_of_this_machine(ip: Ip) -> bool:
    """Whatever this machine sends to an address of its own comes from that same address. Nothing is sent to find out."""
    family = socket.AF_INET if ip.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((str(ip), 9))
            return ipaddress.ip_address(probe.getsockname()[0]) == ip
    except OSError:
        return False


def _check(ip: Ip, host: str) -> None:
    meant = _meant(ip)
    is_inside = _is_set_aside(meant) or is_of_this_machine(meant) or host in _names_of_the_lab()
    if is_inside:
        # Not which one it is: what the names of an inner network stand for is nobody's business.
        raise BadAddress(
            f"{host} is not on the public internet, or it is the lab itself; an administrator opens inner networks to "
            "webhooks with WEBHOOK_ALLOWED_NETWORKS"
        )


def _meant(ip: Ip) -> Ip:
    if ip.version == 6 and _is_in(ip, _HOLDS_V4):
        return IPv4Address(int(ip) & 0xFFFF_FFFF)
    return ip


def _is_set_aside(ip: Ip) -> bool:
    if ip.version == 4:
        return _is_in(ip, _SET_ASIDE)
    return ip not in _PUBLIC_V6 or _is_in(ip, _SET_ASIDE_V6)


def _is_in(ip: Ip, networks: Iterable[Network]) -> bool:
    return any(ip in network for network in networks)


def _names_of_the_lab() -> Collection[str]:
    names = {urlsplit(settings.LAB_URL).hostname or "", *settings.ALLOWED_HOSTS}
    return {name.strip("[].").lower() for name in names}


def _host(host: str) -> str:
    if ":" in host:
        return _literal(host)
    if not _HOST.fullmatch(host):
        raise BadAddress(f"{host[:80]!r} is no name of a host")
    return host.lower()


def _literal(host: str) -> str:
    try:
        found = IPv6Address(host)
    except ValueError:
        raise BadAddress(f"{host[:80]!r} is no IPv6 address") from None
    if found.scope_id is not None:
        raise BadAddress(f"{host[:80]!r} is the address of a link, to which nothing is sent")
    return str(found)


def _in_ascii(text: str) -> str:
    """With a host of other letters as DNS knows it; in the rest of an address no other letters are understood."""
    try:
        parts = urlsplit(text)
        host = parts.netloc.encode("idna").decode()
    except (ValueError, UnicodeError) as wrong:
        raise BadAddress(f"the address cannot be read: {wrong}") from wrong
    text = parts._replace(netloc=host).geturl()
    if not text.isascii():
        raise BadAddress("the address has letters beyond ASCII in it; write them as %C3%A4 and the like")
    return text


@lru_cache(maxsize=8)
def _networks(texts: tuple[str, ...]) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(text) for text in texts)
