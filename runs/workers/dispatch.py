"""Sends nudges: Celery messages that say "look at this shard". The database holds the truth, so they may be lost or
repeated.

The first nudge goes to the worker that has most room (`runs.workers.placement`); one that nobody followed within
AGAIN_AFTER_S is sent again to whoever is free in the shard's region.
"""

from __future__ import annotations

import logging
from typing import Any, NamedTuple

from celery import current_app
from django.db.models import Q, QuerySet
from kombu import Exchange, Queue
from kombu.exceptions import OperationalError

from runs import live_stream
from runs.db_clock import DbNow, ahead
from runs.models import RunStatus, Shard, ShardStatus
from runs.workers import registry
from runs.workers.placement import place

logger = logging.getLogger(__name__)
EXECUTE_SHARD = "runs.tasks.execute_shard"
LOAD_QUEUE = registry.LOAD_QUEUE
AGAIN_AFTER_S = 10.0
"""A queued shard whose nudge is older than this gets another."""


class _Waiting(NamedTuple):
    shard_id: int
    region: str
    was_sent: bool


def nudge(run_id: int | None = None) -> int:
    """Send a nudge for each queued shard (of one run, or of all) without a recent one. Returns their number. An
    unreachable broker is logged, not raised: the reaper tries again, and the run's `ready_by` ends it."""
    queued = _queued()
    due = Q(dispatched_at__isnull=True) | Q(dispatched_at__lt=DbNow(-AGAIN_AFTER_S)) | ahead("dispatched_at", 0.0)
    mine = queued.filter(due) if run_id is None else queued.filter(due, run_id=run_id)
    waiting = [
        _Waiting(pk, region, at is not None)
        for pk, region, at in mine.order_by("pk").values_list("pk", "region", "dispatched_at")
    ]
    if not waiting:
        return 0
    places = _places([shard for shard in waiting if not shard.was_sent])
    sent = 0
    for shard in waiting:
        moved = Shard.objects.filter(due, pk=shard.shard_id, status=ShardStatus.QUEUED).update(dispatched_at=DbNow())
        if moved and not _send(shard.shard_id, places.get(shard.shard_id) or registry.region_queue(shard.region)):
            break
        sent += moved
    return sent


def _queued() -> QuerySet[Shard]:
    """Without those of runs that wait for approval."""
    return Shard.objects.filter(status=ShardStatus.QUEUED, run__local=False).exclude(run__status=RunStatus.WAITING)


def _places(new: list[_Waiting]) -> dict[int, str]:
    """For shards that are sent for the first time: the queue of a worker with a free slot. Shards that were just sent
    and are not claimed yet count as using one."""
    if not new or not live_stream.reachable():
        return {}
    workers = registry.load_workers() or []
    waiting = _queued()
    lately = waiting.filter(dispatched_at__gt=DbNow(-AGAIN_AFTER_S)).exclude(ahead("dispatched_at", 0.0))
    regions = list(lately.order_by("dispatched_at", "pk").values_list("region", flat=True))
    found = place([*regions, *(shard.region for shard in new)], workers)[len(regions) :]
    return {
        shard.shard_id: registry.own_queue(worker.name)
        for shard, worker in zip(new, found, strict=True)
        if worker is not None
    }


def _send(shard_id: int, queue: str) -> bool:
    if not live_stream.reachable():  # the same Redis; the client below would retry for seconds, in a web request
        logger.warning("broker_unreachable: shard %s waits, the nudge is sent again later", shard_id)
        return False
    # A queue object, because a worker's own queue and that of another region are in no configuration here. Its exchange
    # is the nameless one, which leaves no binding behind.
    to: Any = Queue(queue, Exchange(""), routing_key=queue)
    try:
        current_app.send_task(EXECUTE_SHARD, args=[shard_id], queue=to, ignore_result=True, retry=False)
    except OperationalError as exc:
        logger.warning("broker_unreachable: shard %s waits, the nudge is sent again later: %s", shard_id, exc)
        return False
    if queue.startswith(registry.own_queue("")):
        registry.let_expire(queue)
    return True
