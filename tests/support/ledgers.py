"""Ledgers as an engine writes them, for tests and benchmarks: seeded, so that a ledger can be made again."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

MS = 1_000_000
WORDS = (
    "order",
    "number",
    "parcel",
    "on",
    "its",
    "way",
    "should",
    "be",
    "with",
    "you",
    "by",
    "the",
    "end",
    "of",
    "week",
)
CODES = (("error", "http_500"), ("error", "connection_reset"), ("timeout", "idle_timeout"), ("aborted", "stopped"))

Line = dict[str, Any]


@dataclass
class LedgerMaker:
    """`turns` turns in conversations of about five, `users` of them at once; `streamed` is a share of the turns."""

    turns: int
    run_id: int = 1
    shard_id: int = 1
    seed: int = 7
    users: int = 200
    streamed: float = 0.1
    failing: float = 0.02
    turns_per_s: int = 2000
    stamped: bool = False
    end: bool = True
    groups: int = 1
    _opened: int = field(default=0, init=False)

    def lines(self) -> Iterator[Line]:
        rng = random.Random(self.seed)
        base = self.shard_id << 32
        yield {
            "k": "head", "v": 1, "run": self.run_id, "shard": self.shard_id, "index": 0, "of": 1, "id_base": base,
            "t0_mono_ns": 5, "t0_wall_ns": 1_790_000_000_000_000_000, "timestamps": "kernel", "host": "h", "pid": 1,
        }  # fmt: skip
        sessions: dict[int, list[int]] = {}  # user: [session id, turns so far]
        at, second, dropped = 0, 0, 0
        for number in range(self.turns):
            at += rng.randrange(2 * 1_000_000_000 // self.turns_per_s)
            if at // 1_000_000_000 > second:
                second = at // 1_000_000_000
                dropped += rng.random() < 0.01
                yield _generator(rng, at, dropped)
            user = number % self.users
            if user not in sessions:
                sessions[user] = [base + self._opened, 0]
                begin = {"k": "open", "id": base + self._opened, "user": user, "scenario": "support", "at": at}
                yield begin | self._said(base + self._opened, "group")
                self._opened += 1
            session = sessions[user]
            yield self._turn(rng, base + number, session, at) | self._said(session[0])
            session[1] += 1
            if rng.random() < 0.2:
                outcome = "failed" if rng.random() < 0.05 else "completed"
                end = _close(session, at, outcome, "idle_timeout" if outcome == "failed" else None)
                yield end | self._said(session[0])
                del sessions[user]
        if self.end:
            for session in sessions.values():
                yield _close(session, at, "truncated", None) | self._said(session[0])
            yield {
                "k": "tail", "at": at, "reason": "done", "turns": self.turns, "sessions": self._opened,
                "cpu_ns": at // 5, "rss": 90_000_000,
            }  # fmt: skip

    def _said(self, session: int, key: str = "g") -> Line:
        return {key: session % self.groups} if self.groups > 1 else {}

    def _turn(self, rng: random.Random, turn: int, session: list[int], done: int) -> Line:
        begun = max(0, done - int(rng.lognormvariate(0, 0.5) * 200 * MS))
        planned = max(0, begun - rng.randrange(200_000))
        outcome, code = rng.choice(CODES) if rng.random() < self.failing else ("ok", None)
        connected = {"connect": rng.randrange(50_000, 200_000)} if session[1] == 0 else None
        first = begun + (done - begun) // 2
        pieces = rng.randrange(2, 40) if rng.random() < self.streamed else 1
        gaps = [rng.randrange(1000, 30_000) for _ in range(pieces - 1)]
        text = " ".join(rng.choices(WORDS, k=rng.randrange(5, 40)))
        known = first if outcome == "ok" else None
        return {
            "k": "turn", "id": turn, "s": session[0], "n": session[1], "out": outcome, "code": code,
            "detail": "it broke" if code else None, "planned": planned, "sent": begun, "fb": known, "fc": known,
            "ft": known, "lc": (done if pieces > 1 else first) if known else None, "done": done, "hs": connected,
            "chunks": pieces if known else 0, "in": 200 + len(text), "outb": 350, "ti": 12,
            "to": len(text) // 4 if known else None, "ts": "usage" if known else "none", "icl": gaps or None,
            "err": [rng.randrange(-20, 20_000) for _ in range(pieces)] if self.stamped and known else None,
            "msg": "Where is my order, please? I have waited for a week.", "ans": text if known else "",
            **({"fin": "length", "kind": "length"} if known and turn % 7 == 0 else {"fin": "stop"} if known else {}),
        }  # fmt: skip


def _close(session: list[int], at: int, outcome: str, code: str | None) -> Line:
    return {"k": "close", "id": session[0], "at": at, "out": outcome, "turns": session[1], "code": code}


def _generator(rng: random.Random, at: int, dropped: int) -> Line:
    return {
        "k": "gen", "at": at, "cpu_ns": at // 5, "rss": 80_000_000 + rng.randrange(9_000_000),
        "lag": [rng.randrange(10, 900) for _ in range(20)], "active": 200, "inflight": 150, "dropped": dropped,
    }  # fmt: skip


def encoded(line: Line) -> bytes:
    return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)


def ledger_bytes(maker: LedgerMaker) -> bytes:
    return b"".join(map(encoded, maker.lines()))


def write_ledger(path: Path, maker: LedgerMaker) -> int:
    """Write the ledger; returns its size in bytes."""
    with path.open("wb") as file:
        for line in maker.lines():
            file.write(encoded(line))
    return path.stat().st_size
