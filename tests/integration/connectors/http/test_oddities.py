"""Both lanes accept what browsers accept of HTTP; unreadable answers have their own errors."""

from __future__ import annotations

import pytest

from connectors.registry import Lane
from tests.hostile import http
from tests.hostile.server import HostileServer, Peer
from tests.integration.connectors.lanes import LANES, Client, make_spec, one_turn

lanes = pytest.mark.parametrize("lane", LANES)
SIZE = len(http.GOOD)
JSON = b"Content-Type: application/json\r\n"
LENGTH = b"Content-Length: %d\r\n" % SIZE
CHUNKED = b"Transfer-Encoding: chunked\r\n"
CHUNKS = b"%x\r\n%b\r\n0\r\n\r\n" % (SIZE, http.GOOD)
OK = b"HTTP/1.1 200 OK\r\n"
TAKEN = {
    "bare line feeds": (OK + JSON + LENGTH + b"\r\n").replace(b"\r\n", b"\n") + http.GOOD,
    "a folded header": OK + b"X-A: one\r\n two\r\n\tthree\r\n" + JSON + LENGTH + b"\r\n" + http.GOOD,
    "one length, said twice": OK + LENGTH + JSON + LENGTH.lower() + b"\r\n" + http.GOOD,
    "one length, twice in a row": OK + JSON + LENGTH + LENGTH + b"\r\n" + http.GOOD,
    "one length as a list": OK + JSON + b"Content-Length: %d, %d\r\n\r\n" % (SIZE, SIZE) + http.GOOD,
    "a space before a colon": OK + b"X-A : 1\r\nContent-Type\t: application/json\r\n" + LENGTH + b"\r\n" + http.GOOD,
    "a length and a space": OK + b"Content-Length : %d\r\n" % SIZE + JSON + b"\r\n" + http.GOOD,
    "chunks and a space": OK + JSON + b"Transfer-Encoding : chunked\r\n\r\n" + CHUNKS,
    "a length beside chunks": OK + b"Content-Length: 3\r\n" + CHUNKED + JSON + b"\r\n" + CHUNKS,
    "chunks beside a length": OK + CHUNKED + LENGTH + JSON + b"\r\n" + CHUNKS,
    "no reason phrase": b"HTTP/1.1 200\r\n" + JSON + LENGTH + b"\r\n" + http.GOOD,
    "HTTP/1.0": b"HTTP/1.0 200 OK\r\n" + JSON + LENGTH + b"\r\n" + http.GOOD,
    "early hints": b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK + JSON + LENGTH + b"\r\n" + http.GOOD,
    "a chunk extension": OK + JSON + CHUNKED + b"\r\n" + CHUNKS.replace(b"\r\n", b";a=b\r\n", 1),
}
DOUBTFUL = {"a length beside chunks", "chunks beside a length"}


@lanes
@pytest.mark.parametrize("name", TAKEN)
def test_what_browsers_take_is_taken_turn_for_turn(lane: Lane, name: str) -> None:
    def script(peer: Peer) -> None:
        while True:
            peer.read_request()
            peer.send(TAKEN[name])

    with HostileServer(script) as server, Client(lane, make_spec("http", server.url)) as client:
        turns = client.say_all(["one", "two"])
        if lane == "load" and name in DOUBTFUL:
            assert server.connections == 2, "whose end can be doubted ends with its connection"
    assert [(t.code, t.text) for t in turns] == [(None, http.TEXT)] * 2, turns[0].error


@lanes
@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"\x15\x03\x03\x00\x02\x02\x28", "TLS"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "SSH-2.0"),
        (b"220 mail.example.org ESMTP\r\n", "220 mail"),
        (b"\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x80", "HTTP/2"),
        (b"HTTP/2 OK\r\n\r\n", ""),
    ],
)
def test_what_is_no_http_says_what_it_is(lane: Lane, answer: bytes, words: str) -> None:
    def script(peer: Peer) -> None:
        peer.read_request()
        peer.send(answer)

    with HostileServer(script) as server:
        error = one_turn(lane, make_spec("http", server.url)).error
    assert error is not None
    assert error.code == "http_malformed"
    assert words in error.detail


@lanes
@pytest.mark.parametrize("encoding", ["compress", "dcb"])
def test_an_encoding_that_was_not_asked_for_says_so(lane: Lane, encoding: str) -> None:
    def script(peer: Peer) -> None:
        peer.read_request()
        peer.send(OK + JSON + f"Content-Encoding: {encoding}\r\n".encode() + LENGTH + b"\r\n" + http.GOOD)

    with HostileServer(script) as server:
        error = one_turn(lane, make_spec("http", server.url)).error
    assert error is not None
    assert (error.code, encoding in error.detail, "gzip" in error.detail) == ("encoding_invalid", True, True)


def test_two_lengths_that_differ_are_refused() -> None:
    def script(peer: Peer) -> None:
        peer.read_request()
        peer.send(OK + JSON + LENGTH + b"Content-Length: 1\r\n\r\n" + http.GOOD)

    with HostileServer(script) as server:
        assert one_turn("load", make_spec("http", server.url)).code == "http_malformed"
