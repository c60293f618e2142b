"""The local addresses that outgoing connections use.

One source address has some 28,000 ports (64,000 at most) towards one address and port of a target, and every connection
takes one: that is the first hard limit of a host with many open conversations. More addresses, more ports.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from itertools import cycle
from typing import Final

IP_BIND_ADDRESS_NO_PORT: Final = 24
"""Linux's number; Python has no name for it. The port is then chosen when the target is known: without this, one
address has 28,000 ports towards all targets together."""

_turns: dict[int, Iterator[str]] = {}
"""By address family; the process's own."""


def leave_from(addresses: Sequence[str]) -> None:
    """From now on new connections leave from these addresses, in turn; if none has the target's family, the system
    chooses. Raises OSError, with the address as its filename, for an address that this host does not have."""
    by_family: dict[int, list[str]] = {}
    for address in addresses:
        family = socket.AF_INET if ip_address(address).version == 4 else socket.AF_INET6
        with socket.socket(family, socket.SOCK_STREAM) as sock:
            try:
                sock.bind((address, 0))
            except OSError as exc:
                raise OSError(exc.errno, exc.strerror, address) from exc
        by_family.setdefault(family, []).append(address)
    _turns.clear()
    _turns.update({family: cycle(found) for family, found in by_family.items()})


def bind_source(sock: socket.socket) -> None:
    """Before `sock` connects. Raises OSError."""
    turn = _turns.get(sock.family) if _turns else None
    if turn is None:
        return
    if sock.family == socket.AF_INET:
        sock.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
    sock.bind((next(turn), 0))
