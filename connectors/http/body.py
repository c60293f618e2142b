"""Decodes Content-Encoding with a limit on the decompressed size."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Final

from connectors.errors import BrokenTransport, TooLarge

GZIP_OR_ZLIB_WBITS: Final = zlib.MAX_WBITS | 32
RAW_DEFLATE_WBITS: Final = -zlib.MAX_WBITS
GZIP_MAGIC: Final = b"\x1f\x8b"
PIECE_BYTES: Final = 64 * 1024


class Decoder:
    """Decompresses gzip and deflate in pieces; at most `limit` bytes go in, and at most `limit` come out in total."""

    def __init__(self, encoding: str, limit: int) -> None:
        self._encoding = encoding
        self._inflate = zlib.decompressobj(GZIP_OR_ZLIB_WBITS)
        self._left_in = limit
        self._left_out = limit
        self._fresh = True
        self._held = b""

    def decode(self, data: bytes) -> Iterator[bytes]:
        """The decompressed `data`, at most PIECE_BYTES at a time, because the caller may stop early. Raises TooLarge
        (`body_too_large`) or BrokenTransport (`encoding_invalid`)."""
        self._left_in -= len(data)
        if self._left_in < 0:
            raise TooLarge("body_too_large", "the compressed answer is larger than the limit")
        if self._fresh:
            data = self._begin(data)
        out = b""
        while data or len(out) == PIECE_BYTES:  # a full piece: more may wait inside zlib
            if self._inflate.eof and not (data := self._next_member(data)):
                return
            out = self._unpack(data)
            data = self._inflate.unused_data or self._inflate.unconsumed_tail
            self._left_out -= len(out)
            if self._left_out < 0:
                raise TooLarge("body_too_large", "the answer unpacks to more than the limit")
            if out:
                yield out

    def finish(self) -> None:
        """The body is over: raises BrokenTransport if the compressed data is not."""
        if self._held if self._fresh else not self._inflate.eof:
            raise BrokenTransport("encoding_invalid", f"{self._encoding}: the compressed data was cut off")

    def _next_member(self, data: bytes) -> bytes:
        """A gzip body may have several members; other bytes after its end mean nothing."""
        if self._encoding == "deflate" or not data.startswith(GZIP_MAGIC[: len(data)]):
            return b""
        if data:
            self._inflate = zlib.decompressobj(GZIP_OR_ZLIB_WBITS)
        return data

    def _unpack(self, data: bytes) -> bytes:
        try:
            return self._inflate.decompress(data, PIECE_BYTES)
        except zlib.error as exc:
            raise BrokenTransport("encoding_invalid", f"{self._encoding}: {exc}") from exc

    def _begin(self, data: bytes) -> bytes:
        """Choose by the first two bytes: some servers send deflate without its zlib header (RFC 1950, 2.2)."""
        data = self._held + data
        if len(data) < 2:
            self._held = data
            return b""
        self._fresh = False
        has_header = data[0] & 0x0F == zlib.DEFLATED and (data[0] << 8 | data[1]) % 31 == 0
        if self._encoding == "deflate" and not has_header:
            self._inflate = zlib.decompressobj(RAW_DEFLATE_WBITS)
        return data


def make_decoder(encoding: str, limit: int) -> Decoder | None:
    """None for identity. Raises BrokenTransport for an encoding that was not requested."""
    if encoding in {"", "identity"}:
        return None
    if encoding in {"gzip", "x-gzip", "deflate"}:
        return Decoder(encoding, limit)
    asked = "the request accepts gzip and deflate (for a stream: no compression)"
    what = f"the target compresses its answer as {encoding[:40]!r}; {asked}"
    raise BrokenTransport("encoding_invalid", what, "make the target, or the proxy before it, respect Accept-Encoding")
