"""One request and its answer, as they were recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal
from urllib.parse import SplitResult, urlsplit

from targets.learning.recorded.aws import AwsSigned
from targets.learning.recorded.errors import LEAVES, URL_CHARS, LearnError

AnswerKind = Literal["json", "sse", "ndjson", "text", "frames"]
Path = tuple[str | int, ...]
OPEN, CLOSE = "\ue000", "\ue001"
"""Around the name of a secret that stood there."""
_MARKS: Final = {ord(OPEN): None, ord(CLOSE): None, 0: None}
NO_JSON: Final = object()
"""The document of an event that is not JSON."""


@dataclass(frozen=True)
class Event:
    """One event, line, frame, or a whole answer. `name` if the stream names it."""

    data: str
    document: Any = NO_JSON
    name: str = ""


@dataclass(frozen=True)
class Answer:
    status: int
    kind: AnswerKind
    events: tuple[Event, ...] = ()
    cut: bool = False
    """Whether only its beginning was looked at."""

    @property
    def fine(self) -> bool:
        return 200 <= self.status < 300

    @property
    def documents(self) -> list[Any]:
        return [event.document for event in self.events if event.document is not NO_JSON]


@dataclass(frozen=True)
class Exchange:
    """`body`: the document of a JSON or form body; None: there is none, or it is `body_text` that is neither. `frames`:
    what was sent on a WebSocket. `event` and `socketio` (of a target's): of Socket.IO. `separator`: of a WebSocket's
    messages. `stomp`: where its answers come, if they are STOMP. `http2`: without asking first. `aws`: how it is
    signed."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...] = ()
    body: Any = None
    body_text: str = ""
    encoding: Literal["json", "form", "multipart", "text"] = "json"
    answer: Answer | None = None
    frames: tuple[str, ...] = ()
    event: str = ""
    socketio: dict[str, Any] | None = None
    separator: str = ""
    stomp: str | None = None
    http2: bool = False
    unsure: tuple[str, ...] = field(default=(), compare=False)
    aws: AwsSigned | None = None

    @property
    def parts(self) -> SplitResult:
        return urlsplit(self.url)

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key.lower() == name), "")


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def clean(text: str) -> str:
    """Without what cannot be stored, and without the marks of secrets."""
    return text.encode(errors="replace").decode().translate(_MARKS)


def checked_url(url: str) -> str:
    """Raises LearnError for what is no address of a chatbot."""
    if len(url) > URL_CHARS:
        raise LearnError(f"the address has more than {URL_CHARS:,} characters")
    parts = SplitResult("", "", "", "", "")
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https", "ws", "wss"} and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise LearnError(f"{url[:80]!r} is not an address of the form http(s)://host/path")
    if "@" in parts.netloc:
        raise LearnError("the address holds a user or password: give it as the header Authorization")
    return url


def leaves(value: Any, most: int = LEAVES) -> Iterator[tuple[Path, Any]]:
    """The scalars in a document, each with its path; the first `most` of them."""
    stack: list[tuple[Path, Any]] = [((), value)]
    while stack and most > 0:
        path, item = stack.pop()
        if isinstance(item, dict):
            stack += [((*path, str(key)), inner) for key, inner in reversed(item.items())]
        elif isinstance(item, list):
            stack += [((*path, index), inner) for index, inner in reversed(list(enumerate(item[:most])))]
        else:
            most -= 1
            yield path, item


def at(value: Any, path: Sequence[str | int]) -> Any:
    """What is there; None: nothing."""
    for key in path:
        if isinstance(value, dict) and isinstance(key, str):
            value = value.get(key)
        elif isinstance(value, list) and isinstance(key, int) and key < len(value):
            value = value[key]
        else:
            return None
    return value


def replaced(
    value: Any, changes: dict[Path, Any], rest: Callable[[Any], Any] = lambda kept: kept, path: Path = ()
) -> Any:
    """A copy of a document with other values at some paths, and what `rest` makes of the others."""
    if path in changes:
        return changes[path]
    if isinstance(value, dict):
        return {key: replaced(inner, changes, rest, (*path, key)) for key, inner in value.items()}
    if isinstance(value, list):
        return [replaced(inner, changes, rest, (*path, index)) for index, inner in enumerate(value)]
    return rest(value)
