"""The ledger: a shard's JSONL file, the first and authoritative record of every turn. `docs/ledger.md` describes its
lines.

One `write` per loop tick and no buffer across ticks. The writer holds the file's lock as long as it lives, so that
`recover` can tell a dead engine's ledger from a living one's.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson

from metrics.end_codes import EndCode
from runs.engine.recording.in_flight import FlightTable, InFlight, flight_path, read_flight

Line = dict[str, Any]


class LedgerHeldError(Exception):
    """The ledger's writer is still alive."""


class Ledger:
    """Append-only. `on_failure` is called once when writing fails; later lines are lost, and this is reported."""

    def __init__(self, path: Path, on_failure: Callable[[OSError], None]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self.flight = FlightTable(flight_path(path))
        self._on_failure = on_failure
        self._loop = asyncio.get_running_loop()
        self._lines: list[Line] = []
        self._slots: list[int] = []
        self._failed = False

    def append(self, line: Line, slot: int | None = None) -> None:
        """Write `line` at the end of this tick, then give `slot` back."""
        if not self._lines:
            self._loop.call_soon(self.flush)
        self._lines.append(line)
        if slot is not None:
            self._slots.append(slot)

    def flush(self) -> None:
        """Write the lines of this tick."""
        if not self._lines or self._failed:
            return
        data = b"\n".join(map(orjson.dumps, self._lines)) + b"\n"
        self._lines.clear()
        try:
            while data:
                data = data[os.write(self._fd, data) :]
        except OSError as exc:
            self._failed = True  # the slots stay in use: `recover` finds these turns in the flight table
            self._on_failure(exc)
            return
        if self._slots:
            self.flight.give_back(self._slots)
            self._slots.clear()

    def close(self) -> None:
        """Flush and release the lock."""
        self.flush()
        self.flight.close()
        os.close(self._fd)


def recover(path: Path) -> int:
    """Complete the ledger of a dead engine; returns the number of added lines (0: it had ended normally).

    A torn last line goes to `<ledger>.torn`. Turns in flight without a line become `unknown`, open sessions `lost`,
    and a `tail` closes the file. Safe to repeat. Raises LedgerHeldError while the engine lives, OSError.
    """
    fd = os.open(path, os.O_RDWR | os.O_APPEND)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            raise LedgerHeldError(f"{path}: its engine still runs") from exc
        _cut_torn_line(fd, path)
        seen = _Seen(path)
        if seen.ended:
            return 0
        lines = list(_missing_lines(seen, path))
        data = b"".join(orjson.dumps(line) + b"\n" for line in lines)
        while data:
            data = data[os.write(fd, data) :]
        return len(lines)
    finally:
        os.close(fd)


class _Seen:
    """What a ledger already contains. Ids are kept only of what may still be in flight or open."""

    def __init__(self, path: Path) -> None:
        self.ended = False
        self.turns = 0
        self.sessions = 0
        self.last_ns = 0
        self.open: dict[int, int] = {}
        """Open sessions: id and number of turns recorded."""
        self.began: dict[int, int] = {}
        """Of open sessions."""
        self.groups: dict[int, int] = {}
        """Of open sessions, where the run has several."""
        self.in_flight = {turn.turn: turn for turn in read_flight(flight_path(path))}
        self.recorded: set[int] = set()
        with path.open("rb") as file:
            for raw in file:
                with suppress(ValueError, LookupError, TypeError):  # unreadable: ingest counts it as damaged
                    self._line(orjson.loads(raw))

    def _line(self, line: Line) -> None:
        kind = line["k"]
        if kind == "turn":
            self.turns += 1
            self.last_ns = max(self.last_ns, line["done"] or 0)
            self.open[line["s"]] = self.open.get(line["s"], 0) + 1
            if line["id"] in self.in_flight:
                self.recorded.add(line["id"])
        elif kind == "open":
            self.sessions += 1
            self.open.setdefault(line["id"], 0)
            self.began[line["id"]] = line["at"]
            if "group" in line:
                self.groups[line["id"]] = line["group"]
        elif kind == "close":
            self.open.pop(line["id"], None)
            self.groups.pop(line["id"], None)
            self.began.pop(line["id"], None)
        elif kind == "tail":
            self.ended = True
        if kind in {"open", "close", "gen"}:
            self.last_ns = max(self.last_ns, line["at"])

    def group(self, session: int) -> Line:
        """The group of a session, as its lines give it."""
        return {"g": self.groups[session]} if session in self.groups else {}


def _missing_lines(seen: _Seen, path: Path) -> Iterator[Line]:
    unknown = [turn for turn in seen.in_flight.values() if turn.turn not in seen.recorded]
    for turn in unknown:
        if turn.session not in seen.open:  # it began in the tick whose lines were lost
            seen.sessions += 1
            yield {"k": "open", "id": turn.session, "user": -1, "scenario": "unknown", "at": turn.planned_ns}
            seen.began[turn.session] = turn.planned_ns
        seen.open[turn.session] = seen.open.get(turn.session, 0) + 1
        yield unknown_line(turn) | seen.group(turn.session)
    for session, turns in seen.open.items():
        close = {"k": "close", "id": session, "at": seen.last_ns, "out": "lost", "turns": turns, "code": "engine_died"}
        began = {"began": seen.began[session]} if session in seen.began else {}
        yield close | began | seen.group(session)
    yield {
        "k": "tail",
        "at": seen.last_ns,
        "reason": "engine_died",
        "end_code": EndCode.ENGINE_DIED,
        "turns": seen.turns + len(unknown),
        "sessions": seen.sessions,
        "cpu_ns": None,
        "rss": None,
    }


def unknown_line(turn: InFlight) -> Line:
    """A turn that was sent, or was about to be, when its engine died."""
    return {
        "k": "turn",
        "id": turn.turn,
        "s": turn.session,
        "n": turn.number,
        "out": "unknown",
        "code": "engine_died",
        "detail": "the engine died while this turn was in flight: the target may have answered it",
        "planned": turn.planned_ns,
        "sent": turn.sent_ns,
        "fb": None,
        "fc": None,
        "ft": None,
        "lc": None,
        "done": None,
        "hs": None,
        "chunks": 0,
        "in": 0,
        "outb": 0,
        "ti": None,
        "to": None,
        "ts": "none",
        "icl": None,
        "err": None,
        "msg": None,
        "ans": None,
    }


def _cut_torn_line(fd: int, path: Path) -> None:
    size = os.fstat(fd).st_size
    end = size
    tail = b""
    while end > 0 and b"\n" not in tail:
        begin = max(0, end - 65536)
        tail = os.pread(fd, end - begin, begin) + tail
        end = begin
    keep = end + tail.rfind(b"\n") + 1
    if keep == size:
        return
    torn = path.with_name(path.name + ".torn")
    torn.write_bytes(os.pread(fd, size - keep, keep))
    os.ftruncate(fd, keep)
