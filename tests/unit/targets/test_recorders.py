"""How many requests of a handshake and of a turn a test message shows."""

from __future__ import annotations

from typing import Any

import pytest

from targets import step_recorder
from targets.probe import probe
from tests.hostile.server import HostileServer, Peer
from tests.hostile.table import whole
from tests.unit.targets.test_probe import lanes, spec
from tokenburn_site.cli.probe.text import lines

STEPS = [{"name": f"step{number}", "url": "/step"} for number in range(3)]
CHANGES: dict[str, Any] = {
    "protocol": "http",
    "handshake": {"steps": STEPS},
    "request": {"path": "/ask", "body": {}},
    "then": [{"name": f"part{number}", "url": "/part"} for number in range(4)],
    "response": {"text": "said"},
}


@lanes
def test_of_many_requests_the_first_are_shown_and_the_others_counted(
    lane: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(step_recorder, "MOST", 2)

    def serve(peer: Peer) -> None:
        while peer.read_request():
            peer.send(whole(b'{"said": "Hello"}'))

    with HostileServer(serve) as server:
        found = probe(spec(server.url, **CHANGES), ["x"], lane=lane)
    assert found.ok, found.turns[0].error
    turn = found.turns[0]
    assert [[step.name for step in turn.steps], turn.steps_left_out] == [["step0", "step1"], 1]
    assert [[part.name for part in turn.parts], turn.parts_left_out] == [["request", "part0"], 3]
    shown = "\n".join(lines(found))
    assert "... and 1 more request of the handshake" in shown
    assert "... and 3 more requests of the turn" in shown
