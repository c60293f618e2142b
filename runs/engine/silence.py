"""How long the supervisor has been silent, excluding time in which the engine itself was suspended."""

from __future__ import annotations

from typing import Final

LOOK_S: Final = 1.0
SILENCE_S: Final = 20.0
"""A dead supervisor closes the pipe, which ends the engine immediately. This limit is for one that is paused or hangs:
it ends before another may take the shard (`runs.workers.leases`: LEASE_S + SUSPECT_S after the last renewal)."""
PAUSE_S: Final = 3.0
"""If a check is this late, this process itself did not run: the silence in between does not count."""


class Silence:
    """Call it about every LOOK_S; all times are of one monotonic clock."""

    def __init__(self, now_ns: int) -> None:
        self._looked_ns = self._since_ns = now_ns

    def seconds(self, now_ns: int, heard_ns: int) -> float:
        """Time since the supervisor last sent something, or since this process resumed after a pause."""
        if (now_ns - self._looked_ns) / 1e9 > LOOK_S + PAUSE_S:
            self._since_ns = now_ns
        self._looked_ns = now_ns
        return (now_ns - max(heard_ns, self._since_ns)) / 1e9
