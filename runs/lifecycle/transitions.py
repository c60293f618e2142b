"""The table of allowed status changes, and the only writer of a status. Each change is one conditional UPDATE.

    Run:    queued -> starting -> running -> stopping -> finalizing -> completed | stopped | aborted | failed
            (before that: waiting, for somebody's approval)
    Shard:  queued -> claimed -> ready -> running -> done | stopped | aborted | failed | lost
            (claimed and ready may fall back to queued: nothing was sent; running never does)

A move that somebody else made first changes no row and returns False: that is an answer, not an error.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.db.models import Q

from runs.db_clock import DbNow
from runs.models import Run, RunStatus, Shard, ShardStatus

RUN_MOVES: Mapping[RunStatus, frozenset[RunStatus]] = {
    RunStatus.WAITING: frozenset({RunStatus.QUEUED, RunStatus.STOPPING, RunStatus.FINALIZING}),
    RunStatus.QUEUED: frozenset({RunStatus.STARTING, RunStatus.STOPPING, RunStatus.FINALIZING}),
    RunStatus.STARTING: frozenset({RunStatus.RUNNING, RunStatus.STOPPING, RunStatus.FINALIZING}),
    RunStatus.RUNNING: frozenset({RunStatus.STOPPING, RunStatus.FINALIZING}),
    RunStatus.STOPPING: frozenset({RunStatus.FINALIZING}),
    RunStatus.FINALIZING: frozenset({RunStatus.COMPLETED, RunStatus.STOPPED, RunStatus.ABORTED, RunStatus.FAILED}),
    RunStatus.COMPLETED: frozenset(),
    RunStatus.STOPPED: frozenset(),
    RunStatus.ABORTED: frozenset(),
    RunStatus.FAILED: frozenset(),
}
_ENDS = frozenset({ShardStatus.DONE, ShardStatus.STOPPED, ShardStatus.ABORTED, ShardStatus.FAILED, ShardStatus.LOST})
SHARD_MOVES: Mapping[ShardStatus, frozenset[ShardStatus]] = {
    ShardStatus.QUEUED: frozenset({ShardStatus.CLAIMED, ShardStatus.STOPPED, ShardStatus.FAILED}),
    ShardStatus.CLAIMED: frozenset({ShardStatus.READY, ShardStatus.QUEUED, ShardStatus.STOPPED, ShardStatus.FAILED}),
    ShardStatus.READY: frozenset({ShardStatus.RUNNING, ShardStatus.QUEUED, ShardStatus.STOPPED, ShardStatus.FAILED}),
    ShardStatus.RUNNING: _ENDS,
    **{end: frozenset() for end in sorted(_ENDS)},
}

RUN_TERMINAL = frozenset(status for status, onward in RUN_MOVES.items() if not onward)
RUN_ACTIVE = frozenset(RUN_MOVES) - RUN_TERMINAL
RUN_BEFORE_START = frozenset({RunStatus.QUEUED, RunStatus.STARTING})
RUN_STOPPABLE = frozenset(status for status, onward in RUN_MOVES.items() if RunStatus.STOPPING in onward)
SHARD_TERMINAL = frozenset(status for status, onward in SHARD_MOVES.items() if not onward)
SHARD_ACTIVE = frozenset(SHARD_MOVES) - SHARD_TERMINAL
SHARD_HELD = SHARD_ACTIVE - {ShardStatus.QUEUED}
"""The shard has a lease."""
SHARD_RESTARTABLE = frozenset(status for status, onward in SHARD_MOVES.items() if ShardStatus.QUEUED in onward)
"""It has a lease, and nothing was sent yet."""


def run_sources(to: RunStatus) -> frozenset[RunStatus]:
    """The statuses from which a run may move to `to`."""
    return frozenset(status for status, onward in RUN_MOVES.items() if to in onward)


def shard_sources(to: ShardStatus) -> frozenset[ShardStatus]:
    """The statuses from which a shard may move to `to`."""
    return frozenset(status for status, onward in SHARD_MOVES.items() if to in onward)


def move_run(run_id: int, to: RunStatus, guard: Q | None = None, **fields: Any) -> bool:
    """Move the run to `to` and set `fields`, if the table and `guard` allow; True if this call moved it."""
    if to in RUN_TERMINAL:
        # the run's copy of the secrets is no longer needed
        fields |= {"ended_at": DbNow(), "sealed_secrets": "", "credential": None, "secret_origins": None}
    found = Run.objects.filter(guard or Q(), pk=run_id, status__in=run_sources(to))
    return found.update(status=to, **fields) == 1


def move_shard(
    shard_id: int, to: ShardStatus, *, epoch: int | None = None, guard: Q | None = None, **fields: Any
) -> bool:
    """The same for a shard. `epoch`: only while that holder has it. True if this call moved it."""
    guard = (guard or Q()) & Q(pk=shard_id)
    if epoch is not None:
        guard &= Q(epoch=epoch)
    return move_shards(guard, to, **fields) == 1


def move_shards(guard: Q, to: ShardStatus, **fields: Any) -> int:
    """Move every shard that `guard` and the table allow; the number moved. A shard that ends gives up its lease."""
    if to in SHARD_TERMINAL:
        fields |= {"ended_at": DbNow(), "lease_until": None, "suspect_since": None}
    return Shard.objects.filter(guard, status__in=shard_sources(to)).update(status=to, **fields)


def run_ended(run_id: int) -> bool:
    """True if the run is terminal or gone."""
    return not Run.objects.filter(pk=run_id, status__in=RUN_ACTIVE).exists()


def statuses(values: Iterable[str]) -> str:
    """For messages: the statuses, sorted, with commas."""
    return ", ".join(sorted(str(value) for value in values))
