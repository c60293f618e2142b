"""Hostile chatbots over HTTP/2 that send what must not be sent, or what is no HTTP/2."""

from __future__ import annotations

import struct

from tests.hostile.http2.answers import ANSWER, EVENTS, OK, PADDED, asked, begun, hold
from tests.hostile.http2.frames import (
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    INITIAL_WINDOW_SIZE,
    SETTINGS,
    WINDOW_UPDATE,
    field,
    frame,
    headers,
)
from tests.hostile.server import Peer
from tests.hostile.sse import DONE, PIECES
from tests.hostile.table import hostile

PUSH_PROMISE = 5
LARGEST = (1 << 31) - 1


# --- frames that must not be ------------------------------------------------------------------------------------


@hostile("http2", "http_malformed")
def http2_overlong_frame(peer: Peer) -> None:
    http2, stream = begun(peer)
    peer.send(frame(DATA, 0, stream, b"x" * 20_000))
    hold(http2)


@hostile("http2", "http_malformed")
def http2_more_padding_than_frame(peer: Peer) -> None:
    http2, stream = begun(peer)
    peer.send(frame(DATA, PADDED, stream, b"\xffdata"))
    hold(http2)


@hostile("http2", "http_malformed")
def http2_padded_without_a_length(peer: Peer) -> None:
    http2, stream = begun(peer)
    peer.send(frame(DATA, PADDED, stream))
    hold(http2)


@hostile("http2", "http_malformed")
def http2_data_before_headers(peer: Peer) -> None:
    http2, stream = asked(peer)
    peer.send(frame(DATA, 0, stream, PIECES[0]))
    hold(http2)


@hostile("http2", "http_malformed")
def http2_data_within_headers(peer: Peer) -> None:
    http2, stream = begun(peer)
    peer.send(frame(HEADERS, 0, stream, field("x-trailer", "1")) + frame(DATA, END_STREAM, stream, DONE))
    hold(http2)


@hostile("http2", "http_malformed")
def http2_data_on_a_stream_that_nobody_opened(peer: Peer) -> None:
    http2, stream = begun(peer)
    peer.send(frame(DATA, 0, stream + 20, PIECES[1]))
    hold(http2)


@hostile("http2", "http_malformed")
def http2_push_promise(peer: Peer) -> None:
    http2, stream = begun(peer)
    peer.send(frame(PUSH_PROMISE, END_HEADERS, stream, struct.pack(">I", 2) + field(":method", "GET")))
    hold(http2)


@hostile("http2", "http_malformed")
def http2_trailers_before_the_end(peer: Peer) -> None:
    http2, stream = begun(peer)
    peer.send(headers(stream, ("x-trailer", "1")))
    hold(http2)


@hostile("http2", "http_malformed")
def http2_window_over_its_limit(peer: Peer) -> None:
    http2, _ = begun(peer)
    peer.send(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", LARGEST)) * 2)
    hold(http2)


@hostile("http2", "http_malformed")
def http2_window_update_of_nothing(peer: Peer) -> None:
    http2, _ = begun(peer)
    peer.send(frame(WINDOW_UPDATE, 0, 0, bytes(4)))
    hold(http2)


@hostile("http2", "http_malformed")
def http2_settings_of_an_odd_length(peer: Peer) -> None:
    http2, _ = begun(peer)
    peer.send(frame(SETTINGS, 0, 0, b"12345"))
    hold(http2)


@hostile("http2", "http_malformed")
def http2_settings_against_the_rules(peer: Peer) -> None:
    http2, _ = begun(peer)
    peer.send(frame(SETTINGS, 0, 0, struct.pack(">HI", INITIAL_WINDOW_SIZE, 1 << 31)))
    hold(http2)


@hostile("http2", "http_malformed")
def http2_header_block_that_is_none(peer: Peer) -> None:
    http2, stream = asked(peer)
    peer.send(frame(HEADERS, END_HEADERS, stream, b"\xff" * 50))
    hold(http2)


@hostile("http2", "http_malformed")
def http2_no_status(peer: Peer) -> None:
    http2, stream = asked(peer)
    peer.send(headers(stream, EVENTS) + frame(DATA, END_STREAM, stream, ANSWER))
    hold(http2)


@hostile("http2", "http_malformed")
def http2_status_that_is_none(peer: Peer) -> None:
    http2, stream = asked(peer)
    peer.send(headers(stream, (":status", "fine"), EVENTS) + frame(DATA, END_STREAM, stream, ANSWER))
    hold(http2)


@hostile("http2", "http_malformed")
def http2_two_statuses(peer: Peer) -> None:
    http2, stream = asked(peer)
    peer.send(headers(stream, (":status", "500"), OK, EVENTS) + frame(DATA, END_STREAM, stream, ANSWER))
    hold(http2)


@hostile("http2", "http_malformed")
def http2_length_that_is_none(peer: Peer) -> None:
    http2, stream = asked(peer)
    peer.send(headers(stream, OK, EVENTS, ("content-length", "many")))
    hold(http2)


@hostile("http2", "http_malformed")
def http2_more_than_was_declared(peer: Peer) -> None:
    http2, stream = asked(peer)
    peer.send(headers(stream, OK, EVENTS, ("content-length", "10")) + frame(DATA, END_STREAM, stream, PIECES[0]))
    hold(http2)


@hostile("http2", "http2_unavailable")
def http2_answer_in_http1(peer: Peer) -> None:
    peer.receive()
    peer.count(b"PRI")
    peer.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    peer.hold()


@hostile("http2", "http2_unavailable")
def http2_closed_before_settings(peer: Peer) -> None:
    peer.receive()
    peer.count(b"PRI")


@hostile("http2", "http2_unavailable")
def http2_goodbye_before_settings(peer: Peer) -> None:
    peer.receive()
    peer.count(b"PRI")
    peer.send(frame(GOAWAY, 0, 0, struct.pack(">II", 0, 0)))
    peer.hold()
