"""Connections take turns over a name's addresses; those that did not answer come last."""

from __future__ import annotations

import socket
from collections import Counter

import pytest

from connectors.security.guard import Address
from connectors.wire.transport import addresses
from connectors.wire.transport.addresses import Rota

A, B, C = (Address(socket.AF_INET, (f"127.0.0.{n}", 80)) for n in (2, 3, 4))
SIX = Address(socket.AF_INET6, ("::1", 80, 0, 0))


def test_each_address_has_its_turn_whatever_order_the_resolver_gives() -> None:
    rota = Rota()
    firsts = [rota.order([A, B, C] if n % 2 else [C, A, B])[0] for n in range(9)]
    assert Counter(firsts) == {A: 3, B: 3, C: 3}
    assert set(rota.order([A, B, C])) == {A, B, C}


def test_the_family_that_the_resolver_prefers_stays_first() -> None:
    rota = Rota()
    assert [rota.order([SIX, A])[0] for _ in range(3)] == [SIX] * 3
    assert {rota.order([A, B, SIX])[0] for _ in range(4)} == {A, B}
    assert rota.order([A, B, SIX])[-1] == SIX
    assert rota.order([A]) == [A]


def test_one_that_failed_comes_last_for_a_while_and_back_when_it_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    rota = Rota()
    rota.failed(A)
    assert [rota.order([A, B])[-1] for _ in range(4)] == [A] * 4
    rota.answered(A)
    assert {rota.order([A, B])[0] for _ in range(4)} == {A, B}
    monkeypatch.setattr(addresses, "DEAD_S", 0.0)
    rota.failed(B)
    assert {rota.order([A, B])[0] for _ in range(4)} == {A, B}
    assert rota.connections == {"127.0.0.2": 1}


def test_what_is_remembered_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "MOST", 4)
    rota = Rota()
    for n in range(50):
        one, other = (Address(socket.AF_INET, (f"10.0.{n}.{last}", 80)) for last in (1, 2))
        rota.order([one, other])
        rota.failed(one)
        rota.answered(other)
    assert max(len(rota.connections), len(rota._next), len(rota._dead_until_ns)) <= 6
