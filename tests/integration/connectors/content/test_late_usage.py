"""Usage after the end mark: both lanes wait for it as long as for the end of the body."""

from __future__ import annotations

import threading
import time

import pytest

from connectors.registry import Lane
from connectors.waits import BODY_WAIT_S
from tests.hostile import sse
from tests.hostile.server import HostileServer, Peer
from tests.hostile.table import CHUNKED, LAST_CHUNK, Protocol, chunk, head
from tests.integration.connectors.lanes import LANES, ROOMY, Client, make_spec

lanes = pytest.mark.parametrize("lane", LANES)
LINES_HEAD = head("Content-Type: application/x-ndjson", CHUNKED)
LINE = b'{"delta":"four words of answer","done":true}\n'
ANSWERS: dict[Protocol, bytes] = {
    "sse": sse.STREAM_HEAD + b"".join(map(chunk, (*sse.PIECES, sse.DONE))),
    "ndjson": LINES_HEAD + chunk(LINE),
}
USAGES: dict[Protocol, bytes] = {
    "sse": chunk(sse.USAGE),
    "ndjson": chunk(b'{"usage":{"input_tokens":7,"output_tokens":4}}\n'),
}
streams = pytest.mark.parametrize("protocol", list(ANSWERS))
LONG_S = 20.0
"""Longer than the pauses of a busy machine."""


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No delay of a busy machine is longer than what both lanes wait."""
    monkeypatch.setattr("connectors.wire.http.connection.BODY_WAIT_S", LONG_S)
    monkeypatch.setattr("connectors.reference.transport.deadlines.BODY_WAIT_S", LONG_S)


def until_close(answer: bytes) -> bytes:
    """The same without chunks: its body ends with the connection."""
    start = answer.index(b"\r\n\r\n") + 4
    body, rest = b"", answer[start:]
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size, 16)
        body, rest = body + rest[:length], rest[length + 2 :]
    return answer[:start].replace(b"Transfer-Encoding: chunked\r\n", b"Connection: close\r\n") + body


@pytest.mark.usefixtures("patient")
@lanes
@streams
@pytest.mark.parametrize("after_s", [None, 0.001, 0.02], ids=["same packet", "1 ms", "20 ms"])
def test_usage_behind_the_end_mark_is_read(lane: Lane, protocol: Protocol, after_s: float | None) -> None:
    def script(peer: Peer) -> None:
        while True:
            peer.read_request()
            if after_s is None:
                peer.send(ANSWERS[protocol] + USAGES[protocol])
            else:
                peer.send(ANSWERS[protocol])
                time.sleep(after_s)
                peer.send(USAGES[protocol])
            peer.send(LAST_CHUNK)

    with HostileServer(script) as server:
        with Client(lane, make_spec(protocol, server.url, timeouts=ROOMY)) as client:
            turns = client.say_all(["one", "two"])
        assert server.connections == 1
    assert [(t.code, t.timeline.tokens_in, t.timeline.tokens_out) for t in turns] == [(None, 7, 4)] * 2


@pytest.mark.usefixtures("patient")
@lanes
@streams
def test_usage_is_read_where_the_connection_ends_with_the_body(lane: Lane, protocol: Protocol) -> None:
    answer = until_close(ANSWERS[protocol])
    usage = until_close(b"HTTP/1.1 200 OK\r\n\r\n" + USAGES[protocol]).partition(b"\r\n\r\n")[2]

    def script(peer: Peer) -> None:
        peer.read_request()
        peer.send(answer)
        time.sleep(0.01)
        peer.send(usage)

    with HostileServer(script) as server, Client(lane, make_spec(protocol, server.url, timeouts=ROOMY)) as client:
        turns = client.say_all(["one", "two"])
    assert [(t.code, t.timeline.tokens_out) for t in turns] == [(None, 4)] * 2


@lanes
@streams
def test_usage_that_comes_too_late_is_not_told(lane: Lane, protocol: Protocol) -> None:
    """It is not the next answer's either."""
    over = threading.Event()

    def script(peer: Peer) -> None:
        peer.read_request()
        peer.send(ANSWERS[protocol])
        if over.is_set():
            peer.hold()
        over.wait(LONG_S)
        peer.send(USAGES[protocol] + LAST_CHUNK)

    with HostileServer(script) as server, Client(lane, make_spec(protocol, server.url, timeouts=ROOMY)) as client:
        first = client.say()
        over.set()
        client.idle(0.05)
        second = client.say()
    assert [(t.code, t.text, t.timeline.tokens_out) for t in (first, second)] == [(None, sse.TEXT, None)] * 2


@pytest.mark.usefixtures("patient")
@lanes
@streams
def test_an_answer_without_usage_is_over_with_its_body(lane: Lane, protocol: Protocol) -> None:
    def script(peer: Peer) -> None:
        while True:
            peer.read_request()
            peer.send(ANSWERS[protocol])
            peer.send(LAST_CHUNK)

    with HostileServer(script) as server, Client(lane, make_spec(protocol, server.url, timeouts=ROOMY)) as client:
        turns = client.say_all(["one", "two"])
        assert server.connections == 1
    assert [(t.code, t.timeline.tokens_out) for t in turns] == [(None, None)] * 2
    assert all(turn.late_s < LONG_S / 2 for turn in turns)


def test_a_wait_for_usage_is_a_step_of_the_message_that_was_due() -> None:
    """Of a message that was not yet due, it is none."""

    def script(peer: Peer) -> None:
        peer.read_request()
        peer.send(ANSWERS["sse"])
        peer.hold()

    with HostileServer(script) as server, Client("load", make_spec("sse", server.url, timeouts=ROOMY)) as client:
        turns = client.say_all(["one", "two"])
        client.idle(BODY_WAIT_S)
        last = client.say()
    assert (turns[1].timeline.handshake_ns or {})["body_wait"] > 0
    assert "body_wait" not in (last.timeline.handshake_ns or {})
