"""Chooses the shard for a free slot. A run gets all its slots or none, in order of age.

Two runs that each take a part of the slots and wait for the rest wait for each other. So a nudge names a shard, but its
slot takes one of the oldest run that waits; and a run begins only once all its shards have a slot. A run that needs
more slots than exist is passed over: it is in nobody's way. Without the list of workers (the broker is away) only the
order holds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import groupby, starmap
from typing import NamedTuple

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, OuterRef

from policy.panic import current
from runs import live_stream
from runs.db_clock import DbNow
from runs.lifecycle.transitions import RUN_BEFORE_START, SHARD_HELD, move_run
from runs.models import Run, RunStatus, Shard, ShardStatus
from runs.workers.availability import known_workers
from runs.workers.placement import fits
from runs.workers.registry import Worker

TURN_S = 60.0
"""Time for the oldest waiting run to find its slots, and then to get ready. Runs behind it have the same time once they
begin."""
LOCK = 0x746F6B62
"""PostgreSQL's advisory lock of admission; SQLite has one writer anyway."""


class _Waiting(NamedTuple):
    pk: int
    run_id: int
    run_status: str
    region: str


_Group = tuple[int, list[_Waiting]]
"""Free slots of one run, by its id."""


def next_shard(nudged: int) -> int | None:
    """The shard that this slot should claim after a nudge for `nudged`; None: none may begin yet, and it is nudged
    again when a slot is free."""
    if current() is not None:
        return None
    workers = known_workers()
    with transaction.atomic():
        _lock()
        chosen, begun = _choose(nudged, workers)
        if chosen is None:
            Shard.objects.filter(pk=nudged, status=ShardStatus.QUEUED).update(dispatched_at=None)
        if begun is not None:  # it needs time to get ready; the runs behind it only waited for their turn
            in_line = Run.objects.filter(pk__gte=begun, local=False, status__in=RUN_BEFORE_START)
            in_line.update(ready_by=DbNow(TURN_S))
    if begun is not None:
        live_stream.publish_status(begun, RunStatus.STARTING, "")
    return chosen


def stands_in_line(run: Run) -> bool:
    """Whether an older run waits for slots, so that this one could not start yet."""
    if run.local or run.status != RunStatus.QUEUED:
        return False
    queued = Shard.objects.filter(run=OuterRef("pk"), status=ShardStatus.QUEUED)
    older = Run.objects.filter(Exists(queued), pk__lt=run.pk, local=False, status__in=RUN_BEFORE_START)
    return older.exists()


def _choose(nudged: int, workers: list[Worker]) -> tuple[int | None, int | None]:
    """The shard, and the run that begins with it."""
    begun, waiting = _queued()
    for _, shards in begun:  # their slots are reserved
        if mine := _for_this_slot(shards):
            return (nudged if nudged in mine else mine[0]), None
    set_aside = [shard.region for _, shards in begun for shard in shards]
    held = Counter(Shard.objects.filter(status__in=SHARD_HELD, run__local=False).values_list("host", flat=True))
    for run_id, shards in waiting:
        if not (mine := _for_this_slot(shards)):
            continue
        regions = [shard.region for shard in shards]
        if not workers or fits([*set_aside, *regions], workers, held):
            begins = move_run(run_id, RunStatus.STARTING)
            return (nudged if nudged in mine else mine[0], run_id) if begins else (None, None)
        if fits(regions, workers, {}):
            return None, None  # it waits for free slots; younger runs do not take them
    return None, None


def _queued() -> tuple[list[_Group], list[_Group]]:
    """Runs with unclaimed shards, oldest first: those that have begun, and those that have not."""
    queued = Shard.objects.filter(status=ShardStatus.QUEUED, run__local=False, run__status__in=RUN_BEFORE_START)
    rows = queued.order_by("run_id", "index").values_list("pk", "run_id", "run__status", "region")
    groups = [(run_id, list(group)) for run_id, group in groupby(starmap(_Waiting, rows), key=lambda row: row.run_id)]
    begun = [group for group in groups if group[1][0].run_status == RunStatus.STARTING]
    return begun, [group for group in groups if group not in begun]


def _for_this_slot(shards: Sequence[_Waiting]) -> list[int]:
    return [shard.pk for shard in shards if shard.region in {"", settings.REGION}]


def _lock() -> None:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
