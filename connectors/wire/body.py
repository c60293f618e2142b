"""Content-Encoding of answers, with an end to what a small body may become."""

from __future__ import annotations

import zlib

from connectors.errors import BrokenTransport, TooLarge

GZIP_OR_ZLIB_WBITS = zlib.MAX_WBITS | 32
RAW_DEFLATE_WBITS = -zlib.MAX_WBITS


class Decoder:
    """gzip and deflate, piece by piece; at most `limit` bytes come out in all."""

    def __init__(self, encoding: str, limit: int) -> None:
        self._encoding = encoding
        self._inflate = zlib.decompressobj(GZIP_OR_ZLIB_WBITS)
        self._left = limit
        self._fresh = True

    def decode(self, data: bytes) -> bytes:
        """Raises TooLarge (`body_too_large`) or BrokenTransport (`encoding_invalid`)."""
        try:
            out = self._inflate.decompress(data, self._left + 1)
        except zlib.error as exc:
            if not (self._fresh and self._encoding == "deflate"):
                raise BrokenTransport("encoding_invalid", f"{self._encoding}: {exc}") from exc
            out = self._raw_deflate(data)
        self._fresh = False
        self._left -= len(out)
        if self._left < 0:
            raise TooLarge("body_too_large", "the answer unpacks to more than the limit")
        return out

    def finish(self) -> None:
        """The body is over: raises BrokenTransport if the compressed data is not."""
        if not self._fresh and not self._inflate.eof:
            raise BrokenTransport("encoding_invalid", f"{self._encoding}: the compressed data was cut off")

    def _raw_deflate(self, data: bytes) -> bytes:
        """Some servers send deflate without its zlib header."""
        self._inflate = zlib.decompressobj(RAW_DEFLATE_WBITS)
        try:
            return self._inflate.decompress(data, self._left + 1)
        except zlib.error as exc:
            raise BrokenTransport("encoding_invalid", f"{self._encoding}: {exc}") from exc


def make_decoder(encoding: str, limit: int) -> Decoder | None:
    """None for identity. Raises BrokenTransport for an encoding that was not asked for."""
    if encoding in {"", "identity"}:
        return None
    if encoding in {"gzip", "x-gzip", "deflate"}:
        return Decoder(encoding, limit)
    raise BrokenTransport("encoding_invalid", f"content-encoding {encoding[:40]!r} was not asked for")
