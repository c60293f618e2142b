"""Decides how a run ended from the ends of its shards and the outcomes of its turns. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from metrics.end_codes import BUDGET_ENDS, TARGET_ENDS, EndCode, ceiling_of, end_code_of
from metrics.number_format import counted
from metrics.report.advice import advice
from runs.models import RunStatus, ShardStatus

WORST_FIRST = (ShardStatus.LOST, ShardStatus.FAILED, ShardStatus.ABORTED)
UNENDED = {
    "stopped": "still waited for an answer when the run ended",
    "user_left": "had no answer before their users gave up",
    "user_resent": "had no answer before their users sent them again",
}
"""Texts by code, for turns that ended without an answer and without an error."""


class ShardEnd(NamedTuple):
    """`complete`: its whole ledger is stored, so nothing is left to do."""

    number: int
    status: str
    code: str
    reason: str
    complete: bool = True


class Ending(NamedTuple):
    status: RunStatus
    code: str
    reason: str


def run_code(code: str, reason: str, *, stop_requested: bool) -> str:
    """Why a run that is about to end was stopped, or could not start; empty: neither. `code` and `reason` are the
    run's: an earlier version wrote no code."""
    unsaid = EndCode.STOPPED if stop_requested else EndCode.NOT_STARTED if reason else ""
    return end_code_of(code, reason) or unsaid


def ending(
    shards: Sequence[ShardEnd],
    *,
    stop_requested: bool,
    run_code: str,
    run_reason: str,
    turns_ok: int,
    errors: Mapping[str, int],
    example: str = "",
) -> Ending:
    """The run's final status, how it ended, and the reason for people.

    `run_code` and `run_reason` are what the run already says (why it was stopped, or could not start); `errors` counts
    turns by code, `example` is the text of one turn with the most frequent code.
    """
    if ended := _worst(shards):
        final = RunStatus.ABORTED if ended[0].status == ShardStatus.ABORTED else RunStatus.FAILED
        if run_code and (not stop_requested or (final == RunStatus.ABORTED and run_code in TARGET_ENDS)):
            return Ending(final, run_code, run_reason)
        return Ending(final, _shown(ended).code, worst_words(shards))
    if stop_requested:
        return Ending(RunStatus.ABORTED if run_code in TARGET_ENDS else RunStatus.STOPPED, run_code, run_reason)
    if run_code:  # it ended before its start, and every supervisor had time to stop cleanly
        return Ending(RunStatus.FAILED, run_code, run_reason)
    spent = [shard.code for shard in shards if shard.code in BUDGET_ENDS]
    if turns_ok == 0:
        return _nothing_counted(spent[0]) if spent and not errors else _not_one_ok(errors, example)
    if spent:
        return _out_of_budget(spent, len(shards))
    return Ending(RunStatus.COMPLETED, EndCode.DONE, "")


def worst_words(shards: Sequence[ShardEnd]) -> str:
    """The run's reason from the shards that ended worst, preferring one that needs attention. Empty: all ended well."""
    ended = _worst(shards)
    if not ended:
        return ""
    shown = _shown(ended)
    what = shown.reason or shown.status
    if len(shards) == 1:
        return what
    others = f" (and {len(ended) - 1} more like it)" if len(ended) > 1 else ""
    return f"shard {shown.number + 1} of {len(shards)} {shown.status}: {what}{others}"


def _worst(shards: Sequence[ShardEnd]) -> list[ShardEnd]:
    found = ([shard for shard in shards if shard.status == status] for status in WORST_FIRST)
    return next(filter(None, found), [])


def _shown(ended: Sequence[ShardEnd]) -> ShardEnd:
    """The worst end of a shard, preferably one that needs attention."""
    return min(ended, key=lambda shard: shard.complete)


def _out_of_budget(spent: Sequence[str], of: int) -> Ending:
    """The limit of the budget that most engines reached."""
    ((code, _),) = Counter(spent).most_common(1)
    how = "the limit is reached"
    if len(spent) < of:
        how = f"{len(spent)} of {of} engines used up their share, the others continued to the end"
    return Ending(RunStatus.STOPPED, code, f"budget: {ceiling_of(code)}: {how}")


def _nothing_counted(code: str) -> Ending:
    how = "it was used up before a turn counted: raise it, or shorten the warm-up"
    return Ending(RunStatus.FAILED, code, f"budget: {ceiling_of(code)}: {how}")


def _not_one_ok(errors: Mapping[str, int], example: str) -> Ending:
    if not errors:
        why = "no turn was sent: the load ended before its first message"
        return Ending(RunStatus.FAILED, EndCode.NO_TURN_SENT, why)
    code, count = max(errors.items(), key=lambda item: (item[1], item[0]))  # the most frequent
    total = sum(errors.values())
    if code in UNENDED:
        why = f"no turn succeeded: {count} of {counted(total, 'turn')} {UNENDED[code]}"
        return Ending(RunStatus.FAILED, EndCode.NO_TURN_SUCCEEDED, why)
    text = f": {example}" if example else ""
    why = f"no turn succeeded; {code}, {count} of {counted(total, 'failure')}{text}"
    if code == EndCode.ADDRESS_BLOCKED:  # what to do about it is not to be seen in the target
        return Ending(RunStatus.FAILED, EndCode.ADDRESS_BLOCKED, f"{why}; {advice(code)}")
    return Ending(RunStatus.FAILED, EndCode.NO_TURN_SUCCEEDED, why)
