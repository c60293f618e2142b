"""Checks whether every engine held the requested load to its end. Pure.

Each share must have ended in one of the load's own ways: its time or its conversations were over, a budget or a
threshold ended it, the target refused everything, a person stopped it. Every other end means that load is missing,
whatever cut it off: the text of the reason names it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from metrics.analysis.totals import Aggregate
from metrics.end_codes import OWN_ENDS, EndCode, end_code_of, tail_code

WORKER_SHUT_DOWN: Final = "its worker was shut down"
"""Reasons for stops that nobody requested."""
LATE_S: Final = 1.0
"""An engine that begins later than this after the agreed start omits part of the requested load."""
LEDGER_TAKEN: Final = "its ledger was taken away while it was written"
"""Why the rest of a shard is lost, though its engine did not die."""
WORDS: Final[Mapping[str, str]] = {
    EndCode.ENGINE_DIED: "it died",
    EndCode.SUPERVISOR_GONE: "its supervisor died",
    EndCode.SUPERVISOR_SILENT: "its supervisor was paused",
    EndCode.LEASE_LOST: "its supervisor lost the shard's lease",
}
ENDED_WITHOUT_ENGINE: Final = frozenset({"lost", "failed"})
"""Statuses of a shard that did not end by itself; a stopped one was ended with its run."""


class Missing(NamedTuple):
    """One share whose load is missing, and why. `died`: its engine did not write its own last line."""

    died: bool
    text: str


def missing(aggregate: Aggregate, shards: Sequence[Mapping[str, Any]], load: Mapping[str, Any]) -> list[Missing]:
    """`shards` are the report's rows (index, status, reason, end, end_code); if empty, only the engines' own reports
    are known."""
    if not shards:
        shards = [
            {
                "index": index,
                "status": "",
                "reason": "",
                "end": engine.tail.get("reason"),
                "end_code": tail_code(engine.tail),
                "at_s": _at_s(engine.tail),
            }
            for index, engine in enumerate(aggregate.engines.values())
        ]
    found = [cut for shard in shards if (cut := _cut(shard, load)) is not None]
    return [*found, *_late(aggregate)]


def _cut(shard: Mapping[str, Any], load: Mapping[str, Any]) -> Missing | None:
    name = f"engine {shard['index'] + 1}"
    end = shard.get("end")
    code = end_code_of(shard.get("end_code") or "", end or shard["reason"])
    if end is None:
        if shard["status"] and shard["status"] not in ENDED_WITHOUT_ENGINE:
            return None
        if code == EndCode.LEDGER_TAKEN:
            return Missing(False, f"the ledger of {name}{shard['reason'].removeprefix('its ledger')}")
        return Missing(True, f"{name} did not reach its end" + (f": {shard['reason']}" if shard["reason"] else ""))
    if code in OWN_ENDS:
        return _short(name, code, shard.get("at_s"), load)
    word, _, rest = end.partition(": ")
    why = WORDS.get(code, word) + (f" ({rest})" if rest else "")
    at_s = shard.get("at_s")
    when = "" if at_s is None else f" after {at_s:.1f} s"
    return Missing(code == EndCode.ENGINE_DIED, f"{name} ended early{when}: {why}")


def _short(name: str, code: str, at_s: float | None, load: Mapping[str, Any]) -> Missing | None:
    """A closed load with a duration that ended with "done" lasted that long; other loads may run out of work
    earlier."""
    asked = load.get("duration_s")
    bounded = load.get("conversations") or load.get("search") or load.get("sweep") or load.get("kind") != "closed"
    if code != EndCode.DONE or asked is None or at_s is None or bounded or at_s >= asked - LATE_S:
        return None
    return Missing(False, f"{name} ended after {at_s:.1f} of {asked:g} s")


def _late(aggregate: Aggregate) -> Iterator[Missing]:
    for index, engine in enumerate(aggregate.engines.values()):
        late_s = engine.head.get("late_ns", 0) / 1e9
        if late_s > LATE_S:
            yield Missing(False, f"engine {index + 1} began {late_s:.1f} s after the agreed start")


def _at_s(tail: Mapping[str, Any]) -> float | None:
    at_ns = tail.get("at")
    return None if at_ns is None else at_ns / 1e9
