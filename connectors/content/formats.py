"""Frames and answers that are not JSON, as JSON documents: what a mapping's `format` says. Pure.

A text becomes a text, which paths know as `@`; XML becomes objects.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

import orjson

from connectors.content.foreign import not_text
from connectors.content.said_errors import said_error
from connectors.content.sniff import is_page
from connectors.content.xml_objects import xml_value
from connectors.errors import BadAnswer, BrokenTransport

Format = Literal["json", "text", "xml"]
WHOLE_TEXT: Final = "@"
"""The path to the text that an answer is."""

Reader = Callable[[bytes, str | None, bool], bytes]
"""From what came, the charset that its content type declares, and whether it is a whole answer, to JSON. Raises
TurnError."""


def reader_of(kind: Format | None, *, known_errors: bool) -> Reader | None:
    """None: it is JSON already. `known_errors`: also find errors in what should be a text."""
    if kind == "text":
        return _text_read_carefully if known_errors else _text
    return _xml if kind == "xml" else None


def makes_text(read: Reader | None) -> bool:
    """Whether it leaves everything as it is."""
    return read is _text or read is _text_read_carefully


def text_in(data: bytes, charset: str | None) -> str:
    """Raises BrokenTransport (utf8_invalid)."""
    wide = charset is not None and charset.startswith(("utf-16", "utf-32"))
    try:
        return data.decode(charset if charset is not None and wide else "utf-8-sig")
    except UnicodeDecodeError as exc:
        if charset is None or wide:
            raise BrokenTransport("utf8_invalid", f"byte {exc.start} of a text is not {charset or 'UTF-8'}") from exc
    return data.decode(charset, "replace")


def _text(data: bytes, charset: str | None, _whole: bool) -> bytes:
    return orjson.dumps(text_in(data, charset))


def _text_read_carefully(data: bytes, charset: str | None, whole: bool) -> bytes:
    """Targets that fail say so in JSON, also where a text is expected; and a proxy answers with a page."""
    if data[:1] == b"{":
        try:
            said = said_error(orjson.loads(data))
        except orjson.JSONDecodeError:
            said = None
        if said is not None:
            raise BadAnswer("target_error", said)
    if whole and is_page(data):
        raise not_text(data)
    return _text(data, charset, whole)


def _xml(data: bytes, charset: str | None, _whole: bool) -> bytes:
    return orjson.dumps(xml_value(data, charset))
