"""Validates and parses ledger lines by kind. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import orjson

from metrics.columns import INT32, INT64
from metrics.earlier_names import TRUNCATED, present_code, session_end
from metrics.end_codes import END_CODE_CHARS
from metrics.ingest.turns import CODE_CHARS, MODEL_CHARS, NAME_CHARS, Line, Malformed

T = TypeVar("T")
KINDS = ("head", "open", "turn", "close", "gen", "uns", "tail")
GENERATOR_KEYS = ("at", "cpu_ns", "rss", "active", "inflight", "dropped")
WAITING_KEYS = ("overdue", "hung")
"""An earlier version's lines have none."""
SESSION_OUTCOMES = ("completed", "failed", TRUNCATED, "lost")


@dataclass(frozen=True)
class SessionOpen:
    id: int
    user_no: int
    scenario: str
    started_ns: int
    group: int = 0
    model: str = ""
    params: str | None = None
    """JSON."""


@dataclass(frozen=True)
class SessionClose:
    id: int
    ended_ns: int
    outcome: str
    turns: int
    code: str | None
    group: int = 0
    began_ns: int = 0
    farewell: Mapping[str, int] | None = None
    """ns of each request at its end; None: there was none."""
    farewell_code: str | None = None


def by_kind(body: bytes, bad: list[str]) -> dict[str, list[Line]]:
    """The objects of whole lines by kind. Objects of unknown kinds go to `bad`."""
    found: dict[str, list[Line]] = {kind: [] for kind in KINDS}
    nul = b"\\u0000" in body
    for line in _objects(body, bad):
        kind = line.get("k") if isinstance(line, dict) else None
        if kind in found:
            found[kind].append(_without_nul(line) if nul else line)
        else:
            bad.append(_text(line))
    return found


def _objects(body: bytes, bad: list[str]) -> list[Any]:
    """All lines in one go, which is several times faster; one by one only if one of them is damaged."""
    if not body:
        return []
    try:
        whole: list[Any] = orjson.loads(b"[" + body[:-1].replace(b"\n", b",") + b"]")
        if len(whole) == body.count(b"\n"):
            return whole
    except orjson.JSONDecodeError:
        pass
    objects = []
    for line in body[:-1].split(b"\n"):
        try:
            objects.append(orjson.loads(line))
        except orjson.JSONDecodeError:
            bad.append(line.decode("utf-8", "replace").replace("\x00", "\ufffd"))
    return objects


def _without_nul(value: Any) -> Any:
    """PostgreSQL does not accept NUL in text: a target that sends one must not stop the ingest."""
    if isinstance(value, str):
        return value.replace("\x00", "\ufffd")
    if isinstance(value, dict):
        return {_without_nul(key): _without_nul(item) for key, item in value.items()}
    return [_without_nul(item) for item in value] if isinstance(value, list) else value


def _text(line: Any) -> str:
    return orjson.dumps(line).decode().replace("\x00", "\ufffd")


def read_each(read: Callable[[Line], T], lines: Sequence[Line], bad: list[str]) -> list[T]:
    """Read every line; invalid ones go to `bad`."""
    found = []
    for line in lines:
        try:
            found.append(read(line))
        except (KeyError, TypeError, ValueError, OverflowError):
            bad.append(_text(line))
    return found


def _int(line: Line, key: str, limit: int = INT64) -> int:
    value = line[key]
    if type(value) is not int or abs(value) > limit:
        raise ValueError(f"'{key}' is not a whole number of that size")
    return value


def _word(line: Line, key: str, size: int) -> str:
    value = line[key]
    if not isinstance(value, str):
        raise TypeError(f"'{key}' is not a text")
    return value[:size]


def _group(line: Line, key: str, groups: int) -> int:
    """0 if the line has no group: a run with one group, or lines written after an engine's death."""
    number = _int(line, key) if key in line else 0
    if not 0 <= number < groups:
        raise ValueError(f"'{key}' is not a group of its run")
    return number


def session_open(line: Line, groups: int) -> SessionOpen:
    """A line has its group, model and params if there are several."""
    params = line.get("params")
    return SessionOpen(
        id=_int(line, "id"),
        user_no=_int(line, "user"),
        scenario=_word(line, "scenario", NAME_CHARS),
        started_ns=_int(line, "at"),
        group=_group(line, "group", groups),
        model=_word(line, "model", MODEL_CHARS) if "model" in line else "",
        params=None if params is None else orjson.dumps(params).decode(),
    )


def session_close(line: Line, groups: int) -> SessionClose:
    outcome = session_end(line["out"])
    if outcome not in SESSION_OUTCOMES:
        raise ValueError("a session ends in another way")
    code = None if line["code"] is None else present_code(_word(line, "code", CODE_CHARS))
    turns, group = _int(line, "turns", INT32), _group(line, "g", groups)
    began_ns = _int(line, "began" if "began" in line else "at")  # missing in an earlier version
    took, failed = line.get("bye"), _word(line, "bye_code", CODE_CHARS) if "bye_code" in line else None
    farewell = None if took is None else {str(name)[:NAME_CHARS]: max(_int(took, name), 0) for name in took}
    return SessionClose(_int(line, "id"), _int(line, "at"), outcome, turns, code, group, began_ns, farewell, failed)


def turn_unsolicited(line: Line) -> tuple[int, int]:
    """For a turn line that was read: when it ended, and the number of unsolicited messages until then."""
    ended = next((line[key] for key in ("done", "sent", "planned") if type(line.get(key)) is int), 0)
    count = line["uns"]
    return ended, min(count, INT32) if type(count) is int and count > 0 else 0


def unsolicited(line: Line) -> tuple[int, int]:
    return _int(line, "at"), _int(line, "n", INT32)


def generator(line: Line) -> Line:
    """The line with `lag` as a list of whole microseconds. Raises when a field is missing or wrong."""
    for key in GENERATOR_KEYS:
        _int(line, key)
    for key in WAITING_KEYS:
        if key in line:
            _int(line, key)
    for wait in line.get("waits", ()):
        if len(wait) != 3 or any(type(number) is not int or not 0 <= number <= INT32 for number in wait):
            raise ValueError("a wait is not a group, milliseconds and a number of turns")
    if any(type(lag) is not int for lag in line["lag"]):
        raise ValueError("loop lag is not in whole microseconds")
    return line


def head_of(line: Line) -> Line:
    return {
        "timestamps": _word(line, "timestamps", 20),
        "host": _word(line, "host", 200),
        "t0_wall_ns": _int(line, "t0_wall_ns"),
        "of": _int(line, "of"),
        **{key: _int(line, key) for key in ("late_ns", "clock_error_ns") if key in line},
        **({"correlates": bool(line["correlates"])} if "correlates" in line else {}),
    }


def tail_of(line: Line) -> Line:
    numbers = {key: _int(line, key) for key in ("at", "turns", "sessions")}
    # the tail of a recovered ledger may lack the dead engine's usage
    used = {key: _int(line, key) for key in ("cpu_ns", "rss", "load", "unjudged") if line.get(key) is not None}
    tables = {key: found for key in ("conns", "types") if (found := _counts(line, key))}
    code = {"end_code": _word(line, "end_code", END_CODE_CHARS)} if "end_code" in line else {}  # old ones have none
    return {**numbers, **used, **tables, "reason": _word(line, "reason", 500), **code}


def _counts(line: Line, key: str) -> dict[str, int]:
    """A table of counts, which may be missing."""
    found = line.get(key) or {}
    if type(found) is not dict or not {type(count) for count in found.values()} <= {int}:
        raise Malformed(f"a tail's '{key}' is not a table of counts")
    return {str(name)[:NAME_CHARS]: count for name, count in found.items()}
