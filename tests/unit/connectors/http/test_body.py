"""Content encodings: whatever went in comes out, from any split, and no more than the limit."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Callable

import brotli
import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import BrokenTransport, TooLarge
from connectors.http.body import PIECE_BYTES, make_decoder

LIMIT = 1024 * 1024


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


PACKERS: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("gzip", gzip.compress),
    ("x-gzip", gzip.compress),
    ("gzip", lambda data: gzip.compress(data[:5]) + gzip.compress(data[5:])),
    ("gzip", lambda data: gzip.compress(data) + b"\0 padding that means nothing"),
    ("deflate", zlib.compress),
    ("deflate", raw_deflate),
    ("br", brotli.compress),
    ("zstd", zstd.compress),
    ("zstd", lambda data: zstd.compress(data[:5]) + zstd.compress(data[5:])),
    ("zstd", lambda data: zstd.compress(data) + b"\x53\x2a\x4d\x18\2\0\0\0??" + b"padding that means nothing"),
]
packers = pytest.mark.parametrize(("encoding", "pack"), PACKERS)


def unpack(encoding: str, packed: bytes, size: int, limit: int = LIMIT) -> list[bytes]:
    """`packed` handed over in pieces of `size` bytes."""
    decoder = make_decoder(encoding, limit)
    assert decoder is not None
    out = [piece for at in range(0, len(packed), size) for piece in decoder.decode(packed[at : at + size])]
    decoder.finish()
    return out


@packers
@given(data=st.binary(min_size=6, max_size=300), size=st.integers(1, 400))
def test_any_split_gives_the_data_back(encoding: str, pack: Callable[[bytes], bytes], data: bytes, size: int) -> None:
    assert b"".join(unpack(encoding, pack(data), size)) == data


@packers
@pytest.mark.parametrize("beyond", [-1, 0, 1, PIECE_BYTES - 1, PIECE_BYTES, 3 * PIECE_BYTES + 7])
def test_what_packs_well_comes_out_in_bounded_pieces(
    encoding: str, pack: Callable[[bytes], bytes], beyond: int
) -> None:
    data = b"x" * (PIECE_BYTES + beyond)
    packed = pack(data)
    for size in (len(packed), 7, 1):
        pieces = unpack(encoding, packed, size)
        assert b"".join(pieces) == data
        assert max(map(len, pieces)) <= PIECE_BYTES


@packers
def test_what_is_larger_than_the_limit_is_refused(encoding: str, pack: Callable[[bytes], bytes]) -> None:
    assert b"".join(unpack(encoding, pack(b"x" * 1000), 50, limit=1000)) == b"x" * 1000
    with pytest.raises(TooLarge, match="body_too_large"):
        unpack(encoding, pack(b"x" * 1001), 50, limit=1000)


@packers
def test_what_is_cut_off_is_invalid(encoding: str, pack: Callable[[bytes], bytes]) -> None:
    cut = pack(bytes(range(200)))[:30]
    with pytest.raises(BrokenTransport, match="encoding_invalid"):
        unpack(encoding, cut, 7)


def test_nothing_and_identity_need_no_decoder_and_others_were_not_asked_for() -> None:
    assert make_decoder("", LIMIT) is None
    assert make_decoder("identity", LIMIT) is None
    for encoding in ("gzip, gzip", "br, gzip", "compress", "rot13"):
        with pytest.raises(BrokenTransport, match="encoding_invalid"):
            make_decoder(encoding, LIMIT)


def test_a_window_that_would_take_much_memory_is_refused() -> None:
    """RFC 9659: 8 MiB at most. The data is larger than that, or else the frame would declare a smaller window."""
    data = os.urandom(1000) + bytes(10 * 1024 * 1024) + os.urandom(1000)
    wide = zstd.compress(data, options={zstd.CompressionParameter.window_log: 24})
    with pytest.raises(BrokenTransport, match="too much memory"):
        unpack("zstd", wide, 1000, limit=2 * len(data))
    narrow = zstd.compress(data, options={zstd.CompressionParameter.window_log: 23})
    assert b"".join(unpack("zstd", narrow, 1000, limit=2 * len(data))) == data
