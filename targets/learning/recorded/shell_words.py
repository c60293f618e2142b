"""Splits a command line into words as a POSIX shell would, and runs and expands nothing.

`shlex` knows neither `$'...'`, which browsers write, nor whether a `$` stood in single quotes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from targets.learning.recorded.errors import LearnError

ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t", "a": "\a", "b": "\b", "f": "\f", "v": "\v", "e": "\x1b"}
_CODE: Final = re.compile(r"x[0-9a-fA-F]{1,2}|u[0-9a-fA-F]{1,4}|U[0-9a-fA-F]{1,8}|[0-7]{1,3}")
_VARIABLE: Final = re.compile(r"\$(?:\{[A-Za-z_]\w*\}|[A-Za-z_]\w*)")
_BARE: Final = re.compile(r"[^\s'\"\\$`]+")
_QUOTED: Final = re.compile(r"[^\"\\$`]+")
_ANSI: Final = re.compile(r"[^'\\]+")
_CARETS: Final = re.compile(r"\^(?:\r?\n)?(.?)", re.DOTALL)
_OF_CMD: Final = re.compile(r"\^\r?\n|\^\"")
_ENDS: Final = frozenset("#;|&<>")


@dataclass
class Word:
    """`substituted`: it holds something that a shell would run or expand; it stands in `text` as it was written."""

    parts: list[str] = field(default_factory=list)
    substituted: bool = False

    @property
    def text(self) -> str:
        return "".join(self.parts)


def split(line: str) -> list[Word]:
    """The words of the first command of `line`. Raises LearnError for quotes without an end."""
    if _OF_CMD.search(line):
        line = _CARETS.sub(r"\1", line)  # a command for Windows
    words: list[Word] = []
    word: Word | None = None
    at = 0
    while at < len(line):
        char = line[at]
        if char in " \t\r\n":
            words += [word] if word is not None else []
            word, at = None, at + 1
            if char == "\n":
                break
        elif word is None and char in _ENDS:
            break
        elif line.startswith(("\\\n", "\\\r\n"), at):
            at = line.index("\n", at) + 1
        else:
            word = word or Word()
            at = _piece(line, at, word)
    return words + ([word] if word is not None else [])


def _piece(line: str, at: int, word: Word) -> int:
    """Add what begins at `at` to the word; returns where it ends."""
    if line.startswith("$'", at):
        return _ansi(line, at + 2, word)
    char = line[at]
    if char == "'":
        end = line.find("'", at + 1)
        if end < 0:
            raise _endless("'")
        word.parts.append(line[at + 1 : end])
        return end + 1
    if char == '"':
        return _double(line, at + 1, word)
    if char == "\\":
        word.parts.append(line[at + 1 : at + 2])
        return at + 2
    return _plain(line, at, word, _BARE)


def _plain(line: str, at: int, word: Word, chars: re.Pattern[str]) -> int:
    """Characters without a meaning of their own, or a whole substitution."""
    if line[at] == "`" or line.startswith("$(", at):
        end = line.find("`" if line[at] == "`" else ")", at + 1)
        if end < 0:
            raise _endless(line[at : at + 2])
        word.substituted = True
        word.parts.append(line[at : end + 1])
        return end + 1
    if found := _VARIABLE.match(line, at):
        word.substituted = True
    else:
        found = chars.match(line, at)
    word.parts.append(found[0] if found else line[at])
    return found.end() if found else at + 1


def _double(line: str, at: int, word: Word) -> int:
    while at < len(line):
        char = line[at]
        if char == '"':
            return at + 1
        if line.startswith("\\\n", at):
            at += 2
        elif char == "\\" and line[at + 1 : at + 2] in {'"', "\\", "$", "`"}:
            word.parts.append(line[at + 1])
            at += 2
        else:
            at = _plain(line, at, word, _QUOTED)
    raise _endless('"')


def _ansi(line: str, at: int, word: Word) -> int:
    while at < len(line):
        if line[at] == "'":
            return at + 1
        if found := _ANSI.match(line, at):
            word.parts.append(found[0])
            at = found.end()
        elif found := _CODE.match(line, at + 1):
            digits = found[0]
            code = int(digits, 8) if digits[0].isdigit() else int(digits[1:], 16)
            word.parts.append(chr(code) if code < 0x110000 else "\ufffd")
            at = found.end()
        else:
            escaped = line[at + 1 : at + 2]
            word.parts.append(ESCAPES.get(escaped, escaped))
            at += 2
    raise _endless("$'")


def _endless(quote: str) -> LearnError:
    return LearnError(f"the command has a quote {quote} without its end: copy the whole line")
