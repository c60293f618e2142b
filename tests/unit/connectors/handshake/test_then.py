"""Turns of several requests, whose answers are made up."""

from __future__ import annotations

import time
from typing import Any

from connectors.handshake.runner import Carried
from connectors.handshake.then import PartTimeline, Talk, TurnParts
from connectors.mapping.request import RenderedRequest
from connectors.spec import parse_target_spec
from connectors.target import CompiledTarget
from connectors.timeline import Timeline

POLL = {"name": "poll", "url": "/7", "until": {"path": "text"}, "every_s": 0.05}
ASKED_NS = time.monotonic_ns()


def asked(known_errors: bool) -> tuple[Carried, PartTimeline]:
    """A turn whose own request has been answered, and the timeline of the next one."""
    response = {"text": "text", "known_errors": known_errors}
    data: dict[str, Any] = {"name": "t", "protocol": "http", "url": "http://h", "response": response, "then": [POLL]}
    target = CompiledTarget(parse_target_spec(data))
    assert target.then is not None
    saved: dict[str, Any] = {}
    talk = Talk({"session": {}, "saved": saved}, saved.update, lambda request: request, bytes)
    running = TurnParts(target.then, Timeline(target.response, 0), talk).run(RenderedRequest("POST", "/", (), b""))
    _, own = next(running)
    own.sent(ASKED_NS, 1)
    own.status = 200
    own.answer(ASKED_NS, b"{}")
    return running, next_of(running)


def next_of(running: Carried) -> PartTimeline:
    _, part = next(running)
    assert isinstance(part, PartTimeline)
    return part


def test_the_time_limit_of_each_request_is_that_of_the_turn() -> None:
    _, part = asked(known_errors=True)
    part.sent(ASKED_NS + 5, 1)
    assert part.sent_ns == ASKED_NS


def test_a_state_that_may_be_an_error_is_none_where_the_mapping_says_so() -> None:
    running, part = asked(known_errors=False)
    part.status = 200
    part.answer(ASKED_NS, b'{"status": "failed"}')
    assert next_of(running) is not part
