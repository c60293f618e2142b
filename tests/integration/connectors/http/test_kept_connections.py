"""Connections from turn to turn: bodies that go on after the end mark, and targets that close as a message is sent."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable
from itertools import pairwise

import pytest

from connectors.registry import Lane
from tests.hostile import http, split, sse
from tests.hostile.server import HostileServer, Peer
from tests.hostile.table import CHUNKED, LAST_CHUNK, Protocol, chunk, head, whole
from tests.integration.connectors.lanes import LANES, ROOMY, Client, make_spec

lanes = pytest.mark.parametrize("lane", LANES)
HELD_S = 3.0
"""Longer than any lane waits by mistake, and far from what a busy machine adds."""
LINES = b'{"delta":"four words "}\n{"delta":"of answer","done":true}\n'
SSE_BODY = sse.STREAM_HEAD + b"".join(chunk(event) for event in (*sse.PIECES, sse.DONE))
NDJSON_BODY = head("Content-Type: application/x-ndjson", CHUNKED) + chunk(LINES)
BODIES = {"sse": SSE_BODY, "ndjson": NDJSON_BODY}
streams = pytest.mark.parametrize("protocol", ["sse", "ndjson"])


# --- bodies that go on after the end mark -----------------------------------------------------------------------


@lanes
@streams
@pytest.mark.parametrize("closes", [False, True], ids=["kept", "connection-close"])
def test_a_body_held_open_after_the_end_mark_delays_no_turn(lane: Lane, protocol: Protocol, closes: bool) -> None:
    answer = BODIES[protocol]
    if closes:
        answer = answer.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)

    def stays_open(peer: Peer) -> None:
        peer.read_request()
        peer.send(answer)
        peer.hold()

    with HostileServer(stays_open) as server:
        with Client(lane, make_spec(protocol, server.url, timeouts=ROOMY)) as client:
            turns = client.say_all(["one", "two", "three"])
        assert (server.connections, len(server.requests)) == (3, 3)
    assert [(t.code, t.text) for t in turns] == [(None, "four words of answer")] * 3
    for before, turn in pairwise(turns):
        done_ns, sent_ns = before.timeline.done_ns, turn.timeline.sent_ns
        assert done_ns is not None
        assert sent_ns is not None
        assert (sent_ns - done_ns) / 1e9 < HELD_S / 2, "the next message went out on a new connection"
        if lane == "load" and not closes:
            steps = turn.timeline.handshake_ns or {}
            assert set(steps) == {"body_wait", "resolve", "connect"}, "the wait has a name"


@streams
@pytest.mark.parametrize("trailer", [b"", b"X-Took: 3\r\n"])
def test_a_body_that_ends_while_the_user_thinks_keeps_its_connection(protocol: Protocol, trailer: bytes) -> None:
    ended = threading.Event()

    def ends_late(peer: Peer) -> None:
        while True:
            peer.read_request()
            peer.send(BODIES[protocol])
            ended.wait(10)
            peer.send(b"0\r\n" + trailer + b"\r\n")

    with HostileServer(ends_late) as server, Client("load", make_spec(protocol, server.url)) as client:
        assert client.say().code is None
        ended.set()
        until = time.monotonic() + 30
        while not client.connector.ready and time.monotonic() < until:
            client.idle(0.005)
        turn = client.say()
        assert (turn.code, turn.timeline.handshake_ns) == (None, None)
        assert server.connections == 1


@streams
@pytest.mark.parametrize("rest", [b"rubbish", LAST_CHUNK + whole(http.GOOD), chunk(b"x") + b"zz"])
def test_what_follows_the_end_mark_late_is_never_the_next_answer(protocol: Protocol, rest: bytes) -> None:
    said = threading.Event()

    def says_more(peer: Peer) -> None:
        peer.read_request()
        peer.send(BODIES[protocol])
        said.wait(10)
        peer.send(rest)
        peer.hold()

    with HostileServer(says_more) as server, Client("load", make_spec(protocol, server.url)) as client:
        first = client.say()
        said.set()
        client.idle(0.1)
        second = client.say()
        assert [(t.code, t.text) for t in (first, second)] == [(None, "four words of answer")] * 2
        assert server.connections == 2


@lanes
@pytest.mark.parametrize(
    ("again", "counted"),
    [
        (whole(http.GOOD), 1),
        (head("Content-Type: text/plain", "Content-Length: 0"), 1),
        (head("Content-Length: 0", status="408 Request Timeout"), 0),
        (b"\r\n", 0),
    ],
    ids=["the same answer", "another", "408", "a line"],
)
def test_an_unrequested_answer_is_counted_and_belongs_to_no_turn(again: bytes, counted: int, lane: Lane) -> None:
    said = threading.Semaphore(0)

    def says_more(peer: Peer) -> None:
        peer.read_request()
        peer.send(whole(http.GOOD))
        peer.pause(0.05)
        peer.send(again)
        said.release()
        peer.hold()

    with HostileServer(says_more) as server, Client(lane, make_spec("http", server.url, timeouts=ROOMY)) as client:
        turns = []
        for text in ("one", "two"):
            turns.append(client.say(text))
            assert said.acquire(timeout=30)
            time.sleep(0.05)
        last = client.say("three")
        assert [turn.code for turn in (*turns, last)] == [None] * 3
        assert server.connections == 3
        assert client.connector.unsolicited == 2 * counted


def test_an_answer_to_the_post_that_is_held_back_holds_no_further_message_up() -> None:
    def script(peer: Peer) -> None:
        if not peer.read_request().startswith(b"GET"):
            peer.hold()
        peer.send(split.STREAM_HEAD)
        for number in (1, 2):
            split.wait_for_post(peer, number)
            peer.send(split.ANSWER)
        peer.hold()

    with HostileServer(script) as server, Client("load", make_spec("split", server.url, timeouts=ROOMY)) as client:
        turns = client.say_all(["one", "two"])
        posts = [request for request in server.requests if request.startswith(b"POST")]
        assert len(posts) == 2
    assert [(t.code, t.text) for t in turns] == [(None, sse.TEXT)] * 2
    assert turns[0].timeline.done_ns is not None
    assert turns[1].timeline.sent_ns is not None
    assert (turns[1].timeline.sent_ns - turns[0].timeline.done_ns) / 1e9 < 0.5
    assert "body_wait" in (turns[1].timeline.handshake_ns or {})


# --- closed at the moment of sending ------------------------------------------------------------------------------


def fin(_: Peer) -> None:
    """The script ends, and with it the connection."""


def rst(peer: Peer) -> None:
    peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


ANSWERS = {
    "http": whole(http.GOOD),
    "sse": SSE_BODY + LAST_CHUNK,
    "ndjson": NDJSON_BODY + LAST_CHUNK,
}


def answers_once(protocol: Protocol, ending: Callable[[Peer], None]) -> Callable[[Peer], None]:
    def script(peer: Peer) -> None:
        peer.read_request()
        peer.send(ANSWERS[protocol])
        peer.read_request()
        ending(peer)

    return script


def answers_one_post(ending: Callable[[Peer], None]) -> Callable[[Peer], None]:
    def script(peer: Peer) -> None:
        if peer.read_request().startswith(b"GET"):
            peer.send(split.STREAM_HEAD)
            split.wait_for_post(peer, 1)
            peer.send(split.ANSWER)
            split.wait_for_post(peer, 3)
            peer.send(split.ANSWER)
            peer.hold()
        peer.send(split.ACK)
        peer.read_request()
        ending(peer)

    return script


endings = pytest.mark.parametrize("ending", [fin, rst])
kept = pytest.mark.parametrize("protocol", ["http", "sse", "ndjson", "split"])


def script_of(protocol: Protocol, ending: Callable[[Peer], None]) -> Callable[[Peer], None]:
    return answers_one_post(ending) if protocol == "split" else answers_once(protocol, ending)


@lanes
@kept
@endings
def test_a_kept_connection_that_ends_as_a_message_is_sent_is_named(
    lane: Lane, protocol: Protocol, ending: Callable[[Peer], None]
) -> None:
    with HostileServer(script_of(protocol, ending)) as server, Client(lane, make_spec(protocol, server.url)) as client:
        first, second = client.say_all(["one", "two"])
        posts = [request for request in server.requests if request.startswith(b"POST")]
        assert len(posts) == 2, "what may have been taken is not sent again"
    assert (first.code, second.code) == (None, "connection_reused_closed")
    assert second.error is not None
    assert "kept connection" in second.error.detail
    assert "idempotent" in second.error.advice


@lanes
@kept
@endings
def test_a_request_that_may_be_sent_twice_is_sent_again_and_the_report_says_so(
    lane: Lane, protocol: Protocol, ending: Callable[[Peer], None]
) -> None:
    with HostileServer(script_of(protocol, ending)) as server:
        spec = make_spec(protocol, server.url, request={"idempotent": True}, timeouts=ROOMY)
        with Client(lane, spec) as client:
            first, second = client.say_all(["one", "two"])
            posts = [request for request in server.requests if request.startswith(b"POST")]
            assert len(posts) == 3
    assert (first.code, second.code) == (None, None), second.error
    line = second.timeline
    assert line.sent_ns is not None
    assert line.done_ns is not None
    assert set(line.handshake_ns or {}) == {"resend"}
    assert 0 < (line.handshake_ns or {})["resend"] <= line.done_ns - line.sent_ns, "its time is the target's"


@lanes
@pytest.mark.parametrize("idempotent", [False, True])
def test_a_first_request_on_a_new_connection_is_never_sent_twice(lane: Lane, idempotent: bool) -> None:
    def script(peer: Peer) -> None:
        peer.read_request()

    with HostileServer(script) as server:
        with Client(lane, make_spec("http", server.url, request={"idempotent": idempotent})) as client:
            assert client.say().code == "connection_closed"
        assert len(server.requests) == 1


@lanes
def test_a_target_that_closes_a_kept_connection_much_later_did_not_find_it_idle(lane: Lane) -> None:
    def script(peer: Peer) -> None:
        peer.read_request()
        peer.send(whole(http.GOOD))
        peer.read_request()
        peer.pause(1.2)

    with HostileServer(script) as server, Client(lane, make_spec("http", server.url, timeouts=ROOMY)) as client:
        assert [t.code for t in client.say_all(["one", "two"])] == [None, "connection_closed"]
