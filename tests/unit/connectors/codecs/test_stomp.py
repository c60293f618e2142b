"""The codec of STOMP frames."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.codecs import make_codec
from connectors.errors import BadAnswer, BadRequest

STOMP = make_codec("stomp", {})
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"))


def read(data: bytes) -> Any:
    return json.loads(STOMP.decode(data))


@given(st.dictionaries(TEXTS, TEXTS, max_size=4), st.text() | st.dictionaries(st.text(), st.text(), min_size=1))
def test_a_frame_comes_back_as_it_was(headers: dict[str, str], body: Any) -> None:
    if isinstance(body, str) and body[:1] in {"{", "["}:
        body = f"'{body}"  # it would come back as what it says
    frame = {"command": "SEND", "headers": headers, "body": body}
    if any("\ud800" <= letter <= "\udfff" for letter in json.dumps(frame, ensure_ascii=False)):
        return
    found = read(STOMP.encode(json.dumps(frame).encode()))
    found["headers"] = {name: value for name, value in found["headers"].items() if name in headers}
    assert found == frame


@pytest.mark.parametrize(
    ("wire", "document"),
    [
        (b"MESSAGE\na:1\n\nhello\x00", {"command": "MESSAGE", "headers": {"a": "1"}, "body": "hello"}),
        (b"\n\nMESSAGE\r\na:1\r\n\r\nhello\x00\n", {"command": "MESSAGE", "headers": {"a": "1"}, "body": "hello"}),
        (b"MESSAGE\na:1\na:2\n\n\x00", {"command": "MESSAGE", "headers": {"a": "1"}, "body": ""}),
        (b'MESSAGE\n\n{"b": [1]}\x00', {"command": "MESSAGE", "headers": {}, "body": {"b": [1]}}),
        (b"MESSAGE\n\n{no json}\x00", {"command": "MESSAGE", "headers": {}, "body": "{no json}"}),
        (b"MESSAGE\na\\cb:c\\nd\\\\\n\n\x00", {"command": "MESSAGE", "headers": {"a:b": "c\nd\\"}, "body": ""}),
        (b"CONNECTED\na:b\\:c\n\n\x00", {"command": "CONNECTED", "headers": {"a": "b\\:c"}, "body": ""}),
        (
            b"MESSAGE\ncontent-length:3\n\na\x00b\x00",
            {"command": "MESSAGE", "headers": {"content-length": "3"}, "body": "a\0b"},
        ),
        (  # letters counted, not bytes
            "MESSAGE\ncontent-length:2\n\nüü\0".encode(),
            {"command": "MESSAGE", "headers": {"content-length": "2"}, "body": "üü"},
        ),
    ],
)
def test_what_brokers_send_is_read(wire: bytes, document: Any) -> None:
    assert read(wire) == document


def test_a_line_break_keeps_a_connection_alive_and_says_nothing() -> None:
    assert STOMP.encode(b"\n") == b"\n"
    assert STOMP.decode(b"\r\n") == b""


@pytest.mark.parametrize(
    ("wire", "told"),
    [
        (b"MESSAGE\n\na\x00MESSAGE\n\nb\x00", "more than one frame"),
        (b"MESSAGE\na:1\x00", "no end"),
        (b"{}\n\n\x00", "not a STOMP frame"),
        (b"MESSAGE\na:\\x\n\n\x00", "escape"),
        (b"MESSAGE\na:\xff\n\n\x00", "not UTF-8"),
        (b"MESSAGE\n\n\xff\x00", "not UTF-8"),
    ],
)
def test_what_is_no_frame_fails(wire: bytes, told: str) -> None:
    with pytest.raises(BadAnswer, match=told) as caught:
        STOMP.decode(wire)
    assert caught.value.code == "codec_failed"


@pytest.mark.parametrize(
    "body",
    [
        [],
        {"command": "send"},
        {"command": "SEND", "headers": []},
        {"command": "SEND", "text": "misplaced"},
        {"command": "SEND", "headers": {"a": [1]}},
        {"command": "CONNECT", "headers": {"a": "b\nc:d"}},
    ],
)
def test_what_cannot_be_a_frame_is_refused(body: Any) -> None:
    with pytest.raises(BadRequest):
        STOMP.encode(json.dumps(body).encode())
