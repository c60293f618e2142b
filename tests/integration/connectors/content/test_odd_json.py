"""Real-world JSON over sockets, on both lanes: everything that a browser reads is read."""

from __future__ import annotations

import pytest

from connectors.registry import Lane
from tests.hostile import frames, ndjson, socketio, sse
from tests.hostile.server import HostileServer, Peer
from tests.hostile.table import LAST_CHUNK, Protocol, chunk, whole
from tests.integration.connectors.lanes import LANES, make_spec, one_turn

lanes = pytest.mark.parametrize("lane", LANES)


def openai(escaped: str) -> bytes:
    return b'{"choices":[{"message":{"content":"%b"}}]}' % escaped.encode()


def delta(escaped: str) -> bytes:
    return b'data: {"choices":[{"delta":{"content":"%b"}}]}\n\n' % escaped.encode()


WHOLE = {
    "byte order mark": (b"\xef\xbb\xbf" + openai("grüße"), "application/json", "grüße"),
    "utf-16": (openai("grüße").decode().encode("utf-16"), "application/json; charset=utf-16", "grüße"),
    "latin-1": (openai("grüße").decode().encode("latin-1"), "application/json; charset=ISO-8859-1", "grüße"),
    "cyrillic": (openai("да").decode().encode("cp1251"), 'application/json; charset="windows-1251"', "да"),
    "latin-1 only declared": (openai("grüße"), "application/json;charset=ISO-8859-1", "grüße"),
    "NaN": (b'{"score":NaN,"choices":[{"message":{"content":"yes"}}]}', "application/json", "yes"),
    "half a character": (openai("cut \\ud83d"), "application/json", "cut \ufffd"),
}


@lanes
@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_answer(lane: Lane, name: str) -> None:
    body, content_type, text = WHOLE[name]

    def serve(peer: Peer) -> None:
        peer.read_request()
        peer.send(whole(body, f"Content-Type: {content_type}"))

    with HostileServer(serve) as bot:
        turn = one_turn(lane, make_spec("http", bot.url))
    assert (turn.code, turn.text) == (None, text)


@lanes
def test_a_refusal_in_the_declared_charset(lane: Lane) -> None:
    def serve(peer: Peer) -> None:
        peer.read_request()
        kind = "Content-Type: text/plain; charset=ISO-8859-1"
        peer.send(whole("zu spät".encode("latin-1"), kind, status="503 Service Unavailable"))

    with HostileServer(serve) as bot:
        turn = one_turn(lane, make_spec("http", bot.url))
    assert turn.code == "http_503"
    assert turn.error is not None and turn.error.detail == "zu spät"


STREAMS: dict[str, tuple[Protocol, bytes, tuple[bytes, ...], str]] = {
    "pairs over two events": ("sse", sse.STREAM_HEAD, (delta("Hi \\ud83d"), delta("\\ude00"), sse.DONE), "Hi 😀"),
    "spaces around the end": ("sse", sse.STREAM_HEAD, (delta("Hi"), b"data:  [DONE] \n\n"), "Hi"),
    "NaN in an event": (
        "sse", sse.STREAM_HEAD,
        (b'data: {"logprob":-Infinity,"choices":[{"delta":{"content":"Hi"}}]}\n\n', sse.DONE), "Hi",
    ),
    "a mark before the first line": (
        "ndjson", ndjson.LINES_HEAD,
        (b'\xef\xbb\xbf{"delta":"a"}\n', b'{"delta":"\\udc00","p":NaN}\n', b'{"done":true}\n'), "a\ufffd",
    ),
    "latin-1 lines": (
        "ndjson", ndjson.LINES_HEAD.replace(b"x-ndjson", b"x-ndjson; charset=latin1"),
        (b'{"delta":"\xfc"}\n', b'{"done":true}\n'), "ü",
    ),
}  # fmt: skip


@lanes
@pytest.mark.parametrize("name", STREAMS)
def test_a_stream(lane: Lane, name: str) -> None:
    protocol, head, events, text = STREAMS[name]

    def serve(peer: Peer) -> None:
        peer.read_request()
        peer.send(head + b"".join(map(chunk, events)) + LAST_CHUNK)

    with HostileServer(serve) as bot:
        turn = one_turn(lane, make_spec(protocol, bot.url))
    assert (turn.code, turn.text) == (None, text)


@lanes
def test_a_websocket_cuts_a_character_in_two(lane: Lane) -> None:
    def serve(peer: Peer) -> None:
        frames.upgrade(peer)
        frames.read_message(peer)
        for data in (b'{"delta":"\\ud83d"}', b'{"delta":"\\ude00","score":NaN}', b'{"done":true}'):
            peer.send(frames.frame(data))
        frames.wait(peer, 0.2)

    with HostileServer(serve) as bot:
        turn = one_turn(lane, make_spec("websocket", bot.url))
    assert (turn.code, turn.text, turn.timeline.chunks) == (None, "😀", 2)


@lanes
def test_a_socketio_event_cuts_a_character_in_two(lane: Lane) -> None:
    def serve(peer: Peer) -> None:
        frames.upgrade(peer)
        peer.send(socketio.OPENED)
        frames.read_message(peer)
        peer.send(socketio.CONNECTED)
        frames.read_message(peer)
        for text in ("\ud83d", "\ude00"):
            peer.send(socketio.piece(text))
        peer.send(socketio.event("done", {"score": float("nan")}))
        frames.wait(peer, 0.2)

    with HostileServer(serve) as bot:
        turn = one_turn(lane, make_spec("socketio", bot.url))
    assert (turn.code, turn.text) == (None, "😀")
