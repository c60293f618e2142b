"""Reads files of records piece by piece, so that memory depends on what is used, not on the file's size."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import Any, BinaryIO, Final, NamedTuple

from bounds.files import FileError, open_ordinary
from scenarios.definition.spec import ScenarioError
from scenarios.importers.decoding import CHUNK, texts

MAX_DOCUMENT_BYTES: Final = 50_000_000
"""A single JSON document, which must be read as a whole."""
MAX_FILE_BYTES: Final = 4_000_000_000
MAX_RECORD_CHARS: Final = 5_000_000
"""One line, or one item of a list."""
_LINES: Final = frozenset({".jsonl", ".ndjson"})
_LONGEST_TOKEN: Final = 20
"""Characters of a word or an escape that a piece may cut."""
_DECODER: Final = json.JSONDecoder(parse_constant=lambda name: None)
"""NaN and Infinity, which are not JSON but written by many programs, become null."""


class Source(NamedTuple):
    """An open file; `name` is used in messages, and its suffix gives the format if the content does not."""

    name: str
    stream: BinaryIO

    @property
    def stem(self) -> str:
        return self._unpacked.stem

    @property
    def suffix(self) -> str:
        return self._unpacked.suffix.lower()

    @property
    def _unpacked(self) -> PurePath:
        path = PurePath(self.name)
        return path.with_suffix("") if path.suffix.lower() == ".gz" else path


class Record(NamedTuple):
    """One JSON value of a file. `where` is the file and the place in it; `alone`: the file contains nothing else."""

    where: str
    value: Any
    alone: bool = False


@contextmanager
def open_source(path: Path) -> Iterator[Source]:
    """Raises ScenarioError for anything but a regular file: reading a pipe might never end."""
    try:
        descriptor = open_ordinary(path, MAX_FILE_BYTES)
    except FileError as exc:
        missing = isinstance(exc.__cause__, FileNotFoundError)
        raise ScenarioError(f"{path}: {'there is no such file' if missing else _unusable(exc)}") from exc
    try:
        with os.fdopen(descriptor, "rb") as stream:
            yield Source(str(path), stream)
    except OSError as exc:
        raise ScenarioError(f"{path}: cannot be read: {exc.strerror}") from exc


def _unusable(exc: FileError) -> str:
    if isinstance(exc.__cause__, OSError):
        return f"cannot be read: {exc}"
    return f"is not an ordinary file of at most {MAX_FILE_BYTES // 1_000_000:,} MB"


def records(source: Source) -> Iterator[Record]:
    """The JSON values of a file: its lines, the items of its list, the values that follow each other, or the one that
    it is.

    Raises ScenarioError that names the line of what is wrong.
    """
    chunks = _texts(source)
    if source.suffix in _LINES:
        yield from _of_lines(source, chunks)
        return
    head = ""
    while not head.strip() and (more := next(chunks, "")):
        head += more
    if head.lstrip()[:1] == "[":
        yield from _of_list(source, head, chunks)
        return
    text = head + "".join(_bounded(source, chunks, len(head)))
    try:
        value = _DECODER.decode(text)
    except (ValueError, RecursionError) as exc:
        if not (isinstance(exc, json.JSONDecodeError) and exc.msg == "Extra data"):
            raise _not_json(source, exc, 0) from exc
        yield from _of_lines(source, iter([text]))
        return
    yield Record(source.name, value, alone=True)


def lines(source: Source, chunks: Iterator[str] | None = None, *, blank: bool = False) -> Iterator[tuple[int, str]]:
    """(number from 1, text) of each line, blank ones only if asked for. Raises ScenarioError for one too long."""
    rest, number = "", 0
    for chunk in chunks if chunks is not None else _texts(source):
        *whole, rest = (rest + chunk).split("\n")
        for line in whole:
            number += 1
            if blank or line.strip():
                yield number, line
        if len(rest) > MAX_RECORD_CHARS:
            raise ScenarioError(f"{source.name}: line {number + 1}: has more than {MAX_RECORD_CHARS:,} characters")
    if rest.strip():
        yield number + 1, rest


def _texts(source: Source) -> Iterator[str]:
    return texts(source.name, source.stream, MAX_FILE_BYTES)


def _bounded(source: Source, chunks: Iterator[str], total: int) -> Iterator[str]:
    for chunk in chunks:
        total += len(chunk)
        if total > MAX_DOCUMENT_BYTES:
            most = MAX_DOCUMENT_BYTES // 1_000_000
            raise ScenarioError(f"{source.name}: is one JSON value of more than {most} MB: make it a list, or lines")
        yield chunk


def _of_lines(source: Source, chunks: Iterator[str]) -> Iterator[Record]:
    """A value per line; or a sequence of values in any other layout, if the first line is not a value."""
    numbered = lines(source, chunks)
    number, line = next(numbered, (0, ""))
    if not number:
        return
    try:
        yield _of_line(source, number, line)
    except ScenarioError:
        if line.lstrip()[:1] not in "{[":
            raise
        yield from _of_values(source, "\n" * (number - 1) + line, _joined(numbered, number))
        return
    for number, line in numbered:
        yield _of_line(source, number, line)


def _joined(numbered: Iterator[tuple[int, str]], before: int) -> Iterator[str]:
    """Lines as large pieces of text: a value that is tried again with every line would cost their square."""
    parts: list[str] = []
    size = 0
    for number, line in numbered:
        parts.append("\n" * (number - before) + line)
        before, size = number, size + len(line)
        if size > CHUNK:
            yield "".join(parts)
            parts, size = [], 0
    yield "".join(parts)


def _of_line(source: Source, number: int, line: str) -> Record:
    try:
        value = _DECODER.decode(line.rstrip().removesuffix(","))
    except (ValueError, RecursionError) as exc:
        raise _not_json(source, exc, number - 1) from exc
    return Record(f"{source.name}: line {number}", value)


def _of_values(source: Source, buffer: str, chunks: Iterator[str]) -> Iterator[Record]:
    """A sequence of values, separated by nothing, white space or a comma."""
    at, line = 0, 0
    while True:
        at = _after_space(buffer, at)
        if at >= len(buffer):
            more = next(chunks, None)
            if more is None:
                return
            line += buffer.count("\n", 0, at)
            buffer, at = more, 0
            continue
        begins = line + buffer.count("\n", 0, at) + 1
        value, buffer, at, line = _item(source, buffer, at, line, chunks)
        yield Record(f"{source.name}: line {begins}", value)
        at = _after_space(buffer, at)
        at += buffer[at : at + 1] == ","


def _of_list(source: Source, buffer: str, chunks: Iterator[str]) -> Iterator[Record]:
    """The items of a list one by one; what has been read is discarded."""
    at, line, number = buffer.index("[") + 1, buffer.count("\n", 0, buffer.index("[")), 0
    ready = False  # an item must follow
    while True:
        at = _after_space(buffer, at)
        if at >= len(buffer):
            more = next(chunks, None)
            if more is None:
                raise ScenarioError(f"{source.name}: not JSON: the list has no end")
            line += buffer.count("\n", 0, at)
            buffer, at = buffer[at:] + more, 0
        elif buffer[at] == "]":
            _refuse_more(source, buffer[at + 1 :], chunks)
            return
        elif buffer[at] == "," and number and not ready:
            at, ready = at + 1, True
        else:
            value, buffer, at, line = _item(source, buffer, at, line, chunks)
            yield Record(f"{source.name}: [{number}]", value)
            number, ready = number + 1, False
            if at > CHUNK:
                line += buffer.count("\n", 0, at)
                buffer, at = buffer[at:], 0


def _refuse_more(source: Source, rest: str, chunks: Iterator[str]) -> None:
    """Only the list is read: text after it must not be ignored silently."""
    while not rest.strip() and (more := next(chunks, "")):
        rest = more
    if rest.strip():
        raise ScenarioError(
            f"{source.name}: there is more after the end of the list: name the file .jsonl if each line is a value"
        )


def _item(source: Source, buffer: str, at: int, line: int, chunks: Iterator[str]) -> tuple[Any, str, int, int]:
    """(value, buffer, where it ends, lines before the buffer): reads on until the item is whole."""
    while True:
        try:
            value, end = _DECODER.raw_decode(buffer, at)
        except (ValueError, RecursionError) as exc:
            more = next(chunks, None) if _may_go_on(exc, buffer) and len(buffer) - at <= MAX_RECORD_CHARS else None
            if more is None:
                raise _not_json(source, exc, line) from exc
            line += buffer.count("\n", 0, at)
            buffer, at = buffer[at:] + more, 0
        else:
            if end < len(buffer) or isinstance(value, dict | list | str):
                return value, buffer, end, line
            more = next(chunks, "")  # a number may go on in the next piece
            if not more:
                return value, buffer, end, line
            buffer += more


def _may_go_on(exc: BaseException, buffer: str) -> bool:
    """Whether it is wrong only as the text of a piece ends there."""
    if not isinstance(exc, json.JSONDecodeError):
        return False
    return exc.msg.startswith("Unterminated string") or exc.pos > len(buffer) - _LONGEST_TOKEN


def _after_space(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at


def _not_json(source: Source, exc: BaseException, lines_before: int) -> ScenarioError:
    if not isinstance(exc, json.JSONDecodeError):
        return ScenarioError(f"{source.name}: not JSON: {exc}")
    where = f"line {lines_before + exc.lineno}, column {exc.colno}"
    return ScenarioError(f"{source.name}: not JSON: {where}: {exc.msg}{_hint(exc)}")


def _hint(exc: json.JSONDecodeError) -> str:
    """What to do about it, where the text shows it."""
    there, before = exc.doc[exc.pos : exc.pos + 2], exc.doc[: exc.pos].rstrip()[-1:]
    if there[:1] in ("}", "]") and before == ",":
        return ": remove the comma before it"
    if there[:1] == "'":
        return ": JSON has double quotation marks only"
    if there[:1] == "#" or there in ("//", "/*"):
        return ": JSON has no comments: remove it"
    if not there or exc.msg.startswith("Unterminated string"):
        return ": the value does not end, the file may be cut"
    return ""
