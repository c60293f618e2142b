"""Tools whose results go back to agents of other makers' libraries, in a conversation that goes on."""

from __future__ import annotations

from typing import Any, Final

from connectors.registry import Lane
from connectors.spec import build_target_spec
from tests.integration.connectors.lanes import Client
from tests.support.foreign.peers import Peer

TOOL: Final = {"name": "weather", "description": "The weather.", "parameters": {"type": "object", "properties": {}}}
AGENTS: Final[dict[str, tuple[str, str, dict[str, Any], dict[str, Any]]]] = {
    "agents": ("ag-ui", "/ag-ui", {"tools": [TOOL]}, {"http": {"version": "2"}}),
    "ai": ("ai-sdk", "/api/chat", {}, {}),
}
"""By server: preset, path, params and overrides."""


def check_results(server: str, peer: Peer, lane: Lane) -> None:
    """Two turns that call a tool: the agent gets each result, and the first one again with the second turn."""
    preset, path, params, overrides = AGENTS[server]
    spec = build_target_spec(
        name="peer", url=f"http://127.0.0.1:{peer.port}{path}", preset=preset, params=params,
        overrides=overrides | {"tool_results": {"weather": "{{ tool.input.city }} {{ turn }}"}},
    )  # fmt: skip
    asked = [f"call {server} {lane} {number}" for number in range(2)]
    log: list[dict[str, str]] = []
    texts = []
    with Client(lane, spec) as client:
        for number, message in enumerate(asked):
            log.append({"role": "user", "content": message})
            seen = {"message": message, "messages": log, "history": log[:-1], "turn": number, "vars": {}}
            turn = client.say_with(seen)
            assert (turn.code, [call.name for call in turn.timeline.tool_calls]) == (None, ["weather"]), turn.error
            log.append({"role": "assistant", "content": turn.text})
            texts.append(turn.text)
    got = peer.entries(f"call {server} {lane}")
    assert [(one["message"], one["text"]) for one in got] == list(zip(asked, texts, strict=True))
    assert [one["returned"] for one in got] == [["Graz 0"], ["Graz 0", "Graz 1"]]
