"""How long the supervisor has been silent, as an engine may judge it that itself may have stood still."""

from __future__ import annotations

from typing import Final

LOOK_S: Final = 1.0
SILENCE_S: Final = 20.0
"""A supervisor that is dead closes the pipe, which ends the engine at once. This is for one that is paused or hangs: no
longer than until another may take its shard (`runs.leases`: LEASE_S + SUSPECT_S after the last renewal)."""
PAUSE_S: Final = 3.0
"""A look that comes so much too late means that this process did not run: the silence meanwhile says nothing."""


class Silence:
    """Ask it about every LOOK_S; times are of one monotonic clock."""

    def __init__(self, now_ns: int) -> None:
        self._looked_ns = self._since_ns = now_ns

    def seconds(self, now_ns: int, heard_ns: int) -> float:
        """Since the supervisor was last heard, or since this process runs again after a pause."""
        if (now_ns - self._looked_ns) / 1e9 > LOOK_S + PAUSE_S:
            self._since_ns = now_ns
        self._looked_ns = now_ns
        return (now_ns - max(heard_ns, self._since_ns)) / 1e9
