"""A test message shows the tools that were called, and the rounds of their results."""

from __future__ import annotations

import orjson
import pytest

from connectors.registry import Lane
from connectors.spec import build_target_spec
from targets.probe import probe
from tests.hostile.server import HostileServer
from tests.unit.targets.test_probe import KEY, answering, lanes, stream
from tokenburn_site.cli.probe.text import lines

ARGUMENTS = orjson.dumps({"city": "Graz", "key": KEY}).decode()
CALL = {"index": 0, "id": "c1", "function": {"name": "weather", "arguments": ARGUMENTS}}
USAGE = {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 2}}
CALLS = stream({"choices": [{"delta": {"tool_calls": [CALL]}}]}, USAGE, "[DONE]")
ENDS = stream({"choices": [{"delta": {"content": "Warm."}}]}, USAGE, "[DONE]")


@lanes
@pytest.mark.parametrize("results", [{}, {"weather": "18 degrees"}])
def test_tool_calls_are_shown_without_secrets(lane: Lane, results: dict[str, str]) -> None:
    with HostileServer(answering(CALLS, ENDS)) as server:
        spec = build_target_spec(
            name="t", url=server.url, preset="openai-chat", stream=True, secrets={"api_key": KEY},
            overrides={"tool_results": results},
        )  # fmt: skip
        found = probe(spec, ["hello"], lane=lane)
    (turn,) = found.turns
    assert turn.error is None
    assert turn.tool_calls == ['weather {"city":"Graz","key":"***"}']
    assert (turn.text, len(turn.frames)) == (("Warm.", 6) if results else ("", 3))
    assert (turn.tokens_in, turn.tokens_out) == ((14, 4) if results else (7, 2))
    assert turn.frames[0].gave == ["tool call"]
    assert ({"round_1", "round_2"} <= turn.times_ms.keys()) is bool(results)
    assert not any(name.startswith("tool") for name in turn.handshake_ms)
    shown = "\n".join(lines(found, None))
    assert "tool calls" in shown and 'weather {"city":"Graz"' in shown
    assert KEY.encode() not in orjson.dumps(found.as_dict()) and KEY not in shown
