"""Codecs against the ciphers of JavaScript clients: crypto-js from npm, and Node's own, in both directions."""

from __future__ import annotations

import base64
import functools
import subprocess
from random import Random
from typing import Any

import orjson
import pytest

from connectors.codecs import Codec, make_codec
from tests.peers.node import HERE, modules, node

PASSPHRASES = ["p", "correct horse battery staple", "ключ-鍵-🔑", "x" * 200]
RNG = Random("codecs")
KEYS = [RNG.randbytes(size) for size in (16, 24, 32)]
IV = RNG.randbytes(16)


def texts() -> list[bytes]:
    """Every length around the cipher's blocks, what JSON holds, all of Unicode's planes, bytes, and a long one."""
    said = ["", "a", "\0", '{"question": "Wie heißt du? 你好 🙂"}', "\ufeffBOM", "line\nbreak\r\n", "\U0010ffff" * 9]
    lengths = [RNG.randbytes(size) for size in range(40)]
    odd = ["".join(chr(RNG.randrange(0x20, 0xD800)) for _ in range(RNG.randrange(1, 300))) for _ in range(40)]
    return [text.encode() for text in said + odd] + lengths + [b"long " * 40_000]


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def cases() -> list[tuple[str, dict[str, str], Codec]]:
    """(the peer's name of the cipher, its keys, our codec)."""
    found: list[tuple[str, dict[str, str], Codec]] = [
        ("cryptojs-aes", {"passphrase": text}, make_codec("cryptojs-aes", {"passphrase": text})) for text in PASSPHRASES
    ]
    for key in KEYS:
        fixed = {"key": key.hex(), "iv": IV.hex(), "form": "hex"}
        found.append(("aes-cbc", {"key": b64(key), "iv": b64(IV)}, make_codec("aes-cbc", fixed)))
        prefixed = {"key": b64(key), "iv": "prefixed", "form": "base64"}
        found.append(("aes-cbc-prefixed", {"key": b64(key)}, make_codec("aes-cbc", prefixed)))
        found.append(("aes-gcm", {"key": b64(key)}, make_codec("aes-gcm", {"key": key.hex()})))
    found.append(("gzip", {}, make_codec("gzip", {})))
    return found


def wired(codec: str, data: bytes) -> str:
    """Jobs are JSON: what travels as bytes is base64 there."""
    return b64(data) if codec == "gzip" else data.decode()


def unwired(codec: str, text: str) -> bytes:
    return base64.b64decode(text) if codec == "gzip" else text.encode()


@functools.cache
def exchanged() -> tuple[list[tuple[bytes, Codec, str, str]], list[str]]:
    """One process for all: each text with the cipher's codec, its name, and what the peer packed; then what the peer
    unpacked of ours."""
    modules()
    work = [(text, codec, name, keys) for name, keys, codec in cases() for text in texts()]
    packing: list[dict[str, Any]] = [
        {"codec": name, "do": "encode", "text": b64(text), **keys} for text, _, name, keys in work
    ]
    unpacking: list[dict[str, Any]] = [
        {"codec": name, "do": "decode", "box": wired(name, codec.encode(text)), **keys}
        for text, codec, name, keys in work
    ]
    done = subprocess.run(
        [node(), "codecs.js"],
        input=orjson.dumps(packing + unpacking),
        capture_output=True,
        cwd=HERE,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    found: list[str] = orjson.loads(done.stdout)
    packed = [(text, codec, name, box) for (text, codec, name, _), box in zip(work, found, strict=False)]
    return packed, found[len(packing) :]


def test_what_javascript_packs_is_unpacked_here() -> None:
    packed, _ = exchanged()
    wrong = [(name, text) for text, codec, name, box in packed if codec.decode(unwired(name, box)) != text]
    assert wrong == []
    assert len(packed) > 1000


def test_what_is_packed_here_javascript_unpacks() -> None:
    packed, unpacked = exchanged()
    assert [base64.b64decode(text) for text in unpacked] == [text for text, *_ in packed]


@pytest.mark.parametrize("name", ["cryptojs-aes", "aes-cbc-prefixed", "aes-gcm"])
def test_no_two_messages_are_packed_alike(name: str) -> None:
    """A salt, IV or nonce that were repeated would show equal texts as equal."""
    for peer, _, codec in cases():
        if peer == name:
            assert len({codec.encode(b"the same") for _ in range(100)}) == 100
