"""The status of a gRPC call that arrives after the answer's end mark."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from connectors.grpc.library import grpc
from connectors.registry import Lane
from connectors.spec import TargetSpec
from tests.hostile.grpc import PROTO
from tests.integration.connectors.lanes import LANES, ROOMY, Client, make_spec
from tests.support.servers.grpc_target import PIECE, Target, grpc_target

lanes = pytest.mark.parametrize("lane", LANES)
LONG_S = 30.0
"""Longer than the pauses of a busy machine."""


class Ending(Target):
    """The first answer is whole, and its call ends with `status` after `after_s`, or when `held` is set. All others end
    well."""

    def __init__(self, status: grpc.StatusCode, after_s: float = 0.0, held: threading.Event | None = None) -> None:
        super().__init__()
        self._status, self._after_s, self._held = status, after_s, held

    def ask_stream(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        self.asked.append(request.message)
        yield from self._answer_to(request.message, len(self.asked), context)

    def converse(self, requests: Iterator[Any], context: grpc.ServicerContext) -> Iterator[Any]:
        for request in requests:
            self.asked.append(request.message)
            yield from self._answer_to(request.message, len(self.asked), context)

    def _answer_to(self, text: str, number: int, context: grpc.ServicerContext) -> Iterator[Any]:
        yield PIECE(delta=text)
        yield PIECE(done=True, response=text)
        if number > 1:
            return
        if self._held is not None:
            self._held.wait(LONG_S)
        time.sleep(self._after_s)
        if self._status is not grpc.StatusCode.OK:
            context.abort(self._status, "gone")


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No delay of a busy machine is longer than what both lanes wait."""
    for lane in ("wire", "reference"):
        monkeypatch.setattr(f"connectors.{lane}.grpc.call.DONE_GRACE_S", LONG_S)


def spec(url: str, method: str = "AskStream") -> TargetSpec:
    told = {"method": f"tokenburn.mock.v1.Chat/{method}", "proto": PROTO}
    return make_spec("grpc", url, grpc=told, timeouts=ROOMY)


@pytest.mark.usefixtures("patient")
@lanes
@pytest.mark.parametrize(
    ("status", "after_s", "code"),
    [
        (grpc.StatusCode.INTERNAL, 0.0, "grpc_internal"),
        (grpc.StatusCode.DATA_LOSS, 0.02, "grpc_data_loss"),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, 0.005, "grpc_resource_exhausted"),
        (grpc.StatusCode.DEADLINE_EXCEEDED, 0.0, "grpc_deadline_exceeded"),
        (grpc.StatusCode.UNAUTHENTICATED, 0.0, "grpc_unauthenticated"),
    ],
)
def test_a_status_behind_the_end_mark_is_the_outcome(
    lane: Lane, status: grpc.StatusCode, after_s: float, code: str
) -> None:
    with grpc_target(Ending(status, after_s)) as target, Client(lane, spec(target.url)) as client:
        first = client.say("one")
        assert client.connector.ready, "the target gave a whole answer: its connection is as good as before"
        second = client.say("two")
    assert (first.code, second.code, second.text) == (code, None, "two")
    assert first.error is not None and first.error.detail == "gone"


@pytest.mark.usefixtures("patient")
@lanes
@pytest.mark.parametrize("after_s", [0.0, 0.05])
def test_an_ok_that_comes_late_costs_nothing(lane: Lane, after_s: float) -> None:
    with grpc_target(Ending(grpc.StatusCode.OK, after_s)) as target, Client(lane, spec(target.url)) as client:
        turn = client.say("one")
        now_ns = time.monotonic_ns()
    assert (turn.code, turn.text) == (None, "one")
    assert (
        turn.timeline.done_ns is not None and now_ns - turn.timeline.done_ns >= after_s / 2 * 1e9
    )  # a sleep may end a little early


@lanes
def test_a_status_that_comes_too_late_is_not_waited_for(lane: Lane) -> None:
    """The call is cancelled, and what it ends with is not the next one's."""
    held = threading.Event()
    with (
        grpc_target(Ending(grpc.StatusCode.INTERNAL, held=held)) as target,
        Client(lane, spec(target.url)) as client,
    ):
        first = client.say("one")
        held.set()
        second = client.say("two")
    assert [(turn.code, turn.text) for turn in (first, second)] == [(None, "one"), (None, "two")]


@lanes
def test_the_status_of_a_stream_that_goes_on_is_the_connections(lane: Lane) -> None:
    with (
        grpc_target(Ending(grpc.StatusCode.INTERNAL)) as target,
        Client(lane, spec(target.url, "Converse")) as client,
    ):
        first = client.say("one")
        while client.connector.ready:
            client.idle(0.01)
        second = client.say("two")
    assert (first.code, second.code) == (None, "connection_closed")
    assert second.error is not None and "gone" in second.error.detail
