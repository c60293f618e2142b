"""Hostile event streams: nonsense, refusals, and what is strange but allowed."""

from __future__ import annotations

import zlib

from tests.hostile.server import BLOCK, Peer
from tests.hostile.sse import DONE, PIECES, STREAM_HEAD, TEXT, _begin
from tests.hostile.table import CHUNKED, JSON_TYPE, LAST_CHUNK, SSE_TYPE, chunk, head, hostile, whole

# --- nonsense ---------------------------------------------------------------------------------------------------


@hostile("sse", "http_malformed")
def sse_no_http(peer: Peer) -> None:
    peer.read_request()
    peer.send(b"data: this is not HTTP\n\n")


@hostile("sse", "http_malformed")
def sse_chunk_size_is_no_number(peer: Peer) -> None:
    _begin(peer)
    peer.send(b"zz\r\n" + PIECES[1])
    peer.hold()


@hostile("sse", "json_invalid")
def sse_truncated_json(peer: Peer) -> None:
    _begin(peer)
    peer.send(chunk(b'data: {"choices":[{"delta":\n\n'))
    peer.hold()


@hostile("sse", "message_too_deep")
def sse_deeply_nested_json(peer: Peer) -> None:
    _begin(peer)
    peer.send(chunk(b"data: " + b"[" * 20_000 + b"]" * 20_000 + b"\n\n"))
    peer.hold()


@hostile("sse", "utf8_invalid")
def sse_invalid_utf8(peer: Peer) -> None:
    _begin(peer)
    peer.send(chunk(PIECES[1].replace(b"words", b"w\xff\xfers")))
    peer.hold()


@hostile("sse", "encoding_invalid")
def sse_corrupt_gzip(peer: Peer) -> None:
    peer.read_request()
    peer.send(head(SSE_TYPE, CHUNKED, "Content-Encoding: gzip") + chunk(b"\x1f\x8b\x08\x00" + b"\xff" * 60))
    peer.hold()


@hostile("sse", "answer_unmatched")
def sse_text_is_an_object(peer: Peer) -> None:
    _begin(peer)
    peer.send(chunk(b'data: {"choices":[{"delta":{"content":{"a":1}}}]}\n\n'))
    peer.hold()


@hostile("sse", "answer_unmatched")
def sse_json_instead_of_a_stream(peer: Peer) -> None:
    """A target that does not know `stream`."""
    peer.read_request()
    peer.send(whole(b'{"choices":[{"message":{"content":"hello"}}]}'))
    peer.hold()


@hostile("sse", "target_error")
def sse_error_as_json_with_200(peer: Peer) -> None:
    peer.read_request()
    peer.send(whole(b'{"error":{"message":"model overloaded"}}'))
    peer.hold()


@hostile("sse", "target_error")
def sse_error_in_band(peer: Peer) -> None:
    _begin(peer)
    peer.send(chunk(b'data: {"error":{"message":"out of memory"}}\n\n') + chunk(DONE) + LAST_CHUNK)
    peer.hold()


# --- refusals ---------------------------------------------------------------------------------------------------


@hostile("sse", "http_503")
def sse_503_with_html(peer: Peer) -> None:
    peer.read_request()
    peer.send(whole(b"<html>Bad day</html>", "Content-Type: text/html", status="503 Busy"))
    peer.hold()


@hostile("sse", "http_401")
def sse_401_with_json(peer: Peer) -> None:
    peer.read_request()
    peer.send(whole(b'{"error":{"message":"no key"}}', JSON_TYPE, status="401 Unauthorized"))
    peer.hold()


# --- strange, but allowed ---------------------------------------------------------------------------------------


@hostile("sse", None, TEXT)
def sse_1xx_first(peer: Peer) -> None:
    peer.read_request()
    peer.send(head(status="100 Continue") + head("Link: </a.css>", status="103 Early Hints"))
    peer.send(whole(b"".join((*PIECES, DONE)), SSE_TYPE))
    peer.hold()


@hostile("sse", None, TEXT)
def sse_split_at_every_byte(peer: Peer) -> None:
    peer.read_request()
    for byte in STREAM_HEAD + b"".join(chunk(event) for event in (*PIECES, DONE)) + LAST_CHUNK:
        peer.send(bytes([byte]))
    peer.hold()


@hostile("sse", None, TEXT)
def sse_crlf_bom_comments_and_ids(peer: Peer) -> None:
    peer.read_request()
    events = b"".join(b": hello\nid: 3\nevent: delta\nretry: 10\nunknown: field\n" + event for event in PIECES)
    peer.send(whole(b"\xef\xbb\xbf" + (events + DONE).replace(b"\n", b"\r\n"), SSE_TYPE))
    peer.hold()


@hostile("sse", None, TEXT)
def sse_cr_endings(peer: Peer) -> None:
    peer.read_request()
    peer.send(whole(b"".join((*PIECES, DONE)).replace(b"\n", b"\r"), SSE_TYPE))
    peer.hold()


@hostile("sse", None, TEXT)
def sse_end_mark_without_its_blank_line(peer: Peer) -> None:
    peer.read_request()
    peer.send(whole(b"".join((*PIECES, DONE.rstrip(b"\n"))), SSE_TYPE))
    peer.hold()


@hostile("sse", None, TEXT)
def sse_end_mark_whose_line_alone_ends(peer: Peer) -> None:
    peer.read_request()
    peer.send(STREAM_HEAD + b"".join(chunk(event) for event in (*PIECES, DONE.rstrip(b"\n") + b"\n")) + LAST_CHUNK)
    peer.hold()


@hostile("sse", "stream_incomplete")
def sse_half_an_end_mark(peer: Peer) -> None:
    peer.read_request()
    peer.send(STREAM_HEAD + b"".join(chunk(event) for event in (*PIECES, DONE[:9])) + LAST_CHUNK)
    peer.hold()


@hostile("sse", None, TEXT)
def sse_mixed_endings(peer: Peer) -> None:
    peer.read_request()
    first, second, third, fourth = PIECES
    mixed = first.replace(b"\n\n", b"\n\r\n") + second.replace(b"\n\n", b"\r\n\n") + third.replace(b"\n", b"\r")
    peer.send(whole(mixed + fourth.replace(b"\n\n", b"\r\n\r") + DONE, SSE_TYPE))
    peer.hold()


@hostile("sse", None, TEXT)
def sse_data_over_several_lines(peer: Peer) -> None:
    peer.read_request()
    broken = b"".join(event.replace(b'[{"delta"', b'[\ndata:{"delta"') for event in PIECES)
    peer.send(whole(broken + DONE, SSE_TYPE))
    peer.hold()


@hostile("sse", None, TEXT)
def sse_gzip(peer: Peer) -> None:
    peer.read_request()
    packer = zlib.compressobj(wbits=31)
    peer.send(head(SSE_TYPE, CHUNKED, "Content-Encoding: gzip"))
    for event in (*PIECES, DONE):
        peer.send(chunk(packer.compress(event) + packer.flush(zlib.Z_SYNC_FLUSH)))
    peer.send(chunk(packer.flush()) + LAST_CHUNK)
    peer.hold()


@hostile("sse", None, TEXT)
def sse_until_close(peer: Peer) -> None:
    peer.read_request()
    peer.send(head(SSE_TYPE) + b"".join((*PIECES, DONE)))


@hostile("sse", None, TEXT)
def sse_open_after_done(peer: Peer) -> None:
    """Said everything, and never ends: the answer is complete all the same."""
    peer.read_request()
    peer.send(STREAM_HEAD + b"".join(chunk(event) for event in (*PIECES, DONE)))
    peer.hold()


def _said_all(peer: Peer) -> None:
    peer.read_request()
    peer.send(STREAM_HEAD + b"".join(chunk(event) for event in (*PIECES, DONE)))


@hostile("sse", None, TEXT)
def sse_reset_after_done(peer: Peer) -> None:
    _said_all(peer)
    peer.pause(0.05)  # the client shall have read what came, so that the reset is what it meets next
    peer.reset()


@hostile("sse", None, TEXT)
def sse_cut_off_after_done(peer: Peer) -> None:
    _said_all(peer)


@hostile("sse", None, TEXT)
def sse_rubbish_after_done(peer: Peer) -> None:
    _said_all(peer)
    peer.send(chunk(b"data: {no json}\n\n") + b"zz\r\n")
    peer.hold()


@hostile("sse", None, TEXT)
def sse_endless_after_done(peer: Peer) -> None:
    _said_all(peer)
    peer.send_forever(chunk(b"x" * BLOCK))
