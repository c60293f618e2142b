"""Files that are made: valid, of the size that was asked for, and the same for the same seed."""

from __future__ import annotations

import io
import re
import struct
import wave
import zlib

import pytest

from attachments.attachment import MAX_BYTES, AttachmentError
from attachments.generated import MAKERS, generated

SIZES = (0, 1, 2, 3, 7, 13, 20, 500, 4_000, 199_999, 200_000, 200_001)
"""Above the smallest."""


def check_png(data: bytes) -> None:
    at, pixels, head = 8, b"", b""
    while at < len(data):
        [length] = struct.unpack_from(">I", data, at)
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        assert struct.unpack_from(">I", data, at + 8 + length)[0] == zlib.crc32(kind + body)
        head, pixels = (body if kind == b"IHDR" else head), pixels + (body if kind == b"IDAT" else b"")
        at += length + 12
    width, height, *rest = struct.unpack(">IIBBBBB", head)
    assert rest == [8, 2, 0, 0, 0]
    assert len(zlib.decompress(pixels)) == height * (1 + 3 * width) > 0


def check_wav(data: bytes) -> None:
    with wave.open(io.BytesIO(data)) as sound:
        assert (sound.getnchannels(), sound.getsampwidth(), sound.getframerate()) == (1, 2, 16_000)
        assert len(sound.readframes(sound.getnframes())) == (len(data) - 44) // 2 * 2


def check_pdf(data: bytes) -> None:
    start = int(re.findall(rb"startxref\n(\d+)\n%%EOF", data)[-1])
    offsets = re.findall(rb"(\d{10}) 00000 n ", data[start:])
    for number, offset in enumerate(offsets, 1):
        assert data[int(offset) :].startswith(b"%d 0 obj\n" % number)
    [length] = re.findall(rb"/Length (\d+)", data)
    begin = data.index(b"stream\n") + 7
    assert data[begin + int(length) :].startswith(b"endstream")


def check_txt(data: bytes) -> None:
    assert data.decode().isascii() and data.endswith(b"\n")


CHECKS = {"png": check_png, "wav": check_wav, "pdf": check_pdf, "txt": check_txt}


@pytest.mark.parametrize("kind", MAKERS)
def test_a_file_is_valid_and_exactly_as_large_as_asked(kind: str) -> None:
    smallest = MAKERS[kind][0]
    for size in (smallest + more for more in SIZES):
        made = generated(kind, size, "a")
        assert made.size == len(made.data) == size
        CHECKS[kind](made.data)
        assert made.data == generated(kind, size, "a").data
    assert generated(kind, 5_000, "a").data != generated(kind, 5_000, "b").data


@pytest.mark.parametrize("kind", MAKERS)
def test_a_size_that_no_file_has_is_refused(kind: str) -> None:
    for size in (MAKERS[kind][0] - 1, MAX_BYTES + 1):
        with pytest.raises(AttachmentError, match=f"{size:,}"):
            generated(kind, size, "a")
