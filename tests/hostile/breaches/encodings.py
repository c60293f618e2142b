"""Chatbots that compress their answers with br and zstd: fine ones, broken ones, and bombs."""

from __future__ import annotations

import brotli
from backports import zstd

from tests.hostile.http import GOOD, MEGABYTE, TEXT
from tests.hostile.server import Peer
from tests.hostile.sse import DONE, PIECES, USAGE
from tests.hostile.sse import TEXT as WORDS
from tests.hostile.table import CHUNKED, JSON_TYPE, LAST_CHUNK, SSE_TYPE, chunk, head, hostile, whole

BR, ZSTD = "Content-Encoding: br", "Content-Encoding: zstd"
ENOUGH = 64 * MEGABYTE


@hostile("http", "body_too_large")
def http_br_bomb(peer: Peer) -> None:
    peer.read_request()
    peer.send(whole(brotli.compress(bytes(ENOUGH), quality=1), JSON_TYPE, BR))
    peer.hold()


@hostile("http", "body_too_large")
def http_zstd_bomb(peer: Peer) -> None:
    peer.read_request()
    peer.send(whole(zstd.compress(bytes(ENOUGH), 1), JSON_TYPE, ZSTD))
    peer.hold()


@hostile("http", "encoding_invalid")
def http_zstd_with_a_huge_window(peer: Peer) -> None:
    """The frame's header wants a gigabyte, before a byte of data."""
    peer.read_request()
    peer.send(whole(b"\x28\xb5\x2f\xfd\x00\xa0" + bytes(100), JSON_TYPE, ZSTD))
    peer.hold()


@hostile("http", "encoding_invalid")
def http_corrupt_br(peer: Peer) -> None:
    peer.read_request()
    peer.send(whole(b"\xff" * 100, JSON_TYPE, BR))
    peer.hold()


@hostile("http", "encoding_invalid")
def http_zstd_cut_off(peer: Peer) -> None:
    peer.read_request()
    peer.send(whole(zstd.compress(GOOD)[:-5], JSON_TYPE, ZSTD))
    peer.hold()


@hostile("http", None, TEXT)
def http_br(peer: Peer) -> None:
    peer.read_request()
    peer.send(head(JSON_TYPE, CHUNKED, BR))
    for byte in brotli.compress(GOOD):
        peer.send(chunk(bytes([byte])))
    peer.send(LAST_CHUNK)
    peer.hold()


@hostile("http", None, TEXT)
def http_zstd(peer: Peer) -> None:
    peer.read_request()
    peer.send(whole(zstd.compress(GOOD), JSON_TYPE, ZSTD))
    peer.hold()


@hostile("sse", None, WORDS)
def sse_in_br(peer: Peer) -> None:
    """Flushed behind each event, as a server must that compresses streams."""
    peer.read_request()
    peer.send(head(SSE_TYPE, CHUNKED, BR))
    packer = brotli.Compressor()
    for event in (*PIECES, USAGE, DONE):
        peer.send(chunk(packer.process(event) + packer.flush()))
    peer.send(chunk(packer.finish()) + LAST_CHUNK)
    peer.hold()


@hostile("sse", None, WORDS)
def sse_in_zstd(peer: Peer) -> None:
    peer.read_request()
    peer.send(head(SSE_TYPE, CHUNKED, ZSTD))
    packer = zstd.ZstdCompressor()
    for event in (*PIECES, USAGE, DONE):
        peer.send(chunk(packer.compress(event, zstd.ZstdCompressor.FLUSH_BLOCK)))
    peer.send(chunk(packer.flush()) + LAST_CHUNK)
    peer.hold()
