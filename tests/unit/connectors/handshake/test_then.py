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


def asked(known_errors: bool) -> tuple[Carried, PartTimeline, int]:
    """A turn whose own request has been answered, the timeline of the next one, and when the first was sent."""
    sent_ns = time.monotonic_ns()
    response = {"text": "text", "known_errors": known_errors}
    data: dict[str, Any] = {"name": "t", "protocol": "http", "url": "http://h", "response": response, "then": [POLL]}
    target = CompiledTarget(parse_target_spec(data))
    assert target.then is not None
    saved: dict[str, Any] = {}
    talk = Talk({"session": {}, "saved": saved}, saved.update, lambda request: request, bytes)
    running = TurnParts(target.then, Timeline(target.response, 0), talk).run(RenderedRequest("POST", "/", (), b""))
    _, own = next(running)
    own.sent(sent_ns, 1)
    own.status = 200
    own.answer(sent_ns, b"{}")
    return running, next_of(running), sent_ns


def next_of(running: Carried) -> PartTimeline:
    _, part = next(running)
    assert isinstance(part, PartTimeline)
    return part


def test_the_time_limit_of_each_request_is_that_of_the_turn() -> None:
    _, part, sent_ns = asked(known_errors=True)
    part.sent(sent_ns + 5, 1)
    assert part.sent_ns == sent_ns


def test_a_state_that_may_be_an_error_is_none_where_the_mapping_says_so() -> None:
    running, part, sent_ns = asked(known_errors=False)
    part.status = 200
    part.answer(sent_ns, b'{"status": "failed"}')
    assert next_of(running) is not part
