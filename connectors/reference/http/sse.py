"""The reference lane's connector for server-sent events, on `sseclient-py` over `requests`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import requests
from sseclient import SSEClient

from connectors.content.said_errors import is_error_name
from connectors.content.styles import EVENTS
from connectors.errors import TooLarge
from connectors.http.sse_fields import COMMENT_BYTES, name_of
from connectors.mapping.answers.part import AnyOf
from connectors.reference.http.exchange import HttpExchange
from connectors.timeline import Timeline
from connectors.timeline.named import named_data

BOM = b"\xef\xbb\xbf"
_DATA_LINE = re.compile(rb"^data(?::|$)", re.MULTILINE)
_NAME_LINE = re.compile(rb"^event:(.*)$", re.MULTILINE)
_COMMENT_LINE = re.compile(rb"^:(.*)$", re.MULTILINE)
LINES_LIMIT = 4096
"""Lines that one event may have: sseclient joins them one by one, which costs the square of their number."""


class BlockClient(SSEClient):
    """sseclient without its own splitter, which does not support mixed line endings, takes an unfinished end of a
    stream for an event, and has no limit. It is given whole events instead."""

    _event_source: Iterator[bytes]

    def _read(self) -> Iterator[bytes]:
        yield from self._event_source


class SseExchange(HttpExchange):
    """The answer piece by piece, as server-sent events in the answer's body."""

    style = EVENTS

    def _read_stream(self, response: requests.Response, timeline: Timeline) -> None:
        pieces = self._stream_pieces(response)
        blocks = event_blocks(pieces, self._endpoint.limits.event_bytes, timeline.response.part.done_data)
        for name, data in named_events(blocks, errors=timeline.response.known_errors):
            said = named_data(timeline, name, data)
            if timeline.done_ns is not None:
                timeline.late(said)
            else:
                timeline.event(self._watch.last_ns, said)
        timeline.end(self._watch.last_ns)


def named_events(blocks: Iterator[bytes], *, errors: bool) -> Iterator[tuple[str, bytes]]:
    """Each event's name and data. `errors`: an event whose name means an error needs no data."""
    # latin-1 maps each byte to one character and back: what the bytes mean is the Timeline's to say.
    for event in BlockClient(map(_with_data, blocks) if errors else blocks, char_enc="latin-1").events():
        yield event.event.encode("latin-1").decode(errors="replace"), event.data.encode("latin-1")


def _with_data(block: bytes) -> bytes:
    """An event whose name means an error needs no data: its comment is used instead."""
    if b"event" not in block or _DATA_LINE.search(block):
        return block
    names = [name_of(value) for value in _NAME_LINE.findall(block)]
    if not names or not is_error_name(names[-1]):
        return block
    comments = _COMMENT_LINE.findall(block)
    return block + b"data:" + (comments[-1][:COMMENT_BYTES] if comments else b"") + b"\n"


def event_blocks(pieces: Iterable[bytes], limit: int, end_mark: bytes | AnyOf | None = None) -> Iterator[bytes]:
    """The stream's whole events, each with LF line endings and its blank line. Raises TooLarge beyond `limit` bytes
    without a blank line. Text after the last blank line is not an event, unless it is the data `end_mark`."""
    tail = bytearray()
    at_start = True
    after_cr = False
    for piece in pieces:
        fresh = piece[1:] if after_cr and piece.startswith(b"\n") else piece
        after_cr = piece.endswith(b"\r") if piece else after_cr
        # A blank line may straddle two pieces: the search begins one byte back.
        begin = max(len(tail) - 1, 0)
        tail += fresh.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if at_start and len(tail) >= len(BOM):
            at_start = False
            if tail.startswith(BOM):
                del tail[: len(BOM)]
                begin = 0
        while (end := tail.find(b"\n\n", begin)) >= 0:
            yield _block(tail[: end + 2], limit)
            del tail[: end + 2]
            begin = 0
        if len(tail) > limit:
            raise _too_large(limit)
    if end_mark is not None and _data_of(bytes(tail)) == end_mark:
        yield bytes(tail.strip(b"\n")) + b"\n\n"


def _data_of(block: bytes) -> bytes:
    fields = (line.partition(b":") for line in block.split(b"\n"))
    return b"\n".join(value.removeprefix(b" ") for field, _, value in fields if field == b"data")


def _block(block: bytearray, limit: int) -> bytes:
    if len(block) > limit or block.count(b"\n") > LINES_LIMIT:
        raise _too_large(limit)
    return bytes(block)


def _too_large(limit: int) -> TooLarge:
    return TooLarge("event_too_large", f"one event of the stream is larger than {limit} bytes")
