"""Answers that are not JSON: plain text and XML, whole and in pieces, through sockets in both lanes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest

from connectors.registry import Lane
from connectors.spec import TargetSpec, build_target_spec
from tests.hostile.frames import frame, read_message, upgrade
from tests.hostile.server import HostileServer, Peer
from tests.hostile.table import CHUNKED, LAST_CHUNK, SSE_TYPE, chunk, head
from tests.integration.connectors.lanes import LANES, ROOMY, Client, make_spec, one_turn
from tests.integration.connectors.scripted import Scripted, scripted

TEXT_TYPE = "Content-Type: text/plain"
UMLAUTS = "Grüße, 你好 👋"
TEXT = {"response": {"format": "text"}}
SOAP = (
    b'<?xml version="1.0"?><s:Envelope xmlns:s="urn:s"><s:Body><reply lang="en">Hello</reply><reply>you</reply>'
    b"<n/></s:Body></s:Envelope>"
)


class Case(NamedTuple):
    """`code` None: the answer is `text`."""

    body: bytes
    text: str = UMLAUTS
    code: str | None = None
    protocol: str = "text"
    kind: str = TEXT_TYPE
    overrides: dict[str, Any] = TEXT
    chunks: int | None = None


def pieces(*parts: bytes) -> bytes:
    return b"".join(map(chunk, parts))


WORDS = UMLAUTS.encode()
DATA_STREAM = {
    "response": {
        "line": r"^(?P<kind>\w):(?P<data>.*)",
        "done": None,
        "kinds": {
            "0": {"delta": "data"},
            "3": {"error": "data"},
            "d": {"finish": "data.finishReason", "usage": {"output": "data.usage.out"}, "done": True},
        },
    }
}
MARKED = {"response": {"format": "text", "line": "^> (?P<data>.*)", "done": None}}
XML_LINES = {"response": {"format": "xml", "delta": "a", "done": None}}
ENDS = {"response": {"format": "text", "done": [{"data": "[STOP]"}, {"data": "[END]"}, {"matches": "<eos [0-9]+>$"}]}}
META = {"format": "json", "usage": {"output": "tokens"}, "done": True}
CASES = {
    "whole": Case(chunk(WORDS), protocol="http"),
    "whole under another type": Case(chunk(WORDS), protocol="http", kind="Content-Type: application/json"),
    "whole in latin-1": Case(
        chunk("Grüße".encode("latin-1")), "Grüße", protocol="http", kind=f"{TEXT_TYPE}; charset=latin-1"
    ),
    "a byte order mark": Case(chunk(b"\xef\xbb\xbf" + WORDS), protocol="http"),
    "white space alone": Case(chunk(b" \n "), "", "answer_empty", protocol="http"),
    "an error in JSON": Case(chunk(b'{"error": "no such bot"}'), "", "target_error", protocol="http"),
    "an error that is wanted": Case(
        chunk(b'{"error": "x"}'),
        '{"error": "x"}',
        protocol="http",
        overrides={"response": {"format": "text", "known_errors": False}},
    ),
    "a page": Case(chunk(b"<!doctype html><title>Log in</title>"), "", "answer_unmatched", protocol="http"),
    "pieces": Case(pieces(WORDS[:5], WORDS[5:]), chunks=2),
    "pieces split in characters": Case(pieces(*(WORDS[i : i + 1] for i in range(len(WORDS)))), chunks=len(UMLAUTS)),
    "pieces in latin-1": Case(
        pieces(*(c.encode("latin-1") for c in "Grüße")), "Grüße", kind=f"{TEXT_TYPE}; charset=iso-8859-1"
    ),
    "pieces under another type": Case(pieces(WORDS), kind="Content-Type: text/event-stream"),
    "pieces that look like JSON": Case(pieces(b"{", b'"a": 1}'), '{"a": 1}'),
    "pieces cut in a character": Case(pieces(WORDS[:3]), "", "stream_incomplete"),
    "pieces that are no text": Case(pieces(b"a", b"\xff\xff"), "", "utf8_invalid"),
    "pieces: an error in JSON": Case(
        pieces(b'{"error": ', b'"busy"}'), "", "target_error", kind="Content-Type: application/json"
    ),
    "pieces: a page": Case(pieces(b"<html>", b"<title>Log in"), "", "answer_unmatched", kind="Content-Type: text/html"),
    "pieces: white space alone": Case(pieces(b" ", b"\n"), "", "answer_empty"),
    "pieces: white space first": Case(pieces(b" ", b"\n", b"a"), " \na"),
    "pieces: nothing": Case(b"", "", "answer_empty"),
    "events": Case(
        pieces(b"data: Gr\xc3\xbc\xc3\x9fe, \n\n", b": hm\n\ndata: %b\n\ndata: [DONE]\n\n" % WORDS[9:]),
        protocol="sse",
        kind=SSE_TYPE,
        chunks=2,
    ),
    "events of several lines": Case(
        pieces(b"data: a\ndata: b\n\ndata:  c\n\ndata: [DONE]\n\n"), "a\nb c", protocol="sse", kind=SSE_TYPE, chunks=2
    ),
    "events: an error by name": Case(
        pieces(b"data: a\n\nevent: error\ndata: busy\n\n"), "", "target_error", protocol="sse", kind=SSE_TYPE
    ),
    "events: no end mark": Case(pieces(b"data: a\n\n"), "", "stream_incomplete", protocol="sse", kind=SSE_TYPE),
    "events by name": Case(
        pieces(
            b"event: token\ndata: a\n\nevent: token\ndata:  b\n\n",
            b'event: ping\ndata: x\n\nevent: meta\ndata: {"tokens": 7}\n\n',
        ),
        "a b",
        protocol="sse",
        kind=SSE_TYPE,
        overrides={
            "response": {
                "format": "text",
                "done": None,
                "kind": "@event",
                "kinds": {"token": {"delta": "@"}, "meta": META},
            }
        },
        chunks=2,
    ),
    "lines": Case(pieces(WORDS[:5], WORDS[5:9] + b"\n\n%b\n[DONE]" % WORDS[9:]), protocol="ndjson", chunks=2),
    "lines with kinds": Case(
        pieces(b'0:"Hel"\n0', b':"lo"\n2:[{"x": 1}]\nd:{"finishReason":"stop",', b'"usage":{"out":2}}\n'),
        "Hello",
        protocol="ndjson",
        overrides=DATA_STREAM,
        chunks=2,
    ),
    "lines with kinds: an error": Case(
        pieces(b'0:"Hel"\n3:"out of order"\n'), "", "target_error", protocol="ndjson", overrides=DATA_STREAM
    ),
    "lines with kinds: cut off": Case(
        pieces(b'0:"Hel"\n0:"l'), "", "stream_incomplete", protocol="ndjson", overrides=DATA_STREAM
    ),
    "lines with kinds: not JSON": Case(
        pieces(b"0:Hel\n"), "", "json_invalid", protocol="ndjson", overrides=DATA_STREAM
    ),
    "lines with kinds: JSON instead": Case(
        chunk(b'{"error": "no such bot"}'),
        "",
        "target_error",
        protocol="ndjson",
        kind="Content-Type: application/json",
        overrides=DATA_STREAM,
    ),
    "lines with kinds: other lines": Case(
        pieces(b"hm\nha\n"), "", "stream_incomplete", protocol="ndjson", overrides=DATA_STREAM
    ),
    "lines of XML: cut off": Case(
        pieces(b"<a>Hel</a>\n<a>l"), "", "stream_incomplete", protocol="ndjson", overrides=XML_LINES
    ),
    "lines of text behind a mark": Case(
        pieces(b"> Hel\n# not this\n> lo\n"), "Hello", protocol="ndjson", overrides=MARKED, chunks=2
    ),
    "events behind a mark": Case(
        pieces(b"data: > a\n\ndata: > b\n\ndata: [DONE]\n\n"),
        "ab",
        protocol="sse",
        kind=SSE_TYPE,
        overrides={"response": {"format": "text", "line": "^> (?P<data>.*)"}},
    ),
    "another end mark": Case(
        pieces(b"data: a\n\ndata: [STOP]\n\ndata: b\n\n"), "a", protocol="sse", kind=SSE_TYPE, overrides=ENDS
    ),
    "an end mark without its blank line": Case(
        pieces(b"data: a\n\ndata: [END]"), "a", protocol="sse", kind=SSE_TYPE, overrides=ENDS
    ),
    "an end mark by pattern": Case(
        pieces(b"data: a\n\ndata: b<eos 7>\n\ndata: c\n\n"), "ab<eos 7>", protocol="sse", kind=SSE_TYPE, overrides=ENDS
    ),
    "none of the end marks": Case(
        pieces(b"data: a\n\n"), "", "stream_incomplete", protocol="sse", kind=SSE_TYPE, overrides=ENDS
    ),
    "XML": Case(
        chunk(SOAP),
        "Hello",
        protocol="http",
        kind="Content-Type: text/xml",
        overrides={"response": {"format": "xml", "text": '"s:Envelope"."s:Body".reply[0]."#text"'}},
    ),
    "XML in events": Case(
        pieces(b"data: <m><t>Hel</t></m>\n\ndata: <m><t>lo</t></m>\n\ndata: [DONE]\n\n"),
        "Hello",
        protocol="sse",
        kind=SSE_TYPE,
        overrides={"response": {"format": "xml", "delta": "m.t"}},
    ),
    "XML with entities": Case(
        chunk(b"<!DOCTYPE a [<!ENTITY b 'xx'><!ENTITY c '&b;&b;'>]><a>&c;</a>"),
        "",
        "xml_invalid",
        protocol="http",
        overrides={"response": {"format": "xml", "text": "a"}},
    ),
    "XML without end": Case(
        chunk(b"<a>" * 5000),
        "",
        "message_too_deep",
        protocol="http",
        overrides={"response": {"format": "xml", "text": "a"}},
    ),
    "XML that is none": Case(
        chunk(b"<a><b></a>"),
        "",
        "xml_invalid",
        protocol="http",
        overrides={"response": {"format": "xml", "text": "a.b"}},
    ),
}


@pytest.fixture(scope="module")
def bot() -> Iterator[Scripted]:
    """Answers what the path names."""

    def answer(asked: Any) -> bytes:
        case = CASES[asked.path.removeprefix("/").replace("%20", " ")]
        return head(case.kind, CHUNKED) + case.body + LAST_CHUNK

    with scripted(answer) as server:
        yield server


def spec_of(name: str, url: str) -> TargetSpec:
    case = CASES[name]
    overrides = {"timeouts": ROOMY, "protocol": case.protocol, **case.overrides, "request": {"path": f"/{name}"}}
    return build_target_spec(
        name="t", url=url, preset="generic-json", stream=case.protocol != "http", overrides=overrides
    )


@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize("name", CASES)
def test_an_answer_is_read_as_its_format_says(bot: Scripted, lane: Lane, name: str) -> None:
    case, turn = CASES[name], one_turn(lane, spec_of(name, bot.url))
    assert (turn.code, turn.text if case.code is None else "") == (case.code, case.text), turn.error
    if case.chunks is not None:
        assert turn.timeline.chunks == case.chunks


def spoken(frames: Callable[[int], list[str]], greeting: tuple[str, ...] = ()) -> Callable[[Peer], None]:
    """A WebSocket server that answers its n-th message with these text frames."""

    def script(peer: Peer) -> None:
        upgrade(peer)
        peer.send(b"".join(frame(text.encode()) for text in greeting))
        for number in range(9):
            read_message(peer)
            peer.send(b"".join(frame(text.encode()) for text in frames(number)))

    return script


@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize(
    ("frames", "text", "response"),
    [
        ([UMLAUTS], UMLAUTS, {"done": None}),
        (["Hel", "lo", "[END]"], "Hello", {"done": {"data": "[END]"}}),
        (["Hel", "lo"], "Hel\nlo", {"done": None, "quiet_ms": 60}),
    ],
)
def test_text_frames_are_answers(lane: Lane, frames: list[str], text: str, response: dict[str, Any]) -> None:
    overrides = {"response": {"format": "text", **response}, "greeting": {"until": {"data": "ready"}}}
    with (
        HostileServer(spoken(lambda _: frames, ("hello", "ready"))) as server,
        Client(lane, make_spec("websocket", server.url, **overrides)) as client,
    ):
        turns = client.say_all(["a", "b"])
    assert [(turn.code, turn.text) for turn in turns] == [(None, text)] * 2, turns
    assert client.connector.unsolicited == 0
