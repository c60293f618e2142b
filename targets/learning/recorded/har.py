"""Reads HAR files: what a browser recorded. https://w3c.github.io/web-performance/specs/HAR/Overview.html"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from targets.learning.recorded.answers import read_answer
from targets.learning.recorded.curl import with_body
from targets.learning.recorded.errors import BODY_CHARS, ENTRIES, LearnError
from targets.learning.recorded.exchange import Answer, Event, Exchange, checked_url, clean
from targets.learning.recorded.frames import Message, messages_of, subscribed, texts_of
from targets.learning.recorded.socketio import Connection, Emitted, Reader, settings

SIDE_TYPES: Final = ("image/", "font/", "video/", "audio/", "text/css", "text/html", "javascript", "wasm")
"""Content types in which no chat answers."""
HEADERS: Final = 200
WEBSOCKET: Final = {"http": "ws", "https": "wss"}
HTTP: Final = {"ws": "http", "wss": "https"}


def read_har(data: Any) -> list[Exchange]:
    """The requests of the file that may be a chat's, in their order. Raises LearnError."""
    log = data.get("log")
    entries = log.get("entries") if isinstance(log, dict) else None
    if not isinstance(entries, list):
        raise LearnError("the HAR file has no log.entries: save it again from the browser's network tab")
    if len(entries) > ENTRIES:
        raise LearnError(f"the HAR file has {len(entries):,} requests, and at most {ENTRIES:,} are read: record less")
    return [found for entry in entries if isinstance(entry, dict) for found in _exchanges(entry)]


def _exchanges(entry: dict[str, Any]) -> Iterator[Exchange]:
    request, response = _dict(entry, "request"), _dict(entry, "response")
    content = _dict(response, "content")
    kind = str(content.get("mimeType") or "")
    if any(name in kind.lower() for name in SIDE_TYPES) or str(request.get("method")) in {"OPTIONS", "HEAD", "CONNECT"}:
        return
    try:
        url = checked_url(clean(str(request.get("url"))))
    except LearnError:
        return
    made = Exchange(str(request.get("method") or "GET").upper()[:20], url.partition("#")[0], _headers(request))
    if frames := entry.get("_webSocketMessages"):
        yield from _conversation(made, frames)
        return
    text = _text(content)
    status = response.get("status")
    answer = read_answer(status if isinstance(status, int) else 0, kind, text) if text else None
    yield with_posted(replace(made, answer=answer), _dict(request, "postData"))


def with_posted(made: Exchange, posted: dict[str, Any]) -> Exchange:
    fields = {
        clean(str(one["name"])): clean(str(one.get("value", "")))
        for one in _list(posted, "params")
        if isinstance(one, dict) and "name" in one and "fileName" not in one
    }
    multipart = "multipart" in str(posted.get("mimeType"))
    text = clean(str(posted.get("text") or "")[:BODY_CHARS])
    if fields and not text and not multipart:
        return replace(made, body=fields, encoding="form")
    return with_body(made, text, fields if multipart else None)


def _conversation(made: Exchange, frames: Any) -> Iterator[Exchange]:
    """A WebSocket: each text that was sent, with what came before the next one."""
    scheme, _, rest = made.url.partition("://")
    if "EIO=" in made.parts.query:
        yield from _socketio(made, frames)
        return
    messages, separator = messages_of(frames)
    made = replace(made, url=f"{WEBSOCKET.get(scheme, scheme)}://{rest}", separator=separator)
    sent: list[Message] = []
    came: list[Event] = []
    stomp: list[dict[str, Any]] = []
    for message in [*messages, Message("", is_sent=True)]:
        if message.is_sent and sent and (came or not message.text):
            answer = Answer(200, "frames", tuple(came)) if came else None
            asked = with_body(replace(made, answer=answer), sent[-1].asked)
            yield replace(asked, frames=tuple(one.asked for one in sent), stomp=subscribed(stomp) if stomp else None)
            sent, came = [], []
        if message.keeps_alive:
            continue
        if not message.is_sent:
            came.append(message.event)
            continue
        sent.append(message)
        stomp += [message.stomp] if message.stomp is not None else []


def _socketio(made: Exchange, frames: Any) -> Iterator[Exchange]:
    parts = made.parts
    url = f"{HTTP.get(parts.scheme, parts.scheme)}://{parts.netloc}"
    reader = Reader(Connection(parts.path))
    asked: Emitted | None = None
    came: list[Event] = []
    for text, is_sent in [*texts_of(frames, binary=False), ("", True)]:
        emitted = reader.sent(text) if is_sent else None
        if asked is not None and (emitted is not None or not text):
            answer = Answer(200, "frames", tuple(came)) if came else None
            changes: dict[str, Any] = {"body": asked.body, "event": asked.event, "answer": answer}
            yield replace(made, url=url, frames=(*reader.emitted,), socketio=settings(reader.connection), **changes)
        if emitted is not None:
            asked, came = emitted, []
        elif not is_sent and (event := reader.came(text)) is not None:
            came.append(event)


def _headers(request: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple(
        (clean(str(one["name"])), clean(str(one["value"])))
        for one in _list(request, "headers")[:HEADERS]
        if isinstance(one, dict) and "name" in one and "value" in one and not str(one["name"]).startswith(":")
    )


def _text(content: dict[str, Any]) -> str:
    """The body as text; empty: there is none, or it is none."""
    text = content.get("text")
    if not isinstance(text, str):
        return ""
    if content.get("encoding") != "base64":
        return clean(text[: BODY_CHARS + 1])
    try:
        return clean(base64.b64decode(text[: BODY_CHARS * 2 // 4 * 4], validate=True).decode())
    except (binascii.Error, ValueError):
        return ""


def _dict(data: dict[str, Any], name: str) -> dict[str, Any]:
    found = data.get(name)
    return found if isinstance(found, dict) else {}


def _list(data: dict[str, Any], name: str) -> list[Any]:
    found = data.get(name)
    return found if isinstance(found, list) else []
