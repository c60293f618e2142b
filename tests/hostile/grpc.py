"""Hostile chatbots that speak HTTP/2 and gRPC, or something like it, by hand. The method streams `AskPiece`."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from tests.hostile.http2.frames import (
    CONTINUATION,
    DATA,
    HEADERS,
    PING,
    SETTINGS,
    Http2Peer,
    field,
    frame,
    headers,
)
from tests.hostile.server import BLOCK, Peer
from tests.hostile.sse import WORDS
from tests.hostile.table import hostile, whole

PROTO = """\
syntax = "proto3";
package tokenburn.mock.v1;

message Turn { string role = 1; string content = 2; }
message AskRequest { string message = 1; string session = 2; repeated Turn history = 3; }
message Usage { int64 input_tokens = 1; int64 output_tokens = 2; }
message AskPiece {
  string delta = 1;
  int64 t = 2;
  bool done = 3;
  Usage usage = 4;
  string response = 5;
  AskPiece inner = 6;
}
service Chat {
  rpc Ask(AskRequest) returns (AskPiece);
  rpc AskStream(AskRequest) returns (stream AskPiece);
  rpc Converse(stream AskRequest) returns (stream AskPiece);
}
"""
METHOD = "tokenburn.mock.v1.Chat/AskStream"
MESSAGE_BYTES = 64 * 1024
"""As `limits.event_bytes` of the tests; the frames below stay within HTTP/2's own first limits."""
ENHANCE_YOUR_CALM, REFUSED_STREAM, INTERNAL_ERROR = 11, 7, 2
RESPONSE = ((":status", "200"), ("content-type", "application/grpc"))


def message(data: bytes, *, flag: int = 0) -> bytes:
    """gRPC's five bytes before each message."""
    return struct.pack(">BI", flag, len(data)) + data


def text_field(number: int, data: bytes) -> bytes:
    """A protobuf field of type string, bytes or message."""
    size = len(data)
    length = bytearray()
    while size > 127:
        length.append(size & 127 | 128)
        size >>= 7
    return bytes((number << 3 | 2, *length, size)) + data


def piece(word: str) -> bytes:
    """A whole message with one word."""
    return message(text_field(1, word.encode()))


PIECES = tuple(piece(word) for word in WORDS)
DONE = message(b"\x18\x01" + text_field(4, b"\x08\x07\x10\x04"))


def trailers(stream: int, status: str = "0", *more: tuple[str, str]) -> bytes:
    return headers(stream, ("grpc-status", status), *more, end=True)


def good(peer: Peer) -> None:
    """A well-behaved server, for the session beside the hostile one."""
    http2 = Http2Peer(peer)
    http2.shake()
    while True:
        stream = http2.read_request()
        peer.send(headers(stream, *RESPONSE))
        for data in (*PIECES, DONE):
            peer.send(frame(DATA, 0, stream, data))
        peer.send(trailers(stream))


def _asked(peer: Peer) -> int:
    """The first request was read; returns its stream."""
    http2 = Http2Peer(peer)
    http2.shake()
    return http2.read_request()


def _begin(peer: Peer) -> int:
    """The answer has begun, with one word."""
    stream = _asked(peer)
    peer.send(headers(stream, *RESPONSE) + frame(DATA, 0, stream, PIECES[0]))
    return stream


def _tell(peer: Peer, data: bytes) -> None:
    """One message in frames, and the end of the answer, as far as the client wants it."""
    stream = _begin(peer)
    peer.send(b"".join(_frames(stream, message(data))) + trailers(stream))
    peer.hold()


def _frames(stream: int, data: bytes) -> Iterator[bytes]:
    for at in range(0, len(data), 16384):
        yield frame(DATA, 0, stream, data[at : at + 16384])


# --- no HTTP/2 at all ------------------------------------------------------------------------------------------


@hostile("grpc", "grpc_malformed")
def grpc_http1_answer(peer: Peer) -> None:
    peer.count(peer.receive())
    peer.send(whole(b"{}", status="400 Bad Request"))
    peer.hold()


@hostile("grpc", "connect_timeout")
def grpc_silence_from_the_start(peer: Peer) -> None:
    peer.count(peer.receive())
    peer.hold()


@hostile("grpc", "connection_closed")
def grpc_closed_from_the_start(peer: Peer) -> None:
    peer.count(peer.receive())


@hostile("grpc", "grpc_malformed")
def grpc_noise(peer: Peer) -> None:
    peer.count(peer.receive())
    peer.send(bytes(range(256)) * 64)
    peer.hold()


# --- too slow ---------------------------------------------------------------------------------------------------


@hostile("grpc", "first_byte_timeout")
def grpc_silence(peer: Peer) -> None:
    _asked(peer)
    peer.hold()


@hostile("grpc", "idle_timeout")
def grpc_silence_after_the_headers(peer: Peer) -> None:
    stream = _asked(peer)
    peer.send(headers(stream, *RESPONSE))
    peer.hold()


@hostile("grpc", "idle_timeout")
def grpc_half_a_message(peer: Peer) -> None:
    stream = _begin(peer)
    peer.send(frame(DATA, 0, stream, PIECES[1][:-2]))
    peer.hold()


@hostile("grpc", "idle_timeout")
def grpc_half_a_frame(peer: Peer) -> None:
    stream = _begin(peer)
    peer.send(frame(DATA, 0, stream, PIECES[1])[:-2])
    peer.hold()


@hostile("grpc", "idle_timeout")
def grpc_byte_by_byte(peer: Peer) -> None:
    """Bytes of a message that is never whole are not seen: to us the stream is silent."""
    stream = _begin(peer)
    for byte in message(b"\x0a\x7f" + b"x" * 100):
        peer.send(frame(DATA, 0, stream, bytes((byte,))))
        peer.pause(0.1)


@hostile("grpc", "total_timeout")
def grpc_empty_messages(peer: Peer) -> None:
    """Never idle, never anything said."""
    stream = _begin(peer)
    while True:
        peer.send(frame(DATA, 0, stream, message(b"")))
        peer.pause(0.1)


@hostile("grpc", "first_byte_timeout")
def grpc_settings_flood(peer: Peer) -> None:
    _asked(peer)
    while True:
        peer.send(frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 65535)) * 100)


@hostile("grpc", "first_byte_timeout")
def grpc_ping_flood(peer: Peer) -> None:
    _asked(peer)
    while True:
        peer.send(frame(PING, 0, 0, b"12345678") * 100)


# --- too much ---------------------------------------------------------------------------------------------------


@hostile("grpc", "body_too_large")
def grpc_endless_stream(peer: Peer) -> None:
    http2 = Http2Peer(peer)
    http2.shake()
    stream = http2.read_request()
    peer.send(headers(stream, *RESPONSE))
    unknown = text_field(9, b"x" * 2_000)
    http2.send_forever(stream, message(text_field(1, b"word ") + unknown) * 4)


@hostile("grpc", "message_too_large")
def grpc_endless_message(peer: Peer) -> None:
    stream = _begin(peer)
    peer.send(frame(DATA, 0, stream, struct.pack(">BI", 0, 0xFFFFFFF0)))
    peer.hold()


@hostile("grpc", "message_too_large")
def grpc_message_a_byte_too_large(peer: Peer) -> None:
    stream = _begin(peer)
    peer.send(frame(DATA, 0, stream, struct.pack(">BI", 0, MESSAGE_BYTES + 1)))
    peer.hold()


@hostile("grpc", "encoding_invalid")
def grpc_gzip_bomb(peer: Peer) -> None:
    """We ask for no compression: what comes packed is not unpacked at all."""
    stream = _asked(peer)
    packer = zlib.compressobj(9, wbits=31)
    packed = b"".join(packer.compress(b"\0" * BLOCK) for _ in range(512)) + packer.flush()
    peer.send(headers(stream, *RESPONSE, ("grpc-encoding", "gzip")))
    peer.send(b"".join(_frames(stream, message(packed, flag=1))) + trailers(stream))
    peer.hold()


@hostile("grpc", "grpc_malformed")
def grpc_packed_without_saying_how(peer: Peer) -> None:
    stream = _begin(peer)
    peer.send(frame(DATA, 0, stream, message(zlib.compress(b"\0" * 100), flag=1)) + trailers(stream))
    peer.hold()


@hostile("grpc", "header_too_large")
def grpc_huge_headers(peer: Peer) -> None:
    stream = _asked(peer)
    more = [(f"x-more-{n}", "x" * 1000) for n in range(40)]
    block = b"".join(field(name, value) for name, value in (*RESPONSE, *more))
    peer.send(frame(HEADERS, 0, stream, block[:16000]))
    rest = [block[at : at + 16000] for at in range(16000, len(block), 16000)]
    for n, part in enumerate(rest):
        peer.send(frame(CONTINUATION, 4 if n == len(rest) - 1 else 0, stream, part))
    peer.hold()


@hostile("grpc", "header_too_large")
def grpc_endless_headers(peer: Peer) -> None:
    stream = _asked(peer)
    peer.send(frame(HEADERS, 0, stream, b"".join(field(name, value) for name, value in RESPONSE)))
    peer.send_forever(frame(CONTINUATION, 0, stream, field("x-more", "and more") * 500))


@hostile("grpc", "message_too_deep")
def grpc_deeply_nested_message(peer: Peer) -> None:
    data = text_field(1, b"deep")
    for _ in range(2000):
        data = text_field(6, data)
    _tell(peer, data)
