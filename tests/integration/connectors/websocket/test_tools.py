"""Results of tool calls on a WebSocket, in the dialects of presets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import orjson

from connectors.registry import Lane
from connectors.spec import TargetSpec, build_target_spec
from targets.probe import probe
from tests.hostile.frames import frame, read_frame, upgrade
from tests.hostile.server import HostileServer, Peer
from tests.integration.connectors.lanes import ROOMY, Client
from tests.integration.connectors.websocket.talking import lanes, said

Line = list[tuple[str, dict[str, Any]]]
"""What `we` and `they` say."""
CALL = {"id": "c1", "name": "weather", "args": {"city": "Graz"}}
SETUP = {"model": "models/m", "generationConfig": {"responseModalities": ["TEXT"]}, "tools": [{"a": 1}]}
TURN = {"turns": [{"role": "user", "parts": [{"text": "hello"}]}], "turnComplete": True}
GEMINI_LIVE: Line = [
    ("we", {"setup": SETUP}),
    ("they", {"setupComplete": {}}),
    ("we", {"clientContent": TURN}),
    ("they", {"toolCall": {"functionCalls": [CALL, CALL | {"id": "c2"}]}}),
    ("we", {"toolResponse": {"functionResponses": [
        {"id": name, "name": "weather", "response": {"result": "Graz: warm"}} for name in ("c1", "c2")
    ]}}),
    ("they", {"serverContent": {"modelTurn": {"parts": [{"text": "Warm."}]}}}),
    ("they", {"serverContent": {"turnComplete": True}}),
    ("we", {"clientContent": TURN}),
    ("they", {"serverContent": {"modelTurn": {"parts": [{"text": "Hm."}]}, "turnComplete": True}}),
]  # fmt: skip


def created(**item: Any) -> dict[str, Any]:
    return {"type": "conversation.item.create", "item": item}


def called(index: int, call: str) -> list[tuple[str, dict[str, Any]]]:
    item = {"type": "function_call", "call_id": call, "name": "weather"}
    arguments = {"output_index": index, "call_id": call, "arguments": '{"city":"Graz"}'}
    return [
        ("they", {"type": "response.output_item.added", "output_index": index, "item": item}),
        ("they", {"type": "response.function_call_arguments.done", **arguments}),
    ]


def returned(call: str) -> dict[str, Any]:
    return created(type="function_call_output", call_id=call, output="Graz: warm")


HELLO = created(type="message", role="user", content=[{"type": "input_text", "text": "hello"}])
RESPOND = {"type": "response.create", "response": {}}
DONE = {"type": "response.done", "response": {"status": "completed"}}
REALTIME: Line = [
    ("they", {"type": "session.created"}),
    ("we", {"type": "session.update", "session": {"type": "realtime", "output_modalities": ["text"]}}),
    ("they", {"type": "session.updated"}),
    ("we", HELLO),
    ("we", RESPOND),
    *called(0, "c1"),
    *called(1, "c2"),
    ("they", DONE),
    ("we", returned("c1")),
    ("we", returned("c2")),
    ("we", RESPOND),
    ("they", {"type": "response.output_text.delta", "delta": "Warm."}),
    ("they", DONE),
    ("we", HELLO),
    ("we", RESPOND),
    ("they", {"type": "response.output_text.delta", "delta": "Hm."}),
    ("they", DONE),
]


@contextmanager
def talking(preset: str, talk: Line, **params: Any) -> Iterator[TargetSpec]:
    """A target that says what it says in `talk`, and is to hear the rest."""
    heard: list[Any] = []

    def serve(peer: Peer) -> None:
        upgrade(peer)
        for who, message in talk:
            if who == "they":
                peer.send(frame(orjson.dumps(message)))
            else:
                heard.append(orjson.loads(read_frame(peer)[1]))
        peer.hold()

    overrides = {"tool_results": {"weather": "{{ tool.input.city }}: warm"}, "timeouts": ROOMY}
    with HostileServer(serve) as server:
        yield build_target_spec(
            name="t", url=server.url.replace("http", "ws", 1), preset=preset, params=params,
            secrets={"api_key": "k"}, overrides=overrides,
        )  # fmt: skip
    assert heard == [message for who, message in talk if who == "we"]


def hold(lane: Lane, preset: str, talk: Line, turns: int, **params: Any) -> list[tuple[str | None, str]]:
    """Two turns as recorded."""
    with talking(preset, talk, **params) as spec, Client(lane, spec) as client:
        found = [client.say() for _ in range(turns)]
    assert [call.arguments for call in found[0].timeline.tool_calls] == ['{"city":"Graz"}'] * 2
    assert {"tool.round_1", "tool.round_2"} <= (found[0].timeline.handshake_ns or {}).keys()
    assert found[1].timeline.tools is None
    return said(found)


@lanes
def test_gemini_live_gets_all_results_in_one_message(lane: Lane) -> None:
    found = hold(lane, "gemini-live", GEMINI_LIVE, 2, model="m", tools=[{"a": 1}])
    assert found == [(None, "Warm."), (None, "Hm.")]


@lanes
def test_openai_realtime_gets_each_result_as_an_item(lane: Lane) -> None:
    assert hold(lane, "openai-realtime", REALTIME, 2) == [(None, "Warm."), (None, "Hm.")]


@lanes
def test_a_test_message_shows_each_result_and_the_request_behind_them(lane: Lane) -> None:
    with talking("openai-realtime", REALTIME) as spec:
        found = probe(spec, ["hello", "hello"], lane=lane)
    assert [turn.text for turn in found.turns] == ["Warm.", "Hm."]
    shown = [(sent.name, sent.request.method, orjson.loads(sent.request.body)) for sent in found.turns[0].rounds]
    assert shown == [("2 result", "", returned("c1")), ("2 result", "", returned("c2")), ("2", "", RESPOND)]
    assert found.turns[1].rounds == []
