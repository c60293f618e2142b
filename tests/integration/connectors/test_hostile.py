"""A hostile target costs one turn one error with its exact code, the same on both lanes, in bounded time; and a
session beside several of them, on a good server, notices nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import pytest

from connectors.registry import Lane
from tests.hostile import http
from tests.hostile.good import GOOD, HTTP2, VARIANTS
from tests.hostile.http2.reference import REFERENCE
from tests.hostile.server import HostileServer
from tests.hostile.table import BEHAVIOURS, Behaviour
from tests.integration.connectors.lanes import LANES, ROOMY, Client, Turn, make_spec, one_turn

AT_ONCE = 6
"""So many hostile targets at a time: waits cost nothing, floods take turns."""
GRACE_S = 10.0
"""How much later than its deadline a turn may end on a machine as busy as may be."""
SHORT = {
    "connect_timeout": {"connect": 0.5},
    "first_byte_timeout": {"first_byte": 0.4, "idle": 0.3},
    "idle_timeout": {"idle": 0.4},
    "total_timeout": {"idle": 1.3, "total": 1.6},
}
"""By code: the limit that must be found exceeded, and one that must not: an idle limit does not hold before the first
byte, and every byte that drips starts it anew. The others are ROOMY."""
WAITED_OUT = {"refused_without_an_end": {"connect": 1.5}}
"""By behaviour: a limit that is always waited for, although what came before says what is wrong."""


@contextmanager
def bystander(lane: Lane, protocol: str, turns: list[Turn]) -> Iterator[None]:
    """Another session, in a thread of its own, on a good server, for as long as the block runs."""
    over = threading.Event()

    def talk() -> None:
        with (
            HostileServer((GOOD | HTTP2 | VARIANTS)[protocol]) as server,
            Client(lane, make_spec(protocol, server.url, timeouts=ROOMY)) as client,
        ):
            while not over.is_set():
                turns.append(client.say())
                over.wait(0.1)
            turns.append(client.say())

    thread = threading.Thread(target=talk)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(60)
        assert not thread.is_alive()


STATUS_S = 1.0
"""How long a call's status may follow its end mark: ten milliseconds, as in a run, are too few for six threads."""


def expected(lane: Lane, behaviour: Behaviour) -> tuple[str | None, ...]:
    """Its code, or those that it may have. The library of the reference lane sees less of HTTP/2 than we do."""
    alone = (behaviour.code,)
    return REFERENCE.get(behaviour.id, alone) if lane == "reference" else alone


def alike(lane: Lane) -> dict[str, list[Behaviour]]:
    """Behaviours by their protocol and code; those that wait for a limit, of all protocols, wait for it together."""
    found: dict[str, list[Behaviour]] = {}
    for behaviour in BEHAVIOURS:
        code = expected(lane, behaviour)[0] or "got_through"
        found.setdefault(code if code in SHORT else f"{behaviour.protocol}-{code}", []).append(behaviour)
    return found


def asks(request: bytes) -> bool:
    """Whether it is a turn's, and not that of a standing stream or a negotiation."""
    return b"/events HTTP" not in request and b"/negotiate" not in request


ASKS: dict[str, Callable[[bytes], bool]] = {
    "then": lambda request: request.startswith(b"POST"),
    "polling": lambda request: b"\r\n\r\n42" in request,
}
"""By protocol, where there are other requests beside it."""


def wrongs(lane: Lane, behaviour: Behaviour) -> Iterator[str]:
    """What is not as it must be of a turn with it."""
    codes = expected(lane, behaviour)
    timeouts = ROOMY | SHORT.get(codes[0] or "", {}) | WAITED_OUT.get(behaviour.name, {})
    with HostileServer(behaviour.script) as server:
        turn = one_turn(lane, make_spec(behaviour.protocol, server.url, timeouts=timeouts))
    if turn.code not in codes:
        yield f"{turn.code}, not {codes}: {turn.error}"
    if codes == (behaviour.code,) == (None,) and (turn.text != behaviour.text or turn.timeline.done_ns is None):
        yield f"done at {turn.timeline.done_ns} with {turn.text!r}"
    asked = [request for request in server.requests if ASKS.get(behaviour.protocol, asks)(request)]
    wanted = 1 if asked or not behaviour.protocol.startswith(("split", "signalr")) else 0
    if len(asked) != wanted:
        yield f"a request that may have been sent is not sent again: {asked}"
    if turn.late_s >= min(timeouts.values()) + GRACE_S:
        yield f"it took {turn.late_s} s"


@pytest.mark.parametrize(
    ("behaviours", "lane"),
    [pytest.param(behaviours, lane, id=f"{name}-{lane}") for lane in LANES for name, behaviours in alike(lane).items()],
)
def test_each_costs_one_turn_its_exact_code_in_time(
    behaviours: list[Behaviour], lane: Lane, monkeypatch: pytest.MonkeyPatch
) -> None:
    for room in ("wire", "reference"):
        monkeypatch.setattr(f"connectors.{room}.grpc.call.DONE_GRACE_S", STATUS_S)
    beside: list[Turn] = []
    with ThreadPoolExecutor(AT_ONCE) as pool, ExitStack() as session:
        for protocol in {behaviour.protocol for behaviour in behaviours}:
            session.enter_context(bystander(lane, protocol, beside))
        found = pool.map(lambda behaviour: list(wrongs(lane, behaviour)), behaviours)
        wrong = {behaviour.id: what for behaviour, what in zip(behaviours, found, strict=True) if what}
    assert wrong == {}
    assert {(t.code, t.text) for t in beside} == {(None, http.TEXT)}
