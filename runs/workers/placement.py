"""Chooses a worker for each shard and checks for enough slots. Only a preference: whoever claims a shard has it. Pure.

A shard goes where the smallest part of the slots is in use, so that engines spread over hosts before they share one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from runs.workers.registry import Worker, own_queue


def place(regions: Sequence[str], workers: Iterable[Worker]) -> list[Worker | None]:
    """For each shard, given by its region (empty: anywhere), a worker with a free slot; None where there is none."""
    given: Counter[str] = Counter()
    open_to = [worker for worker in workers if worker.free and own_queue(worker.name) in worker.queues]
    found: list[Worker | None] = []
    for region in regions:
        able = [w for w in open_to if w.serves(region) and w.busy + given[w.name] < w.slots]
        chosen = min(able, key=lambda w: ((w.busy + given[w.name]) / w.slots, -w.slots, w.name), default=None)
        if chosen is not None:
            given[chosen.name] += 1
        found.append(chosen)
    return found


def fits(regions: Sequence[str], workers: Iterable[Worker], held: Mapping[str, int]) -> bool:
    """Whether one shard per entry of `regions` finds a free slot immediately. `held`: slots in use, by host, as the
    database knows them; a worker's own heartbeat may be seconds old."""
    used = Counter(held)
    free: dict[Worker, int] = {}
    for worker in workers:
        taken = min(worker.slots, used[worker.host])
        used[worker.host] -= taken
        free[worker] = worker.slots - taken
    for region in sorted(regions, reverse=True):  # those that may run anywhere come last
        able = [worker for worker, slots in free.items() if slots and worker.serves(region)]
        if not able:
            return False
        free[min(able, key=lambda worker: (worker.serves(""), -free[worker], worker.name))] -= 1
    return True


class Lack(NamedTuple):
    """Slots that a run needs in a region (empty: anywhere), and slots that exist."""

    region: str
    needed: int
    slots: int
    busy: int
    hosts: int

    @property
    def missing(self) -> int:
        return self.needed - self.slots

    def __str__(self) -> str:
        where = f" in region {self.region}" if self.region else ""
        have = f"{_many(self.slots, 'exists', 'exist')} on {_many(self.hosts, 'host', 'hosts')}"
        needs = f"needs {_many(self.needed, 'slot', 'slots')}{where}"
        return f"{needs}, {have if self.slots else 'none exists'}: {_many(self.missing, 'is', 'are')} missing"


def lacks(regions: Sequence[str], workers: Iterable[Worker]) -> list[Lack]:
    """Needed slots by region for `regions` (one entry per shard), whether or not they exist."""
    known = list(workers)
    found = []
    for region, needed in sorted(Counter(regions).items()):
        there = [worker for worker in known if worker.serves(region)]
        hosts = len({worker.host for worker in there})
        found.append(Lack(region, needed, sum(w.slots for w in there), sum(w.busy for w in there), hosts))
    return found


def _many(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"
