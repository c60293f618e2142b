"""Which of a name's addresses the next connection goes to: each in its turn, those that did not answer last.

A name with several addresses stands for several servers. A resolver often gives them in one order, and whoever always
dials the first loads one server and measures one.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from typing import Final

from connectors.guard import Address

DEAD_S: Final = 10.0
"""How long an address that did not answer comes after the others."""
MOST: Final = 1024
"""Addresses that are remembered."""


class Rota:
    """Counts connections by address, and says in which order to try."""

    def __init__(self) -> None:
        self.connections: Counter[str] = Counter()
        self._next: dict[frozenset[Address], int] = {}
        self._dead_until_ns: dict[Address, int] = {}

    def forget(self) -> None:
        """Count anew."""
        self.connections.clear()
        self._next.clear()
        self._dead_until_ns.clear()

    def order(self, addresses: Sequence[Address]) -> list[Address]:
        """All of `addresses`. Only those of the first one's family take turns: which family is better, the resolver
        knows (RFC 6724)."""
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
"""Of this process: its users take turns."""
