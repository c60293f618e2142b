"""Sums of turns per conversation and per user, with the keys of the report. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from metrics.columns import LEFT

MS = 1e6
NS_PER_S = 1e9
FAILED = frozenset({"error", "timeout"})


class TurnRow(NamedTuple):
    """The fields of a stored turn that are needed here, in this order: `TURN_FIELDS`."""

    session_id: int
    number: int
    outcome: str
    planned_ns: int
    sent_ns: int | None
    done_ns: int | None
    tokens_in: int | None
    tokens_out: int | None
    code: str | None = None


TURN_FIELDS = TurnRow._fields


@dataclass
class Figures:
    """Of some turns. Latencies are those of ok turns, in ns; `slept_ns` is the time between a user's messages; tokens
    are None where they are known of no turn."""

    sent: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    gave_up: int = 0
    """Turns, aborted, whose user left."""
    tokens_in: int | None = None
    tokens_out: int | None = None
    latencies_ns: list[int] = field(default_factory=list)
    slept_ns: int = 0
    first_ns: int | None = None
    last_ns: int | None = None

    def as_dict(self) -> dict[str, Any]:
        failed = sum(self.outcomes[word] for word in FAILED) + self.gave_up
        others = {word: self.outcomes[word] for word in ("aborted", "unknown")}
        found = self.latencies_ns
        return {
            "turns": {"sent": self.sent, "ok": self.outcomes["ok"], "failed": failed, **others},
            "tokens": {
                "input": self.tokens_in,
                "output": self.tokens_out,
                "total": _sum(self.tokens_in, self.tokens_out),
            },
            "latency_ms": {
                "total": round(sum(found) / MS, 3),
                "mean": round(sum(found) / len(found) / MS, 3) if found else None,
                "min": round(min(found) / MS, 3) if found else None,
                "max": round(max(found) / MS, 3) if found else None,
            },
            "sleep_s": round(self.slept_ns / NS_PER_S, 3),
            "first_s": _seconds(self.first_ns),
            "last_s": _seconds(self.last_ns),
        }

    @property
    def each_ms(self) -> list[float]:
        """The latency of each ok turn, in order."""
        return [round(value / MS, 3) for value in self.latencies_ns]

    @property
    def duration_s(self) -> float:
        """From the first message to the last answer."""
        if self.first_ns is None or self.last_ns is None:
            return 0.0
        return (self.last_ns - self.first_ns) / NS_PER_S


def _sum(one: int | None, other: int | None) -> int | None:
    """None if neither is known."""
    return None if one is None and other is None else (one or 0) + (other or 0)


def _seconds(ns: int | None) -> float | None:
    """Since the common start."""
    return None if ns is None else round(ns / NS_PER_S, 3)


def add_conversation(figures: Figures, turns: Iterable[TurnRow]) -> None:
    """Add one conversation's turns, ordered by id. A message that was resent or hedged has several turns with one
    number, without a pause between them."""
    number: int | None = None
    ended_ns: int | None = None
    for turn in turns:
        if turn.number != number and ended_ns is not None:
            figures.slept_ns += max(0, turn.planned_ns - ended_ns)
        number = turn.number
        figures.outcomes[turn.outcome] += 1
        figures.gave_up += turn.code == LEFT
        figures.sent += turn.sent_ns is not None
        figures.tokens_in = _sum(figures.tokens_in, turn.tokens_in)
        figures.tokens_out = _sum(figures.tokens_out, turn.tokens_out)
        if turn.outcome == "ok" and turn.sent_ns is not None and turn.done_ns is not None:
            figures.latencies_ns.append(turn.done_ns - turn.sent_ns)
        begun_ns = turn.planned_ns if turn.sent_ns is None else turn.sent_ns
        figures.first_ns = begun_ns if figures.first_ns is None else min(figures.first_ns, begun_ns)
        if turn.done_ns is not None:
            ended_ns = turn.done_ns if ended_ns is None else max(ended_ns, turn.done_ns)
            figures.last_ns = turn.done_ns if figures.last_ns is None else max(figures.last_ns, turn.done_ns)
