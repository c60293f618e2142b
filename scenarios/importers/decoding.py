"""Decodes the text of a file: compression, byte order marks, line ends."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from typing import BinaryIO, Final

from scenarios.definition.spec import ScenarioError

CHUNK: Final = 1 << 20
_MARKS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_GZIP: Final = b"\x1f\x8b"
_NOT_TEXT: Final = (
    (b"PK\x03\x04", "is a zip archive or a workbook of Excel: unpack it, or save the sheet as CSV UTF-8"),
    (b"\xd0\xcf\x11\xe0", "is a workbook of Excel: save the sheet as CSV UTF-8"),
    (b"PAR1", "is a Parquet file: convert it to JSONL or CSV"),
    (b"ARROW1", "is an Arrow file: convert it to JSONL or CSV"),
    (b"\x28\xb5\x2f\xfd", "is compressed with zstd: unpack it, or compress it with gzip"),
    (b"BZh", "is compressed with bzip2: unpack it, or compress it with gzip"),
    (b"\xfd7zXZ", "is compressed with xz: unpack it, or compress it with gzip"),
    (b"SQLite format 3", "is an SQLite database: export a table of it as CSV or JSONL"),
    (b"%PDF-", "is a PDF file: give text, JSONL or CSV"),
)
_LONGEST_MARK: Final = 16


def texts(name: str, stream: BinaryIO, most_bytes: int) -> Iterator[str]:
    r"""The text of `stream` in pieces, with `\n` as the only line end.

    UTF-8, or UTF-16 and UTF-32 with a byte order mark; gzip is unpacked, at most `most_bytes` of it. Raises
    ScenarioError that names `name`, the line and what to do for what is no text.
    """
    pieces = _pieces(name, stream, most_bytes)
    head = next(pieces, b"")
    encoding = next((word for mark, word in _MARKS if head.startswith(mark)), "utf-8-sig")
    decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder(encoding)(), translate=True)
    line, at = 1, 0
    for data in _with_end(head, pieces):
        try:
            text = decoder.decode(data, final=not data)
        except UnicodeDecodeError as exc:
            raise ScenarioError(_no_text(name, encoding, exc, line, at, len(data))) from exc
        at += len(data)
        if "\x00" in text:
            line += text.count("\n", 0, text.index("\x00"))
            raise ScenarioError(
                f"{name}: line {line}: contains the character NUL: remove it, or save the file as UTF-8 text"
            )
        line += text.count("\n")
        if text:
            yield text


def _with_end(head: bytes, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Every piece, and an empty one as the end."""
    if head:
        yield head
    yield from pieces
    yield b""


def _no_text(name: str, encoding: str, exc: UnicodeDecodeError, line: int, at: int, length: int) -> str:
    waiting = len(exc.object) - length  # of the piece before this one
    if encoding != "utf-8-sig":
        return f"{name}: begins like {encoding.upper()} and is not: save it as UTF-8"
    line += exc.object.count(b"\n", 0, exc.start)
    return (
        f"{name}: is not UTF-8 text: byte {at - waiting + exc.start}, line {line}: save it as UTF-8"
        " (Excel: 'CSV UTF-8'), or convert it: iconv -f WINDOWS-1252 -t UTF-8"
    )


def _pieces(name: str, stream: BinaryIO, most_bytes: int) -> Iterator[bytes]:
    head = _read_head(stream)
    if head.startswith(_GZIP):
        stream.seek(-len(head), io.SEEK_CUR)
        yield from _unpacked(name, stream, most_bytes)
        return
    what = next((says for mark, says in _NOT_TEXT if head.startswith(mark)), None)
    if what is not None:
        raise ScenarioError(f"{name}: {what}")
    while head:
        yield head
        head = stream.read(CHUNK)


def _read_head(stream: BinaryIO) -> bytes:
    head = b""
    while len(head) < _LONGEST_MARK and (more := stream.read(CHUNK)):
        head += more
    return head


def _unpacked(name: str, stream: BinaryIO, most_bytes: int) -> Iterator[bytes]:
    total = 0
    try:
        with gzip.GzipFile(fileobj=stream) as unpacked:
            while data := unpacked.read(CHUNK):
                total += len(data)
                if total > most_bytes:
                    raise ScenarioError(f"{name}: unpacks to more than {most_bytes // 1_000_000} MB")
                yield data
    except (OSError, EOFError, zlib.error) as exc:
        raise ScenarioError(f"{name}: is gzip and cannot be unpacked ({exc}): it may be cut") from exc
