"""Codecs: round trips, what is refused, and that no error shows a key or a text."""

from __future__ import annotations

import base64
import gzip
import time
import tracemalloc
from collections.abc import Mapping
from importlib.metadata import EntryPoint
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors import codecs
from connectors.codecs import Codec, codec_names, make_codec
from connectors.codecs.aes import derive
from connectors.codecs.plain import GZIP_LIMIT
from connectors.errors import BadAnswer, BadRequest
from connectors.spec import SpecError

KEY = "000102030405060708090a0b0c0d0e0f" * 2
IV = "101112131415161718191a1b1c1d1e1f"
PASSPHRASE = "never-to-be-shown"
TEXT = b'{"question": "a private question"}'
OPTIONS: dict[str, dict[str, Any]] = {
    "cryptojs-aes": {"passphrase": PASSPHRASE},
    "aes-cbc": {"key": KEY, "iv": IV},
    "aes-gcm": {"key": KEY},
    "base64": {},
    "gzip": {},
    "json-field": {"field": "data"},
    "text": {},
}
BINARY = sorted(OPTIONS.keys() - {"json-field", "text"})
CIPHERS = ["cryptojs-aes", "aes-cbc", "aes-gcm"]


def of(name: str, **more: Any) -> Codec:
    return make_codec(name, OPTIONS[name] | more)


def failure(codec: Codec, data: bytes) -> str:
    """What it says to data that it cannot decode."""
    with pytest.raises(BadAnswer) as caught:
        codec.decode(data)
    assert caught.value.code == "codec_failed"
    said = str(caught.value) + caught.value.advice
    for hidden in (KEY, IV, PASSPHRASE, "private"):
        assert hidden not in said
    return said


def test_all_of_them_are_known_by_name() -> None:
    assert codec_names() == sorted([*OPTIONS, "stomp"])  # which has a file of its own


@pytest.mark.parametrize("name", BINARY)
@given(data=st.binary(max_size=300))
def test_bytes_come_back_as_they_went(name: str, data: bytes) -> None:
    codec = of(name)
    assert codec.decode(codec.encode(data)) == data


@given(text=st.text())
def test_a_text_comes_back_out_of_its_field(text: str) -> None:
    codec = of("json-field")
    packed = codec.encode(text.encode())
    assert orjson.loads(packed) == {"data": text}
    assert codec.decode(packed) == text.encode()


@pytest.mark.parametrize("wire", ["base64", "hex", "raw"])
@pytest.mark.parametrize("name", ["aes-cbc", "aes-gcm"])
@given(data=st.binary(max_size=64))
def test_ciphertext_travels_in_each_form(name: str, wire: str, data: bytes) -> None:
    codec = of(name, wire=wire)
    assert codec.decode(codec.encode(data)) == data


@pytest.mark.parametrize("name", BINARY)
@given(data=st.binary(max_size=200))
def test_what_a_target_makes_up_costs_it_the_codec_s_code_and_nothing_else(name: str, data: bytes) -> None:
    try:
        of(name).decode(data)
    except BadAnswer as exc:
        assert exc.code == "codec_failed"


def test_known_answers() -> None:
    """NIST SP 800-38A F.2.5, its first block; `openssl enc -aes-256-cbc -md md5 -S 0102030405060708 -P -k secret`."""
    key = "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4"
    codec = make_codec("aes-cbc", {"key": key, "iv": "000102030405060708090a0b0c0d0e0f", "wire": "hex"})
    block = bytes.fromhex("6bc1bee22e409f96e93d7e117393172a")
    assert codec.encode(block)[:32] == b"f58c4c04d6e5f1ba779eabfb5f7bfbd6"
    made, iv = derive(b"secret", bytes(range(1, 9)))
    assert made.hex() == "c9e5a1bd216dbe1317e230cef48f38ee7f0e17ad64022144bccec4a1aa2879ab"
    assert iv.hex() == "e24b32bbbc4ef02ecbcb6576523ad893"


def written(data: bytes, form: str) -> str:
    if form == "utf8":
        return data.decode()
    return data.hex() if form == "hex" else base64.b64encode(data).decode()


@pytest.mark.parametrize("form", ["hex", "base64", "utf8"])
@pytest.mark.parametrize("size", [16, 24, 32])
def test_a_key_is_the_same_in_each_form(form: str, size: int) -> None:
    raw, iv = b"k" * size, b"i" * 16
    codec = make_codec("aes-cbc", {"key": written(raw, form), "iv": written(iv, form), "form": form})
    assert codec.encode(TEXT) == make_codec("aes-cbc", {"key": raw.hex(), "iv": iv.hex()}).encode(TEXT)


@pytest.mark.parametrize(
    ("name", "other"),
    [("cryptojs-aes", {"passphrase": "other"}), ("aes-cbc", {"key": KEY[::-1]}), ("aes-gcm", {"key": KEY[::-1]})],
)
def test_another_key_opens_nothing(name: str, other: dict[str, Any]) -> None:
    codec, refused = of(name, **other), 0
    for number in range(16):
        try:
            # CBC has no tag: a wrong key makes a valid padding about once in 256, and which cannot be detected.
            assert codec.decode(of(name).encode(TEXT + bytes(number))) != TEXT
        except BadAnswer as exc:
            assert exc.code == "codec_failed" and "wrong key" in str(exc)
            refused += 1
    assert refused >= 13


@pytest.mark.parametrize("name", CIPHERS)
def test_what_is_cut_off_is_refused(name: str) -> None:
    codec = of(name)
    packed = codec.encode(TEXT)
    assert [failure(codec, packed[:size]) for size in range(len(packed))]


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("cryptojs-aes", b"", "does not begin"),
        ("cryptojs-aes", b"U2FsdGVkX1", "not base64"),
        ("cryptojs-aes", b"!!!!", "not base64"),
        ("cryptojs-aes", base64.b64encode(b"Salted__12345678"), "not whole blocks"),
        ("cryptojs-aes", base64.b64encode(b"Salted__12345678" + b"x" * 15), "not whole blocks"),
        ("aes-cbc", b"", "not whole blocks"),
        ("aes-cbc", b"\xff\xfe", "not base64"),
        ("aes-gcm", b"", "too few"),
        ("aes-gcm", base64.b64encode(b"x" * 28), "cannot be decrypted"),
        ("base64", b"YQ", "not base64"),
        ("base64", b"YQ==YQ==", "not base64"),
        ("gzip", b"", "cut off"),
        ("gzip", b"plain private", "not gzip"),
        ("gzip", gzip.compress(b"private", mtime=0)[:-3], "cut off"),
        ("gzip", gzip.compress(b"a", mtime=0) + gzip.compress(b"b", mtime=0), "data after its end"),
        ("json-field", b"", "not JSON"),
        ("json-field", b"[" * 5000, "not JSON"),
        ("json-field", b'["private"]', "not an object"),
        ("json-field", b'{"other": "private"}', "not an object"),
        ("json-field", b'{"data": 5}', "not an object"),
    ],
)
def test_what_is_not_of_the_format_is_refused_by_its_reason(name: str, data: bytes, said: str) -> None:
    assert said in failure(of(name), data)


@pytest.mark.parametrize("fill", [b"\0", b"\x11", b"\x02", b"\xff"])
def test_a_wrong_padding_is_refused(fill: bytes) -> None:
    """Blocks that decrypt to something without a padding: made by a cipher whose own padding is cut off."""
    codec = of("aes-cbc", wire="raw")
    packed = codec.encode(b"x" * 15 + fill)[:16]
    assert "cannot be decrypted" in failure(codec, packed)


def test_base64_may_be_broken_into_lines_as_openssl_does() -> None:
    packed = of("cryptojs-aes").encode(TEXT * 9)
    lines = b"\n".join(packed[at : at + 64] for at in range(0, len(packed), 64)) + b"\n"
    assert of("cryptojs-aes").decode(lines) == TEXT * 9


@pytest.mark.parametrize("name", BINARY)
def test_a_huge_message_is_a_matter_of_seconds(name: str) -> None:
    codec, data = of(name), bytes(range(256)) * 64 * 1024
    begun = time.monotonic()
    assert codec.decode(codec.encode(data)) == data
    assert time.monotonic() - begun < 30


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    bomb = gzip.compress(bytes(8 * GZIP_LIMIT), 9)
    tracemalloc.start()
    assert "more than 32 MiB" in failure(of("gzip"), bomb)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2.5 * GZIP_LIMIT


def test_exactly_the_limit_is_unpacked() -> None:
    assert len(of("gzip").decode(gzip.compress(bytes(GZIP_LIMIT), 1))) == GZIP_LIMIT


def test_bytes_that_are_no_text_do_not_go_into_a_field() -> None:
    with pytest.raises(BadRequest) as caught:
        of("json-field").encode(b"\xff\xfe")
    assert caught.value.code == "request_invalid"


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("rot13", {}, "codec 'rot13' is not known: use one of aes-cbc, aes-gcm, base64"),
        ("cryptojs-aes", {}, "codec 'cryptojs-aes': passphrase: is missing"),
        ("cryptojs-aes", {"passphrase": ""}, "passphrase: must have at least 1 item"),
        ("cryptojs-aes", {"passphrase": 4711}, "passphrase: must be a text"),
        ("cryptojs-aes", {"passphrase": "x", "hasher": "sha1"}, "hasher: is not a known field; known are passphrase"),
        ("aes-cbc", {"key": KEY}, "iv: is missing"),
        ("aes-cbc", {"key": KEY, "iv": IV[:-2]}, "iv: must have 16 bytes as hex"),
        ("aes-cbc", {"key": KEY[:-2], "iv": IV}, "key: must have 16 or 24 or 32 bytes as hex"),
        ("aes-cbc", {"key": "zz" * 16, "iv": IV}, "key: not hex: set `form` to hex, base64 or utf8"),
        ("aes-gcm", {"key": KEY, "form": "base64", "wire": "raw"}, "key: must have 16 or 24 or 32 bytes as base64"),
        ("aes-gcm", {"key": KEY, "wire": "utf7"}, "wire: must be 'base64', 'hex' or 'raw'"),
        ("base64", {"urlsafe": True}, "urlsafe: is not a known field"),
        ("json-field", {"field": ""}, "field: must have at least 1 character"),
    ],
)
def test_wrong_options_are_named_without_their_values(name: str, options: dict[str, Any], said: str) -> None:
    with pytest.raises(SpecError) as caught:
        make_codec(name, options)
    assert said in str(caught.value)
    assert all(str(value) not in str(caught.value) for key, value in options.items() if key in {"key", "iv"})


@pytest.mark.parametrize("name", CIPHERS)
def test_a_printed_codec_shows_no_key(name: str) -> None:
    codec = of(name)
    shown = repr(codec) + repr(getattr(codec, "options", ""))
    assert KEY not in shown and IV not in shown and PASSPHRASE not in shown


class Reversed(Codec):
    """Somebody's own."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        if options:
            raise LookupError("private")

    def encode(self, data: bytes) -> bytes:
        return data[::-1]

    def decode(self, data: bytes) -> bytes:
        if data.startswith(b"!"):
            raise ZeroDivisionError("private")
        return data[::-1]


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> None:
    here = f"{__name__}:"
    points = {name: EntryPoint(name, here + value, "") for name, value in {"rev": "Reversed", "odd": "TEXT"}.items()}
    monkeypatch.setattr(codecs, "_own", lambda: points)


@pytest.mark.usefixtures("own")
def test_somebodys_own_codec_is_found_by_its_entry_point() -> None:
    codec = make_codec("rev", {})
    assert (codec.encode(b"abc"), codec.decode(b"cba")) == (b"cba", b"abc")
    assert "rev" in codec_names()


@pytest.mark.usefixtures("own")
def test_what_somebodys_own_codec_raises_costs_one_turn_and_shows_no_text() -> None:
    assert "rev: ZeroDivisionError" in failure(make_codec("rev", {}), b"!private")
    with pytest.raises(BadRequest, match="codec rev: TypeError"):
        make_codec("rev", {}).encode(None)  # type: ignore[arg-type]  # what only a bug would give
    for name, options, said in [("rev", {"a": 1}, "LookupError"), ("odd", {}, "not a subclass")]:
        with pytest.raises(SpecError, match=said) as caught:
            make_codec(name, options)
        assert "private" not in str(caught.value)
