"""A test message shows the tools that were called, and the rounds of their results."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from connectors.registry import Lane
from connectors.spec import build_target_spec
from targets.probe import probe
from targets.probe_result import Probe
from tests.hostile.server import HostileServer
from tests.hostile.table import whole
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


def asked(lane: Lane, *answers: bytes, **overrides: Any) -> Probe:
    with HostileServer(answering(*answers)) as server:
        spec = build_target_spec(
            name="t", url=server.url, preset="openai-chat", stream=True, secrets={"api_key": KEY},
            overrides={"tool_results": {"weather": "{{ tool.input.city }}: 18 degrees"}} | overrides,
        )  # fmt: skip
        return probe(spec, ["hello"], lane=lane)


@lanes
def test_the_request_of_each_round_is_shown_without_secrets(lane: Lane) -> None:
    found = asked(lane, CALLS, CALLS, ENDS)
    (turn,) = found.turns
    assert [sent.name for sent in turn.rounds] == ["2", "3"]
    messages = [orjson.loads(sent.request.body)["messages"] for sent in turn.rounds]
    assert [len(said) for said in messages] == [3, 5]
    assert messages[0][-1] == {"role": "tool", "tool_call_id": "c1", "content": "Graz: 18 degrees"}
    assert turn.rounds[0].request.method == "POST"
    assert not any("tool_rounds" in note for note in turn.notes)
    shown = "\n".join(lines(found, None))
    assert "round 2" in shown and "Graz: 18 degrees" in shown and KEY not in shown
    assert KEY.encode() not in orjson.dumps(found.as_dict())


@lanes
@pytest.mark.parametrize("rounds", [0, 1, 2])
def test_a_turn_whose_rounds_are_used_up_says_so(lane: Lane, rounds: int) -> None:
    (turn,) = asked(lane, CALLS, CALLS, CALLS, tool_rounds=rounds).turns
    assert turn.error is None and len(turn.rounds) == rounds
    told = [note for note in turn.notes if "tool_rounds" in note]
    assert [f"all {rounds} are used up" in note for note in told] == ([True] if rounds else [])


@lanes
def test_a_failed_round_shows_what_was_sent_and_what_came_before(lane: Lane) -> None:
    ended = {"choices": [{"delta": {}, "finish_reason": "tool_calls"}]}
    first = stream({"choices": [{"delta": {"tool_calls": [CALL]}}]}, ended, USAGE, "[DONE]")
    found = asked(lane, first, whole(b'{"error": {"message": "bad"}}', status="500 No"))
    (turn,) = found.turns
    assert turn.error is not None and turn.error.code == "http_500"
    assert (turn.unmatched, len(turn.rounds), turn.tokens_in) == (0, 1, None)
    assert "tokens: 1 of 2 answers reported theirs: 7 in, 2 out" in turn.notes
    assert "not reported for every answer" in "\n".join(lines(found, None))


@lanes
def test_the_end_of_a_long_request_is_shown_and_what_codecs_make_of_it(lane: Lane) -> None:
    asked_for = "Which weather? " * 2000
    spec_of = {"tool_results": {"*": f"18 degrees {KEY}"}, "codec": {"request": [{"name": "base64"}], "response": []}}
    with HostileServer(answering(CALLS, ENDS)) as server:
        spec = build_target_spec(
            name="t", url=server.url, preset="openai-chat", stream=True, secrets={"api_key": KEY}, overrides=spec_of
        )
        (turn,) = probe(spec, [asked_for], lane=lane).turns
        sent = server.requests[1].partition(b"\r\n\r\n")[2]
    (shown,) = turn.rounds
    assert "Which weather? Which" in shown.request.body and len(shown.request.body) < 11_000
    assert '"tool_call_id":"c1","content":"18 degrees ***"}' in shown.request.body
    assert shown.request.packed is not None and len(shown.request.packed) > 1000
    assert sent.decode().startswith(shown.request.packed[:500])
    assert KEY not in orjson.dumps(turn.rounds).decode()
