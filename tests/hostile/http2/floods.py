"""Hostile chatbots over HTTP/2 that send too much: frames without end, and what unpacks to more than fits."""

from __future__ import annotations

import struct

from tests.hostile.http import _bomb
from tests.hostile.http2.answers import CANCEL, OK, PADDED, PRIORITY, asked, begun, hold
from tests.hostile.http2.frames import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    HEADERS,
    INITIAL_WINDOW_SIZE,
    PING,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    Http2Peer,
    field,
    frame,
    headers,
)
from tests.hostile.server import BLOCK, Peer
from tests.hostile.sse import PIECES
from tests.hostile.table import hostile

# --- floods -----------------------------------------------------------------------------------------------------


@hostile("http2", "http_malformed")
def http2_pings_without_end(peer: Peer) -> None:
    begun(peer)
    peer.send_forever(frame(PING, 0, 0, bytes(8)) * 100)


@hostile("http2", "http_malformed")
def http2_pings_without_end_and_nobody_reads_the_answers(peer: Peer) -> None:
    http2 = Http2Peer(peer)
    http2.shake()
    peer.count(b"PRI")
    peer.send_forever(frame(PING, 0, 0, bytes(8)) * 100)


@hostile("http2", "http_malformed")
def http2_settings_without_end(peer: Peer) -> None:
    begun(peer)
    peer.send_forever(frame(SETTINGS, 0, 0, struct.pack(">HI", INITIAL_WINDOW_SIZE, 70_000)) * 100)


@hostile("http2", "http_malformed")
def http2_window_updates_without_end(peer: Peer) -> None:
    begun(peer)
    peer.send_forever(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 1)) * 100)


@hostile("http2", "http_malformed")
def http2_priorities_without_end(peer: Peer) -> None:
    _, stream = begun(peer)
    peer.send_forever(frame(PRIORITY, 0, stream, struct.pack(">IB", 0, 1)) * 100)


@hostile("http2", "http_malformed")
def http2_unknown_frames_without_end(peer: Peer) -> None:
    begun(peer)
    peer.send_forever(frame(0xEE, 0, 0, bytes(100)) * 100)


@hostile("http2", "http_malformed")
def http2_empty_data_without_end(peer: Peer) -> None:
    _, stream = begun(peer)
    peer.send_forever(frame(DATA, 0, stream) * 100)


@hostile("http2", "http_malformed")
def http2_padding_without_end(peer: Peer) -> None:
    _, stream = begun(peer)
    peer.send_forever(frame(DATA, PADDED, stream, bytes((255,)) + bytes(255)))


@hostile("http2", "http_malformed")
def http2_padding_in_parts(peer: Peer) -> None:
    """No read of it ends with a frame."""
    _, stream = begun(peer)
    padding = frame(DATA, PADDED, stream, bytes((255,)) + bytes(255)) * 100
    peer.send(padding[:100])
    while True:
        peer.send(padding[100:] + padding[:100])
        peer.pause(0.001)


@hostile("http2", "http_malformed")
def http2_priorities_around_pieces(peer: Peer) -> None:
    """Whatever is read together, something of it is an answer's."""
    _, stream = begun(peer)
    peer.send_forever(frame(DATA, 0, stream, b"\n") + frame(PRIORITY, 0, stream, struct.pack(">IB", 0, 1)) * 20)


@hostile("http2", "http_malformed")
def http2_padding_around_pieces(peer: Peer) -> None:
    _, stream = begun(peer)
    peer.send_forever(frame(DATA, PADDED, stream, bytes((255,)) + b"\n" + bytes(255)))


@hostile("http2", "http2_cancel")
def http2_resets_without_end(peer: Peer) -> None:
    _, stream = begun(peer)
    peer.send_forever(frame(RST_STREAM, 0, stream, struct.pack(">I", CANCEL)) * 100)


@hostile("http2", "http_malformed")
def http2_early_hints_without_end(peer: Peer) -> None:
    _, stream = asked(peer)
    peer.send_forever(headers(stream, (":status", "103"), ("link", "x" * 1000)))


@hostile("http2", "header_too_large")
def http2_continuation_without_end(peer: Peer) -> None:
    _, stream = asked(peer)
    peer.send(frame(HEADERS, 0, stream, field(*OK)))
    peer.send_forever(frame(CONTINUATION, 0, stream, field("x-more", "y" * 1000)))


@hostile("http2", "http_malformed")
def http2_empty_continuation_without_end(peer: Peer) -> None:
    _, stream = asked(peer)
    peer.send(frame(HEADERS, 0, stream, field(*OK)))
    peer.send_forever(frame(CONTINUATION, 0, stream) * 100)


# --- too much ---------------------------------------------------------------------------------------------------


@hostile("http2", "header_too_large")
def http2_long_headers(peer: Peer) -> None:
    http2, stream = asked(peer)
    block = b"".join(field(f"x-{number}", "y" * 1000) for number in range(15))
    peer.send(frame(HEADERS, 0, stream, field(*OK)) + frame(CONTINUATION, 0, stream, block))
    peer.send(frame(CONTINUATION, END_HEADERS, stream, block))
    hold(http2)


@hostile("http2", "header_too_large")
def http2_header_bomb(peer: Peer) -> None:
    """One header of nearly the table's size, and a thousand references to it of a byte each."""
    http2, stream = asked(peer)
    big = b"\x40" + field("x-big", "y" * 3900)[1:]
    peer.send(frame(HEADERS, END_HEADERS, stream, field(*OK) + big + b"\xbe" * 1000))
    hold(http2)


@hostile("http2", "body_too_large")
def http2_endless_stream(peer: Peer) -> None:
    http2, stream = begun(peer)
    http2.send_forever(stream, PIECES[1] * 100)


@hostile("http2", "event_too_large")
def http2_endless_line(peer: Peer) -> None:
    http2, stream = begun(peer)
    peer.send(frame(DATA, 0, stream, b"data: "))
    http2.send_forever(stream, b"x" * (BLOCK // 8))


@hostile("http2", "body_too_large")
def http2_bomb(peer: Peer) -> None:
    http2, stream = asked(peer)
    peer.send(headers(stream, OK, ("content-type", "application/json"), ("content-encoding", "gzip")))
    bomb = _bomb()
    for at in range(0, len(bomb), 16_000):
        peer.send(frame(DATA, 0, stream, bomb[at : at + 16_000]))
    hold(http2)
