"""Frames and answers that are not JSON, as JSON documents: what a mapping's `format` says. Pure.

A text becomes a text, which paths know as `@`; XML becomes objects.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, Literal

import orjson

from connectors.content.foreign import not_json, not_text
from connectors.content.patterns import compile_pattern
from connectors.content.said_errors import said_error
from connectors.content.sniff import is_page
from connectors.content.xml_objects import xml_value
from connectors.errors import BadAnswer, BrokenTransport

Format = Literal["json", "text", "xml"]
DATA: Final = "data"
"""The group of a pattern of lines that is what a line says."""
WHOLE_TEXT: Final = "@"
"""The path to the text that an answer is."""

Reader = Callable[[bytes, str | None, bool], bytes]
"""From what came, the charset that its content type declares, and whether it is a whole answer, to JSON. Raises
TurnError."""


def reader_of(kind: Format | None, *, known_errors: bool, line: str | None = None) -> Reader | None:
    """None: it is JSON already. `known_errors`: also find errors in what should be a text. `line`: a pattern of which
    frames are."""
    if line is not None:
        return _line_reader(compile_pattern(line), kind or "json", known_errors=known_errors)
    if kind == "text":
        return _text_read_carefully if known_errors else _text
    return _xml if kind == "xml" else None


def _line_reader(pattern: re.Pattern[str], kind: Format, *, known_errors: bool) -> Reader:
    """Of frames that a pattern takes apart: each becomes an object of the pattern's groups, `data` read as `kind`. One
    that it does not describe becomes `{"line": ...}`. A whole answer is none of them."""
    inner = reader_of(kind, known_errors=known_errors)

    def read(data: bytes, charset: str | None, whole: bool) -> bytes:
        if whole:
            return data if inner is None else inner(data, charset, whole)
        text = text_in(data, charset)
        found = pattern.search(text)
        if found is None:
            if known_errors:
                _no_error_in(data)
            return orjson.dumps({"line": text})
        groups = {name: value for name, value in found.groupdict().items() if value is not None}
        if (said := groups.get(DATA)) is not None:
            groups[DATA] = loads_of(said, kind)
        return orjson.dumps(groups)

    return read


def loads_of(text: str, kind: Format) -> Any:
    """The value that a part of a frame is. Raises BadAnswer."""
    if kind == "text":
        return text
    if kind == "xml":
        return xml_value(text.encode())
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as exc:
        raise not_json(text, exc) from exc


def _no_error_in(data: bytes) -> None:
    """Raises BadAnswer (target_error)."""
    if data[:1] != b"{":
        return
    try:
        said = said_error(orjson.loads(data))
    except orjson.JSONDecodeError:
        return
    if said is not None:
        raise BadAnswer("target_error", said)


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
    _no_error_in(data)
    if whole and is_page(data):
        raise not_text(data)
    return _text(data, charset, whole)


def _xml(data: bytes, charset: str | None, _whole: bool) -> bytes:
    return orjson.dumps(xml_value(data, charset))
