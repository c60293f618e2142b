"""The headers of an answer that are read, found without lower-casing each name anew."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from connectors.content.decoding import declared_charset

READ_HEADERS: Final = frozenset(
    (b"content-length", b"transfer-encoding", b"content-encoding", b"content-type", b"set-cookie", b"location")
)
MOST_NAMES: Final = 500
"""Of headers, that are remembered."""
NAMES: dict[bytes, bytes] = {}
"""Of a header's name as it came: the name in READ_HEADERS, or nothing for one that is not read."""
remembered: Final = NAMES.get


def known_name(name: bytes) -> bytes:
    lower = name.rstrip().lower()
    known = lower if lower in READ_HEADERS else b""
    if len(NAMES) < MOST_NAMES:
        NAMES[name] = known
    return known


@lru_cache(maxsize=64)
def content_type_of(value: bytes) -> tuple[str, str | None]:
    """Of the header's value: the media type, and the charset if it is not UTF-8."""
    text = value.decode("latin-1")
    return text.partition(";")[0].strip().lower(), declared_charset(text) if ";" in text else None
