"""Pauses after failures in a row: their one definition. Pure.

A call that is only repeated is tenacity's: `Retrying(wait=Backoff(..), ..)`. What has other work meanwhile (an engine's
plan, a supervisor's checks, the live stream, many ledgers or services) counts its failures itself and asks `pause_s`,
because a loop of tenacity's would hold it up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tenacity import RetryCallState  # engines need no tenacity

DOUBLINGS = 64
"""More are not worth computing, and 2.0 ** 1024 is an error."""


@dataclass(frozen=True)
class Backoff:
    """`first_s`, doubled with each further failure, at most `longest_s`."""

    first_s: float
    longest_s: float

    def pause_s(self, failures: int) -> float:
        """Seconds to wait after that many failures in a row, at least one."""
        return min(self.first_s * 2.0 ** min(failures - 1, DOUBLINGS), self.longest_s)

    def __call__(self, state: RetryCallState) -> float:
        """As tenacity asks."""
        return self.pause_s(state.attempt_number)
