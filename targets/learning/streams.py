"""Finds the pieces, kinds and the end in a recorded stream."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from targets.learning.recorded.exchange import NO_JSON, Answer, Event, Path, at, leaves
from targets.learning.saying import FINISH, LEAST, Said, beside, paths_of_keys, score_of
from targets.learning.shared import keys_of
from targets.learning.text_like import bare
from targets.learning.written import path_text

KIND_KEYS: Final = ("type", "event", "kind", "object", "action", "op", "msg_type", "status")
MOST_KINDS: Final = 40
BY_NAME: Final = "@event"
EVENT_LEAVES: Final = 200
ENDED: Final = frozenset(
    {"done", "finished", "isfinal", "final", "end", "complete", "completed", "islast", "last", "eos"}
)


@dataclass
class _Pieces:
    """Texts at one path in the events of one kind."""

    kind: str | None
    path: Path
    numbers: list[int] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    @property
    def cumulative(self) -> bool:
        pairs = list(zip(self.texts, self.texts[1:], strict=False))
        return len(self.texts) > 1 and self.texts[-1] != self.texts[0] and all(b.startswith(a) for a, b in pairs)

    @property
    def whole(self) -> str:
        return self.texts[-1] if self.cumulative else "".join(self.texts)

    def score(self, message: str) -> float:
        value = score_of(self.path, self.whole) + min(len(self.texts), 10) * 0.3
        if self.kind is not None:
            value += (
                score_of((self.kind,), "") / 2
                if any(word in self.kind.lower() for word in ("reason", "think"))
                else 0.0
            )
        if len(self.texts) > 2 and len(set(self.texts)) == 1:
            value -= 8.0
        return value - (8.0 if self.whole == message else 0.0)


def said_in_stream(answer: Answer, message: str, saves: dict[str, str]) -> Said:
    made = Said()
    events = answer.events
    kind = _kind_path(events)
    kinds = [_kind_of(event, kind) for event in events]
    found = sorted(_all_pieces(events, kinds), key=lambda one: -one.score(message))
    if not found or found[0].score(message) < LEAST:
        first = next((keys_of(event.document) for event in events if event.document is not NO_JSON), "no JSON")
        made.untold.append(f"where the pieces of the answer are: the stream begins with {first}")
        return made
    best = found[0]
    made.text = best.whole
    end = _End(events, kinds, best)
    if kind is not None and (end.kind is not None or _elsewhere(best, found)):
        _by_kind(made, kind, best, end, events, kinds, found)
    else:
        _plain(made, best, end, events)
    _save(made, kind, kinds, events, saves)
    if best.cumulative:
        made.response["cumulative"] = True
    if not end.known:
        made.unsure.append("no end mark was seen: an answer ends with the transport" if answer.kind != "frames" else "")
        if answer.kind == "frames":
            made.unsure[-1] = "no end mark was seen: an answer ends when no message has come for a second"
            made.response["quiet_ms"] = 1000
    return made


def _kind_path(events: Sequence[Event]) -> str | None:
    """What tells events apart: their names, or a key whose values are few words; None: nothing does."""
    if len({event.name for event in events if event.name}) > 1:
        return BY_NAME
    documents = [event.document for event in events if isinstance(event.document, dict)]
    for key in KIND_KEYS:
        words = [one.get(key) for one in documents if isinstance(one.get(key), str)]
        if 1 < len(set(words)) <= MOST_KINDS and len(words) > 0.7 * len(documents):
            return key
    return None


def _kind_of(event: Event, kind: str | None) -> str | None:
    if kind == BY_NAME:
        return event.name or "message"
    value = event.document.get(kind) if kind is not None and isinstance(event.document, dict) else None
    return value if isinstance(value, str) else None


def _all_pieces(events: Sequence[Event], kinds: list[str | None]) -> list[_Pieces]:
    found: dict[tuple[str | None, Path], _Pieces] = {}
    for number, (event, kind) in enumerate(zip(events, kinds, strict=True)):
        if event.document is NO_JSON:
            continue
        for path, value in leaves(event.document, EVENT_LEAVES):
            if isinstance(value, str) and value:
                pieces = found.setdefault((kind, path), _Pieces(kind, path))
                pieces.numbers.append(number)
                pieces.texts.append(value)
    return list(found.values())


def _elsewhere(best: _Pieces, found: list[_Pieces]) -> bool:
    """Whether events of other kinds have texts at the same path."""
    return any(one is not best and one.path == best.path and one.kind != best.kind for one in found)


class _End:
    """How the stream ended: by a text that is no JSON, by a kind, or by a value that only the last events have."""

    def __init__(self, events: Sequence[Event], kinds: list[str | None], best: _Pieces) -> None:
        self.data: str | None = None
        self.kind: str | None = None
        self.condition: dict[str, Any] | None = None
        last = best.numbers[-1]
        after = range(last + 1, len(events))
        if events[-1].document is NO_JSON and len(events[-1].data) < 100 and last < len(events) - 1:
            self.data = events[-1].data
        elif ending := [n for n in after if kinds[n] is not None and kinds.count(kinds[n]) == 1]:
            self.kind = kinds[ending[-1]]
        else:
            self.condition = self._value(events, best)

    @property
    def known(self) -> bool:
        return self.data is not None or self.kind is not None or self.condition is not None

    @staticmethod
    def _value(events: Sequence[Event], best: _Pieces) -> dict[str, Any] | None:
        """A flag or a finish reason that stands in the last document and in none before it."""
        documents = [event.document for event in events if event.document is not NO_JSON]
        if len(documents) < 2:
            return None
        for path, value in leaves(documents[-1], EVENT_LEAVES):
            key = bare(path[-1]) if path else ""
            earlier = [at(one, path) for one in documents[:-1]]
            if value is True and not any(earlier) and (key in ENDED or "final" in key or "complete" in key):
                return {"path": path_text(path), "equals": True}
            if isinstance(value, str) and value and key in FINISH and not any(earlier):
                return {"path": path_text(path)}
            if (
                isinstance(value, str)
                and key in {"status", "state", "type"}
                and value not in earlier
                and path != best.path
            ):
                return {"path": path_text(path), "equals": value}
        return None


def _plain(made: Said, best: _Pieces, end: _End, events: Sequence[Event]) -> None:
    made.response["delta"] = path_text(best.path)
    if end.data is not None:
        made.response["done"] = {"data": end.data}
    elif end.condition is not None:
        made.response["done"] = end.condition
    for event in reversed(events):
        if event.document is not NO_JSON:
            for key, value in beside(event.document).items():
                made.response.setdefault(key, value)


def _by_kind(
    made: Said,
    kind: str,
    best: _Pieces,
    end: _End,
    events: Sequence[Event],
    kinds: list[str | None],
    found: list[_Pieces],
) -> None:
    parts: dict[str, dict[str, Any]] = {str(best.kind): {"delta": path_text(best.path)}}
    for one in found:
        if (
            one.kind not in {None, best.kind}
            and any(word in str(one.kind).lower() for word in ("reason", "think"))
            and score_of(one.path, one.whole) > 0
        ):
            parts.setdefault(str(one.kind), {"reasoning": path_text(one.path)})
    for event, name in zip(events, kinds, strict=True):
        if name is not None and event.document is not NO_JSON and (more := beside(event.document)):
            part = parts.setdefault(name, {})
            for key, value in more.items():
                part.setdefault(key, value)
    for name in dict.fromkeys(kinds):
        if name is not None and "error" in name.lower():
            parts.setdefault(name, {"error": "message || error"})
    made.response |= {"kind": kind, "kinds": parts}
    if end.kind is not None:
        parts.setdefault(end.kind, {})["done"] = True
    elif end.data is not None:
        made.response["done"] = {"data": end.data}
    elif end.condition is not None:
        parts[str(best.kind)]["done"] = end.condition


def _save(
    made: Said, kind: str | None, kinds: list[str | None], events: Sequence[Event], saves: dict[str, str]
) -> None:
    numbers = [number for number, event in enumerate(events) if event.document is not NO_JSON]
    for name, path, number in paths_of_keys([events[n].document for n in numbers], saves):
        where = made.response
        if "kinds" in made.response:
            where = made.response["kinds"].setdefault(str(kinds[numbers[number]]), {})
        where.setdefault("save", {})[name] = path
