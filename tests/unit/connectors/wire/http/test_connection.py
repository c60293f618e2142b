"""The load lane's HTTP/1.1: the same turn from any split of the same bytes, however the body travels."""

from __future__ import annotations

import asyncio
import gc
import gzip
import tracemalloc
import zlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.content.styles import EVENTS, WHOLE, Style
from connectors.errors import ClosedUnsent, TurnError
from connectors.http.endpoint import Endpoint
from connectors.http.headers import RequestEncoder
from connectors.mapping.answers.response import ResponseMapping
from connectors.mapping.request import RenderedRequest
from connectors.spec import Limits, ResponseSpec, Timeouts, TlsSpec
from connectors.timeline import Timeline
from connectors.wire.http.connection import HttpConnection
from connectors.wire.transport.stream import Receiver

ENDPOINT = Endpoint("host", 80, False, "host", Timeouts(), Limits(), TlsSpec())
REQUEST = RenderedRequest("POST", "/v1", (("X-Own", "1"),), b"{}")
MEANING = ResponseMapping(
    ResponseSpec.model_validate({"delta": "t", "text": "t", "error": "error", "done": {"data": "[DONE]"}})
)


class HandFed:
    """Stands where the socket does: the test delivers the bytes in the pieces it wants."""

    open = True
    is_tls = False

    def __init__(self) -> None:
        self.written = b""
        self.receiver: Receiver

    def start(self, receiver: Receiver) -> None:
        self.receiver = receiver

    def write(self, data: bytes) -> None:
        self.written += data

    def close(self) -> None:
        self.open = False


def connected(stream: HandFed, style: Style) -> HttpConnection:
    encoder = RequestEncoder(ENDPOINT, style)
    return HttpConnection(stream, Limits(), Timeouts(), encoder)  # type: ignore[arg-type]  # it stands in


async def turn(stream: HandFed, connection: HttpConnection, pieces: list[bytes], *, ends: bool) -> Timeline:
    """Send one request, deliver `pieces` as its answer, then the stream's end if `ends`."""
    timeline = Timeline(MEANING, 0)
    running = asyncio.ensure_future(connection.exchange(REQUEST, timeline))
    while timeline.sent_ns is None:
        await asyncio.sleep(0)
    for ns, piece in enumerate(pieces, 1):
        if not running.done():
            stream.receiver.data_received(ns, piece)
    if ends:
        stream.receiver.stream_closed(len(pieces) + 1, None)
    await running
    return timeline


def converse(answers: list[list[bytes]], *, sse: bool, ends: bool = False) -> list[tuple[str | None, str, int]]:
    """(error code, text, number of gaps between contents) of each turn, all on one connection."""

    async def run() -> list[tuple[str | None, str, int]]:
        stream = HandFed()
        connection = connected(stream, EVENTS if sse else WHOLE)
        results: list[tuple[str | None, str, int]] = []
        for pieces in answers:
            assert connection.usable
            try:
                timeline = await turn(stream, connection, pieces, ends=ends)
                results.append((None, timeline.text, len(timeline.gaps_ns)))
            except TurnError as exc:
                results.append((exc.code, "", 0))
        connection.close()
        return results

    return asyncio.run(run())


def packed(body: bytes, encoding: str) -> bytes:
    if encoding == "gzip":
        return gzip.compress(body)
    if encoding == "deflate":
        return zlib.compress(body)
    return body


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@st.composite
def answers(draw: st.DrawFn, *, sse: bool, until_close: bool = False) -> tuple[str, bytes]:
    """The text of an answer, and the answer on the wire: any framing, any encoding, hints before it."""
    words = draw(st.lists(texts, min_size=1, max_size=4))
    body = _events(words) if sse else b'{"t":%b}' % _json("".join(words))
    encoding = draw(st.sampled_from(["", "gzip", "deflate"]))
    body = packed(body, encoding)
    hints = draw(
        st.sampled_from([b"", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 H\r\nContent-Length: 9\r\n\r\n"])
    )
    kind = "text/event-stream" if sse else "application/json"
    lines = [b"HTTP/1.1 200 OK", b"Content-Type: %b" % kind.encode()]
    if encoding:
        lines.append(b"Content-Encoding: %b" % encoding.encode())
    if until_close:
        framed = body
    elif draw(st.booleans()):
        lines.append(b"content-length: %d" % len(body))
        framed = body
    else:
        lines.append(b"Transfer-Encoding: chunked")
        trailer = draw(st.sampled_from([b"", b"X-Trailer: 1\r\n"]))
        chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in draw(cut(body)) if piece)
        framed = chunks + b"0\r\n" + trailer + b"\r\n"
    return "".join(words), hints + b"\r\n".join(lines) + b"\r\n\r\n" + framed


def _json(text: str) -> bytes:
    escaped = "".join(c if c.isprintable() and c not in '"\\' else f"\\u{ord(c):04x}" for c in text if ord(c) < 65536)
    return f'"{escaped}"'.encode()


def _events(words: list[str]) -> bytes:
    return b"".join(b'data: {"t":%b}\n\n' % _json(word) for word in words) + b"data: [DONE]\n\n"


@st.composite
def cut(draw: st.DrawFn, data: bytes) -> list[bytes]:
    """`data` in pieces, none of them empty."""
    cuts = sorted(draw(st.sets(st.integers(1, max(len(data) - 1, 1)), max_size=10)))
    pieces = [data[start:end] for start, end in pairwise([0, *cuts, len(data)])]
    return [piece for piece in pieces if piece]


def _kept(text: str) -> str:
    return "".join(c for c in text if ord(c) < 65536)  # what `_json` can escape in one go


@pytest.mark.parametrize("sse", [False, True])
@given(data=st.data())
def test_any_split_of_any_framing_gives_the_same_turns(sse: bool, data: st.DataObject) -> None:
    drawn = data.draw(st.lists(answers(sse=sse), min_size=1, max_size=3))
    pieces = [data.draw(cut(raw)) for _, raw in drawn]
    whole = converse([[raw] for _, raw in drawn], sse=sse)
    assert [(code, text) for code, text, _ in whole] == [(None, _kept(text)) for text, _ in drawn]
    assert converse(pieces, sse=sse) == whole


@pytest.mark.parametrize("sse", [False, True])
@given(data=st.data())
def test_a_body_until_close_gives_the_same(sse: bool, data: st.DataObject) -> None:
    text, raw = data.draw(answers(sse=sse, until_close=True))
    [(code, found, _)] = converse([data.draw(cut(raw))], sse=sse, ends=True)
    assert (code, found) == (None, _kept(text))


@pytest.mark.parametrize("sse", [False, True])
@given(data=st.data())
def test_an_answer_cut_off_anywhere_is_an_error_and_never_half_an_answer(sse: bool, data: st.DataObject) -> None:
    _, raw = data.draw(answers(sse=sse))
    end = data.draw(st.integers(0, len(raw) - 1))
    [(code, _, _)] = converse([data.draw(cut(raw[:end])) if end else []], sse=sse, ends=True)
    if sse and code is None:
        return  # the end mark had come: the answer was whole
    assert code in {"connection_closed", "body_truncated"}


@given(noise=st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=6))
def test_noise_is_a_turn_error_and_nothing_else(noise: list[bytes]) -> None:
    [(code, _, _)] = converse([noise], sse=False, ends=True)
    assert code in {"http_malformed", "connection_closed"}


@pytest.mark.parametrize("parts", [1, 2])
@pytest.mark.parametrize("event", ["bytes", "end"])
def test_a_connection_that_ends_before_the_request_is_written_has_sent_nothing(event: str, parts: int) -> None:
    """Nor has it where the turn has sent another request, a moment ago and on the same connection."""

    async def run() -> tuple[HandFed, Timeline]:
        stream = HandFed()
        connection = connected(stream, WHOLE)
        timeline = Timeline(MEANING, 0)
        if parts == 2:
            timeline = await turn(stream, connection, [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"], ends=False)
            timeline.first_byte_ns, stream.written = None, b""
        sent_ns = timeline.sent_ns
        running = asyncio.ensure_future(connection.exchange(REQUEST, timeline))
        await asyncio.sleep(0)
        if event == "bytes":
            stream.receiver.data_received(1, b"HTTP/1.1 408 Too slow\r\n\r\n")
        else:
            stream.receiver.stream_closed(1, None)
        with pytest.raises(ClosedUnsent):
            await running
        assert timeline.sent_ns == sent_ns
        return stream, timeline

    stream, timeline = asyncio.run(run())
    assert (stream.written, timeline.first_byte_ns, timeline.bytes_out > 0) == (b"", None, parts == 2)


def test_a_connection_holds_no_body_while_its_user_waits() -> None:
    async def run() -> int:
        stream = HandFed()
        connection = connected(stream, WHOLE)
        before, _ = tracemalloc.get_traced_memory()
        body = b'{"t":"%b"}' % (b"x" * 1_000_000)
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        assert len((await turn(stream, connection, [answer], ends=False)).text) == 1_000_000
        del body, answer
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - before

    tracemalloc.start()
    try:
        assert asyncio.run(run()) < 500_000
    finally:
        tracemalloc.stop()
