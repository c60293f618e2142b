"""JSON as the world sends it. orjson reads what is JSON to the letter; this module reads the rest, where orjson failed.

Read here as browsers and Python's `json` do: a byte order mark, UTF-16 and UTF-32, a body in the charset that its
content type declares, half surrogates ("\\ud83d" alone), NaN, Infinity and what no double can hold
(as null: no number was told).
"""

from __future__ import annotations

import codecs
import json
import math
import re
from functools import lru_cache
from typing import Any, Final

import orjson

from connectors.errors import TooLarge

_LATIN_1: Final = "iso8859-1"
_BROWSERS_LATIN_1: Final = "cp1252"
"""What browsers read where latin-1 or ASCII is declared (WHATWG Encoding)."""
_CHARSETS: Final = re.compile(
    r"(iso8859|cp|utf|koi8|mac|gb|big5|shift_jis|euc|iso2022|johab|hz|tis|kz|ptcp|ascii|hp)[\w-]*"
)
"""Python's names of charsets. Its other encodings are not charsets, and punycode takes quadratic time."""
_NO_CHARSETS: Final = frozenset({"utf-7"})
_CHARSET: Final = re.compile(r"charset\s*=\s*[\"']?([\w.:-]{1,40})", re.IGNORECASE)
_INT64: Final = range(-(2**63), 2**64)
_LONG: Final = 21
"""Of that many characters no integer has 64 bits."""
_HALVES: Final = re.compile("[\ud800-\udfff]")


def loads(data: bytes | str, charset: str | None = None) -> Any:
    """A decoded document. Raises orjson.JSONDecodeError, or TooLarge (message_too_deep)."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as exc:
        return lenient(data, exc, charset)


def lenient(data: bytes | str, error: orjson.JSONDecodeError, charset: str | None = None) -> Any:
    """What orjson refused with `error`, if it can be read all the same; texts may hold half surrogates (see `mended`).

    `charset` is the declared one. Raises `error`, or TooLarge (message_too_deep).
    """
    if is_too_deep(error):
        raise error
    try:
        text = _decoded(data, charset) if isinstance(data, bytes) else data.removeprefix("\ufeff")
        return _DECODER.decode(text)
    except RecursionError as exc:
        raise _too_deep() from exc
    except ValueError:  # not JSON, or not in that charset
        raise error from None


def is_too_deep(error: orjson.JSONDecodeError) -> bool:
    """Whether a document is nested more deeply than orjson reads, which only its words tell."""
    return "depth limit" in str(error)


def dumps(value: Any) -> bytes:
    """The opposite of `loads`; half surrogates stay halves, as escapes. Raises TypeError as orjson does."""
    try:
        return orjson.dumps(value)
    except TypeError as exc:
        if "surrogates" not in str(exc):
            raise
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(errors="backslashreplace")


@lru_cache(maxsize=64)
def declared_charset(content_type: str) -> str | None:
    """The charset that a content type declares, by Python's name for it; None: none, an unknown one, or UTF-8."""
    found = _CHARSET.search(content_type)
    if found is None:
        return None
    try:
        name = codecs.lookup(found[1]).name
    except LookupError:
        return None
    if name in {"utf-8", "utf-8-sig"} or name in _NO_CHARSETS or not _CHARSETS.fullmatch(name):
        return None
    return _BROWSERS_LATIN_1 if name in {_LATIN_1, "ascii"} else name


def plain_text(data: bytes, charset: str | None = None) -> str:
    """Some bytes that are no JSON as text: for a message."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode(charset or "utf-8", "replace")


def mended(text: str) -> str:
    """Joins adjacent half surrogates; a single one becomes the replacement character."""
    if text.isascii() or not _HALVES.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def mended_value(value: Any) -> Any:
    """`mended`, of every text in a decoded document. Raises TooLarge (message_too_deep)."""
    try:
        return _mended(value)
    except RecursionError as exc:
        raise _too_deep() from exc


def _mended(value: Any) -> Any:
    if type(value) is str:
        return mended(value)
    if type(value) is list:
        return [_mended(item) for item in value]
    if type(value) is dict:
        return {mended(key): _mended(item) for key, item in value.items()}
    return value


def _too_deep() -> TooLarge:
    return TooLarge("message_too_deep", "the JSON of an answer is nested too deeply")


def _decoded(data: bytes, charset: str | None) -> str:
    found = json.detect_encoding(data)
    try:
        return data.decode(found)
    except UnicodeDecodeError:
        if charset is None:
            raise
        return data.decode(charset, "replace" if charset == _BROWSERS_LATIN_1 else "strict")


def _whole_number(digits: str) -> int | float | None:
    if len(digits) < _LONG and (number := int(digits)) in _INT64:
        return number
    return _number(digits)


def _number(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None


def _no_number(_name: str) -> None:
    return None


_DECODER: Final = json.JSONDecoder(parse_int=_whole_number, parse_float=_number, parse_constant=_no_number)
