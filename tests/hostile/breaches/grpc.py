"""Hostile gRPC servers: what is no gRPC, and a connection or a stream that breaks."""

from __future__ import annotations

import struct

from tests.hostile.grpc import (
    DONE,
    ENHANCE_YOUR_CALM,
    INTERNAL_ERROR,
    PIECES,
    REFUSED_STREAM,
    RESPONSE,
    _asked,
    _begin,
    _tell,
    text_field,
    trailers,
)
from tests.hostile.http2.frames import (
    DATA,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PREFACE,
    RST_STREAM,
    frame,
    headers,
)
from tests.hostile.server import Peer
from tests.hostile.sse import TEXT
from tests.hostile.table import hostile, whole

# --- not gRPC ---------------------------------------------------------------------------------------------------


@hostile("grpc", "grpc_malformed")
def grpc_not_protobuf(peer: Peer) -> None:
    _tell(peer, b"\xff\xff\xff\xff not protobuf")


@hostile("grpc", "grpc_malformed")
def grpc_field_longer_than_its_message(peer: Peer) -> None:
    _tell(peer, b"\x0a\x7fshort")


@hostile("grpc", "utf8_invalid")
def grpc_text_that_is_not_utf8(peer: Peer) -> None:
    _tell(peer, text_field(1, b"caf\xe9"))


@hostile("grpc", "grpc_malformed")
def grpc_no_status(peer: Peer) -> None:
    stream = _begin(peer)
    peer.send(frame(DATA, END_STREAM, stream, PIECES[1]))
    peer.hold()


@hostile("grpc", "grpc_malformed")
def grpc_trailers_without_status(peer: Peer) -> None:
    stream = _begin(peer)
    peer.send(headers(stream, ("x-more", "1"), end=True))
    peer.hold()


@hostile("grpc", "grpc_unknown")
def grpc_trailers_only_with_an_odd_status(peer: Peer) -> None:
    stream = _asked(peer)
    peer.send(headers(stream, *RESPONSE, ("grpc-status", "99"), ("grpc-message", "odd"), end=True))
    peer.hold()


@hostile("grpc", "grpc_malformed")
def grpc_status_that_is_no_number(peer: Peer) -> None:
    stream = _begin(peer)
    peer.send(trailers(stream, "fine"))
    peer.hold()


@hostile("grpc", "grpc_unavailable")
def grpc_trailers_only_unavailable(peer: Peer) -> None:
    """The target's own word, whatever it sounds like."""
    stream = _asked(peer)
    peer.send(headers(stream, *RESPONSE, ("grpc-status", "14"), ("grpc-message", "busy"), end=True))
    peer.hold()


@hostile("grpc", "grpc_resource_exhausted")
def grpc_resource_exhausted_in_mid_stream(peer: Peer) -> None:
    stream = _begin(peer)
    peer.send(trailers(stream, "8", ("grpc-message", "no tokens left")))
    peer.hold()


@hostile("grpc", "grpc_deadline_exceeded")
def grpc_its_own_deadline(peer: Peer) -> None:
    stream = _begin(peer)
    peer.send(trailers(stream, "4", ("grpc-message", "the model took too long")))
    peer.hold()


@hostile("grpc", "grpc_cancelled")
def grpc_its_own_cancellation(peer: Peer) -> None:
    stream = _begin(peer)
    peer.send(trailers(stream, "1"))
    peer.hold()


@hostile("grpc", "http_404")
def grpc_answer_of_a_web_server(peer: Peer) -> None:
    stream = _asked(peer)
    peer.send(headers(stream, (":status", "404"), ("content-type", "text/html"), end=True))
    peer.hold()


@hostile("grpc", "stream_incomplete")
def grpc_end_without_the_end_mark(peer: Peer) -> None:
    stream = _begin(peer)
    peer.send(trailers(stream))
    peer.hold()


@hostile("grpc", "grpc_internal")
def grpc_error_after_the_end_mark(peer: Peer) -> None:
    stream = _begin(peer)
    peer.send(b"".join(frame(DATA, 0, stream, data) for data in (*PIECES[1:], DONE)) + trailers(stream, "13"))
    peer.hold()


@hostile("grpc", None, TEXT)
def grpc_nothing_after_the_end_mark(peer: Peer) -> None:
    stream = _begin(peer)
    peer.send(b"".join(frame(DATA, 0, stream, data) for data in (*PIECES[1:], DONE)))
    peer.hold()


# --- the connection or the stream broken ------------------------------------------------------------------------


@hostile("grpc", "connection_closed")
def grpc_goaway_in_mid_stream(peer: Peer) -> None:
    stream = _begin(peer)
    peer.send(frame(GOAWAY, 0, 0, struct.pack(">II", stream, ENHANCE_YOUR_CALM) + b"too_many_users"))


@hostile("grpc", "connection_closed")
def grpc_goaway_that_disowns_the_request(peer: Peer) -> None:
    """It says that the request was not processed, and a library may then send it again by itself."""
    _asked(peer)
    peer.send(frame(GOAWAY, 0, 0, struct.pack(">II", 0, 0)))
    peer.hold()


@hostile("grpc", "grpc_unavailable")
def grpc_refused_stream(peer: Peer) -> None:
    """The same for a stream."""
    stream = _asked(peer)
    peer.send(frame(RST_STREAM, 0, stream, struct.pack(">I", REFUSED_STREAM)))
    peer.hold()


@hostile("grpc", "grpc_internal")
def grpc_rst_stream_in_mid_stream(peer: Peer) -> None:
    stream = _begin(peer)
    peer.send(frame(RST_STREAM, 0, stream, struct.pack(">I", INTERNAL_ERROR)))
    peer.hold()


@hostile("grpc", "connection_closed")
def grpc_closed_without_a_byte(peer: Peer) -> None:
    _asked(peer)


@hostile("grpc", "connection_closed")
def grpc_closed_in_mid_stream(peer: Peer) -> None:
    stream = _begin(peer)
    peer.send(frame(DATA, 0, stream, PIECES[1][:-2]))


@hostile("grpc", "connection_reset")
def grpc_reset_in_mid_stream(peer: Peer) -> None:
    _begin(peer)
    peer.pause(0.05)
    peer.reset()


@hostile("grpc", "grpc_malformed")
def grpc_frame_larger_than_allowed(peer: Peer) -> None:
    stream = _begin(peer)
    peer.send(struct.pack(">I", 0xFFFFFF)[1:] + struct.pack(">BBI", DATA, 0, stream) + b"x" * 1000)
    peer.hold()


@hostile("grpc", "grpc_malformed")
def grpc_headers_that_are_not_hpack(peer: Peer) -> None:
    stream = _asked(peer)
    peer.send(frame(HEADERS, 4, stream, b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"))
    peer.hold()


@hostile("grpc", "grpc_malformed")
def grpc_http1_in_mid_stream(peer: Peer) -> None:
    _begin(peer)
    peer.send(whole(b"{}"))
    peer.hold()


@hostile("grpc", "grpc_malformed")
def grpc_preface_sent_back(peer: Peer) -> None:
    peer.count(peer.receive())
    peer.send(PREFACE)
    peer.hold()
