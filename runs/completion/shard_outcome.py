"""Decides how a shard ended, from its ledger, its engine's last message or its exit code. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from metrics.end_codes import ABORTED_ENDS, BUDGET_ENDS, STOPPED_ENDS, TARGET_ENDS, EndCode
from runs.completion.ingest import Tail
from runs.engine.silence import SILENCE_S
from runs.models import ShardStatus


class ShardEnding(NamedTuple):
    """The shard's final status, how it ended (`metrics.end_codes`), and the reason for people."""

    status: ShardStatus
    code: str
    reason: str


def shard_ending(tail: Tail | None, why: Callable[[str], str], *, run_stops: bool) -> ShardEnding:
    """`tail`: the ledger's last line, None if the engine wrote none. `why`: why the engine is gone, if it is.
    `run_stops`: the whole run was being stopped."""
    if tail is None:
        return ShardEnding(ShardStatus.FAILED, EndCode.NOT_STARTED, why("before its first request"))
    if (end := _own_ending(tail, run_stops)) is not None:
        return end
    if tail.end_code == EndCode.ENGINE_DIED:
        return ShardEnding(ShardStatus.LOST, tail.end_code, why("during the run"))
    text = tail.reason.removeprefix("stopped: ").removeprefix("lease_lost: ")
    if tail.end_code == EndCode.SUPERVISOR_SILENT:
        text = f"its supervisor was paused for {SILENCE_S:.0f} s or more"
    return ShardEnding(ShardStatus.FAILED, tail.end_code, f"its engine stopped by itself: {text}")


def orphan_ending(tail: Tail | None, code: EndCode, why: str, *, run_stops: bool) -> ShardEnding:
    """The same for a shard whose supervisor is gone. `code` and `why` say why; `why` begins a sentence. If the engine
    had already ended by itself, they do not matter."""
    if tail is None:
        return ShardEnding(ShardStatus.LOST, code, f"{why} before the first request")
    if (end := _own_ending(tail, run_stops)) is not None:
        return end
    if tail.end_code == EndCode.ENGINE_DIED:
        text = f"{why}; its engine died too: what was in flight is counted as unknown"
    else:
        text = f"{why}; the engine stopped by itself ({tail.reason}), and everything is stored"
    return ShardEnding(ShardStatus.LOST, tail.end_code, text)


def _own_ending(tail: Tail, run_stops: bool) -> ShardEnding | None:
    """For an engine whose load ended regularly."""
    code = tail.end_code
    if code == EndCode.DONE:
        return ShardEnding(ShardStatus.DONE, code, "")
    if code in ABORTED_ENDS:
        return ShardEnding(ShardStatus.ABORTED, code, tail.reason.removeprefix("aborted: "))
    if code in BUDGET_ENDS:
        return ShardEnding(ShardStatus.ABORTED if code in TARGET_ENDS else ShardStatus.STOPPED, code, tail.reason)
    if code in STOPPED_ENDS and run_stops:
        return ShardEnding(ShardStatus.STOPPED, code, tail.reason.removeprefix("stopped: "))
    return None
