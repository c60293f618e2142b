"""What a test message shows of the requests of a handshake and of a turn, and how many."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from targets import step_recorder
from targets.probe import probe
from tests.hostile.server import HostileServer, Peer
from tests.hostile.table import whole
from tests.unit.targets.test_probe import answering, lanes, spec
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
        found = probe(spec(server.url, **CHANGES), ["x", "y"], lane=lane)
    assert found.ok, found.turns[-1].error
    turn, later = found.turns
    assert [later.steps, later.steps_left_out, len(later.parts), later.parts_left_out] == [[], 0, 2, 3]
    assert [[step.name for step in turn.steps], turn.steps_left_out] == [["step0", "step1"], 1]
    assert [[part.name for part in turn.parts], turn.parts_left_out] == [["request", "part0"], 3]
    shown = "\n".join(lines(found))
    assert "... and 1 more request of the handshake" in shown
    assert "... and 3 more requests of the turn" in shown


@lanes
@pytest.mark.parametrize(
    ("said", "more", "note"),
    [
        (60, {}, ""),
        (
            "soon",
            {},
            "neither a number of seconds nor a Unix time at 'expires_in', so its result does not expire",
        ),
        (-1, {"expires_s": 9.0}, "so expires_s holds"),
        (None, {}, "the answer has nothing at 'expires_in'"),
    ],
)
def test_a_lifetime_that_cannot_be_used_is_named(lane: Any, said: Any, more: dict[str, Any], note: str) -> None:
    step = {"name": "token", "url": "/token", "save": {"id": "id"}, "expires": "expires_in", **more}
    answers = [whole(orjson.dumps({"id": "i1", "expires_in": said})), whole(b'{"said": "Hello"}')]
    changes = CHANGES | {"handshake": {"steps": [step]}, "then": []}
    with HostileServer(answering(*answers)) as server:
        (turn,) = probe(spec(server.url, **changes), ["x"], lane=lane).turns
    assert turn.error is None
    assert [note in one for one in turn.notes] == ([True] if note else [])
