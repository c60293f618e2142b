"""What the library of the reference lane gets to see of HTTP/2."""

from __future__ import annotations

import pytest

from connectors.errors import TooLarge, TurnError
from connectors.http.http2_format import CONTINUATION, DATA, FRAME_BYTES, HEAD, HEADERS
from connectors.reference.transport.http2_frames import FrameFilter

LIMIT = 16 * 1024


def frame(data: bytes, kind: int = DATA) -> bytes:
    return HEAD.pack(len(data) >> 8, len(data) & 255, kind, 0, 1) + data


ENDLESS = frame(b"\x88", HEADERS) + frame(b"", CONTINUATION) * (LIMIT // 9 + 100)


@pytest.mark.parametrize("size", [9, 1000, len(ENDLESS)])
def test_what_came_before_a_breach_is_seen_first_however_it_is_read(size: int) -> None:
    """So the library's own limits, which count in frames, end a turn alike, whether a busy machine reads much at once
    or a quiet one little."""
    frames = FrameFilter(LIMIT)
    frames.stream = 1
    given = b""
    with pytest.raises(TooLarge, match="no end of the headers"):
        for at in range(0, len(ENDLESS), size):
            given += frames.feed(1, ENDLESS[at : at + size])
            frames.check()
    assert ENDLESS.startswith(given)
    assert LIMIT - 18 <= len(given) <= LIMIT
    with pytest.raises(TooLarge):
        frames.feed(2, frame(b"more"))


def test_a_breach_with_nothing_before_it_is_told_at_once() -> None:
    frames = FrameFilter(LIMIT)
    with pytest.raises(TurnError, match="http_malformed"):
        frames.feed(1, HEAD.pack(FRAME_BYTES >> 8, 1, DATA, 0, 1))
