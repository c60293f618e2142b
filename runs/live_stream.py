"""The live stream of a run: ticks, log lines and status changes in one Redis stream.

Pages read from the last id that they saw, so that opening late shows the same as staying. The stream is a view: the
database holds the truth, and a run goes on without Redis. A publisher therefore never waits longer than TIMEOUT_S,
and leaves Redis alone for a while after it failed.

A change of status is an entry too, which makes a page look at the database. Pages therefore need no channel layer:
its groups would say the same once more, and forget what a page missed.
"""

from __future__ import annotations

import logging
import re
import time
from functools import cache
from typing import Any, Final, Literal, NamedTuple, NotRequired, TypedDict, cast, get_args

import orjson
import redis
import redis.asyncio

from metrics.analysis.threshold_status import ThresholdStatus
from metrics.report_schema import CeilingName, Used
from runs.backoff import Backoff
from runs.broker_keys import broker_key
from runs.redis_client import redis_client

logger = logging.getLogger(__name__)
TIMEOUT_S = 0.5
BACKOFF = Backoff(2.0, 30.0)
MAXLEN = 5000
KEEP_S = 7 * 86400
TEXT_LIMIT = 300
# Control characters, line and paragraph separators, direction overrides, lone surrogates: none may reach a page or
# a terminal, both of which show what a hostile target answered.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]+")


class Quantiles(TypedDict):
    p50: float | None
    p95: float | None
    p99: float | None
    mean: float | None
    count: int


class GroupsSoFar(TypedDict):
    """The first groups by number (see `runs.load.groups`) that have turns. A row: number, turns, share of failed turns,
    p95 of ttft and e2e in ms."""

    rows: list[tuple[int, int, float | None, float | None, float | None]]
    more: int
    """Number of groups with turns that have no row here: a stream has thousands of ticks."""


class Tick(TypedDict):
    """The whole run so far, `at_s` seconds after its start; times in `metrics` are ms. See `runs.supervisor.ticks`."""

    at_s: float
    counters: dict[str, int]
    rates: dict[str, float | None]
    complete: NotRequired[dict[str, int]]
    """{at_s, ok, failed}: turns of the first `at_s` seconds, all of which every engine stored: `rates` are theirs."""
    metrics: dict[str, Quantiles]
    active: int
    inflight: int
    overdue: NotRequired[int]
    """Turns in flight that wait for longer than the run's own answers explain."""
    budget: NotRequired[dict[CeilingName, Used]]
    """{ceiling, used} of each ceiling of the run; see `metrics.analysis.spending`."""
    doing: NotRequired[str]
    """For a run with a search or sweep: what it does, as text."""
    thresholds: NotRequired[list[ThresholdStatus]]
    """State of each threshold; see `metrics.analysis.threshold_status`."""
    groups: NotRequired[GroupsSoFar]
    """In a run with several groups."""


class Line(TypedDict):
    """One finished turn, as a log shows it."""

    at_ms: float
    session: int
    turn: int
    outcome: str
    code: str | None
    e2e_ms: float | None
    message: str
    answer: str


class Lines(TypedDict):
    """A sample of the turns since the last entry; `held_back` counts those that are stored but not shown."""

    items: list[Line]
    held_back: int


class Status(TypedDict):
    status: str
    reason: str


class LoadChange(TypedDict):
    """From `at_s` since the common start on, the level is `level`: users, conversations per second, or speed."""

    at_s: float
    level: float
    by: str


Kind = Literal["tick", "lines", "status", "load"]
KINDS: Final = frozenset(get_args(Kind))
Payload = Tick | Lines | Status | LoadChange


class Entry(NamedTuple):
    id: str
    kind: Kind
    data: Payload


def stream_key(run_id: int) -> str:
    """Raises redis.RedisError, see `runs.broker_keys`."""
    return broker_key(f"run:{run_id}")


def safe_text(text: str | None, limit: int = TEXT_LIMIT) -> str:
    """`text` on one line, without control characters, at most `limit` characters."""
    if not text:
        return ""
    clean = _UNSAFE.sub(" ", text[: limit + 1])
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"


class _Publisher:
    """Makes no attempt to reach Redis for a while after each failure."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._quiet_until = 0.0
        self._failures = 0

    def publish(self, run_id: int, entries: list[tuple[Kind, Payload]]) -> bool:
        if time.monotonic() < self._quiet_until:
            return False
        try:
            self._append(stream_key(run_id), entries)
        except (redis.RedisError, OSError) as exc:
            self._failures += 1
            pause_s = BACKOFF.pause_s(self._failures)
            logger.info("live_unavailable: next try in %.0f s: %s", pause_s, exc)
            self._quiet_until = time.monotonic() + pause_s
            return False
        self._failures = 0
        return True

    def _append(self, key: str, entries: list[tuple[Kind, Payload]]) -> None:
        pipe = self._client.pipeline(transaction=False)
        for kind, data in entries:
            pipe.xadd(key, {"t": kind, "d": orjson.dumps(data)}, maxlen=MAXLEN, approximate=True)
        pipe.expire(key, KEEP_S)
        pipe.execute()


@cache
def _publisher(client: redis.Redis) -> _Publisher:
    return _Publisher(client)


def publish(run_id: int, entries: list[tuple[Kind, Payload]]) -> bool:
    """Append entries. Returns False if Redis is not reachable; the run continues."""
    return _publisher(redis_client(TIMEOUT_S)).publish(run_id, entries)


def publish_status(run_id: int, status: str, reason: str) -> bool:
    """Append a status change."""
    return publish(run_id, [("status", {"status": status, "reason": safe_text(reason)})])


def reachable() -> bool:
    """Whether Redis answers within TIMEOUT_S."""
    try:
        return bool(redis_client(TIMEOUT_S).ping())
    except (redis.RedisError, OSError):
        return False


def read_since(run_id: int, last_id: str = "0", count: int = 500) -> list[Entry]:
    """Entries after `last_id`, oldest first, at most `count`. Raises redis.RedisError if Redis is away."""
    found = redis_client(TIMEOUT_S).xrange(stream_key(run_id), min=f"({last_id}", count=count)
    return [_entry(item) for item in cast("list[Any]", found)]


async def read_since_async(
    client: redis.asyncio.Redis, key: str, last_id: str = "0", count: int = 500, block_ms: int = 1000
) -> list[Entry]:
    """The same of the stream `key`, for a consumer with its own client; waits up to `block_ms` for something new."""
    found = await client.xread({key: last_id}, count=count, block=block_ms)
    return [_entry(item) for _, items in cast("list[Any]", found or []) for item in items]


def _entry(item: tuple[bytes | str, dict[bytes, bytes]]) -> Entry:
    """One that is not ours says nothing, but whoever reads on needs its id."""
    entry_id, fields = item
    text = entry_id if isinstance(entry_id, str) else entry_id.decode()
    try:
        kind, data = fields[b"t"].decode(), orjson.loads(fields[b"d"])
    except (LookupError, ValueError):
        kind, data = "", None
    if kind not in KINDS or not isinstance(data, dict):
        return Entry(text, "lines", {"items": [], "held_back": 0})
    return Entry(text, cast("Kind", kind), cast("Payload", data))
