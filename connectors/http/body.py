"""Decodes Content-Encoding with a limit on the decompressed size."""

from __future__ import annotations

import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Final

import brotli
from backports import zstd

from connectors.errors import BrokenTransport, TooLarge

GZIP_OR_ZLIB_WBITS: Final = zlib.MAX_WBITS | 32
RAW_DEFLATE_WBITS: Final = -zlib.MAX_WBITS
GZIP_MAGIC: Final = b"\x1f\x8b"
ZSTD_MAGIC: Final = (b"\x28\xb5\x2f\xfd", *(bytes((0x50 + i, 0x2A, 0x4D, 0x18)) for i in range(16)))
"""Of a frame, or of one that is to be skipped."""
ZSTD_WINDOW_LOG: Final = 23
"""8 MiB, the largest window that this encoding may want in HTTP (RFC 9659): a decoder holds a whole one."""
PIECE_BYTES: Final = 64 * 1024


class Decoder(ABC):
    """Decompresses in pieces; at most `limit` bytes go in, and at most `limit` come out in total."""

    def __init__(self, encoding: str, limit: int) -> None:
        self._encoding = encoding
        self._left_in = limit
        self._left_out = limit

    def decode(self, data: bytes) -> Iterator[bytes]:
        """The decompressed `data`, at most PIECE_BYTES at a time, because the caller may stop early. Raises TooLarge
        (`body_too_large`) or BrokenTransport (`encoding_invalid`)."""
        self._left_in -= len(data)
        if self._left_in < 0:
            raise TooLarge("body_too_large", "the compressed answer is larger than the limit")
        try:
            for out in self._unpacked(data):
                self._left_out -= len(out)
                if self._left_out < 0:
                    raise TooLarge("body_too_large", "the answer unpacks to more than the limit")
                if out:
                    yield out
        except (zlib.error, brotli.error, zstd.ZstdError) as exc:
            raise BrokenTransport("encoding_invalid", f"{self._encoding}: {exc}") from exc

    def finish(self) -> None:
        """The body is over: raises BrokenTransport if the compressed data is not."""
        if not self._is_over:
            raise BrokenTransport("encoding_invalid", f"{self._encoding}: the compressed data was cut off")

    @abstractmethod
    def _unpacked(self, data: bytes) -> Iterator[bytes]:
        """Pieces of at most PIECE_BYTES, each made when it is asked for."""

    @property
    @abstractmethod
    def _is_over(self) -> bool:
        """Whether all that began has ended."""


class ZlibDecoder(Decoder):
    """gzip and deflate."""

    def __init__(self, encoding: str, limit: int) -> None:
        super().__init__(encoding, limit)
        self._inflate = zlib.decompressobj(GZIP_OR_ZLIB_WBITS)
        self._fresh = True
        self._held = b""

    def _unpacked(self, data: bytes) -> Iterator[bytes]:
        if self._fresh:
            data = self._begin(data)
        out = b""
        while data or len(out) == PIECE_BYTES:  # a full piece: more may wait inside zlib
            if self._inflate.eof and not (data := self._next_member(data)):
                return
            out = self._inflate.decompress(data, PIECE_BYTES)
            data = self._inflate.unused_data or self._inflate.unconsumed_tail
            yield out

    @property
    def _is_over(self) -> bool:
        return not self._held if self._fresh else self._inflate.eof

    def _next_member(self, data: bytes) -> bytes:
        """A gzip body may have several members; other bytes after its end mean nothing."""
        if self._encoding == "deflate" or not data.startswith(GZIP_MAGIC[: len(data)]):
            return b""
        if data:
            self._inflate = zlib.decompressobj(GZIP_OR_ZLIB_WBITS)
        return data

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


class BrotliDecoder(Decoder):
    def __init__(self, encoding: str, limit: int) -> None:
        super().__init__(encoding, limit)
        self._brotli = brotli.Decompressor()
        self._begun = False

    def _unpacked(self, data: bytes) -> Iterator[bytes]:
        self._begun = self._begun or bool(data)
        out = b""
        while data or len(out) >= PIECE_BYTES or not self._brotli.can_accept_more_data():  # as zlib's
            if self._brotli.is_finished():
                return  # other bytes after the end mean nothing
            out = self._brotli.process(data, output_buffer_limit=PIECE_BYTES)  # which it exceeds a little
            data = b""
            for at in range(0, len(out), PIECE_BYTES):
                yield out[at : at + PIECE_BYTES]

    @property
    def _is_over(self) -> bool:
        return not self._begun or self._brotli.is_finished()


class ZstdDecoder(Decoder):
    def __init__(self, encoding: str, limit: int) -> None:
        super().__init__(encoding, limit)
        self._zstd: zstd.ZstdDecompressor | None = None
        self._held = b""
        """The beginning of what may be another frame."""

    def _unpacked(self, data: bytes) -> Iterator[bytes]:
        frame = self._zstd
        while data or (frame is not None and not frame.needs_input):
            if frame is None or frame.eof:
                data, self._held = self._held + data, b""
                if frame is not None and not data.startswith(ZSTD_MAGIC):  # other bytes after an end mean nothing
                    if any(magic.startswith(data) for magic in ZSTD_MAGIC):
                        self._held = data
                    return
                if not data:
                    return
                options: dict[int, int] = {zstd.DecompressionParameter.window_log_max: ZSTD_WINDOW_LOG}
                frame = self._zstd = zstd.ZstdDecompressor(options=options)
            yield frame.decompress(data, PIECE_BYTES)
            data = frame.unused_data if frame.eof else b""

    @property
    def _is_over(self) -> bool:
        return self._zstd is None or self._zstd.eof


DECODERS: Final[dict[str, type[Decoder]]] = {
    "gzip": ZlibDecoder,
    "x-gzip": ZlibDecoder,
    "deflate": ZlibDecoder,
    "br": BrotliDecoder,
    "zstd": ZstdDecoder,
}


def make_decoder(encoding: str, limit: int) -> Decoder | None:
    """None for identity. Raises BrokenTransport for an encoding that is not known."""
    if encoding in {"", "identity"}:
        return None
    if (kind := DECODERS.get(encoding)) is not None:
        return kind(encoding, limit)
    asked = "the request accepts gzip and deflate (for a stream: no compression), and br and zstd are read too"
    what = f"the target compresses its answer as {encoding[:40]!r}; {asked}"
    raise BrokenTransport("encoding_invalid", what, "make the target, or the proxy before it, respect Accept-Encoding")
