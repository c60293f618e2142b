"""Checks whether the registered workers can run a run, before it is created and when it lacks slots."""

from __future__ import annotations

from collections.abc import Sequence

from runs import live_stream
from runs.lifecycle.transitions import RUN_BEFORE_START
from runs.models import Run, ShardStatus
from runs.workers import registry
from runs.workers.placement import Lack, lacks

ADVICE = "start load workers there, or use fewer processes"


def shortage(regions: Sequence[str]) -> str:
    """Why a run with one shard per entry of `regions` (empty: anywhere) can never start on the live workers; empty: it
    can, or it is unknown. Having no worker is not a reason, because a farm that is starting has none yet."""
    workers = known_workers()
    short = [lack for lack in lacks(regions, workers) if lack.missing > 0]
    if not workers or not short:
        return ""
    known = sorted({worker.region for worker in workers if worker.region})
    absent = [lack.region for lack in short if lack.region and not lack.slots]
    hint = f" (regions with workers: {', '.join(known) or 'none'})" if absent else ""
    return f"{'; '.join(map(str, short))}{hint}: {ADVICE}"


def what_lacks(regions: Sequence[str]) -> str:
    """Which part of the farm is missing for unclaimed shards (one entry each; empty: anywhere), and what to do; empty:
    none that is known."""
    if not live_stream.reachable():
        return "the broker does not answer: start it, or check that REDIS_URL is the same on every machine"
    workers = known_workers()
    if not workers:
        return "no load worker is running: start one"
    short = [lack for lack in lacks(regions, workers) if lack.needed > lack.slots - lack.busy]
    if short:
        return f"{'; '.join(map(_in_use, short))}: start a load worker or use fewer processes"
    if silence := registry.scheduler_silence():
        return f"load workers have free slots, and the scheduler {silence}: start beat and a control worker"
    if droppers := ", ".join(worker.name for worker in workers if worker.dropped):
        return f"{droppers} dropped messages: set the same TOKENBURN_SECRET_KEY on all machines, and see the log there"
    return ""


def shown_reason(run: Run) -> str:
    """Why the run ended that way, or what it waits for, if a part of the farm is missing."""
    if run.reason or run.local or run.status not in RUN_BEFORE_START:
        return run.reason
    queued = list(run.shards.filter(status=ShardStatus.QUEUED).values_list("region", flat=True))
    return what_lacks(queued) if queued else ""


def _in_use(lack: Lack) -> str:
    where = f" of region {lack.region}" if lack.region else ""
    if not lack.slots:
        return f"no load worker{where} is running"
    slots = "1 slot" if lack.needed == 1 else f"{lack.needed} slots"
    return f"{slots}{where} needed, {lack.busy} of {lack.slots} there in use"


def known_workers() -> list[registry.Worker]:
    """Workers with slots; empty while the broker is unavailable, or before the first heartbeat."""
    if not live_stream.reachable():
        return []
    return [worker for worker in registry.load_workers() or [] if worker.slots]
