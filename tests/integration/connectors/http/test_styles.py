"""What is special to streams over HTTP: a GET that asks, names of events, and the stream that stands between turns."""

from __future__ import annotations

import time

import pytest

from connectors.registry import Lane
from connectors.spec import TargetSpec
from tests.hostile import split, sse
from tests.hostile.server import HostileServer, Peer
from tests.hostile.table import LAST_CHUNK, chunk
from tests.integration.connectors.lanes import LANES, ROOMY, Client, make_spec, one_turn
from tests.integration.connectors.scripted import Asked, scripted

lanes = pytest.mark.parametrize("lane", LANES)
NAMED = (
    b'event: ping\ndata: not JSON\n\nevent: token\ndata: {"t":"four "}\n\ndata: {"t":"unnamed"}\n\n',
    b'event: thought\ndata: {"t":"hm"}\n\nevent:token\r\ndata: {"t":"words"}\r\n\r\nevent: end\ndata: bye\n\n',
)


def named(url: str) -> TargetSpec:
    kinds = {"token": {"delta": "t"}, "end": {"done": True}, "oops": {"error": "t"}}
    response = {"kind": "@event", "kinds": kinds}
    return TargetSpec.model_validate(
        {"name": "t", "protocol": "sse", "url": url, "response": response, "timeouts": ROOMY}
    )


@lanes
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_events_are_told_apart_by_their_names(lane: Lane, size: int) -> None:
    body = b"".join(NAMED)
    pieces = b"".join(chunk(body[at : at + size]) for at in range(0, len(body), size))
    with scripted(lambda _: sse.STREAM_HEAD + pieces + LAST_CHUNK) as bot, Client(lane, named(bot.url)) as client:
        turns = client.say_all(["one", "two"])
    assert [(t.code, t.text, t.timeline.chunks) for t in turns] == [(None, "four words", 2)] * 2


@lanes
def test_a_name_may_stand_for_an_error(lane: Lane) -> None:
    body = chunk(NAMED[0] + b'event: oops\ndata: {"t":"no more"}\n\n')
    with scripted(lambda _: sse.STREAM_HEAD + body + LAST_CHUNK) as bot:
        turn = one_turn(lane, named(bot.url))
    assert turn.error is not None
    assert (turn.code, turn.error.detail) == ("target_error", "no more")


@lanes
def test_a_get_asks_in_its_path_and_has_no_body(lane: Lane) -> None:
    def answer(_: Asked) -> bytes:
        return sse.STREAM_HEAD + b"".join(chunk(event) for event in (*sse.PIECES, sse.DONE)) + LAST_CHUNK

    request = {"method": "GET", "path": "/ask?q={{ message }}", "body": None}
    with scripted(answer) as bot:
        spec = make_spec("sse", bot.url, request=request)
        with Client(lane, spec) as client:
            turns = client.say_all(["one two", "three"])
        assert [(t.code, t.text) for t in turns] == [(None, sse.TEXT)] * 2
        assert bot.paths == ["GET /ask?q=one%20two", "GET /ask?q=three"]
        for seen in bot.requests:
            assert seen.body == b""
            assert not {"content-type", "content-length", "transfer-encoding"} & set(seen.headers)


@lanes
def test_the_standing_stream_stands_over_the_turns_and_may_say_something_between_them(lane: Lane) -> None:
    def script(peer: Peer) -> None:
        if not peer.read_request().startswith(b"GET"):
            while True:
                peer.send(split.ACK)
                peer.read_request()
        peer.send(split.STREAM_HEAD)
        for number in (1, 2):
            split.wait_for_post(peer, number)
            peer.send(split.ANSWER)
            peer.send(chunk(b'data: {"mood":"good %d"}\n\n' % number))
        peer.hold()

    with HostileServer(script) as server:
        spec = make_spec("split", server.url, response={"save": {"mood": "mood"}})
        with Client(lane, spec) as client:
            for number in (1, 2):
                assert client.say().text == sse.TEXT
                until = time.monotonic() + 30
                while client.connector.saved.get("mood") != f"good {number}" and time.monotonic() < until:
                    client.idle(0.005)
                    assert client.connector.ready
                assert client.connector.unassigned == number
            assert server.connections == 2


@lanes
def test_a_standing_stream_that_ended_between_turns_is_dialled_anew(lane: Lane) -> None:
    def script(peer: Peer) -> None:
        if not peer.read_request().startswith(b"GET"):
            while True:
                peer.send(split.ACK)
                peer.read_request()
        next_post = split.posts(peer) + 1  # which may come as soon as the stream stands
        peer.send(split.STREAM_HEAD)
        split.wait_for_post(peer, next_post)
        peer.send(split.ANSWER + LAST_CHUNK)

    with HostileServer(script) as server, Client(lane, make_spec("split", server.url)) as client:
        for number in (1, 2, 3):
            assert client.say().text == sse.TEXT
            until = time.monotonic() + 30
            while client.connector.ready and time.monotonic() < until:
                client.idle(0.005)
            assert not client.connector.ready
            asked = [request.split(b" ")[0] for request in server.requests]
            assert (asked.count(b"GET"), asked.count(b"POST")) == (number, number)


def test_the_split_style_needs_a_standing_stream() -> None:
    with pytest.raises(ValueError, match="standing"):
        make_spec("split", "http://127.0.0.1:1", standing=None)
