"""Nudges: a Celery message says "look at this shard"; the database holds the truth, so it may be lost or doubled."""

from __future__ import annotations

import logging

from celery import current_app
from django.db.models import Q
from kombu.exceptions import OperationalError

from runs import live
from runs.dbclock import DbNow
from runs.models import Shard, ShardStatus

logger = logging.getLogger(__name__)
EXECUTE_SHARD = "runs.tasks.execute_shard"
LOAD_QUEUE = "load"
AGAIN_AFTER_S = 10.0
"""A queued shard whose nudge is older than this is nudged again."""


def nudge(run_id: int | None = None) -> int:
    """Send a nudge for each queued shard (of one run, or of all) that has had none lately; the number sent.

    A broker that cannot be reached is logged, not raised: the reaper tries again, and the run's `ready_by` ends it.
    """
    due = Q(dispatched_at__isnull=True) | Q(dispatched_at__lt=DbNow(-AGAIN_AFTER_S))
    shards = Shard.objects.filter(due, status=ShardStatus.QUEUED, run__local=False)
    if run_id is not None:
        shards = shards.filter(run_id=run_id)
    sent = 0
    for shard_id in shards.values_list("pk", flat=True):
        mine = Shard.objects.filter(due, pk=shard_id, status=ShardStatus.QUEUED).update(dispatched_at=DbNow())
        if mine and not _send(shard_id):
            break
        sent += mine
    return sent


def _send(shard_id: int) -> bool:
    if not live.reachable():  # the broker is the same Redis; the client below would retry for seconds, in a web request
        logger.warning("broker_unreachable: shard %s waits, the nudge is sent again later", shard_id)
        return False
    try:
        current_app.send_task(EXECUTE_SHARD, args=[shard_id], queue=LOAD_QUEUE, ignore_result=True, retry=False)
    except OperationalError as exc:
        logger.warning("broker_unreachable: shard %s waits, the nudge is sent again later: %s", shard_id, exc)
        return False
    return True
