"""A chatbot that gives the same answer to every request, and keeps what it was asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import orjson

from tests.hostile.server import HostileServer, Peer
from tests.hostile.table import whole


@contextmanager
def always(answer: object) -> Iterator[HostileServer]:
    def say(peer: Peer) -> None:
        while True:
            peer.read_request()
            peer.send(whole(orjson.dumps(answer)))

    with HostileServer(say) as server:
        yield server
