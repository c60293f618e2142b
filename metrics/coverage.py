"""Whether the load that was asked for was held to its end by every engine. Pure.

Each share must have ended in one of the load's own ways: its time or its conversations were over, a budget or a
threshold ended it, the target refused everything, a person stopped it. Every other end means that load is missing,
whatever cut it off: the text of the reason names it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from metrics.totals import Aggregate

WORKER_SHUT_DOWN: Final = "its worker was shut down"
"""Why a run was stopped that nobody asked to stop."""
LATE_S: Final = 1.0
"""An engine that begins later than this after the agreed start leaves out load that was asked for."""
LEDGER_TAKEN: Final = "its ledger was taken away while it was written"
"""How the reason of a shard begins of which the rest is lost, though its engine did not die."""
ENGINE_DIED: Final = "engine_died"
OWN_ENDS: Final = ("done", "budget", "stopped", "aborted")
"""First words of a tail's reason that are the load's own end."""
OUR_FAULTS: Final = (
    f"stopped: {WORKER_SHUT_DOWN}",
    "stopped: its supervisor",  # ledgers of earlier versions
    "aborted: engine_error",
    "aborted: ledger_failed",
    "aborted: scenario_invalid",
)
WORDS: Final = {
    ENGINE_DIED: "it died",
    "supervisor_gone": "its supervisor died",
    "supervisor_silent": "its supervisor was paused, or hung",
    "lease_lost": "its supervisor lost the shard's lease",
}
ENDED_WITHOUT_ENGINE: Final = frozenset({"lost", "failed"})
"""Statuses of a shard that never had an end of its own; a stopped one was ended by whoever stopped the run."""


class Missing(NamedTuple):
    """One share whose load is missing, and why. `died`: its engine did not write its own last line."""

    died: bool
    text: str


def missing(aggregate: Aggregate, shards: Sequence[Mapping[str, Any]], load: Mapping[str, Any]) -> list[Missing]:
    """`shards` are the report's rows (index, status, reason, end); empty: only what the engines say is known."""
    if not shards:
        shards = [
            {"index": index, "status": "", "reason": "", "end": engine.tail.get("reason"), "at_s": _at_s(engine.tail)}
            for index, engine in enumerate(aggregate.engines.values())
        ]
    found = [cut for shard in shards if (cut := _cut(shard, load)) is not None]
    return [*found, *_late(aggregate)]


def _cut(shard: Mapping[str, Any], load: Mapping[str, Any]) -> Missing | None:
    name = f"engine {shard['index'] + 1}"
    end = shard.get("end")
    if end is None:
        if shard["status"] and shard["status"] not in ENDED_WITHOUT_ENGINE:
            return None
        if shard["reason"].startswith(LEDGER_TAKEN):
            return Missing(False, f"the ledger of {name}{shard['reason'].removeprefix('its ledger')}")
        return Missing(True, f"{name} did not reach its end" + (f": {shard['reason']}" if shard["reason"] else ""))
    if is_own_end(end):
        return _short(name, end, shard.get("at_s"), load)
    word, _, rest = end.partition(": ")
    why = f"{WORDS.get(word, word)}" + (f" ({rest})" if rest else "")
    at_s = shard.get("at_s")
    when = "" if at_s is None else f" after {at_s:.1f} s"
    return Missing(word == ENGINE_DIED, f"{name} ended early{when}: {why}")


def is_own_end(reason: str) -> bool:
    """Whether a tail's reason is one of the load's own ends."""
    return reason.partition(": ")[0] in OWN_ENDS and not reason.startswith(OUR_FAULTS)


def _short(name: str, end: str, at_s: float | None, load: Mapping[str, Any]) -> Missing | None:
    """A closed load of a given time that says "done" has lasted that long; the others may run out of work before."""
    asked = load.get("duration_s")
    bounded = load.get("conversations") or load.get("search") or load.get("sweep") or load.get("kind") != "closed"
    if end != "done" or asked is None or at_s is None or bounded or at_s >= asked - LATE_S:
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
