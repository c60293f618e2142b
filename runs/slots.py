"""What the farm has to carry a run, by its list of workers: asked before a run is made, and when it found too few."""

from __future__ import annotations

from collections.abc import Sequence

from runs import live, registry
from runs.placement import Lack, lacks

ADVICE = "start load workers there, or use fewer processes"


def shortage(regions: Sequence[str]) -> str:
    """Why a run with one shard for each entry of `regions` (empty: anywhere) can never start on the workers that live
    now; empty: it can, or nobody knows. No worker at all is no reason: a farm that has just begun has none yet."""
    workers = known_workers()
    short = [lack for lack in lacks(regions, workers) if lack.missing > 0]
    if not workers or not short:
        return ""
    known = sorted({worker.region for worker in workers if worker.region})
    absent = [lack.region for lack in short if lack.region and not lack.slots]
    hint = f" (regions with workers: {', '.join(known) or 'none'})" if absent else ""
    return f"{'; '.join(map(str, short))}{hint}: {ADVICE}"


def what_there_is(regions: Sequence[str]) -> str:
    """For shards that nobody took: the slots that are missing, such as "1 slot missing in region eu, 2 of 2 there in
    use"; empty: nobody knows."""
    workers = known_workers()
    return "; ".join(map(_in_use, lacks(regions, workers))) if workers else ""


def _in_use(lack: Lack) -> str:
    slots = "1 slot" if lack.needed == 1 else f"{lack.needed} slots"
    where = f" in region {lack.region}" if lack.region else ""
    return f"{slots} missing{where}, {lack.busy} of {lack.slots} there in use"


def known_workers() -> list[registry.Worker]:
    """Those with slots; empty where the broker is away, or before the first has spoken up."""
    if not live.reachable():
        return []
    return [worker for worker in registry.load_workers() or [] if worker.slots]
