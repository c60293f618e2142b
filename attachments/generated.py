"""Valid files of an exact size, made from a seed: a load test with attachments needs none of its own."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable
from math import isqrt
from typing import Final

from attachments.attachment import MAX_BYTES, Attachment, AttachmentError, Made
from attachments.content_types import BY_SUFFIX

_TEXT: Final = (
    "the report of this month shows that orders from the north have grown while returns stayed low and every "
    "customer who asked for help had an answer on the same day which the team had planned since spring"
)
_SAMPLE_RATE: Final = 16_000


def generated(kind: str, size: int, seed: str, name: str | None = None) -> Attachment:
    """A file of `kind` (png, wav, pdf, txt) with exactly `size` bytes, made when first needed; the same seed gives the
    same. Raises AttachmentError."""
    smallest, make = MAKERS[kind]
    if not smallest <= size <= MAX_BYTES:
        raise AttachmentError(
            f"bytes: a {kind} file can be made with {smallest:,} to {MAX_BYTES:,} bytes, not {size:,}"
        )
    named = f"generated.{kind}" if name is None else name
    return Made(named, BY_SUFFIX[kind], size, lambda: make(size, random.Random(f"{kind}:{size}:{seed}")))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png(size: int, rng: random.Random) -> bytes:
    """Coloured noise, which does not compress; a comment fills up what no row of pixels fits into."""
    width = max(1, isqrt(size // 3))
    rows = max(1, size // (3 * width + 1))
    while True:
        head = b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", struct.pack(">IIBBBBB", width, rows, 8, 2, 0, 0, 0))
        noise = rng.randbytes(rows * 3 * width)
        lines = b"".join(b"\0" + noise[at : at + 3 * width] for at in range(0, len(noise), 3 * width))
        body, end = _chunk(b"IDAT", zlib.compress(lines, 0)), _chunk(b"IEND", b"")
        left = size - len(head) - len(body) - len(end)
        if left >= 20:
            return head + _chunk(b"tEXt", b"Comment\0" + b"." * (left - 20)) + body + end
        rows -= max(1, (20 - left) // (3 * width + 1))


def _wav(size: int, rng: random.Random) -> bytes:
    """Noise: 16 bits, 16 kHz, one channel."""
    samples = (size - 44) // 2 * 2
    form = struct.pack("<HHIIHH", 1, 1, _SAMPLE_RATE, _SAMPLE_RATE * 2, 2, 16)
    padding = b"" if samples == size - 44 else b"\0"
    data = b"fmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", samples) + rng.randbytes(samples)
    return b"RIFF" + struct.pack("<I", len(data) + 4) + b"WAVE" + data + padding


def _lines(size: int, rng: random.Random) -> list[str]:
    """Lines that have `size` characters together, each with its line break. They repeat: a file of 20 MB is made in the
    time of a few hundred."""
    words = _TEXT.split()
    known = [" ".join(rng.choices(words, k=rng.randint(8, 12))) for _ in range(200)]
    lines: list[str] = []
    while size > 0:
        for line in rng.choices(known, k=size // 100 + 1):
            lines.append(line[: size - 1])
            size -= len(lines[-1]) + 1
            if size <= 0:
                break
    return lines


def _txt(size: int, rng: random.Random) -> bytes:
    return "".join(f"{line}\n" for line in _lines(size, rng)).encode()


def _pdf(size: int, rng: random.Random) -> bytes:
    """One page of text; what does not fit on the page is below it. A comment and line breaks fill up the rest."""
    lines = "".join(f"({line}) Tj T*\n" for line in _lines((size - _PDF_SMALLEST) * 3 // 4, rng))
    text = f"BT /F1 10 Tf 12 TL 40 800 Td\n{lines}ET\n".encode()
    fill = size - len(_pdf_of(text, 0))
    fill -= max(0, len(_pdf_of(text, fill)) - size)  # numbers in it have grown
    return _pdf_of(text, fill).ljust(size, b"\n")


def _pdf_of(text: bytes, fill: int) -> bytes:
    """`fill`: characters of a comment after the text."""
    if fill > 1:
        text += b"%" + b"." * (fill - 2) + b"\n"
    objects = (
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R"
        b" /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%bendstream" % (len(text), text),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    )
    out, offsets = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % at for at in offsets)
    head = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    end = b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, len(out))
    return out + head + table + end


_PDF_SMALLEST: Final = 1000
MAKERS: Final[dict[str, tuple[int, Callable[[int, random.Random], bytes]]]] = {
    "png": (200, _png),
    "wav": (46, _wav),
    "pdf": (_PDF_SMALLEST, _pdf),
    "txt": (1, _txt),
}
"""By kind: the smallest size, and the maker."""
