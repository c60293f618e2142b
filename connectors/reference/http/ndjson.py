"""The reference lane's connector for newline-delimited JSON, over `requests`."""

from __future__ import annotations

from collections.abc import Iterator

import requests

from connectors.content.styles import LINES
from connectors.errors import TooLarge
from connectors.reference.http.exchange import HttpExchange
from connectors.timeline import Timeline
from connectors.timeline.named import cut_off


class NdjsonExchange(HttpExchange):
    """The answer piece by piece, one JSON document a line."""

    style = LINES

    def _read_stream(self, response: requests.Response, timeline: Timeline) -> None:
        pieces = self._stream_pieces(response)
        tail = bytearray()
        for line in whole_lines(pieces, tail, self._endpoint.limits.event_bytes):
            if timeline.done_ns is not None:
                timeline.late(line)
            else:
                timeline.event(self._watch.last_ns, line)
        if (rest := bytes(tail.strip())) and timeline.done_ns is not None:
            timeline.late(rest)
        elif rest:
            with cut_off():
                timeline.event(self._watch.last_ns, rest)
        timeline.end(self._watch.last_ns)


def whole_lines(pieces: Iterator[bytes], tail: bytearray, limit: int) -> Iterator[bytes]:
    """Lines that are not blank; an unfinished line stays in `tail`. Raises TooLarge beyond `limit` bytes. Not
    `Response.iter_lines`, which copies an endless line again with every piece."""
    for piece in pieces:
        begin = len(tail)
        tail += piece
        while (end := tail.find(b"\n", begin)) >= 0:
            line = bytes(tail[:end])
            del tail[: end + 1]
            begin = 0
            if len(line) > limit:
                raise _too_large(limit)
            if line.strip():
                yield line
        if len(tail) > limit:
            raise _too_large(limit)


def _too_large(limit: int) -> TooLarge:
    return TooLarge("event_too_large", f"one line of the stream is larger than {limit} bytes")
