"""Hostile chatbots that answer with an Amazon event stream, as Bedrock's ConverseStream does."""

from __future__ import annotations

import gzip
import struct
import zlib

from connectors.content.styles import FRAMES_TYPE
from connectors.http.aws_frames import encode_message
from tests.hostile.server import Peer
from tests.hostile.sse import TEXT, WORDS
from tests.hostile.table import CHUNKED, LAST_CHUNK, chunk, head, hostile, saying, whole

AWS_TYPE = f"Content-Type: {FRAMES_TYPE}"
AWS_HEAD = head(AWS_TYPE, CHUNKED)


def event(name: str, data: bytes) -> bytes:
    headers = [(":event-type", name), (":content-type", "application/json"), (":message-type", "event")]
    return encode_message(headers, data)


def framed(headers: bytes, payload: bytes = b"{}", *, size: int | None = None, header_size: int | None = None) -> bytes:
    """A message whose checksums are right, whatever else it says."""
    size = 16 + len(headers) + len(payload) if size is None else size
    begin = struct.pack(">II", size, len(headers) if header_size is None else header_size)
    message = begin + struct.pack(">I", zlib.crc32(begin)) + headers + payload
    return message + struct.pack(">I", zlib.crc32(message))


START = event("messageStart", b'{"role":"assistant","p":"abc"}')
PIECES = tuple(event("contentBlockDelta", b'{"delta":{"text":"%b"}}' % word.encode()) for word in WORDS)
STOP = event("messageStop", b'{"stopReason":"end_turn"}')
DONE = event("metadata", b'{"usage":{"inputTokens":7,"outputTokens":4}}')
BODY = b"".join((START, *PIECES, STOP, DONE))
EXCEPTION = encode_message(
    [(":exception-type", "modelStreamErrorException"), (":message-type", "exception")], b'{"message":"no more"}'
)
ERROR = encode_message([(":error-code", "InternalError"), (":error-message", "no"), (":message-type", "error")], b"")


def good(peer: Peer) -> None:
    """A well-behaved server, for the session beside the hostile one."""
    while True:
        peer.read_request()
        peer.send(AWS_HEAD)
        for message in (START, *PIECES, STOP, DONE):
            peer.send(chunk(message))
        peer.send(LAST_CHUNK)


def _begin(peer: Peer) -> None:
    peer.read_request()
    peer.send(AWS_HEAD + chunk(START + PIECES[0]))


def broken(message: bytes, at: int) -> bytes:
    return message[:at] + bytes((message[at] ^ 1,)) + message[at + 1 :]


STRING = b"\x05:name\x07"
says = saying("aws-eventstream", _begin)
MALFORMED = "eventstream_malformed"
says("wrong_checksum_of_a_beginning", MALFORMED, chunk(broken(PIECES[1], 9)))
says("wrong_checksum_of_a_message", MALFORMED, chunk(broken(PIECES[1], 70)))
says("wrong_checksum_of_a_message_of_4_gb", MALFORMED, chunk(b"\xff" * 64))
says("a_message_of_4_gb", "event_too_large", chunk(framed(b"", size=0xFFFFFFFF)))
says("a_message_beyond_the_limit", "event_too_large", chunk(framed(b"", size=1 << 21)))
says("a_message_shorter_than_none", MALFORMED, chunk(framed(b"", size=15)))
says("a_message_of_no_bytes", MALFORMED, chunk(framed(b"", b"", size=0)))
says("more_headers_than_message", MALFORMED, chunk(framed(b"", b"", header_size=1)))
says("headers_of_4_gb", MALFORMED, chunk(framed(b"", header_size=0xFFFFFFFF)))
says("a_header_without_a_type", MALFORMED, chunk(framed(b"\x05:name")))
says("a_header_of_an_unknown_type", MALFORMED, chunk(framed(b"\x05:name\x0a")))
says("a_header_longer_than_all", MALFORMED, chunk(framed(STRING + b"\xff\xff:")))
says("a_header_whose_length_is_cut", MALFORMED, chunk(framed(STRING + b"\x00")))
says("a_header_twice", MALFORMED, chunk(framed((STRING + b"\x00\x01x") * 2)))
says("no_json_in_an_event", "json_invalid", chunk(event("contentBlockDelta", b'{"delta":')))
says("deeply_nested_json", "message_too_deep", chunk(event("contentBlockDelta", b"[" * 20_000 + b"]" * 20_000)))
says("broken_utf8", "utf8_invalid", chunk(event("contentBlockDelta", b'{"delta":{"text":"\xff\xfe"}}')))
says("an_exception_after_a_word", "target_error", chunk(EXCEPTION))
says("an_error_after_a_word", "target_error", chunk(ERROR))
says("an_exception_behind_the_end", "target_error", chunk(STOP + event("metadata", b"{}") + EXCEPTION) + LAST_CHUNK)
says("ends_in_the_middle_of_a_message", "stream_incomplete", chunk(PIECES[1][:-1]) + LAST_CHUNK)
says("ends_in_the_middle_of_a_beginning", "stream_incomplete", chunk(PIECES[1][:5]) + LAST_CHUNK)
says("ends_without_its_end_mark", "stream_incomplete", LAST_CHUNK)
says("goes_silent_within_a_message", "idle_timeout", chunk(PIECES[1][:40]))


@hostile("aws-eventstream", "body_truncated")
def aws_eventstream_closes_in_the_middle(peer: Peer) -> None:
    _begin(peer)


@hostile("aws-eventstream", "body_too_large")
def aws_eventstream_endless_stream(peer: Peer) -> None:
    _begin(peer)
    peer.send_forever(chunk(PIECES[1] * 500))


@hostile("aws-eventstream", "body_too_large")
def aws_eventstream_endless_messages_without_a_payload(peer: Peer) -> None:
    _begin(peer)
    peer.send_forever(chunk(framed(b"", b"") * 1000))


@hostile("aws-eventstream", "body_too_large")
def aws_eventstream_endless_names_and_headers(peer: Peer) -> None:
    _begin(peer)
    headers = b"".join(b"\x04%04x\x07\x00\x05value" % number for number in range(3000))
    peer.send_forever(chunk(framed(headers)))


@hostile("aws-eventstream", "json_invalid")
def aws_eventstream_a_page_instead(peer: Peer) -> None:
    peer.read_request()
    peer.send(whole(b"<html></html>", "Content-Type: text/html"))


@hostile("aws-eventstream", "target_error")
def aws_eventstream_an_exception_as_a_whole_answer(peer: Peer) -> None:
    peer.read_request()
    peer.send(whole(b'{"__type":"ThrottlingException","message":"slower"}', AWS_TYPE))


# --- odd, and allowed -------------------------------------------------------------------------------------------


@hostile("aws-eventstream", None, TEXT)
def aws_eventstream_split_at_every_byte(peer: Peer) -> None:
    peer.read_request()
    peer.send(AWS_HEAD)
    for at in range(len(BODY)):
        peer.send(chunk(BODY[at : at + 1]))
    peer.send(LAST_CHUNK)


@hostile("aws-eventstream", None, TEXT)
def aws_eventstream_headers_of_all_types(peer: Peer) -> None:
    peer.read_request()
    fixed = b"".join(b"\x01%c%c%b" % (65 + kind, kind, bytes(size)) for kind, size in enumerate((0, 0, 1, 2, 4, 8)))
    odd = b"\x01X\x06\x00\x02\xff\xfe\x01Y\x08" + bytes(8) + b"\x01Z\x09" + bytes(16)
    unknown = framed(fixed + odd + b"\x0b:event-type\x07\x00\x05other", b"no JSON")
    peer.send(whole(START + unknown + framed(b"", b"") + b"".join((*PIECES, DONE)), "Content-Type: x/y"))


@hostile("aws-eventstream", None, TEXT)
def aws_eventstream_until_close_without_a_type(peer: Peer) -> None:
    peer.read_request()
    peer.send(head("Connection: close") + BODY)


@hostile("aws-eventstream", None, TEXT)
def aws_eventstream_gzip(peer: Peer) -> None:
    peer.read_request()
    peer.send(whole(gzip.compress(BODY), AWS_TYPE, "Content-Encoding: gzip"))


@hostile("aws-eventstream", None, TEXT)
def aws_eventstream_ends_after_its_reason(peer: Peer) -> None:
    peer.read_request()
    peer.send(whole(b"".join((*PIECES, STOP)), AWS_TYPE))
    peer.hold()
