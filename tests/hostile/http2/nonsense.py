"""Hostile chatbots over HTTP/2 that send what must not be sent, or what is no HTTP/2."""

from __future__ import annotations

import struct

from tests.hostile.http2.answers import ANSWER, EVENTS, OK, PADDED, answers, says
from tests.hostile.http2.frames import (
    DATA,
    END_HEADERS,
    END_STREAM,
    FIRST_STREAM,
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


says("overlong_frame", "http_malformed", frame(DATA, 0, FIRST_STREAM, b"x" * 20_000))
says("more_padding_than_frame", "http_malformed", frame(DATA, PADDED, FIRST_STREAM, b"\xffdata"))
says("padded_without_a_length", "http_malformed", frame(DATA, PADDED, FIRST_STREAM))
answers("data_before_headers", "http_malformed", frame(DATA, 0, FIRST_STREAM, PIECES[0]))
says(
    "data_within_headers",
    "http_malformed",
    frame(HEADERS, 0, FIRST_STREAM, field("x-trailer", "1")) + frame(DATA, END_STREAM, FIRST_STREAM, DONE),
)
UNKNOWN_STREAM = says(
    "data_on_a_stream_that_nobody_opened", "http_malformed", frame(DATA, 0, FIRST_STREAM + 20, PIECES[1])
)
says(
    "push_promise",
    "http_malformed",
    frame(PUSH_PROMISE, END_HEADERS, FIRST_STREAM, struct.pack(">I", 2) + field(":method", "GET")),
)
says("trailers_before_the_end", "http_malformed", headers(FIRST_STREAM, ("x-trailer", "1")))
says("window_over_its_limit", "http_malformed", frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", LARGEST)) * 2)
says("window_update_of_nothing", "http_malformed", frame(WINDOW_UPDATE, 0, 0, bytes(4)))
says("settings_of_an_odd_length", "http_malformed", frame(SETTINGS, 0, 0, b"12345"))
says(
    "settings_against_the_rules",
    "http_malformed",
    frame(SETTINGS, 0, 0, struct.pack(">HI", INITIAL_WINDOW_SIZE, 1 << 31)),
)
answers("header_block_that_is_none", "http_malformed", frame(HEADERS, END_HEADERS, FIRST_STREAM, b"\xff" * 50))
answers("no_status", "http_malformed", headers(FIRST_STREAM, EVENTS) + frame(DATA, END_STREAM, FIRST_STREAM, ANSWER))
answers(
    "status_that_is_none",
    "http_malformed",
    headers(FIRST_STREAM, (":status", "fine"), EVENTS) + frame(DATA, END_STREAM, FIRST_STREAM, ANSWER),
)
TWO_STATUSES = answers(
    "two_statuses",
    "http_malformed",
    headers(FIRST_STREAM, (":status", "500"), OK, EVENTS) + frame(DATA, END_STREAM, FIRST_STREAM, ANSWER),
)
answers("length_that_is_none", "http_malformed", headers(FIRST_STREAM, OK, EVENTS, ("content-length", "many")))
answers(
    "more_than_was_declared",
    "http_malformed",
    headers(FIRST_STREAM, OK, EVENTS, ("content-length", "10")) + frame(DATA, END_STREAM, FIRST_STREAM, PIECES[0]),
)


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
