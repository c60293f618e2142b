"""A name with several addresses: every server gets connections of the load, a dead one costs no turn."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from connectors.wire.transport import connecting
from connectors.wire.transport.addresses import Rota
from tests.hostile import http, websocket
from tests.hostile.server import HostileServer, Peer
from tests.integration.connectors.lanes import make_spec, one_turn


@pytest.fixture
def rota(monkeypatch: pytest.MonkeyPatch) -> Rota:
    own = Rota()
    monkeypatch.setattr(connecting, "ROTA", own)
    return own


def named(monkeypatch: pytest.MonkeyPatch, *places: tuple[str, int]) -> None:
    """`pods.test` has these addresses."""
    real = socket.getaddrinfo

    def look_up(host: Any, port: Any, **more: Any) -> Any:
        if host != "pods.test":
            return real(host, port, **more)
        if more.get("flags", 0) & socket.AI_NUMERICHOST:
            raise socket.gaierror(socket.EAI_NONAME, "a name")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", place) for place in places]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)


@pytest.mark.parametrize("protocol", ["http", "websocket"])
def test_connections_go_to_all_addresses_and_pass_over_a_dead_one(
    monkeypatch: pytest.MonkeyPatch, rota: Rota, protocol: Any
) -> None:
    scripts = {"http": http.good, "websocket": websocket.good}
    served: dict[str, int] = {"127.0.0.2": 0, "127.0.0.3": 0}

    def script(host: str) -> Any:
        def serve(peer: Peer) -> None:
            served[host] += 1
            scripts[protocol](peer)

        return serve

    with (
        HostileServer(script("127.0.0.2"), host="127.0.0.2") as first,
        HostileServer(script("127.0.0.3"), host="127.0.0.3") as second,
    ):
        places = [(host, int(bot.url.rpartition(":")[2])) for host, bot in zip(served, (first, second), strict=True)]
        named(monkeypatch, ("127.0.0.4", 1), *places)  # the first address has no server
        turns = [one_turn("load", make_spec(protocol, "http://pods.test:80")) for _ in range(8)]
    assert [turn.code for turn in turns] == [None] * 8
    assert min(served.values()) >= 2
    assert rota.connections == served
