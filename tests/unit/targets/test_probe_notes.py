"""What a test message says beside its answer: doubts, late frames, messages of no turn."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from connectors.registry import Lane
from targets.probe import probe
from tests.hostile.server import HostileServer
from tests.liars.bots import LIARS
from tests.liars.runs import target
from tests.liars.serve import Conduct, LiarServer
from tests.unit.targets.test_probe import answering, gave, lanes, spec, stream
from tokenburn_site.cli.probe.text import lines


@lanes
@pytest.mark.parametrize(
    ("piece", "kind", "noted"),
    [
        ({"d": "Seine", "n": 2}, "text/event-stream", ""),
        ({"d": "Seine", "n": 2}, "text/html", "content_type_wrong: its content type is text/html"),
        ({"d": "Seine", "n": 0}, "text/event-stream", "usage_not_believed: 0 tokens"),
        ({"d": "Seine", "n": -1}, "text/event-stream", "usage_not_believed: the target"),
        ({"d": "x" * 900, "n": 2}, "text/event-stream", "usage_not_believed: 2 tokens"),
    ],
)
def test_what_a_run_would_doubt_is_noted(lane: Lane, piece: dict[str, Any], kind: str, noted: str) -> None:
    answer = stream({"type": "piece", **piece}, {"type": "end"}).replace(b"text/event-stream", kind.encode())
    with HostileServer(answering(answer)) as server:
        found = probe(spec(server.url), ["Which river?"], lane=lane)
    notes = found.turns[0].notes
    assert (len(notes), noted in "".join(notes)) == (bool(noted), True), notes
    assert noted in "\n".join(lines(found))


@lanes
def test_a_frame_behind_the_end_mark_is_shown(lane: Lane) -> None:
    with HostileServer(
        answering(stream({"type": "piece", "d": "Seine"}, {"type": "end"}, {"total_tokens": 3}))
    ) as server:
        found = probe(spec(server.url), ["Which river?"], lane=lane)
    assert found.ok
    assert gave(found)[-1] == (["ignored"], "after the end mark")


@lanes
def test_messages_that_belong_to_no_turn_are_shown(lane: Lane) -> None:
    bot = LIARS["greets"]
    with LiarServer({"greets": Conduct(bot.speak, bot.greet)}) as server:
        found = probe(target("websocket", "greets", bot, server.urls["websocket"]), ["question 1 of x-1"], lane=lane)
    assert found.unsolicited
    assert found.unassigned >= len(found.unassigned_frames) > 0
    shown = found.as_dict()
    assert (shown["stray"], shown["stray_frames"]) == (found.unassigned, found.unassigned_frames)
    said = "".join(orjson.loads(frame).get("delta", "") for frame in found.unassigned_frames)
    assert "You said: question" in said or "Welcome, how can" in said, "listens to all of it, not to its first piece"
    assert found.unassigned_frames[0] in "\n".join(lines(found))
