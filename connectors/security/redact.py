"""Removes secrets from texts by value, wherever a target, a library or a template put them. Pure.

A target that echoes its request must not bring a key into a ledger. A value is found as it is, and as it is written in
JSON, in a URL, in HTML or in Python's `repr`, escaped once or many times over, and in base64, also as a part of
something longer.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property, lru_cache
from itertools import accumulate, islice, takewhile
from typing import Final, TextIO

from bounds.patterns import compile_apart
from connectors.opaque.tokens import MARK, SHOWN_TOKEN
from connectors.security.derived import Form

MASK: Final = "***"
SHORTEST: Final = 4
"""Shorter values are not searched for: they would be found in every text, and tear holes into it."""
LINE: Final = 16
"""Of a value of several lines, such as a PEM file, each line of this length counts as a value too."""
LINES: Final = 256
REMAINS: Final = 8
"""Minimum number of leading characters by which `error` recognizes a value that was cut off; half of a shorter
value."""
PATTERN_CHARS: Final = 50_000
"""Length of the pattern for all values that are short enough: it compiles in 0.2 s."""
PART: Final = 64
"""Leading characters by which a value that is not in the pattern is replaced, though more of it does not follow."""
_compiled = lru_cache(4096)(re.compile)
_PLAIN: Final = re.compile(r"[A-Za-z0-9._~-]+")
_UNIT: Final = re.compile(r"\\+|\s+|.", re.DOTALL)
_BACKSLASH: Final = r"(?:\\|(?i:%(?>(?:25)*)5c|&(?:amp;)*#(?:92|x5c);))"
ESCAPED_CHARS: Final = 256
"""Length of a value that is also looked for as JSON in base64: a key, and no file."""
_IN_HTML_JSON: Final = {ord(char): f"\\u{ord(char):04x}" for char in "<>&'"}
_ENTITIES: Final = {'"': "quot|", "'": "apos|", "&": "amp|", "<": "lt|", ">": "gt|"}


class _Sought:
    """One text to be found, as a sequence of units that may each be written in several ways."""

    def __init__(self, units: list[str], anchor: str, plain: list[str]) -> None:
        self.units = units
        self.pattern = "".join(units)
        self.anchor = anchor
        """The common part of all encodings of the value."""
        self._plain = plain
        """The units as they are, not written in another way."""
        self._known = max(SHORTEST, min(REMAINS, len(units) // 2))

    @cached_property
    def _beginning(self) -> re.Pattern[str]:
        return re.compile("".join(self.units[: self._known]))

    def begins(self, text: str, at: int) -> int | None:
        """Where its beginning stands next."""
        found = self._beginning.search(text, at)
        return None if found is None else found.start()

    def reaches(self, text: str, start: int, least: int = 0) -> int:
        """The end of what stands at `start`, complete or cut off there; 0 if it is cut off before `least` units."""
        found = self._beginning.match(text, start)
        if found is None:
            return 0
        end, other, count = found.end(), None, self._known
        for unit, plain in islice(zip(self.units, self._plain, strict=True), count, None):
            more = _compiled(unit).match(text, end)
            if more is None and other is not None:
                more = _compiled(unit).match(text, other)
            if more is None:
                break
            # "&amp;" may be an ampersand, or an ampersand before "amp;"
            other = end + len(plain) if plain and text.startswith(plain, end) else None
            end, count = more.end(), count + 1
        return end if count >= min(least, len(self.units)) else 0


def _masked(values: list[_Sought], text: str, least: int = 0, known: list[_Sought] | None = None) -> str:
    """Where several of the `known` values (all, unless told) have a beginning in common, the one that reaches furthest
    counts."""
    for one in values:
        at = 0
        while (start := one.begins(text, at)) is not None:
            at = start + 1
            if end := max(other.reaches(text, start, least) for other in known or values):
                text = text[:start] + MASK + text[end:]
                at = start + len(MASK)
    return text


class Redactor:
    """`redact(text)`: the text with each of `values`, and what has one of `forms`, replaced by ***. Costs nothing if
    there are no values."""

    def __init__(self, values: Iterable[str] = (), forms: Sequence[Form] = ()) -> None:
        parts = {part for value in values for part in _parts(value)}
        sought = [one for part in parts for one in _sought(part)]
        # One pass for the rare text that holds one: longer ones first, so that none is left half.
        self._sought = sorted(sought, key=lambda one: len(one.units), reverse=True)
        chars = accumulate(len(one.pattern) for one in reversed(self._sought))
        many = sum(1 for _ in takewhile(PATTERN_CHARS.__ge__, chars))
        self._long = self._sought[: len(sought) - many]
        """To be followed unit by unit: compiling a pattern of them all would take seconds."""
        patterns = [SHOWN_TOKEN, *(form.pattern for form in forms)]
        patterns += [one.pattern for one in self._sought[len(self._long) :]]
        self._all = compile_apart("|".join(patterns)) if sought else None
        anchors = {form.anchor for form in forms} | {one.anchor for one in sought}
        self._anchors = [MARK, *sorted(anchors, key=len, reverse=True)]
        self.anchors = self._anchors[1:]
        """Each text that holds a value, in whatever form, holds one of these."""
        self._margin = 12 * max((len(one.units) for one in sought), default=0)
        self.word = lru_cache(64)(self)
        """The same, for one of the few short texts of every answer."""

    def __bool__(self) -> bool:
        return self._all is not None

    def __call__(self, text: str) -> str:
        """Tokens that stand for secrets are replaced too."""
        if self._all is None or not self._in(text):
            return text
        return self._all.sub(MASK, _masked(self._long, text, PART, self._sought))

    def cut(self, text: str, limit: int) -> str:
        """The first `limit` characters, redacted before the cut, so that no part of a value remains at the cut."""
        if self._all is None or not self._in(text[: limit + self._margin]):
            return text[:limit]
        return self(text)[:limit]

    def error(self, text: str) -> str:
        """For texts that quote something and may have cut it: a value's beginning is replaced too."""
        return _masked(self._sought, self(text))

    def _in(self, text: str) -> bool:
        """Plain searches are many times faster than the pattern."""
        for anchor in self._anchors:  # noqa: SIM110 - `any` makes a generator first, for each text of a turn
            if anchor in text:
                return True
        return False


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
        yield from (line.strip() for line in value.splitlines()[:LINES] if len(line.strip()) >= LINE)


def _sought(value: str) -> Iterator[_Sought]:
    plain = [match[0] for match in _UNIT.finditer(value)]
    units = [_unit(text, number == 0) for number, text in enumerate(plain)]
    yield _Sought(units, max(_PLAIN.findall(value), key=len, default=""), plain)
    forms = {value}
    if len(value) <= ESCAPED_CHARS:
        once = {as_json(value), as_html_json(value)}
        forms |= {*once, *map(as_json, once)}  # all the same for most values
    for form in forms:
        yield from _sought_in_base64(form.encode(errors="replace"))


def as_json(text: str) -> str:
    """As it stands between the quotes of a text of JSON."""
    return json.dumps(text, ensure_ascii=False)[1:-1]


def as_html_json(text: str) -> str:
    """The same as templates' `tojson` writes it."""
    return as_json(text).translate(_IN_HTML_JSON)


def _sought_in_base64(data: bytes) -> Iterator[_Sought]:
    for before in range(3):
        # the characters that only the value determines, wherever in an encoded text it begins
        bits = 8 * (before + len(data))
        text = base64.b64encode(bytes(before) + data).decode()[-(-8 * before // 6) : bits // 6]
        if len(text) >= SHORTEST:
            units = [_base64_unit(char) for char in text]
            yield _Sought(units, max(re.findall("[A-Za-z0-9]+", text), key=len, default=""), [""] * len(text))


@lru_cache(4096)
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
    percent = "%(?:25)+" if text == "%" else "".join(f"%(?>(?:25)*){octet:02x}" for octet in octets)
    entity = rf"&(?:amp;)*(?:{_ENTITIES.get(text, '')}#0*{number}|#x0*{number:x});"
    plain = rf"{any_number}(?:{entity}|{percent}|{re.escape(text)})"
    return rf"(?i:{plain}|{escaped}|{quoted}|{some}x{number:02x})"


def _base64_unit(char: str) -> str:
    """Both base64 alphabets, and their forms in JSON and URLs."""
    if char == "+":
        return r"(?:[+-]|(?>\\+)u002[bB]|(?i:%(?>(?:25)*)2b))"
    if char == "/":
        return r"(?:(?>\\*)/|_|(?>\\+)u002[fF]|(?i:%(?>(?:25)*)2f))"
    return char
