"""Hostile chatbots over HTTP/2: chat completions as events, in frames that no library would send."""

from __future__ import annotations

import struct

from tests.hostile.http2.frames import (
    DATA,
    END_STREAM,
    FIRST_STREAM,
    GOAWAY,
    INITIAL_WINDOW_SIZE,
    PING,
    RST_STREAM,
    SETTINGS,
    Http2Peer,
    frame,
    headers,
)
from tests.hostile.server import Gone, Peer
from tests.hostile.sse import DONE, PIECES, TEXT, USAGE
from tests.hostile.table import hostile, saying

PRIORITY, PADDED = 2, 8
OK = (":status", "200")
EVENTS = ("content-type", "text/event-stream")
INTERNAL_ERROR, CANCEL, ENHANCE_YOUR_CALM = 2, 8, 11
ANSWER = b"".join((*PIECES, USAGE, DONE))


def asked(peer: Peer) -> tuple[Http2Peer, int]:
    """A connection with its first request, whole."""
    http2 = Http2Peer(peer)
    http2.shake()
    return http2, http2.read_request()


def begun(peer: Peer) -> tuple[Http2Peer, int]:
    """The same, with the first piece of the answer."""
    http2, stream = asked(peer)
    peer.send(headers(stream, OK, EVENTS) + frame(DATA, 0, stream, PIECES[0]))
    return http2, stream


answers = saying("http2", asked)
says = saying("http2", begun)


def hold(http2: Http2Peer) -> None:
    while True:
        http2.read_frame()


def good(peer: Peer) -> None:
    """A well-behaved server, for the session beside the hostile one."""
    http2 = Http2Peer(peer)
    http2.shake()
    while True:
        stream = http2.read_request()
        peer.send(headers(stream, OK, EVENTS) + frame(DATA, END_STREAM, stream, ANSWER))


# --- an end that is none ----------------------------------------------------------------------------------------


answers(
    "less_than_was_declared",
    "body_truncated",
    headers(FIRST_STREAM, OK, EVENTS, ("content-length", "1000")) + frame(DATA, END_STREAM, FIRST_STREAM, PIECES[0]),
)


@hostile("http2", "body_truncated")
def http2_closed_in_the_body(peer: Peer) -> None:
    begun(peer)


@hostile("http2", "connection_closed")
def http2_closed_before_the_answer(peer: Peer) -> None:
    asked(peer)


@hostile("http2", "connection_reset")
def http2_reset_before_the_answer(peer: Peer) -> None:
    asked(peer)
    peer.reset()


answers("stream_reset", "http2_internal_error", frame(RST_STREAM, 0, FIRST_STREAM, struct.pack(">I", INTERNAL_ERROR)))
says("stream_reset_for_an_unknown_reason", "http2_unknown", frame(RST_STREAM, 0, FIRST_STREAM, struct.pack(">I", 4711)))


@hostile("http2", "http2_enhance_your_calm")
def http2_goaway_in_the_answer(peer: Peer) -> None:
    _, stream = begun(peer)
    peer.send(frame(GOAWAY, 0, 0, struct.pack(">II", stream, ENHANCE_YOUR_CALM) + b"too_many_pings"))


says("stream_without_end_mark", "stream_incomplete", frame(DATA, END_STREAM, FIRST_STREAM))


# --- too slow ---------------------------------------------------------------------------------------------------


@hostile("http2", "connect_timeout")
def http2_no_settings(peer: Peer) -> None:
    peer.receive()
    peer.count(b"PRI")
    peer.hold()


@hostile("http2", "connect_timeout")
def http2_no_stream_is_allowed(peer: Peer) -> None:
    Http2Peer(peer)
    peer.count(peer.receive())
    peer.send(frame(SETTINGS, 0, 0, struct.pack(">HI", 3, 0)))
    peer.hold()


@hostile("http2", "first_byte_timeout")
def http2_no_window_for_the_request(peer: Peer) -> None:
    peer.count(peer.receive())
    peer.send(frame(SETTINGS, 0, 0, struct.pack(">HI", INITIAL_WINDOW_SIZE, 0)))
    peer.hold()


@hostile("http2", "first_byte_timeout")
def http2_only_pings(peer: Peer) -> None:
    """They keep a connection alive, and are no answer."""
    asked(peer)
    _ping(peer)


@hostile("http2", "idle_timeout")
def http2_only_pings_in_the_answer(peer: Peer) -> None:
    begun(peer)
    _ping(peer)


def _ping(peer: Peer) -> None:
    while True:
        peer.send(frame(PING, 0, 0, bytes(8)))
        peer.server.stopping.wait(0.05)
        if peer.server.stopping.is_set():
            raise Gone


@hostile("http2", "total_timeout")
def http2_dripping(peer: Peer) -> None:
    _, stream = begun(peer)
    data = frame(DATA, 0, stream, b": still here\n\n" * 200)
    while True:
        for at in range(len(data)):
            peer.send(data[at : at + 1])
            if peer.server.stopping.wait(0.01):
                raise Gone


# --- odd, and fine ----------------------------------------------------------------------------------------------


@hostile("http2", None, TEXT)
def http2_byte_by_byte(peer: Peer) -> None:
    http2, stream = asked(peer)
    data = headers(stream, OK, EVENTS) + frame(DATA, END_STREAM, stream, ANSWER)
    for at in range(len(data)):
        peer.send(data[at : at + 1])
    hold(http2)


answers(
    "length_in_capitals_that_is_none",
    None,
    headers(FIRST_STREAM, OK, EVENTS, ("Content-Length", "many")) + frame(DATA, END_STREAM, FIRST_STREAM, ANSWER),
    TEXT,
)


@hostile("http2", None, TEXT)
def http2_padded(peer: Peer) -> None:
    http2, stream = asked(peer)
    padded = [frame(DATA, PADDED, stream, b"\x07" + event + bytes(7)) for event in (*PIECES, USAGE, DONE)]
    peer.send(headers(stream, OK, EVENTS) + b"".join(padded) + frame(DATA, PADDED | END_STREAM, stream, bytes(1)))
    hold(http2)


@hostile("http2", None, TEXT)
def http2_data_behind_the_end(peer: Peer) -> None:
    http2, stream = asked(peer)
    peer.send(headers(stream, OK, EVENTS) + frame(DATA, END_STREAM, stream, ANSWER))
    peer.send(frame(DATA, 0, stream, PIECES[0]))
    hold(http2)


@hostile("http2", None, TEXT)
def http2_goaway_and_the_answer_after_it(peer: Peer) -> None:
    http2, stream = begun(peer)
    peer.send(frame(GOAWAY, 0, 0, struct.pack(">II", stream, 0)))
    peer.send(frame(DATA, END_STREAM, stream, b"".join((*PIECES[1:], USAGE, DONE))))
    hold(http2)


@hostile("http2", None, TEXT)
def http2_hints_trailers_and_unknown_frames(peer: Peer) -> None:
    http2, stream = asked(peer)
    peer.send(headers(stream, (":status", "103"), ("link", "x")) + headers(stream, OK, EVENTS))
    peer.send(frame(0xEE, 0xFF, stream, b"?") + frame(PRIORITY, 0, stream, struct.pack(">IB", 0, 1)))
    peer.send(frame(DATA, 0, stream, ANSWER) + headers(stream, ("x-trailer", "1"), end=True))
    hold(http2)


@hostile("http2", None, TEXT)
def http2_reset_behind_the_answer(peer: Peer) -> None:
    http2, stream = asked(peer)
    peer.send(headers(stream, OK, EVENTS) + frame(DATA, 0, stream, ANSWER))
    peer.send(frame(RST_STREAM, 0, stream, struct.pack(">I", CANCEL)))
    hold(http2)
