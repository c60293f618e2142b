"""Both lanes mean the same: equal results on the same conversations with the mock chatbot."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
import requests

from connectors.registry import Lane
from connectors.spec import build_target_spec
from tests.integration.connectors.lanes import LANES, Client, Turn, make_spec
from tests.support.processes import Mock, mock_chatbot
from tokenburn_site.local.process_groups import ProcessGroups

FLAGS = ("--delay-ms", "0-10", "--itl-ms", "0-1", "--tokens", "3-12", "--stamp", "t")
PATHS = {
    "http": "/v1",
    "sse": "/v1",
    "ndjson": "/ndjson",
    "split": "/split",
    "grpc": "",
    "websocket": "/ws",
    "socketio": "",
}
"""Of each protocol, where the mock speaks it."""
PROTOCOLS = tuple(PATHS)
STEPS = {"split": {"standing"}, "grpc": {"descriptors"}, "websocket": {"upgrade"}, "socketio": {"upgrade", "socketio"}}
"""Of connecting, where a protocol has its own."""
FAILURES = {
    "split": {"target_error", "http_500", "http_429", "http_503"},
    "websocket": {"target_error"},
    "socketio": {"target_error"},
    "grpc": {"grpc_internal", "grpc_resource_exhausted", "grpc_unavailable"},
}
"""How the mock reports a random error, where not by an HTTP status."""
SAYINGS = ("hello", "gr\u00fc\u00df dich \u4f60\u597d \U0001f600", 'quotes " and \\ and\nnew lines', "x" * 2_000)


class Result(NamedTuple):
    """What a turn is counted by. Times differ from lane to lane; what was said, counted and failed does not."""

    code: str | None
    text: str
    chunks: int
    tokens_in: int | None
    tokens_out: int | None
    reasoning_chars: int
    stamps: int


def result(turn: Turn) -> Result:
    line = turn.timeline
    chunks = len(line.gaps_ns) + (line.first_content_ns is not None)
    counts = (chunks, line.tokens_in, line.tokens_out, line.reasoning_chars, len(line.arrival_errors))
    return Result(turn.code, turn.text, *counts)


def conversations(
    lane: Lane, protocol: str, mock: Mock, headers: dict[str, str], number: int, **overrides: Any
) -> list[Turn]:
    """`number` conversations of all SAYINGS, distinguished by a header; the mock is reset first."""
    turns = []
    assert requests.post(f"{mock.url}/__stats/reset", timeout=10).ok
    for at in range(number):
        own = {**headers, "X-Mock-Conversation": f"c{at}"}
        spec = make_spec(
            protocol,
            mock.grpc_url if protocol == "grpc" else mock.url + PATHS[protocol],
            timeouts={"total": 30},
            limits={},
            request={"headers": own},
            response={"stamp": "data.t" if protocol == "socketio" else "t"},
            **({"socketio": {"ack": False}} if protocol == "socketio" else {}) | overrides,
        )
        with Client(lane, spec) as client:
            turns += client.say_all(SAYINGS)
    return turns


@pytest.fixture(scope="module")
def chatbot(family: ProcessGroups, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mock]:
    with mock_chatbot(family, *FLAGS, log=tmp_path_factory.mktemp("mock") / "mock.log") as running:
        yield running


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("behaviour", ["verbose", "xml", "repetitive", "echo"])
def test_both_lanes_count_the_same_and_the_target_agrees(chatbot: Mock, protocol: str, behaviour: str) -> None:
    headers = {"X-Mock-Behaviour": behaviour, "X-Mock-Error-Rate": "0", "X-Mock-Reasoning": "0-5"}
    found = {}
    for lane in LANES:
        turns = conversations(lane, protocol, chatbot, headers, 2)
        found[lane] = [result(turn) for turn in turns]
        counted = chatbot.stats()
        assert counted["chat_requests"] == counted["answers"] == len(turns)
        assert counted["output_tokens"] == sum(r.tokens_out or 0 for r in found[lane])
    assert found["load"] == found["reference"]
    assert all(r.code is None and r.text and r.stamps for r in found["load"])
    if protocol == "http":
        assert {r.chunks for r in found["load"]} == {1}
    else:
        assert max(r.chunks for r in found["load"]) > 1


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_both_lanes_fail_in_the_same_turns(chatbot: Mock, protocol: str) -> None:
    headers = {"X-Mock-Error-Rate": "0.5"}
    found = {lane: [result(t) for t in conversations(lane, protocol, chatbot, headers, 4)] for lane in LANES}
    assert found["load"] == found["reference"]
    codes = {r.code for r in found["load"]}
    assert None in codes
    assert codes - {None} <= FAILURES.get(protocol, {"http_500", "http_429", "http_503"})
    assert len(codes) > 1


def test_an_acknowledgement_says_the_same_as_events(chatbot: Mock) -> None:
    headers = {"X-Mock-Behaviour": "echo", "X-Mock-Error-Rate": "0"}
    for lane in LANES:
        turns = conversations(lane, "socketio", chatbot, headers, 1, socketio={"ack": True})
        assert [(t.code, t.text.strip(), t.timeline.chunks) for t in turns] == [(None, s.strip(), 1) for s in SAYINGS]


@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
def test_websocket_says_the_same_in_each_of_its_forms(chatbot: Mock, binary: bool) -> None:
    headers = {"X-Mock-Behaviour": "echo", "X-Mock-Error-Rate": "0"}
    sizes: dict[tuple[Lane, bool], int] = {}
    for lane in LANES:
        for packed in (False, True):
            form = {"compression": packed, "binary": binary, "subprotocols": ["chat.v2", "chat"]}
            turns = conversations(lane, "websocket", chatbot, headers, 1, websocket=form)
            assert [(t.code, t.text.strip()) for t in turns] == [(None, text.strip()) for text in SAYINGS]
            sizes[lane, packed] = turns[-1].timeline.bytes_in
    for lane in LANES:  # what says the same again and again must have come packed, or the test shows nothing
        assert sizes[lane, True] < sizes[lane, False] * 0.7, sizes


@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_times_come_in_their_order_and_agree_with_the_target(chatbot: Mock, protocol: str, lane: Lane) -> None:
    headers = {"X-Mock-Error-Rate": "0", "X-Mock-Delay-Ms": "50", "X-Mock-Tokens": "8"}
    turns = conversations(lane, protocol, chatbot, headers, 1)
    for turn in turns:
        line = turn.timeline
        times = [line.planned_ns, line.sent_ns, line.first_byte_ns, line.first_chunk_ns, line.first_content_ns]
        times += [line.last_content_ns, line.done_ns]
        known = [ns for ns in times if ns is not None]
        assert len(known) == len(times)
        assert known == sorted(known)
        assert known[2] - known[1] >= 50_000_000  # first byte - sent
        assert all(0 <= error < 100_000_000 for error in line.arrival_errors)
    steps = {"resolve", "connect"} | STEPS.get(protocol, set())
    assert [set(turn.timeline.handshake_ns or {}) for turn in turns] == [steps, set(), set(), set()]


@pytest.mark.parametrize("lane", LANES)
def test_generic_json_speaks_to_the_same_mock(chatbot: Mock, lane: Lane) -> None:
    for stream in (False, True):
        spec = build_target_spec(
            name="generic",
            url=f"{chatbot.url}/chat",
            preset="generic-json",
            stream=stream,
            overrides={"request": {"headers": {"X-Mock-Behaviour": "echo", "X-Mock-Error-Rate": "0"}}},
        )
        with Client(lane, spec) as client:
            turn = client.say("say it again")
        assert (turn.code, turn.text.strip()) == (None, "say it again"), turn.error


@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize("stream", [False, True])
def test_talksy_speaks_to_the_same_mock(chatbot: Mock, lane: Lane, stream: bool) -> None:
    headers = {"X-Mock-Behaviour": "echo", "X-Mock-Error-Rate": "0"}
    overrides = {"request": {"headers": headers}, "response": {"stamp": "data.t"}}
    spec = build_target_spec(name="talksy", url=chatbot.url, preset="talksy", stream=stream, overrides=overrides)
    with Client(lane, spec) as client:
        turns = client.say_all(SAYINGS)
        assert client.connector.saved["session_id"]
    assert [(t.code, t.text.strip()) for t in turns] == [(None, text.strip()) for text in SAYINGS]
    assert all(len(t.timeline.arrival_errors) >= t.timeline.chunks for t in turns)
