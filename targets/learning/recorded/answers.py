"""Reads the body of a recorded answer: one JSON document, server-sent events, lines or text."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from inputs.json_limits import BoundedDecoder, json_problem
from targets.learning.recorded.errors import BODY_CHARS, EVENTS
from targets.learning.recorded.exchange import NO_JSON, Answer, Event

FIELDS = ("data:", "event:", "id:", "retry:", ":")
LINES_TYPES = ("ndjson", "jsonl", "json-seq", "stream+json", "json-lines")


def read_answer(status: int, kind: str, text: str) -> Answer:
    """`kind` is its content type; a body shows best itself what it is."""
    cut = len(text) > BODY_CHARS
    text = text[:BODY_CHARS]
    bare = text.lstrip("\ufeff \r\n")
    if bare.startswith(FIELDS) or ("event-stream" in kind.lower() and not bare.startswith("{")):
        return _limited(status, "sse", _server_sent(text), cut)
    whole = document(text)
    if whole is not NO_JSON and not any(name in kind.lower() for name in LINES_TYPES):
        return Answer(status, "json", (Event(text, whole),), cut)
    lines = [line for line in lines_of(text) if line.strip()]
    if lines and all(line.lstrip().startswith(("{", "[")) for line in lines[:EVENTS]):
        return _limited(status, "ndjson", (Event(line, document(line)) for line in lines), cut)
    return Answer(status, "text", (Event(text),) if text else (), cut)


def _limited(status: int, kind: Any, events: Iterable[Event], cut: bool) -> Answer:
    found: list[Event] = []
    for event in events:
        if len(found) == EVENTS:
            return Answer(status, kind, tuple(found), cut=True)
        found.append(event)
    return Answer(status, kind, tuple(found), cut)


def _server_sent(text: str) -> Iterator[Event]:
    name, data = "", []
    for line in [*lines_of(text.removeprefix("\ufeff")), ""]:
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if line and field == "event":
            name = value
        elif line and field == "data":
            data.append(value)
        elif not line and data:
            joined = "\n".join(data)
            yield Event(joined, document(joined), name)
        if not line:
            name, data = "", []


def lines_of(text: str) -> list[str]:
    """Only at line ends of the protocols: a text may contain others of Unicode's."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def document(text: str) -> Any:
    """The JSON document that `text` is, within the limits of JSON; NO_JSON: it is none."""
    if text.lstrip()[:1] not in {"{", "["}:
        return NO_JSON
    try:
        found = json.loads(text, cls=BoundedDecoder)
    except ValueError:
        return NO_JSON
    return NO_JSON if json_problem(found) else found
