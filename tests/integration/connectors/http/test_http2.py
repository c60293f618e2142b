"""HTTP/2 in the load lane: what arrives, how connections are shared, and what the end of one means for its turns."""

from __future__ import annotations

import asyncio
import struct
from typing import Any

import orjson
import pytest

from connectors.registry import Lane
from connectors.spec import build_target_spec
from tests.hostile import http
from tests.hostile.http2.answers import ANSWER
from tests.hostile.http2.frames import DATA, END_STREAM, INITIAL_WINDOW_SIZE, SETTINGS, Http2Peer, frame, headers
from tests.hostile.server import HostileServer, Peer
from tests.hostile.sse import PIECES, TEXT
from tests.integration.connectors.http.over_http2 import (
    CANCEL,
    EVENTS,
    Served,
    at_once,
    events,
    spec,
    steps,
    users,
)
from tests.integration.connectors.lanes import LANES, Client, Turn, make_spec, one_turn, say
from tests.support.servers.http2_server import Asked

lanes = pytest.mark.parametrize("lane", LANES)


@lanes
def test_a_request_arrives_as_the_mapping_has_it(lane: Lane) -> None:
    headers = {"X-Trace": "trace-{{ turn }}", "Host": "bot.example", "Accept": "*/*"}
    with Served() as served:
        given = spec(served.url, request={"headers": headers}, secrets={"api_key": "a secret"})
        with Client(lane, given) as client:
            turns = client.say_all(["one", "two"])
    assert [(turn.code, turn.text) for turn in turns] == [(None, TEXT)] * 2
    first, second = served.seen.asked
    assert [(first.header(name)) for name in (":method", ":scheme", ":authority", ":path")] == [
        "POST", "http", "bot.example", "/v1/chat/completions",
    ]  # fmt: skip
    assert [first.header(name) for name in ("x-trace", "accept", "user-agent", "authorization")] == [
        "trace-0", "*/*", "token-burn", "Bearer a secret",
    ]  # fmt: skip
    assert not {"connection", "host", "Host"} & {name for name, _ in first.headers}
    assert [int(asked.header("content-length")) for asked in (first, second)] == [len(first.body), len(second.body)]
    assert orjson.loads(second.body)["messages"][-1]["content"] == "two"
    assert served.server.connections == 1
    assert {"connect", *(["settings"] if lane == "load" else [])} <= steps(turns[0]).keys() and not steps(turns[1])


def test_users_share_as_many_connections_as_their_streams_need() -> None:
    held: list[Asked] = []

    def answer(asked: Asked) -> None:
        held.append(asked)
        if len(held) == 6:
            for one in held:
                events(one)

    with Served(answer) as served:
        turns = users(6, spec(served.url, streams=3), at_once)
    assert [(turn.code, turn.text) for turn in turns] == [(None, TEXT)] * 6
    assert (served.server.connections, served.seen.most) == (2, 3)
    assert {asked.stream for asked in served.seen.asked} == {1, 3, 5}


@pytest.mark.parametrize(
    "kept", [{"http": {"version": "2", "streams_per_connection": 1}}, {"reuse_connections": False}]
)
def test_a_connection_may_belong_to_one_conversation(kept: dict[str, Any]) -> None:
    async def in_turn(connectors: list[Any]) -> list[Turn]:
        return [await say(connector, "hello") for connector in [*connectors, *connectors]]

    with Served() as served:
        given = make_spec("http2", served.url, **kept)
        turns = users(3, given, in_turn)
    assert [turn.code for turn in turns] == [None] * 6
    assert served.server.connections == 3


def test_the_targets_limit_of_streams_is_kept_and_the_wait_is_a_step() -> None:
    def answer(asked: Asked) -> None:
        asked.server.peer.server.stopping.wait(0.01)
        events(asked)

    with Served(answer, max_concurrent_streams=1) as served:
        turns = users(4, spec(served.url), at_once)
    assert [(turn.code, turn.text) for turn in turns] == [(None, TEXT)] * 4
    assert (served.server.connections, served.seen.most) == (1, 1)
    waits = sorted(steps(turn).get("stream_wait", 0) for turn in turns)
    assert waits[-1] > waits[-2] > 10_000_000, waits
    assert all(turn.timeline.sent_ns - turn.timeline.planned_ns > 0 for turn in turns)


def test_whoever_waits_too_long_for_a_stream_is_told_how_many_there_are() -> None:
    with Served(lambda asked: asked.begin(EVENTS), max_concurrent_streams=1) as served:
        given = spec(served.url, timeouts={"connect": 0.3, "first_byte": 0.6, "idle": 0.6, "total": 0.8})
        turns = users(2, given, at_once)
    assert sorted(turn.code or "" for turn in turns) == ["connect_timeout", "idle_timeout"]
    told = next(turn.error.told for turn in turns if turn.error and turn.code == "connect_timeout")
    assert "allows 1 at a time" in told and "streams_per_connection" in told


def test_a_cancelled_turn_resets_its_stream_and_no_other() -> None:
    begun: list[Asked] = []

    def answer(asked: Asked) -> None:
        asked.begin(EVENTS)
        asked.send(PIECES[0])
        begun.append(asked)

    async def leave_one(connectors: list[Any]) -> Turn:
        leaving, staying = (asyncio.create_task(say(connector, "hello")) for connector in connectors)
        while len(begun) < 2:
            await asyncio.sleep(0.005)
        leaving.cancel()
        await asyncio.wait([leaving], timeout=5)
        while not served.seen.resets:
            await asyncio.sleep(0.005)
        stays = next(asked for asked in begun if asked.stream != served.seen.resets[0][0])
        stays.send(ANSWER.removeprefix(PIECES[0]), end=True)
        return await staying

    with Served(answer) as served:
        turn = users(2, spec(served.url), leave_one)
    assert (turn.code, turn.text) == (None, TEXT)
    assert [code for _, code in served.seen.resets] == [CANCEL]
    assert served.server.connections == 1


def test_a_turn_out_of_time_gives_its_stream_back() -> None:
    def answer(asked: Asked) -> None:
        asked.begin(EVENTS)
        if asked.number > 1:
            asked.send(ANSWER, end=True)

    with Served(answer, max_concurrent_streams=1) as served:
        times = {"connect": 5.0, "first_byte": 0.3, "idle": 0.3, "total": 5.0}
        with Client("load", spec(served.url, timeouts=times)) as client:
            codes = [client.say().code for _ in range(3)]
    assert codes == ["idle_timeout", None, None]
    assert served.server.connections == 1


# --- bodies -----------------------------------------------------------------------------------------------------


@lanes
def test_a_plain_text_is_read_as_it_arrives(lane: Lane) -> None:
    def in_pieces(asked: Asked) -> None:
        asked.begin(("content-type", "text/plain"))
        asked.send(b"Gr\xc3")
        asked.send(b"\xbc\xc3\x9fe", end=True)

    with Served(in_pieces) as served, Client(lane, make_spec("text", served.url, http={"version": "2"})) as client:
        turn = client.say("hello")
    assert (turn.code, turn.text) == (None, "Gr\u00fc\u00dfe"), turn.error


def test_a_large_request_arrives_whole_through_small_windows() -> None:
    text = "0123456789" * 20_000
    with Served(initial_window_size=1000) as served, Client("load", spec(served.url)) as client:
        turn = client.say(text)
    assert (turn.code, turn.text) == (None, TEXT), turn.error
    assert orjson.loads(served.seen.asked[0].body)["messages"][-1]["content"] == text
    assert turn.timeline.bytes_out > 200_000


def test_an_answer_that_comes_before_the_end_of_the_request_counts() -> None:
    def impatient(peer: Peer) -> None:
        peer.receive()
        http2 = Http2Peer(peer)
        peer.send(frame(SETTINGS, 0, 0, struct.pack(">HI", INITIAL_WINDOW_SIZE, 100)))
        while True:
            found = http2.read_frame()
            if found.kind == DATA:
                peer.send(headers(found.stream, (":status", "413"), ("content-type", "text/plain")))
                peer.send(frame(DATA, END_STREAM, found.stream, b"too long"))

    with HostileServer(impatient) as server, Client("load", spec(server.url)) as client:
        turn = client.say("x" * 5000)
    assert turn.code == "http_413"


@lanes
def test_whole_answers_and_refusals_are_read_as_over_http1(lane: Lane) -> None:
    def answer(asked: Asked) -> None:
        if asked.number == 1:
            asked.answer(http.GOOD)
        else:
            asked.answer(b'{"error": {"message": "wrong key"}}', status=401)

    with Served(answer) as served, Client(lane, make_spec("http", served.url, http={"version": "2"})) as client:
        whole, refused = client.say(), client.say()
    assert (whole.code, whole.text) == (None, http.TEXT)
    assert refused.code == "http_401" and refused.error and "wrong key" in refused.error.told


@lanes
def test_cookies_redirects_and_handshake_steps_go_over_http2(lane: Lane) -> None:
    def answer(asked: Asked) -> None:
        path = asked.header(":path")
        if path == "/v1/token":
            asked.answer(b'{"token": "t-1"}', ("set-cookie", "seat=9; Path=/"))
        elif path.startswith("/v1/chat"):
            asked.answer(b"", ("location", "/v2/chat"), status=307)
        else:
            asked.answer(http.GOOD)

    with Served(answer) as served:
        handshake = {"steps": [{"name": "token", "url": "/token", "save": {"token": "token"}}]}
        headers = {"x-token": "{{ saved.token }}"}
        given = make_spec(
            "http", served.url, http={"version": "2"}, follow_redirects=True, handshake=handshake,
            request={"headers": headers},
        )  # fmt: skip
        turn = one_turn(lane, given)
    assert (turn.code, turn.text) == (None, http.TEXT), turn.error
    assert [asked.header(":path") for asked in served.seen.asked] == [
        "/v1/token", "/v1/chat/completions", "/v2/chat",
    ]  # fmt: skip
    assert [(asked.header("x-token"), asked.header("cookie")) for asked in served.seen.asked[1:]] == [
        ("t-1", "seat=9"), ("t-1", "seat=9"),
    ]  # fmt: skip
    assert lane == "reference" or served.server.connections == 1  # there each hop has a connection of its own


def test_a_streamed_text_is_read_as_over_http1() -> None:
    text = "Grüße, 你好"
    with Served(lambda asked: asked.answer(text.encode(), ("content-type", "text/plain"))) as served:
        target = build_target_spec(
            name="t", url=served.url, preset="generic-text", stream=True, overrides={"http": {"version": "2"}}
        )
        turns: list[Turn] = users(2, target, at_once)
    assert [(turn.code, turn.text) for turn in turns] == [(None, text)] * 2, turns
