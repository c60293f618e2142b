"""Secrets out of texts, by value: whatever a target, a library or a template put them there. Pure.

A target that echoes its request must not bring a key into a ledger. Each value is searched for as it is, and as it is
written in JSON, in a URL, in HTML, in Python's `repr` and in base64, where it may be a part of something longer.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator
from typing import Final, TextIO
from urllib.parse import quote, quote_plus

MASK: Final = "***"
SHORTEST: Final = 4
"""Shorter values are not searched for: they would be found in every text, and tear holes into it."""
LINE: Final = 16
"""Of a value of several lines, such as a PEM file, each line of this length counts as a value too."""
REMAINS: Final = 8
"""Characters from a value's beginning by which `error` knows one that was cut off; half of a shorter one's."""
STRICT_JSON: Final = re.compile(r"[\"&'+<>`\\\x00-\x1f\x7f-\uffff]")


class Redactor:
    """`redact(text)`: the text with each of `values` replaced by ***. Costs nothing if there are no values."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        found = {form for value in values for form in written_forms(value)}
        self._forms = sorted(found, key=len, reverse=True)
        self._longest = len(self._forms[0]) if found else 0
        # One pass for the rare text that holds one: longer forms first, so that none is left half.
        self._all = re.compile("|".join(map(re.escape, self._forms))) if found else None
        self._begun: dict[str, list[str]] = {}
        for form in self._forms:
            self._begun.setdefault(_beginning(form), []).append(form)

    def __bool__(self) -> bool:
        return self._all is not None

    def __call__(self, text: str) -> str:
        if self._all is None or not self._in(text):
            return text
        return self._all.sub(MASK, text)

    def cut(self, text: str, limit: int) -> str:
        """The first `limit` characters, redacted before they are cut: nothing is left of a value at the cut."""
        if self._all is None or not self._in(text[: limit + self._longest]):
            return text[:limit]
        return self._all.sub(MASK, text)[:limit]

    def error(self, text: str) -> str:
        """For texts that quote something and may have cut it: a value's beginning is replaced too."""
        text = self(text)
        for beginning, forms in self._begun.items():
            at = text.find(beginning)
            while at >= 0:
                rest = text[at:]
                text = text[:at] + MASK + rest[max(_common(form, rest) for form in forms) :]
                at = text.find(beginning, at + len(MASK))
        return text

    def _in(self, text: str) -> bool:
        """Plain searches are many times faster than one of a pattern with as many branches."""
        return any(form in text for form in self._forms)


class RedactedStream:
    """What a process writes to `stream`, line by line, redacted: tracebacks and warnings quote anything."""

    encoding = "utf-8"

    def __init__(self, stream: TextIO, redact: Redactor) -> None:
        self._stream = stream
        self._redact = redact
        self._line = ""

    def write(self, text: str) -> int:
        *lines, self._line = (self._line + text).split("\n")
        if lines:
            self._stream.write("".join(self._redact.error(line) + "\n" for line in lines))
        return len(text)

    def flush(self) -> None:
        """Also what has no end of a line yet, as at the end of the process."""
        self._stream.write(self._redact.error(self._line))
        self._line = ""
        self._stream.flush()

    def isatty(self) -> bool:
        return False

    def fileno(self) -> int:
        return self._stream.fileno()


def written_forms(value: str) -> set[str]:
    """How `value` may stand in a text; empty if it is too short to be searched for."""
    if len(value.strip()) < SHORTEST:
        return set()
    lines = [line.strip() for line in value.splitlines()] if "\n" in value.strip() else []
    parts = {value, value.strip(), " ".join(value.split()), *(line for line in lines if len(line) >= LINE)}
    found = {form for part in parts for form in (part, *_escaped(part), *_base64(part))}
    return {form for form in found if len(form) >= SHORTEST}


def _escaped(value: str) -> Iterator[str]:
    yield repr(value)[1:-1]
    yield html.escape(value)
    yield html.escape(value, quote=False)
    for ascii_only in (True, False):
        text = json.dumps(value, ensure_ascii=ascii_only)[1:-1]
        yield text
        yield text.replace("/", "\\/")
    strict = STRICT_JSON.sub(lambda match: f"\\u{ord(match[0]):04x}", value)
    yield strict
    yield STRICT_JSON.sub(lambda match: f"\\u{ord(match[0]):04X}", value)
    for safe in ("", "/", "/:?#[]@!$&'()*+,;=%", "!'()*"):  # as a component, a path, a URL, and as JavaScript has it
        text = quote(value, safe=safe, errors="replace")
        yield text
        yield re.sub(r"%[0-9A-F]{2}", lambda match: match[0].lower(), text)
    yield quote_plus(value, errors="replace")


def _base64(value: str) -> Iterator[str]:
    """The characters that `value` alone decides, wherever in an encoded text it begins."""
    data = value.encode(errors="replace")
    for before in range(3):
        bits = 8 * (before + len(data))
        text = base64.b64encode(bytes(before) + data).decode()[-(-8 * before // 6) : bits // 6]
        yield text
        yield text.replace("+", "-").replace("/", "_")


def _beginning(form: str) -> str:
    return form[: max(SHORTEST, min(REMAINS, len(form) // 2))]


def _common(one: str, other: str) -> int:
    """How many characters both begin with."""
    for at, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return at
    return min(len(one), len(other))
