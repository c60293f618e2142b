"""How a shard ended, from its engine's last words: in the ledger, to the supervisor, or in its exit code. Pure."""

from __future__ import annotations

from typing import NamedTuple

from runs.engine.silence import SILENCE_S
from runs.engine_process import Exited, Fatal
from runs.ingest import ENGINE_DIED, Tail
from runs.models import ShardStatus
from runs.outcome import BUDGET, aborts


class Gone(NamedTuple):
    """What is known of an engine that is no more. `words`: the end of its stderr, on one line."""

    fatal: Fatal | None
    exited: Exited | None
    words: str

    def why(self, when: str) -> str:
        """The reason of a shard whose engine should not have gone. `when`: in words that end a sentence."""
        if self.fatal is not None:
            advice = f": {self.fatal.advice}" if self.fatal.advice else ""
            return f"{self.fatal.code}: {self.fatal.message}{advice}"
        code = self.exited.returncode if self.exited else None
        how = f"was killed by signal {-code}" if code is not None and code < 0 else f"exited with code {code}"
        return f"its engine {how} {when}" + (f": {self.words}" if self.words else "")


def shard_ending(tail: Tail | None, gone: Gone, *, run_stops: bool) -> tuple[ShardStatus, str]:
    """The shard's final status and its reason. `tail` is the ledger's last line, None if the engine wrote none;
    `run_stops`: the whole run was being stopped."""
    if tail is None:
        return ShardStatus.FAILED, gone.why("before its first request")
    if (end := _own_ending(tail, run_stops)) is not None:
        return end
    word, _, text = tail.reason.partition(": ")
    if word == ENGINE_DIED:
        return ShardStatus.LOST, gone.why("in the middle")
    if word == "supervisor_silent":
        text = f"its supervisor was paused, or hung, for {SILENCE_S:.0f} s or more"
    return ShardStatus.FAILED, f"its engine stopped by itself: {text or word}"


def orphan_ending(tail: Tail | None, why: str, *, run_stops: bool) -> tuple[ShardStatus, str]:
    """The same for a shard whose supervisor is gone. `why`: what is known of that, in words that begin a sentence. An
    engine that had come to its own end has nothing to do with it."""
    if tail is None:
        return ShardStatus.LOST, f"{why} before the first request"
    if (end := _own_ending(tail, run_stops)) is not None:
        return end
    if tail.reason == ENGINE_DIED:
        return ShardStatus.LOST, f"{why}; its engine died too: what was in flight is counted as unknown"
    return ShardStatus.LOST, f"{why}; the engine stopped by itself ({tail.reason}), everything it did is stored"


def _own_ending(tail: Tail, run_stops: bool) -> tuple[ShardStatus, str] | None:
    """Of an engine whose load ended in one of its own ways."""
    word, _, text = tail.reason.partition(": ")
    if word == "done":
        return ShardStatus.DONE, ""
    if word == "aborted":
        return ShardStatus.ABORTED, text
    if word == BUDGET:
        return ShardStatus.ABORTED if aborts(tail.reason) else ShardStatus.STOPPED, tail.reason
    if word == "stopped" and run_stops:
        return ShardStatus.STOPPED, text
    return None
