"""Chooses which of a name's addresses the next connection uses: each in turn, unresponsive ones last.

A name with several addresses usually means several servers. Resolvers often return them in one order, and a client that
always uses the first one loads and measures a single server.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from typing import Final

from connectors.security.guard import Address

DEAD_S: Final = 10.0
"""How long an unresponsive address is tried after the others."""
MOST: Final = 1024
"""Addresses that are remembered."""


class Rota:
    """Counts connections by address, and decides in which order to try."""

    def __init__(self) -> None:
        self.connections: Counter[str] = Counter()
        self._next: dict[frozenset[Address], int] = {}
        self._dead_until_ns: dict[Address, int] = {}

    def forget(self) -> None:
        """Reset the counts."""
        self.connections.clear()
        self._next.clear()
        self._dead_until_ns.clear()

    def order(self, addresses: Sequence[Address]) -> list[Address]:
        """All of `addresses`. Only those of the first one's family take turns, because the resolver knows which family
        is better (RFC 6724)."""
        if len(addresses) < 2:
            return list(addresses)
        first = [address for address in addresses if address.family == addresses[0].family]
        rest = [address for address in addresses if address.family != addresses[0].family]
        if len(self._next) > MOST:
            self._next.clear()
        key = frozenset(first)  # some resolvers turn the order themselves
        place = self._next.get(key, 0)
        self._next[key] = place + 1
        turn = sorted(first)[place % len(first) :] + sorted(first)[: place % len(first)]
        now = time.monotonic_ns()
        return sorted([*turn, *rest], key=lambda address: self._dead_until_ns.get(address, 0) > now)

    def answered(self, address: Address) -> None:
        if len(self.connections) < MOST or address.host in self.connections:
            self.connections[address.host] += 1
        self._dead_until_ns.pop(address, None)

    def failed(self, address: Address) -> None:
        if len(self._dead_until_ns) > MOST:
            self._dead_until_ns.clear()
        self._dead_until_ns[address] = time.monotonic_ns() + int(DEAD_S * 1e9)


ROTA: Final = Rota()
"""Shared by all users of this process."""
