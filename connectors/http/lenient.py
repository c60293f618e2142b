"""Lenient HTTP/1.1: what llhttp accepts, and what is corrected before llhttp sees it."""

from __future__ import annotations

import re
from typing import Any, Final

import httptools

from connectors.content.foreign import not_http
from connectors.errors import BrokenTransport

_LENIENCIES: Final = {
    "lenient_headers": True,  # folded headers (obs-fold)
    "lenient_chunked_length": True,  # a length beside chunks: the chunks count (RFC 9112, section 6.3)
    "lenient_optional_cr_before_lf": True,
}
"""llhttp calls these flags dangerous for proxies. Here a connection is not reused if the end of its answer is in
doubt."""
_SECOND_LENGTH: Final = re.compile(
    rb"(?i)(\ncontent-length:[ \t]*(\d+)[ \t]*\r?\n(?:(?!\r?\n).*\n)*?)content-length:[ \t]*\2[ \t]*\r?\n"
)
_LIST_OF_LENGTHS: Final = re.compile(rb"(?i)(\ncontent-length:[ \t]*(\d+))(?:[ \t]*,[ \t]*\2)+[ \t]*(?=\r?\n)")
_END: Final = re.compile(rb"\r?\n\r?\n")
_SPACE_BEFORE_COLON: Final = re.compile(rb"(?m)^([^\s:()<>@,;\\\"/\[\]?={}]+)[ \t]+:")


def new_parser(owner: Any) -> httptools.HttpResponseParser:
    """Its callbacks are the methods of `owner`."""
    parser = httptools.HttpResponseParser(owner)
    parser.set_dangerous_leniencies(**_LENIENCIES)
    return parser


def mended_head(data: bytes) -> bytes:
    """The bytes with an answer's head, corrected for llhttp: a single length, no space before a colon."""
    end = _END.search(data)
    head, rest = (data[: end.end()], data[end.end() :]) if end else (data, b"")
    head = _SPACE_BEFORE_COLON.sub(rb"\1:", head)
    head = _LIST_OF_LENGTHS.sub(rb"\1", head)
    return _SECOND_LENGTH.sub(rb"\1", head) + rest


def mended_line(line: bytes) -> bytes:
    """One line of a head, for a client that reads it line by line."""
    return _LIST_OF_LENGTHS.sub(rb"\1", b"\n" + _SPACE_BEFORE_COLON.sub(rb"\1:", line))[1:]


def unreadable(error: Exception, data: bytes, *, begun: bool) -> BrokenTransport:
    """What llhttp could not read. `begun`: `data` is not the beginning of the answer."""
    if isinstance(error, httptools.HttpParserUpgrade):
        return BrokenTransport("http_malformed", "the target switched protocols without being asked")
    what, advice = (None if begun else not_http(data)) or (str(error) or "not HTTP/1.1", "")
    return BrokenTransport("http_malformed", what, advice)
