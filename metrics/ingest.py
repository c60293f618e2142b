"""From the bytes of a ledger to a Batch: rows and windows, ready to be stored. No I/O, no Django.

Whole lines only: the bytes of an unfinished last line are left for the next call. A line that cannot be read is
quarantined (counted, kept as text) and never stops the ingest of the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import orjson

from metrics.columns import INT32, INT64
from metrics.histogram import Histogram
from metrics.turns import CODE_CHARS, MODEL_CHARS, NAME_CHARS, Line, Malformed, Turns, turns_of
from metrics.windows import (
    Span,
    Windows,
    add_bad_lines,
    add_sessions,
    add_turns,
    add_unsolicited,
    is_counted,
    second_of,
    window,
)

T = TypeVar("T")
KINDS = ("head", "open", "turn", "close", "gen", "uns", "tail")
_GENERATOR_KEYS = ("at", "cpu_ns", "rss", "active", "inflight", "dropped")
_WAITING_KEYS = ("overdue", "hung")
"""An earlier version's lines have none."""
STALL_US = 100_000
"""A loop that wakes up later than this did not just have much to do: its process stood still."""
SESSION_OUTCOMES = ("completed", "failed", "cut", "lost")


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


@dataclass(frozen=True)
class Batch:
    """What one piece of a shard's ledger says. `consumed` bytes from `base_offset` on are in it."""

    run_id: int
    shard_id: int
    base_offset: int
    consumed: int
    turns: Turns
    opens: Sequence[SessionOpen]
    closes: Sequence[SessionClose]
    windows: Mapping[int, dict[str, Any]]
    gens: Sequence[Line]
    head: Line | None = None
    tail: Line | None = None
    quarantined: Sequence[str] = field(default_factory=tuple)

    @property
    def end_offset(self) -> int:
        """The shard's ledger offset once this batch is stored."""
        return self.base_offset + self.consumed

    @property
    def last_answers(self) -> Mapping[int, str]:
        """For the next call's `previous`: the last answer of each session that is still open."""
        return self.turns.last_answers


def parse(
    data: bytes,
    run_id: int,
    shard_id: int,
    base_offset: int = 0,
    previous: Mapping[int, str] | None = None,
    counted: Span = (0, None),
    groups: int = 1,
) -> Batch:
    """Read the whole lines in `data`, which begins at the ledger's byte `base_offset`.

    `previous` is the last batch's `last_answers`, or after a restart `metrics.store.last_answers(shard_id)`: with
    it a turn's repetition does not depend on where the ledger was cut into batches. Turns outside of `counted` become
    rows, and in the windows a number. With several `groups` the windows tell them apart.
    """
    consumed = data.rfind(b"\n") + 1
    bad: list[str] = []
    lines = _by_kind(data[:consumed], bad)
    turns = _turns(lines["turn"], previous or {}, groups, bad)
    opens = _each(partial(_session_open, groups=groups), lines["open"], bad)
    closes = _each(partial(_session_close, groups=groups), lines["close"], bad)
    for close in closes:
        turns.last_answers.pop(close.id, None)
    windows: Windows = {}
    add_turns(windows, shard_id, turns.columns, turns.row("code"), counted)
    begun = ((o.started_ns, o.group) for o in opens if is_counted(o.started_ns, counted))
    ended = ((c.ended_ns, c.outcome, c.code, c.group) for c in closes if is_counted(c.began_ns, counted))
    add_sessions(windows, shard_id, begun, ended, grouped=groups > 1)
    found = [_turn_unsolicited(line) for line in lines["turn"] if "uns" in line]
    add_unsolicited(windows, shard_id, [*found, *_each(_unsolicited, lines["uns"], bad)])
    gens = _each(_generator, lines["gen"], bad)
    _add_generator(windows, shard_id, gens)
    heads, tails = _each(_head, lines["head"], bad), _each(_tail, lines["tail"], bad)
    for head in heads:
        window(windows, shard_id, 0)["head"] = head
    for tail in tails:
        window(windows, shard_id, second_of(tail["at"]))["tail"] = tail
    add_bad_lines(windows, shard_id, bad)
    first, last = heads[0] if heads else None, tails[-1] if tails else None
    return Batch(
        run_id, shard_id, base_offset, consumed, turns, opens, closes, windows, gens, first, last, tuple(bad)
    )  # fmt: skip


def _by_kind(body: bytes, bad: list[str]) -> dict[str, list[Line]]:
    """The objects of whole lines by their kind. What is not an object of a known kind goes to `bad`."""
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
    """PostgreSQL takes no NUL in a text: a target that sends one must not stop the ingest."""
    if isinstance(value, str):
        return value.replace("\x00", "\ufffd")
    if isinstance(value, dict):
        return {_without_nul(key): _without_nul(item) for key, item in value.items()}
    return [_without_nul(item) for item in value] if isinstance(value, list) else value


def _text(line: Any) -> str:
    return orjson.dumps(line).decode().replace("\x00", "\ufffd")


def _turns(lines: list[Line], previous: Mapping[int, str], groups: int, bad: list[str]) -> Turns:
    def checked(line: Line) -> Line:
        turns_of([line], {}, groups)
        return line

    try:
        return turns_of(lines, previous, groups)
    except Malformed:
        return turns_of(_each(checked, lines, bad), previous, groups)


def _each(read: Callable[[Line], T], lines: Sequence[Line], bad: list[str]) -> list[T]:
    """Read every line; those that are not what their kind should hold go to `bad`."""
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
    """0 where the line says none: a run with one group, or what an engine's death left behind."""
    number = _int(line, key) if key in line else 0
    if not 0 <= number < groups:
        raise ValueError(f"'{key}' is no group of its run")
    return number


def _session_open(line: Line, groups: int) -> SessionOpen:
    """A line says its group, model and params where they are not the only ones."""
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


def _session_close(line: Line, groups: int) -> SessionClose:
    if line["out"] not in SESSION_OUTCOMES:
        raise ValueError("a session ends in another way")
    code = None if line["code"] is None else _word(line, "code", CODE_CHARS)
    turns, group = _int(line, "turns", INT32), _group(line, "g", groups)
    began_ns = _int(line, "began" if "began" in line else "at")  # an earlier version did not say
    return SessionClose(_int(line, "id"), _int(line, "at"), line["out"], turns, code, group, began_ns)


def _turn_unsolicited(line: Line) -> tuple[int, int]:
    """Of a turn line that was read: when it ended, and how many unsolicited messages came by then."""
    ended = next((line[key] for key in ("done", "sent", "planned") if type(line.get(key)) is int), 0)
    count = line["uns"]
    return ended, min(count, INT32) if type(count) is int and count > 0 else 0


def _unsolicited(line: Line) -> tuple[int, int]:
    return _int(line, "at"), _int(line, "n", INT32)


def _generator(line: Line) -> Line:
    """The line with `lag` as a list of whole microseconds. Raises when a field is missing or wrong."""
    for key in _GENERATOR_KEYS:
        _int(line, key)
    for key in _WAITING_KEYS:
        if key in line:
            _int(line, key)
    for wait in line.get("waits", ()):
        if len(wait) != 3 or any(type(number) is not int or not 0 <= number <= INT32 for number in wait):
            raise ValueError("a wait is not a group, milliseconds and a number of turns")
    if any(type(lag) is not int for lag in line["lag"]):
        raise ValueError("loop lag is not in whole microseconds")
    return line


def _add_generator(windows: Windows, shard_id: int, gens: Sequence[Line]) -> None:
    lags: dict[int, list[int]] = {}
    for line in gens:
        second = second_of(line["at"])
        row = [line[key] for key in _GENERATOR_KEYS] + [line.get(key, 0) for key in _WAITING_KEYS]
        data = window(windows, shard_id, second)
        data.setdefault("gen", []).append(row)
        data["waits"] = line.get("waits", [])
        lags.setdefault(second, []).extend(line["lag"])
    for second, values in lags.items():
        if not windows[second]["waits"]:
            del windows[second]["waits"]
        if values:
            windows[second]["lag"] = Histogram.of([value * 1000 for value in values]).to_json()
        if stalls := [value * 1000 for value in values if value > STALL_US]:
            windows[second]["stall"] = [sum(stalls), max(stalls)]


def _head(line: Line) -> Line:
    return {
        "timestamps": _word(line, "timestamps", 20),
        "host": _word(line, "host", 200),
        "t0_wall_ns": _int(line, "t0_wall_ns"),
        "of": _int(line, "of"),
        **{key: _int(line, key) for key in ("late_ns", "clock_error_ns") if key in line},
        **({"correlates": bool(line["correlates"])} if "correlates" in line else {}),
    }


def _tail(line: Line) -> Line:
    numbers = {key: _int(line, key) for key in ("at", "turns", "sessions")}
    # A recovered ledger's tail may not know what the dead engine had used.
    used = {key: _int(line, key) for key in ("cpu_ns", "rss", "load", "unjudged") if line.get(key) is not None}
    tables = {key: found for key in ("conns", "types") if (found := _counts(line, key))}
    return {**numbers, **used, **tables, "reason": _word(line, "reason", 500)}


def _counts(line: Line, key: str) -> dict[str, int]:
    """A table of counts, which may be missing."""
    found = line.get(key) or {}
    if type(found) is not dict or not {type(count) for count in found.values()} <= {int}:
        raise Malformed(f"a tail's '{key}' is no table of counts")
    return {str(name)[:NAME_CHARS]: count for name, count in found.items()}
