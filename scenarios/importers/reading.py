"""Files of records: read piece by piece, so that a file of gigabytes costs the memory of what is taken from it."""

from __future__ import annotations

import codecs
import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import Any, BinaryIO, Final, Generic, NamedTuple, Never, TypeVar

from scenarios.spec import ScenarioError

MAX_DOCUMENT_BYTES: Final = 50_000_000
"""A single JSON document, which must be read as a whole."""
MAX_FILE_BYTES: Final = 4_000_000_000
MAX_RECORD_CHARS: Final = 5_000_000
"""One line, or one item of a list."""
_CHUNK: Final = 1 << 20
_LINES: Final = frozenset({".jsonl", ".ndjson"})
Item = TypeVar("Item")


def _no_constant(name: str) -> Never:
    raise ValueError(f"{name} is no JSON number")


_DECODER: Final = json.JSONDecoder(parse_constant=_no_constant)


class Source(NamedTuple):
    """An open file; `name` is what messages call it, and its ending says what it is where the content does not."""

    name: str
    stream: BinaryIO

    @property
    def stem(self) -> str:
        return PurePath(self.name).stem

    @property
    def suffix(self) -> str:
        return PurePath(self.name).suffix.lower()


class Record(NamedTuple):
    """One JSON value of a file. `where` is the file and the place in it; `alone`: it is all that the file holds."""

    where: str
    value: Any
    alone: bool = False


class Sample(NamedTuple):
    """How many records of a file are taken, drawn evenly from `seed`; None: all."""

    limit: int | None = None
    seed: int = 0


class Drawn(Generic[Item]):
    """Keeps what a Sample takes of a stream whose length nobody knows, in its order (reservoir sampling)."""

    def __init__(self, sample: Sample) -> None:
        self._limit = sample.limit
        self._rng = random.Random(f"sample:{sample.seed}")  # noqa: S311 - repeatable on purpose
        self._kept: list[tuple[int, Item]] = []
        self.seen = 0

    def add(self, item: Item) -> None:
        number, self.seen = self.seen, self.seen + 1
        if self._limit is None or len(self._kept) < self._limit:
            self._kept.append((number, item))
        elif (place := int(self._rng.random() * self.seen)) < self._limit:
            self._kept[place] = (number, item)

    def items(self) -> list[Item]:
        return [item for _, item in sorted(self._kept, key=lambda kept: kept[0])]


@contextmanager
def open_source(path: Path) -> Iterator[Source]:
    """Raises ScenarioError for what is no ordinary file: a pipe could be read for ever."""
    try:
        if not path.is_file() or path.stat().st_size > MAX_FILE_BYTES:
            raise ScenarioError(f"{path}: is no ordinary file of at most {MAX_FILE_BYTES // 1_000_000} MB")
        with path.open("rb") as stream:
            yield Source(str(path), stream)
    except OSError as exc:
        raise ScenarioError(f"{path}: cannot be read: {exc.strerror}") from exc


def records(source: Source) -> Iterator[Record]:
    """The JSON values of a file: its lines, the items of its list, or the one that it is.

    Raises ScenarioError that names the line of what is wrong.
    """
    chunks = _texts(source)
    if source.suffix in _LINES:
        yield from _of_lines(source, lines(source, chunks))
        return
    head = ""
    while not head.strip() and (more := next(chunks, "")):
        head += more
    if head.lstrip()[:1] == "[":
        yield from _of_list(source, head, chunks)
        return
    text = head + "".join(_bounded(source, chunks, len(head)))
    try:
        value = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as exc:
        if isinstance(exc, json.JSONDecodeError) and exc.msg == "Extra data" and exc.lineno > 1:
            yield from _of_lines(source, lines(source, iter([text])))
            return
        raise _not_json(source, exc, 0) from exc
    yield Record(source.name, value, alone=True)


def lines(source: Source, chunks: Iterator[str] | None = None, *, blank: bool = False) -> Iterator[tuple[int, str]]:
    """(number from 1, text) of each line, blank ones only if asked for. Raises ScenarioError for one too long."""
    rest, number = "", 0
    for chunk in chunks if chunks is not None else _texts(source):
        *whole, rest = (rest + chunk).split("\n")
        for line in whole:
            number += 1
            if blank or line.strip():
                yield number, line.rstrip("\r")
        if len(rest) > MAX_RECORD_CHARS:
            raise ScenarioError(f"{source.name}: line {number + 1}: has more than {MAX_RECORD_CHARS:,} characters")
    if rest.strip():
        yield number + 1, rest.rstrip("\r")


def _texts(source: Source) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    at = 0
    while True:
        data = source.stream.read(_CHUNK)
        waiting = len(decoder.getstate()[0])
        try:
            text = decoder.decode(data, final=not data)
        except UnicodeDecodeError as exc:
            raise ScenarioError(f"{source.name}: is not UTF-8 text: byte {at - waiting + exc.start}") from exc
        at += len(data)
        if text:
            yield text
        if not data:
            return


def _bounded(source: Source, chunks: Iterator[str], total: int) -> Iterator[str]:
    for chunk in chunks:
        total += len(chunk)
        if total > MAX_DOCUMENT_BYTES:
            most = MAX_DOCUMENT_BYTES // 1_000_000
            raise ScenarioError(f"{source.name}: is one JSON value of more than {most} MB: make it a list, or lines")
        yield chunk


def _of_lines(source: Source, numbered: Iterator[tuple[int, str]]) -> Iterator[Record]:
    for number, line in numbered:
        try:
            value = json.loads(line, parse_constant=_no_constant)
        except (ValueError, RecursionError) as exc:
            raise _not_json(source, exc, number - 1) from exc
        yield Record(f"{source.name}: line {number}", value)


def _of_list(source: Source, buffer: str, chunks: Iterator[str]) -> Iterator[Record]:
    """The items of a list one by one: what was read of them is thrown away as it goes."""
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
        elif buffer[at] == "]" and not ready:
            return
        elif buffer[at] == "," and number and not ready:
            at, ready = at + 1, True
        else:
            value, buffer, at, line = _item(source, buffer, at, line, chunks)
            yield Record(f"{source.name}: [{number}]", value)
            number, ready = number + 1, False
            if at > _CHUNK:
                line += buffer.count("\n", 0, at)
                buffer, at = buffer[at:], 0


def _item(source: Source, buffer: str, at: int, line: int, chunks: Iterator[str]) -> tuple[Any, str, int, int]:
    """(value, buffer, where it ends, lines before the buffer): reads on until the item is whole."""
    while True:
        try:
            value, end = _DECODER.raw_decode(buffer, at)
        except (ValueError, RecursionError) as exc:
            more = next(chunks, None) if len(buffer) - at <= MAX_RECORD_CHARS else None
            if more is None or isinstance(exc, RecursionError):
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


def _after_space(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at


def _not_json(source: Source, exc: BaseException, lines_before: int) -> ScenarioError:
    if isinstance(exc, json.JSONDecodeError):
        where = f"line {lines_before + exc.lineno}, column {exc.colno}"
        return ScenarioError(f"{source.name}: not JSON: {where}: {exc.msg}")
    return ScenarioError(f"{source.name}: not JSON: {exc}")
