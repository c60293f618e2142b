"""The values that handshake steps have returned so far."""

from __future__ import annotations

import time
from typing import Any

NEVER_NS = float("inf")


class Progress:
    """Values that handshake steps have returned, with their expiry. One per conversation, and one per process.

    `saved` is replaced and never changed: others may go on with what it was while a step is done again.
    """

    def __init__(self) -> None:
        self.saved: dict[str, Any] = {}
        self.done = False
        self.round = 0
        self._until_ns: dict[str, float] = {}

    def due(self) -> bool:
        """Whether steps are to be done, or done again."""
        return not self.done or time.monotonic_ns() >= min(self._until_ns.values(), default=NEVER_NS)

    def holds(self, step: str) -> bool:
        """Whether the step was done and has not expired."""
        return time.monotonic_ns() < self._until_ns.get(step, 0)

    def store(self, step: str, asked_ns: int, saved: dict[str, Any], expires_s: float | None) -> None:
        """`asked_ns` (monotonic): when the step began; its values may be that old."""
        self.saved = {**self.saved, **saved}
        self._until_ns[step] = NEVER_NS if expires_s is None else asked_ns + expires_s * 1e9

    def forget(self) -> None:
        """All steps are to be done again."""
        self.done = False
        self._until_ns = {}
