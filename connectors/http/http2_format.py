"""The format of HTTP/2's frames (RFC 9113, 4.1 and 6), as far as a lane looks at them before a library does."""

from __future__ import annotations

import struct
from typing import Final

DATA, HEADERS, RST_STREAM, SETTINGS, PUSH_PROMISE, GOAWAY, CONTINUATION = 0, 1, 3, 4, 5, 7, 9
ACK, END_STREAM, END_HEADERS, PADDED = 1, 1, 4, 8
FRAME_HEAD_BYTES: Final = 9
FRAME_BYTES: Final = 16 * 1024
"""The largest frame that we accept, HTTP/2's default."""
HEAD: Final = struct.Struct(">HBBBI")
SIZE_AND_KIND: Final = struct.Struct(">IBI")
"""The head of a frame with both in one number, and with its flags and stream."""
GOAWAY_HEAD: Final = struct.Struct(">II")
STREAM_BITS: Final = (1 << 31) - 1
HTTP1: Final = b"HTTP/1."
"""How an answer begins from a target that speaks another version."""
