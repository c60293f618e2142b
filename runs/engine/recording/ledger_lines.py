"""The shape of a ledger's lines, version LEDGER_VERSION, for type checkers and as JSON Schema
(`docs/schemas/ledger-line.v1.json`). docs/ledger.md says what each key holds.

These are plain dicts: a line is written per turn, and a class for it would cost the engine a multiple.
"""

from __future__ import annotations

from typing import Any, Final, Literal, NotRequired

from typing_extensions import TypedDict

LEDGER_VERSION: Final = 1


class HeadLine(TypedDict):
    k: Literal["head"]
    v: int
    run: int
    shard: int
    index: int
    of: int
    id_base: int
    t0_mono_ns: int
    late_ns: NotRequired[int]
    clock_error_ns: NotRequired[int]
    t0_wall_ns: int
    timestamps: str
    correlates: NotRequired[bool]
    host: str
    pid: int


class OpenLine(TypedDict):
    k: Literal["open"]
    id: int
    user: int
    scenario: str
    at: int
    group: NotRequired[int]
    model: NotRequired[str]
    params: NotRequired[dict[str, Any]]


TurnLine = TypedDict(
    "TurnLine",
    {
        "k": Literal["turn"],
        "id": int,
        "s": int,
        "n": int,
        "out": Literal["ok", "error", "timeout", "aborted", "unknown"],
        "code": str | None,
        "detail": str | None,
        "planned": int,
        "sent": int | None,
        "fb": int | None,
        "fc": int | None,
        "ft": int | None,
        "lc": int | None,
        "done": int | None,
        "hs": dict[str, int] | None,
        "chunks": int,
        "in": int,
        "outb": int,
        "ti": int | None,
        "to": int | None,
        "ts": str,
        "icl": list[int] | None,
        "err": list[int] | None,
        "msg": str | None,
        "ans": str | None,
        "tr": NotRequired[int],
        "kind": NotRequired[str],
        "fin": NotRequired[str],
        "tools": NotRequired[dict[str, int]],
        "calls": NotRequired[list[tuple[str, str]]],
        "uns": NotRequired[int],
        "g": NotRequired[int],
        "mis": NotRequired[int],
    },
)


class CloseLine(TypedDict):
    k: Literal["close"]
    id: int
    at: int
    out: Literal["completed", "failed", "truncated", "cut", "lost"]
    turns: int
    code: str | None
    began: NotRequired[int]
    g: NotRequired[int]
    bye: NotRequired[dict[str, int]]
    bye_code: NotRequired[str]


class GenLine(TypedDict):
    k: Literal["gen"]
    at: int
    cpu_ns: int
    rss: int
    lag: list[int]
    active: int
    inflight: int
    dropped: int
    overdue: NotRequired[int]
    hung: NotRequired[int]
    waits: NotRequired[list[tuple[int, int, int]]]


class UnsolicitedLine(TypedDict):
    k: Literal["uns"]
    s: int
    at: int
    n: int


class TailLine(TypedDict):
    k: Literal["tail"]
    at: int
    reason: str
    end_code: NotRequired[str]
    turns: int
    sessions: int
    load: NotRequired[int | None]
    cpu_ns: int | None
    rss: int | None
    timestamps: NotRequired[str]
    clock_steps: NotRequired[int]
    conns: NotRequired[dict[str, int]]
    types: NotRequired[dict[str, int]]
    unjudged: NotRequired[int]


LedgerLine = HeadLine | OpenLine | TurnLine | CloseLine | GenLine | UnsolicitedLine | TailLine
