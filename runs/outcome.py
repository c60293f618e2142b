"""How a run ended, from how its shards ended and what its turns came to. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from metrics.words import counted
from runs.engine.waiting import TARGET_ENDS
from runs.models import RunStatus, ShardStatus

WORST_FIRST = (ShardStatus.LOST, ShardStatus.FAILED, ShardStatus.ABORTED)
BUDGET = "budget"
"""The first word of the reason of what was ended by its budget; the ceiling follows: `budget: tokens: ...`."""
THRESHOLD = "threshold"
"""The first word of the reason of what was ended because a threshold was missed."""
ABORTING = TARGET_ENDS
"""Beginnings of reasons with which a run that was stopped is not `stopped` but `aborted`."""


def aborts(reason: str) -> bool:
    """Whether a run that was stopped for this reason was aborted: by what its target did, not by a person."""
    return reason.startswith(ABORTING)


UNENDED = {
    "stopped": "still waited for an answer when the run ended",
    "user_left": "had no answer before their users gave up",
    "user_resent": "had no answer before their users sent them again",
}
"""What became of turns that ended without an answer and without an error, by code."""


class ShardEnd(NamedTuple):
    """`complete`: all that its ledger holds is stored, so that nobody needs to do anything about it."""

    number: int
    status: str
    reason: str
    complete: bool = True


class Ending(NamedTuple):
    status: RunStatus
    reason: str


def ending(
    shards: Sequence[ShardEnd],
    *,
    stop_requested: bool,
    run_reason: str,
    turns_ok: int,
    errors: Mapping[str, int],
    example: str = "",
) -> Ending:
    """The run's final status and its reason.

    `run_reason` is what the run already says (why it was stopped, or could not start); `errors` counts turns by
    code, `example` is the text of one turn with the most frequent code.
    """
    if ended := _worst(shards):
        final = RunStatus.ABORTED if ended[0].status == ShardStatus.ABORTED else RunStatus.FAILED
        known = run_reason and (not stop_requested or (final == RunStatus.ABORTED and aborts(run_reason)))
        return Ending(final, run_reason if known else worst_words(shards))
    if stop_requested:
        return Ending(RunStatus.ABORTED if aborts(run_reason) else RunStatus.STOPPED, run_reason)
    if run_reason:  # it was ended before its start, and every supervisor had time to stop cleanly
        return Ending(RunStatus.FAILED, run_reason)
    spent = [shard.reason for shard in shards if shard.reason.startswith(f"{BUDGET}: ")]
    if turns_ok == 0:
        why = _nothing_counted(spent) if spent and not errors else _not_one_ok(errors, example)
        return Ending(RunStatus.FAILED, why)
    if spent:
        return Ending(RunStatus.STOPPED, _out_of_budget(spent, len(shards)))
    return Ending(RunStatus.COMPLETED, "")


def worst_words(shards: Sequence[ShardEnd]) -> str:
    """What the reason of their run says of those that ended worst: one that somebody has to see to, if there is any.
    Empty: all ended well."""
    ended = _worst(shards)
    if not ended:
        return ""
    shown = min(ended, key=lambda shard: shard.complete)
    what = shown.reason or shown.status
    if len(shards) == 1:
        return what
    others = f" (and {len(ended) - 1} more like it)" if len(ended) > 1 else ""
    return f"shard {shown.number + 1} of {len(shards)} {shown.status}: {what}{others}"


def _worst(shards: Sequence[ShardEnd]) -> list[ShardEnd]:
    found = ([shard for shard in shards if shard.status == status] for status in WORST_FIRST)
    return next(filter(None, found), [])


def _out_of_budget(spent: Sequence[str], of: int) -> str:
    """`budget: tokens: ...`: what most of the engines ran out of."""
    ((what, _),) = Counter(map(_ceiling, spent)).most_common(1)
    if len(spent) == of:
        return f"{BUDGET}: {what}: the ceiling is reached"
    return f"{BUDGET}: {what}: {len(spent)} of {of} engines used up their share, the others went on to the end"


def _ceiling(reason: str) -> str:
    return reason.split(": ")[1]


def _nothing_counted(spent: Sequence[str]) -> str:
    return f"{BUDGET}: {_ceiling(spent[0])}: it was used up before a turn counted: raise it, or shorten the warm-up"


def _not_one_ok(errors: Mapping[str, int], example: str) -> str:
    if not errors:
        return "no turn was sent: the load ended before its first message"
    code, count = max(errors.items(), key=lambda item: (item[1], item[0]))
    total = counted(sum(errors.values()), "turn")
    if code in UNENDED:
        return f"not one turn succeeded: {count} of {total} {UNENDED[code]}"
    text = f": {example}" if example else ""
    return f"not one turn succeeded; {code}, {count} of {counted(sum(errors.values()), 'failure')}{text}"
