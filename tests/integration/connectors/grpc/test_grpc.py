"""gRPC on both lanes against a foreign server (that of grpcio): what the mock and the hostile ones leave."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import uvloop

from connectors.base import BaseConnector
from connectors.registry import Lane, connector_class
from connectors.spec import TargetSpec, build_target_spec
from connectors.target import CompiledTarget
from tests.hostile.grpc import PROTO
from tests.integration.connectors.lanes import LANES, LIMITS, ROOMY, Client, Turn, make_spec, say
from tests.support.processes import Mock, mock_chatbot
from tests.support.servers.grpc_target import Target, grpc_target
from tokenburn_site.local.process_groups import ProcessGroups

lanes = pytest.mark.parametrize("lane", LANES)
CONVERSE = {"method": "tokenburn.mock.v1.Chat/Converse", "proto": PROTO}


def converse(url: str, reconnect: str = "fail", **overrides: Any) -> TargetSpec:
    overrides = {"timeouts": ROOMY, "grpc": {**CONVERSE, "reconnect": reconnect}} | overrides
    return make_spec("grpc", url, **overrides)


def unary(url: str, **overrides: Any) -> TargetSpec:
    overrides = {"timeouts": ROOMY, "limits": LIMITS, "grpc": {"proto": PROTO}} | overrides
    return build_target_spec(name="test", url=url, preset="generic-grpc", overrides=overrides)


def said(turns: list[Turn]) -> list[tuple[str | None, str]]:
    return [(turn.code, turn.text) for turn in turns]


# --- the three kinds of methods ---------------------------------------------------------------------------------


@lanes
def test_a_unary_method_answers_each_turn(lane: Lane) -> None:
    with grpc_target(Target()) as target, Client(lane, unary(target.url)) as client:
        turns = client.say_all(["one", "two"])
    assert said(turns) == [(None, "one number 0"), (None, "two number 0")]
    assert [(t.timeline.tokens_in, t.timeline.tokens_out, t.timeline.chunks) for t in turns] == [(1, 2, 1)] * 2
    assert target.asked == ["one", "two"]
    assert all(left is not None and left < ROOMY["total"] + 0.1 for left in target.deadlines), target.deadlines


@lanes
def test_one_stream_carries_a_conversation_and_another_the_next(lane: Lane) -> None:
    with grpc_target(Target()) as target, Client(lane, converse(target.url)) as client:
        first = client.say_all(["one", "two", "three"])
        client.connector.begin({"id": "next"})
        second = client.say_all(["four"])
    assert said(first) == [(None, "one number 0"), (None, "two number 1"), (None, "three number 2")]
    assert said(second) == [(None, "four number 0")]
    assert target.streams == 2
    assert target.streams_ended == 2, "a conversation that is over closes its stream, it does not cancel it"


@lanes
def test_a_stream_without_an_end_mark_is_a_message_a_turn(lane: Lane) -> None:
    def one(text: str, number: int) -> Iterator[dict[str, Any]]:
        yield {"usage": {"input_tokens": 3}}
        yield {"delta": f"{text} {number}"}

    with grpc_target(Target(one)) as target:
        spec = converse(target.url, response={"done": None})
        with Client(lane, spec) as client:
            turns = client.say_all(["a", "b"])
    assert said(turns) == [(None, "a 0"), (None, "b 1")]
    assert [t.timeline.tokens_in for t in turns] == [3, 3]


@lanes
def test_what_comes_between_two_turns_of_a_stream_is_no_answer_but_may_be_saved(lane: Lane) -> None:
    more = threading.Event()

    def chatty(text: str, number: int) -> Iterator[dict[str, Any]]:
        yield {"delta": text}
        yield {"done": True}
        if number == 0:
            assert more.wait(30)
            yield {"delta": "nobody asked", "response": "kept"}

    with grpc_target(Target(chatty)) as target:
        spec = converse(target.url, response={"save": {"note": "response"}})
        with Client(lane, spec) as client:
            turns = client.say_all(["one"])
            more.set()
            while not client.connector.unassigned:
                client.idle(0.01)
            turns += client.say_all(["two"])
            assert client.connector.saved == {"note": "kept"}
    assert said(turns) == [(None, "one"), (None, "two")]


@lanes
@pytest.mark.parametrize("reconnect", ["fail", "resume"])
def test_a_stream_that_ended_between_turns_fails_or_is_made_anew(lane: Lane, reconnect: str) -> None:
    with grpc_target(Target(converses_for=1)) as target, Client(lane, converse(target.url, reconnect)) as client:
        turns = client.say_all(["one"])
        while client.connector.ready:
            client.idle(0.01)
        turns += client.say_all(["two"])
    codes = [(t.code, t.text) for t in turns]
    if reconnect == "resume":
        assert codes == [(None, "one number 0"), (None, "two number 0")]
    else:
        assert codes == [(None, "one number 0"), ("connection_closed", "")]
        assert turns[1].error is not None and "grpc.reconnect" in turns[1].error.advice
        assert target.asked == ["one"]


@lanes
def test_a_target_that_went_away_between_turns_is_dialled_anew(lane: Lane) -> None:
    with grpc_target(Target()) as first, Client(lane, unary(first.url)) as client:
        assert client.say("one").code is None
    with grpc_target(Target()) as second, Client(lane, unary(second.url)) as client:
        assert client.say("one").code is None
        port = int(second.url.rpartition(":")[2])
    # The server and its connection are gone, and the port is closed.
    with Client(lane, unary(second.url)) as client:
        turn = client.say("two")
    assert port and turn.code == "connect_refused"


@lanes
def test_a_stream_that_is_refused_at_once_has_the_target_s_own_status(lane: Lane) -> None:
    """The refusal may overtake our first message, whose writing then fails."""
    proto = PROTO.replace("rpc Converse", "rpc Muse")
    with grpc_target(Target()) as target:
        spec = make_spec("grpc", target.url, grpc={"method": "tokenburn.mock.v1.Chat/Muse", "proto": proto})
        for _ in range(3):  # to close a channel of the reference lane takes a fifth of a second
            with Client(lane, spec) as client:
                turns = [client.say() for _ in range(7)]
            assert [turn.code for turn in turns] == ["grpc_unimplemented"] * 7, turns[0].error


@lanes
def test_a_proto_that_cannot_be_compiled_says_where(lane: Lane) -> None:
    with grpc_target(Target()) as target, Client(lane, unary(target.url, grpc={"proto": "message {"})) as client:
        turn = client.say()
    assert turn.code == "request_invalid"
    assert turn.error is not None
    assert "line 1" in turn.error.detail


def test_a_turn_that_is_cancelled_was_stopped_and_its_call_is_cancelled() -> None:
    cancelled, asked = threading.Event(), threading.Event()

    def silent(text: str, number: int) -> Iterator[dict[str, Any]]:
        yield {"delta": text}
        asked.set()
        assert cancelled.wait(30)

    async def stop(connector: BaseConnector) -> Turn:
        turn = asyncio.ensure_future(say(connector, "one"))
        await asyncio.get_running_loop().run_in_executor(None, asked.wait, 30)
        turn.cancel()
        return await turn

    with grpc_target(Target(silent)) as target:
        spec = make_spec("grpc", target.url, timeouts={})
        connector = connector_class("grpc")(CompiledTarget(spec))
        connector.begin({"id": "s"})
        turn = uvloop.run(stop(connector))
        cancelled.set()
    assert turn.code == "stopped"
    assert not connector.ready


# --- what is sent -----------------------------------------------------------------------------------------------


@lanes
def test_headers_are_metadata(lane: Lane) -> None:
    headers = {"X-Tenant": "t-{{ session.id }}", "trace-bin": "ab", "Host": "elsewhere"}
    with grpc_target(Target()) as target:
        spec = unary(target.url, request={"headers": headers}, secrets={"api_key": "k-1"})
        with Client(lane, spec) as client:
            assert client.say().code is None
    [found] = target.metadata
    assert (found["x-tenant"], found["trace-bin"], found["authorization"]) == ("t-s", b"ab", "Bearer k-1")
    assert str(found["user-agent"]).startswith("token-burn ")
    assert "host" not in found


@lanes
@pytest.mark.parametrize(
    ("request_", "what"),
    [
        ({"body": {"nonsense": 1}}, 'no field named "nonsense"'),
        ({"body": {"message": ["not", "text"]}}, "message"),
        ({"headers": {"x-name": "gr\u00fc\u00df"}}, "x-name"),
    ],
)
def test_a_request_that_fits_no_message_is_not_sent(lane: Lane, request_: dict[str, Any], what: str) -> None:
    with grpc_target(Target()) as target, Client(lane, unary(target.url, request=request_)) as client:
        turn = client.say()
    assert turn.code == "request_invalid"
    assert turn.error is not None and what in turn.error.detail
    assert turn.timeline.sent_ns is None
    assert target.asked == []


@lanes
def test_64_bit_numbers_come_as_numbers(lane: Lane) -> None:
    def stamped(text: str, number: int) -> Iterator[dict[str, Any]]:
        yield {"delta": text, "t": 1 << 60}
        yield {"done": True}

    with (
        grpc_target(Target(stamped)) as target,
        Client(lane, make_spec("grpc", target.url, response={"stamp": "t"})) as client,
    ):
        turn = client.say()
    assert (turn.code, len(turn.timeline.arrival_errors)) == (None, 1)


# --- with the mock chatbot, found by its own reflection -----------------------------------------------------------


@pytest.fixture(scope="module")
def chatbot(family: ProcessGroups, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mock]:
    flags = ("--error-rate", "0", "--delay-ms", "0", "--tokens", "3-9", "--stamp", "t")
    with mock_chatbot(family, *flags, log=tmp_path_factory.mktemp("mock") / "mock.log") as running:
        yield running


def counts(turn: Turn) -> tuple[Any, ...]:
    line = turn.timeline
    return turn.code, turn.text, line.chunks, line.tokens_in, line.tokens_out, len(line.arrival_errors)


@pytest.mark.parametrize("method", ["Ask", "AskStream", "Converse"])
def test_both_lanes_hear_the_same_from_the_mock(chatbot: Mock, method: str) -> None:
    found = {}
    for lane in LANES:
        assert requests.post(f"{chatbot.url}/__stats/reset", timeout=10).ok
        overrides = {"grpc": {"method": f"tokenburn.mock.v1.Chat/{method}"}, "response": {"stamp": "t"}}
        spec = build_target_spec(
            name="test", url=chatbot.grpc_url, preset="generic-grpc", stream=method != "Ask", overrides=overrides
        )
        with Client(lane, spec) as client:
            found[lane] = [counts(turn) for turn in client.say_all(["one", "two", "three"])]
        counted = chatbot.stats()
        assert (counted["chat_requests"], counted["answers"]) == (3, 3)
        assert counted["output_tokens"] == sum(turn[4] for turn in found[lane])
    assert found["load"] == found["reference"]
    assert all(code is None and text for code, text, *_ in found["load"])
    assert all((chunks == 1) is (method == "Ask") for _, _, chunks, *_ in found["load"])
