"""Decides which addresses may be connected to. A name is resolved once, every address checked, and a checked address
used.

Checking a name and then letting a library resolve it again leaves a gap in which the name can change its mind
(DNS rebinding); so both lanes connect to the `Address` values that come from here and to nothing else.

Never allowed: link-local, cloud metadata, multicast, unspecified, broadcast. Everything else that is not a
public address is allowed only with `allow_private`, or if it lies in one of the networks given instead. An IPv4
address inside an IPv6 one is judged as what it reaches.

By hand because the libraries for this (advocate, requests-hardened) are wrappers of `requests`; here asyncio's sockets,
gRPC, WebSocket and proxies must be held to the same addresses.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from connectors.errors import ConnectFailed, TimedOut
from connectors.in_time import OutOfTimeError, in_time

IP = IPv4Address | IPv6Address
AllowPrivate = bool | tuple[str, ...]
"""All private addresses, none, or those in these networks ("10.20.0.0/16")."""

METADATA = frozenset(
    ip_address(text)
    for text in (
        "169.254.169.254",  # nearly every cloud; link-local anyway
        "100.100.100.200",  # Alibaba Cloud: inside the carrier-grade NAT range
        "168.63.129.16",  # Azure's wire server: a public address
        "192.0.0.192",  # Oracle Cloud Classic
        "fd00:ec2::254",  # AWS
        "fd20:ce::254",  # Google Cloud
        "fd00:42::42",  # Scaleway
    )
)
THIS_NETWORK = ip_network("0.0.0.0/8")  # Linux dials 0.0.0.0 as the loopback address

GLOBAL_UNICAST = IPv6Network("2000::/3")  # the rest is unassigned, but `is_global` takes it for public

LOW_WORD_FORMS = tuple(
    IPv6Network(text)
    for text in (
        "::ffff:0:0/96",  # IPv4-mapped (RFC 4291)
        "::ffff:0:0:0/96",  # IPv4-translated (RFC 7915)
        "::/96",  # IPv4-compatible (RFC 4291, deprecated)
        "64:ff9b::/96",  # NAT64 (RFC 6052)
    )
)
NAT64_LOCAL = IPv6Network("64:ff9b:1::/48")  # RFC 8215: the operator picks the prefix length inside it
NAT64_LENGTHS = (48, 56, 64, 96)
TUNNELS = (*LOW_WORD_FORMS, NAT64_LOCAL, IPv6Network("2002::/16"), IPv6Network("2001::/32"))
ISATAP_IDS = (0x00005EFE, 0x02005EFE)  # RFC 5214: interface identifier before the IPv4 address

_REMEMBERED = 1024
DNS_ADVICE = "check the host name in the target's URL, and that this machine can resolve it"
NEVER = "no setting allows connections to this address"
NEVER_ADVICE = f"{NEVER}; point the target at the chatbot's own address"
PRIVATE_ADVICE = "an administrator can allow it: TOKENBURN_ALLOW_PRIVATE, see docs/operations.md"


class Address(NamedTuple):
    """One judged address, in the form `socket.connect` takes. `sockaddr` keeps an IPv6 scope."""

    family: socket.AddressFamily
    sockaddr: tuple[Any, ...]

    @property
    def host(self) -> str:
        return str(self.sockaddr[0])

    @property
    def target(self) -> Any:
        """What `connect` takes."""
        return self.sockaddr if self.family != socket.AF_UNIX else self.host

    @property
    def port(self) -> int:
        return int(self.sockaddr[1])


def refusal(ip: IP, *, allow_private: AllowPrivate) -> str | None:
    """Why `ip` may not be dialled, or None if it may."""
    candidates = embedded_ipv4(ip)
    if not any(ip in network for network in TUNNELS if network.version == ip.version) or not candidates:
        candidates = (ip, *candidates)
    for candidate in candidates:
        if reason := _never(candidate):
            return reason
    if all(_public(candidate) or _permitted(candidate, allow_private) for candidate in candidates):
        return None
    return "a private address"


@lru_cache(maxsize=_REMEMBERED)
def _refusal(host: str, allow_private: AllowPrivate) -> str | None:
    """The same for an address as text: each connection asks, and nothing else decides it."""
    return refusal(ip_address(host), allow_private=allow_private)


def unix_address(path: str, allow_private: AllowPrivate) -> Address:
    """A Unix socket, which is as private as an address can be. Raises ConnectFailed (address_blocked)."""
    if allow_private is not True:
        raise ConnectFailed("address_blocked", f"{path} is a socket of this machine: a private address", PRIVATE_ADVICE)
    return Address(socket.AF_UNIX, (path,))


def _permitted(ip: IP, allow_private: AllowPrivate) -> bool:
    if isinstance(allow_private, bool):
        return allow_private
    return any(_unscoped(ip) in network for network in _networks(allow_private))


@lru_cache(maxsize=64)
def _networks(texts: tuple[str, ...]) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(text) for text in texts)


def embedded_ipv4(ip: IP) -> tuple[IP, ...]:
    """The IPv4 addresses that dialling this IPv6 address may reach; empty for an ordinary address."""
    if isinstance(ip, IPv4Address) or ip.is_loopback or ip.is_unspecified:
        return ()
    number = int(ip)
    low = IPv4Address(number & 0xFFFFFFFF)
    if any(ip in network for network in LOW_WORD_FORMS):
        return (low,)
    if ip.sixtofour is not None:
        return (ip.sixtofour,)
    if ip.teredo is not None:
        return ip.teredo
    if ip in NAT64_LOCAL:
        found = tuple(_nat64(number, length) for length in NAT64_LENGTHS)
        return tuple(v4 for v4 in found if v4 not in THIS_NETWORK) or (low,)
    if (number >> 32) & 0xFFFFFFFF in ISATAP_IDS:
        return (low,)
    return ()


def _nat64(number: int, prefix: int) -> IPv4Address:
    """RFC 6052, 2.2: the IPv4 address follows the prefix; for lengths below 96, octet 8 is not part of it."""
    if prefix == 96:
        return IPv4Address(number & 0xFFFFFFFF)
    without_octet = number >> 64 << 56 | number & ((1 << 56) - 1)
    return IPv4Address(without_octet >> (120 - prefix - 32) & 0xFFFFFFFF)


def _public(ip: IP) -> bool:
    return ip.is_global and (isinstance(ip, IPv4Address) or ip in GLOBAL_UNICAST)


def _unscoped(ip: IP) -> IP:
    """Without `%eth0`: an address with a scope is unequal to the same one without."""
    return IPv6Address(int(ip)) if isinstance(ip, IPv6Address) else ip


def _never(ip: IP) -> str | None:
    if _unscoped(ip) in METADATA:
        return "a cloud metadata address"
    if ip.is_link_local:
        return "a link-local address"
    if ip.is_multicast:
        return "a multicast address"
    if ip.is_unspecified or ip in THIS_NETWORK:
        return "an unspecified address"
    if ip == IPv4Address("255.255.255.255"):
        return "a broadcast address"
    return None


def resolve(host: str, port: int, allow_private: AllowPrivate, timeout_s: float | None = None) -> list[Address]:
    """Resolve once; return the addresses that may be dialled, in the resolver's order, without doubles.

    Raises ConnectFailed (dns_failed, address_blocked), or TimedOut if the resolver takes over `timeout_s`.
    """
    found = _numeric(host, port)
    if found is None:
        found = _in_time(lambda: _look_up(host, port), host, timeout_s)
    return _judge(host, found, allow_private)


async def resolve_async(host: str, port: int, allow_private: AllowPrivate) -> list[Address]:
    """As `resolve`, with the resolver in the loop's executor; literals need no thread. The caller times it."""
    found = _numeric(host, port)
    if found is None:
        found = await asyncio.get_running_loop().run_in_executor(None, _look_up, host, port)
    return _judge(host, found, allow_private)


def never_allowed(url: str, advice: str = NEVER_ADVICE) -> str:
    """Why no setting lets anybody connect to `url`: its host is an address, in any notation, that is never allowed.
    Empty: it is not, or is a name, which only a look-up can judge. `advice`: what to do instead."""
    host = urlsplit(url).hostname or ""
    found = _numeric(host, 0)
    reason = found and refusal(ip_address(found[0].host), allow_private=True)
    return f"the address {_shown(host, found[0], reason)}; {advice}" if found and reason else ""


def is_judged_behind_proxy(host: str, allow_private: AllowPrivate) -> bool:
    """Whether a target is judged though a proxy dials it: an address is, and a name where not all of them are allowed.
    What the proxy makes of a name is beyond us."""
    return allow_private is not True or _numeric(host, 0) is not None


def literal(host: str) -> str | None:
    """The address that `host` is, in its usual notation; None if it is a name."""
    found = _numeric(host, 0)
    return found[0].host if found else None


def is_private(host: str) -> bool:
    """Whether it is an address that is not public, or this machine's own name. Other names are not judged."""
    if host == "localhost":
        return True
    address = literal(host)
    return address is not None and refusal(ip_address(address), allow_private=False) is not None


def _numeric(host: str, port: int) -> Sequence[Address] | None:
    """The address if `host` is one in any notation that the resolver accepts (127.1, 0x7f000001), otherwise None."""
    return (_read_numeric if "%" in host else _known_numeric)(host, port)  # interfaces, which scopes name, may change


def _read_numeric(host: str, port: int) -> Sequence[Address] | None:
    try:
        return tuple(_getaddrinfo(host, port, socket.AI_NUMERICHOST))
    except (OSError, ValueError):
        return None  # a name, or nonsense that the look-up will report


_known_numeric = lru_cache(maxsize=_REMEMBERED)(_read_numeric)
"""Each connection asks."""


def _look_up(host: str, port: int) -> list[Address]:
    try:
        return _getaddrinfo(host, port, 0)
    except (OSError, ValueError) as exc:  # ValueError: a NUL, or a label that IDNA refuses
        raise ConnectFailed("dns_failed", f"cannot resolve {host!r}: {_text(exc)}", DNS_ADVICE) from exc


def _text(exc: Exception) -> str:
    return str(getattr(exc, "strerror", None) or exc)


def _getaddrinfo(host: str, port: int, flags: int) -> list[Address]:
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not bare:
        raise ValueError("the host is empty")  # getaddrinfo would take it for the loopback address
    rows = socket.getaddrinfo(bare, port, type=socket.SOCK_STREAM, flags=flags)
    return [Address(family, sockaddr) for family, _, _, _, sockaddr in rows]


def _in_time(work: Callable[[], list[Address]], host: str, timeout_s: float | None) -> list[Address]:
    """Run the resolver, which cannot be interrupted, in a daemon thread when there is a deadline."""
    if timeout_s is None:
        return work()
    try:
        return in_time(work, timeout_s, "resolver")
    except OutOfTimeError:
        what = f"resolving {host!r} took over {timeout_s:g} s"
        raise TimedOut("connect_timeout", what, DNS_ADVICE) from None


def _judge(host: str, found: Iterable[Address], allow_private: AllowPrivate) -> list[Address]:
    kept: list[Address] = []
    refused: list[tuple[Address, str]] = []
    for address in dict.fromkeys(found):
        reason = _refusal(address.host, allow_private)
        if reason is None:
            kept.append(address)
        else:
            refused.append((address, reason))
    if kept:
        return kept
    if not refused:
        raise ConnectFailed("dns_failed", f"{host!r} has no address", DNS_ADVICE)
    address, reason = refused[0]
    advice = PRIVATE_ADVICE if reason == "a private address" else NEVER_ADVICE
    raise ConnectFailed("address_blocked", _shown(host, address, reason), advice)


def _shown(host: str, address: Address, reason: str) -> str:
    return f"{host!r} is {reason}" if host.strip("[]") == address.host else f"{host!r} is {address.host}: {reason}"
