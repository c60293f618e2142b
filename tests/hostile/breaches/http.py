"""Hostile HTTP answers: nonsense, refusals, and what is strange but allowed."""

from __future__ import annotations

import gzip
import zlib

from tests.hostile.http import GOOD, TEXT
from tests.hostile.server import Peer
from tests.hostile.table import CHUNKED, JSON_TYPE, LAST_CHUNK, chunk, head, hostile, whole

# --- nonsense ---------------------------------------------------------------------------------------------------


@hostile("http", "http_malformed")
def http_no_http(peer: Peer) -> None:
    """What HTTP/0.9, or another protocol on this port, says."""
    peer.read_request()
    peer.send(b"<html><body>It works!</body></html>\r\n\r\n")


@hostile("http", "http_malformed")
def http_chunk_size_is_no_number(peer: Peer) -> None:
    peer.read_request()
    peer.send(head(JSON_TYPE, CHUNKED) + b"zz\r\n" + GOOD + b"\r\n" + LAST_CHUNK)
    peer.hold()


@hostile("http", "http_malformed")
def http_header_without_colon(peer: Peer) -> None:
    peer.read_request()
    peer.send(head("this is no header", JSON_TYPE, f"Content-Length: {len(GOOD)}") + GOOD)
    peer.hold()


@hostile("http", "http_malformed")
def http_content_length_is_no_number(peer: Peer) -> None:
    peer.read_request()
    peer.send(head(JSON_TYPE, "Content-Length: many") + GOOD)
    peer.hold()


@hostile("http", "http_malformed")
def http_switches_protocols(peer: Peer) -> None:
    peer.read_request()
    peer.send(head("Upgrade: rot13", "Connection: upgrade", status="101 Switching Protocols") + whole(GOOD))
    peer.hold()


@hostile("http", "encoding_invalid")
def http_corrupt_gzip(peer: Peer) -> None:
    peer.read_request()
    packed = bytearray(gzip.compress(GOOD))
    packed[10:30] = b"\xff" * 20
    peer.send(whole(bytes(packed), JSON_TYPE, "Content-Encoding: gzip"))
    peer.hold()


@hostile("http", "encoding_invalid")
def http_gzip_cut_off(peer: Peer) -> None:
    peer.read_request()
    peer.send(whole(gzip.compress(GOOD)[:-12], JSON_TYPE, "Content-Encoding: gzip"))
    peer.hold()


@hostile("http", "encoding_invalid")
def http_gzip_that_is_plain(peer: Peer) -> None:
    peer.read_request()
    peer.send(whole(GOOD, JSON_TYPE, "Content-Encoding: gzip"))
    peer.hold()


@hostile("http", "encoding_invalid")
def http_unknown_encoding(peer: Peer) -> None:
    peer.read_request()
    peer.send(whole(GOOD, JSON_TYPE, "Content-Encoding: rot13"))
    peer.hold()


@hostile("http", "utf8_invalid")
def http_invalid_utf8(peer: Peer) -> None:
    peer.read_request()
    peer.send(whole(GOOD.replace(b"words", b"w\xff\xfers")))
    peer.hold()


@hostile("http", "json_invalid")
def http_html_with_200(peer: Peer) -> None:
    peer.read_request()
    peer.send(whole(b"<html><body>It works!</body></html>", "Content-Type: text/html"))
    peer.hold()


@hostile("http", "body_too_large")
def http_huge_document_of_tiny_lists(peer: Peer) -> None:
    """Thirty megabytes of JSON that would take seven hundred once read."""
    peer.read_request()
    peer.send(head(JSON_TYPE, f"Content-Length: {30_000_002}"))
    peer.send(b"[" + b"[]," * 999)
    for _ in range(9_999):
        peer.send(b"[]," * 1_000)
    peer.send(b"[]  ]")


@hostile("http", "message_too_deep")
def http_deeply_nested_json(peer: Peer) -> None:
    peer.read_request()
    peer.send(whole(b"[" * 100_000 + b"]" * 100_000))
    peer.hold()


@hostile("http", "answer_unmatched")
def http_another_shape(peer: Peer) -> None:
    peer.read_request()
    peer.send(whole(b'{"choices":[]}'))
    peer.hold()


@hostile("http", "answer_unmatched")
def http_a_bare_number(peer: Peer) -> None:
    peer.read_request()
    peer.send(whole(b"42"))
    peer.hold()


@hostile("http", "answer_unmatched")
def http_text_is_an_object(peer: Peer) -> None:
    peer.read_request()
    peer.send(whole(b'{"choices":[{"message":{"content":{"parts":["a"]}}}]}'))
    peer.hold()


@hostile("http", "target_error")
def http_error_with_200(peer: Peer) -> None:
    peer.read_request()
    peer.send(whole(b'{"error":{"message":"model overloaded","code":"overloaded"}}'))
    peer.hold()


# --- refusals ---------------------------------------------------------------------------------------------------


@hostile("http", "http_503")
def http_503_with_html(peer: Peer) -> None:
    peer.read_request()
    peer.send(whole(b"<html><h1>Bad \x00 day</h1></html>", "Content-Type: text/html", status="503 Busy"))
    peer.hold()


@hostile("http", "http_401")
def http_401_with_json(peer: Peer) -> None:
    peer.read_request()
    peer.send(whole(b'{"error":{"message":"no key"}}', JSON_TYPE, status="401 Unauthorized"))
    peer.hold()


@hostile("http", "http_302")
def http_redirect(peer: Peer) -> None:
    """To itself: a client that follows shows up in the count of requests."""
    while True:
        peer.read_request()
        port = peer.sock.getsockname()[1]
        peer.send(head(f"Location: http://127.0.0.1:{port}/again", "Content-Length: 0", status="302 Found"))


# --- strange, but allowed ---------------------------------------------------------------------------------------


@hostile("http", None, TEXT)
def http_1xx_first(peer: Peer) -> None:
    peer.read_request()
    peer.send(head(status="100 Continue") + head("Link: </a.css>", status="103 Early Hints") + whole(GOOD))
    peer.hold()


@hostile("http", None, TEXT)
def http_split_at_every_byte(peer: Peer) -> None:
    peer.read_request()
    for byte in head(JSON_TYPE, CHUNKED) + chunk(GOOD[:30]) + chunk(GOOD[30:]) + LAST_CHUNK:
        peer.send(bytes([byte]))
    peer.hold()


@hostile("http", None, TEXT)
def http_until_close(peer: Peer) -> None:
    peer.read_request()
    peer.send(head(JSON_TYPE) + GOOD)


@hostile("http", None, TEXT)
def http_1_0(peer: Peer) -> None:
    peer.read_request()
    peer.send(b"HTTP/1.0 200 OK\r\n\r\n" + GOOD)


@hostile("http", None, TEXT)
def http_gzip(peer: Peer) -> None:
    peer.read_request()
    peer.send(head(JSON_TYPE, CHUNKED, "Content-Encoding: gzip"))
    for byte in gzip.compress(GOOD):
        peer.send(chunk(bytes([byte])))
    peer.send(LAST_CHUNK)
    peer.hold()


@hostile("http", None, TEXT)
def http_deflate(peer: Peer) -> None:
    peer.read_request()
    peer.send(whole(zlib.compress(GOOD), JSON_TYPE, "Content-Encoding: deflate"))
    peer.hold()


@hostile("http", None, TEXT)
def http_raw_deflate(peer: Peer) -> None:
    """Without the zlib wrapper, as some servers understand "deflate"."""
    peer.read_request()
    packer = zlib.compressobj(wbits=-15)
    peer.send(whole(packer.compress(GOOD) + packer.flush(), JSON_TYPE, "Content-Encoding: deflate"))
    peer.hold()


@hostile("http", None, TEXT)
def http_extra_bytes_after_the_answer(peer: Peer) -> None:
    peer.read_request()
    peer.send(whole(GOOD) + b"and then some that nobody asked for")
    peer.hold()


@hostile("http", None, TEXT)
def http_two_answers_to_one_request(peer: Peer) -> None:
    """The second answer belongs to no turn."""
    peer.read_request()
    peer.send(whole(GOOD) + whole(GOOD.replace(b"four", b"five")))
    peer.hold()


@hostile("http", None, TEXT)
def http_gzip_in_two_members(peer: Peer) -> None:
    peer.read_request()
    packed = gzip.compress(GOOD[:40]) + gzip.compress(GOOD[40:])
    peer.send(whole(packed, JSON_TYPE, "Content-Encoding: gzip"))
    peer.hold()
