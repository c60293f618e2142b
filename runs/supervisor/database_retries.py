"""What a supervisor does while the database is unavailable: the engine continues, and the supervisor tries again."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from django.db import connection
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_delay

from runs.backoff import Backoff
from runs.completion.ingest import LeaseLostError
from runs.db_clock import DATABASE_AWAY

logger = logging.getLogger(__name__)
BACKOFF = Backoff(1.0, 2.0)
INSIST_S = 600.0
"""For how long a supervisor tries to store the end of a shard; then the reaper does it."""


class DatabaseRetries:
    """Spaces the attempts, and knows how long the database has been unavailable."""

    def __init__(self) -> None:
        self._failures = 0
        self._away_since: float | None = None

    @property
    def away_s(self) -> float | None:
        """For how long the database has not answered; None: it answers."""
        return None if self._away_since is None else time.monotonic() - self._away_since

    def answered(self) -> None:
        self._failures, self._away_since = 0, None

    def failed(self) -> float:
        """The database did not answer. Returns the seconds until the next try."""
        connection.close()
        self._failures += 1
        self._away_since = self._away_since or time.monotonic()
        return BACKOFF.pause_s(self._failures)


def retry_until_stored(shard_id: int, work: Callable[[], None]) -> None:
    """Do `work`, the end of a shard, as soon as the database answers. Raises DATABASE_AWAY after INSIST_S."""

    def failed(state: RetryCallState) -> None:
        error = state.outcome and state.outcome.exception()
        logger.warning("database_away: the end of shard %s waits: %s", shard_id, error)
        connection.close()

    away, stop = retry_if_exception_type(DATABASE_AWAY), stop_after_delay(INSIST_S)
    try:
        Retrying(retry=away, wait=BACKOFF, stop=stop, after=failed, reraise=True)(work)
    except LeaseLostError:
        logger.exception("lease_lost: shard %s: another stores the rest", shard_id)
