"""Detects the format of a streamed answer by its first bytes if the content type is wrong, and counts such answers. No
I/O; used by both lanes."""

from __future__ import annotations

import re
from collections import Counter
from typing import Final

from connectors.content.styles import EVENTS, FRAMES, TEXTS, Style

MOST_TYPES: Final = 5
"""Content types that a report names."""
_FIELDS: Final = (b"data:", b"event:", b"id:", b"retry:", b":")
_BOM: Final = b"\xef\xbb\xbf"
_ENOUGH: Final = 4096
"""Maximum number of leading white-space bytes to wait for."""
_PAGE: Final = re.compile(rb"\s*(?:<!doctype html|<html|<head|<body|<!--)", re.IGNORECASE)
_OVER_LINES: Final = re.compile(rb"[\[{][ \t]*\r?\n")
"""How a document over several lines begins."""

WRONG_TYPES: Counter[str] = Counter()
"""Of this process: answers by a content type that was not theirs."""


def is_page(data: bytes) -> bool:
    """Whether it is a page of HTML."""
    return _PAGE.match(data.removeprefix(_BOM)[:256]) is not None


def is_stream(style: Style, first: bytes | bytearray, *, declared: bool) -> bool | None:
    """Whether a body that begins with `first` matches `style`: server-sent events, one JSON document per line, or
    messages of Amazon's. None: not enough bytes to decide. `declared`: its content type says that it does."""
    begin = bytes(first[:_ENOUGH]).removeprefix(_BOM).lstrip()
    if not begin:
        return declared if len(first) >= _ENOUGH else None
    if style.name == EVENTS.name:
        if declared:
            return not begin.startswith((b"{", b"["))
        if begin.startswith(_FIELDS):
            return True
        return None if any(field.startswith(begin) for field in _FIELDS) else False
    if style.pieces != "json" or style.name in {TEXTS.name, FRAMES.name}:
        return (_is_frames if style.name == FRAMES.name else _is_text)(style, begin, declared=declared)
    if begin in {b"{", b"["}:
        return None
    if declared:
        return not _OVER_LINES.match(begin) and not begin.startswith(b"<")
    return begin.startswith(b"{") and not begin[1:2].isspace()


def _is_frames(_style: Style, begin: bytes, *, declared: bool) -> bool:
    """A message begins with its size, which is below 16 MiB."""
    return not begin.startswith((b"{", b"[", b"<")) if declared else begin.startswith(b"\x00")


def _is_text(style: Style, begin: bytes, *, declared: bool) -> bool:
    """Not a page of HTML, and no JSON that says so."""
    return (declared or style.name != TEXTS.name or not begin.startswith(b"{")) and not is_page(begin)


def note_type(content_type: str) -> None:
    """An answer was not read according to its content type."""
    WRONG_TYPES[content_type[:60] or "(none)"] += 1
