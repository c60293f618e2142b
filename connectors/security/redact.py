"""Removes secrets from texts by value, wherever a target, a library or a template put them. Pure.

A target that echoes its request must not bring a key into a ledger. A value is found as it is, and as it is written in
JSON, in a URL, in HTML or in Python's `repr`, escaped once or many times over, and in base64, also as a part of
something longer.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from typing import Final, TextIO

from connectors.opaque.tokens import MARK, SHOWN_TOKEN

MASK: Final = "***"
SHORTEST: Final = 4
"""Shorter values are not searched for: they would be found in every text, and tear holes into it."""
LINE: Final = 16
"""Of a value of several lines, such as a PEM file, each line of this length counts as a value too."""
REMAINS: Final = 8
"""Minimum number of leading characters by which `error` recognizes a value that was cut off; half of a shorter
value."""
_PLAIN: Final = re.compile(r"[A-Za-z0-9._~-]+")
_UNIT: Final = re.compile(r"\\+|\s+|.", re.DOTALL)
_BACKSLASH: Final = r"(?:\\|(?i:%(?>(?:25)*)5c|&(?:amp;)*#(?:92|x5c);))"
_ENTITIES: Final = {'"': "quot|", "'": "apos|", "&": "amp|", "<": "lt|", ">": "gt|"}


class _Sought:
    """One text to be found, as a sequence of units that may each be written in several ways."""

    def __init__(self, units: list[str], anchor: str) -> None:
        self.units = units
        self.pattern = "".join(units)
        self.anchor = anchor
        """The common part of all encodings of the value."""
        known = max(SHORTEST, min(REMAINS, len(units) // 2))
        self._beginning = re.compile("".join(units[:known]))
        self._rest = units[known:]

    def left(self, text: str, at: int) -> tuple[int, int] | None:
        """Start and end of the next match after `at`, complete or cut off by the end of the text."""
        found = self._beginning.search(text, at)
        if found is None:
            return None
        end = found.end()
        for unit in self._rest:
            if (more := re.compile(unit).match(text, end)) is None:
                break
            end = more.end()
        return found.start(), end


class Redactor:
    """`redact(text)`: the text with each of `values` replaced by ***. Costs nothing if there are no values."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        parts = {part for value in values for part in _parts(value)}
        sought = [one for part in parts for one in _sought(part)]
        # One pass for the rare text that holds one: longer ones first, so that none is left half.
        self._sought = sorted(sought, key=lambda one: len(one.units), reverse=True)
        patterns = [SHOWN_TOKEN, *(one.pattern for one in self._sought)]
        self._all = re.compile("|".join(patterns)) if sought else None
        self._anchors = [MARK, *sorted({one.anchor for one in sought}, key=len, reverse=True)]
        self._margin = 12 * max((len(one.units) for one in sought), default=0)
        self.word = lru_cache(64)(self)
        """The same, for one of the few short texts of every answer."""

    def __bool__(self) -> bool:
        return self._all is not None

    def __call__(self, text: str) -> str:
        """Tokens that stand for secrets are replaced too."""
        if self._all is None or not self._in(text):
            return text
        return self._all.sub(MASK, text)

    def cut(self, text: str, limit: int) -> str:
        """The first `limit` characters, redacted before the cut, so that no part of a value remains at the cut."""
        if self._all is None:
            return text[:limit]
        if not self._in(text[: limit + self._margin]):
            return text[:limit]
        return self._all.sub(MASK, text)[:limit]

    def error(self, text: str) -> str:
        """For texts that quote something and may have cut it: a value's beginning is replaced too."""
        text = self(text)
        for one in self._sought:
            at = 0
            while (left := one.left(text, at)) is not None:
                text = text[: left[0]] + MASK + text[left[1] :]
                at = left[0] + len(MASK)
        return text

    def _in(self, text: str) -> bool:
        """Plain searches are many times faster than the pattern."""
        return any(anchor in text for anchor in self._anchors)


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
        """Includes an unfinished line, as at the end of the process."""
        self._stream.write(self._redact.error(self._line))
        self._line = ""
        self._stream.flush()

    def isatty(self) -> bool:
        return False

    def fileno(self) -> int:
        return self._stream.fileno()


def _parts(value: str) -> Iterator[str]:
    """What is searched for of a value; nothing if it is too short."""
    value = value.strip()
    if len(value) < SHORTEST:
        return
    yield value
    if "\n" in value:
        yield from (line.strip() for line in value.splitlines() if len(line.strip()) >= LINE)


def _sought(value: str) -> Iterator[_Sought]:
    units = [_unit(match[0], match.start() == 0) for match in _UNIT.finditer(value)]
    yield _Sought(units, max(_PLAIN.findall(value), key=len, default=""))
    data = value.encode(errors="replace")
    for before in range(3):
        # the characters that only the value determines, wherever in an encoded text it begins
        bits = 8 * (before + len(data))
        text = base64.b64encode(bytes(before) + data).decode()[-(-8 * before // 6) : bits // 6]
        if len(text) >= SHORTEST:
            units = [_base64_unit(char) for char in text]
            yield _Sought(units, max(re.findall("[A-Za-z0-9]+", text), key=len, default=""))


@cache
def _unit(text: str, is_first: bool) -> str:
    """A pattern for a character, or a run of backslashes or white space, in all ways of writing it.

    A target must not be able to make the search slow: runs of backslashes are atomic, and begin no pattern.
    (Not possessive: before 3.11.5, Python's own matching of possessive groups is wrong.)
    """
    if _PLAIN.fullmatch(text):
        return re.escape(text)
    some = _BACKSLASH if is_first else rf"(?>{_BACKSLASH}+)"
    any_number = "" if is_first else rf"(?>{_BACKSLASH}*)"
    if text.startswith("\\"):
        return some
    if text.isspace():
        escaped = rf"{some}(?:[nrtfv]|u00[0-9a-fA-F]{{2}}|x[0-9a-fA-F]{{2}})"
        return rf"(?:\s|{escaped}|(?i:%(?>(?:25)*)(?:20|09|0[a-d]))|\+)+"
    units = text.encode("utf-16-be", "surrogatepass")
    octets = text.encode(errors="replace")
    number = ord(text)
    escaped = "".join(rf"{some}u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
    quoted = "".join(rf"{some}x{octet:02x}" for octet in octets)
    percent = "".join(f"%(?>(?:25)*){octet:02x}" for octet in octets)
    entity = rf"&(?:amp;)*(?:{_ENTITIES.get(text, '')}#0*{number}|#x0*{number:x});"
    plain = rf"{any_number}(?:{re.escape(text)}|{percent}|{entity})"
    return rf"(?i:{plain}|{escaped}|{quoted}|{some}x{number:02x})"


def _base64_unit(char: str) -> str:
    """Both base64 alphabets, and their forms in JSON and URLs."""
    if char == "+":
        return r"(?:[+-]|(?>\\+)u002[bB]|(?i:%(?>(?:25)*)2b))"
    if char == "/":
        return r"(?:(?>\\*)/|_|(?>\\+)u002[fF]|(?i:%(?>(?:25)*)2f))"
    return char
