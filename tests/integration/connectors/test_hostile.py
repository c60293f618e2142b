"""A hostile target costs one turn one error with its exact code, the same on both lanes, in bounded time; and a
session beside it on a good server notices nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from connectors.registry import Lane
from tests.hostile import http
from tests.hostile.good import GOOD
from tests.hostile.server import HostileServer
from tests.hostile.table import BEHAVIOURS, Behaviour
from tests.integration.connectors.lanes import LANES, PATIENT, TIMEOUTS, Client, Turn, make_spec, one_turn

GRACE_S = 1.0
"""How much later than its deadline a turn may end."""


@contextmanager
def bystander(lane: Lane, protocol: str, turns: list[Turn]) -> Iterator[None]:
    """Another session, in a thread of its own, on a good server, for as long as the block runs."""
    over = threading.Event()

    def talk() -> None:
        with (
            HostileServer(GOOD[protocol]) as server,
            Client(lane, make_spec(protocol, server.url, timeouts=PATIENT)) as client,
        ):
            while not over.is_set():
                turns.append(client.say())
                over.wait(0.02)
            turns.append(client.say())

    thread = threading.Thread(target=talk)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(10)
        assert not thread.is_alive()


@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize("behaviour", BEHAVIOURS, ids=lambda b: b.id)
def test_costs_one_turn_its_exact_code_in_time(behaviour: Behaviour, lane: Lane) -> None:
    beside: list[Turn] = []
    in_time = behaviour.code is None or behaviour.code.endswith("_timeout")
    with bystander(lane, behaviour.protocol, beside), HostileServer(behaviour.script) as server:
        turn = one_turn(lane, make_spec(behaviour.protocol, server.url, timeouts=TIMEOUTS if in_time else PATIENT))

    assert turn.code == behaviour.code, turn.error
    if behaviour.code is None:
        assert turn.text == behaviour.text
        assert turn.timeline.done_ns is not None
    asked = [request for request in server.requests if b"/events HTTP" not in request]  # not the standing stream
    assert len(asked) == (1 if asked or not behaviour.protocol.startswith("split") else 0), (
        "a request that may have been sent is not sent again"
    )
    assert turn.late_s < (TIMEOUTS if in_time else PATIENT)["total"] + GRACE_S
    assert {(t.code, t.text) for t in beside} == {(None, http.TEXT)}
