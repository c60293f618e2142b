"""Who works on this farm: each worker writes a key that expires, from the loop that also fetches its tasks.

Celery's remote control can go deaf while a worker works, and asking it costs a full timeout; a key costs a look-up.
The list is a view and may be seconds old. What a shard's holder is stands in the database.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

import orjson
import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

PREFIX = "tokenburn:worker:"
EXPIRES_S = 12  # Celery's heartbeat comes every 2 s
AHEAD_S = 1.0
"""A key that lives so much longer than it was given was written before the broker's clock was put back."""
PASS_PREFIX = "tokenburn:pass:"  # noqa: S105  a prefix of keys
PASSES = ("reap", "start_due", "deliver")
"""Periodic tasks without which runs, schedules and webhooks stand still."""
PASS_KEPT_S = 86_400
SCHEDULER_LATE_S = 60.0
"""Its tasks come every 5 s; one that works long (a pass of webhooks may take 20 s) is not late yet."""
TIMEOUT_S = 1.0
LOAD_QUEUE = "load"
OWN_QUEUE_KEPT_S = 600
"""How long messages wait for a worker of which nothing is heard any more: its name may never come back."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Worker:
    """What a worker says of itself. `busy`: slots that hold a shard. `clock_offset_ms`: how far its host's wall clock
    is ahead of the database's; None where it has not been measured."""

    name: str
    queues: tuple[str, ...] = ()
    host: str = ""
    region: str = ""
    slots: int = 0
    busy: int = 0
    version: str = ""
    pid: int = 0
    cpus: int = 0
    load1: float = 0.0
    up_s: float = 0.0
    clock_offset_ms: float | None = None

    @property
    def carries_load(self) -> bool:
        return any(queue.partition(".")[0] == LOAD_QUEUE for queue in self.queues)

    def serves(self, region: str) -> bool:
        """Whether it takes shards of that region (empty: those that may run anywhere)."""
        return region_queue(region) in self.queues

    @property
    def free(self) -> int:
        return max(0, self.slots - self.busy)


def region_queue(region: str) -> str:
    """The queue of shards that must run in `region`; of those that may run anywhere, if it is empty."""
    return f"{LOAD_QUEUE}.{region}" if region else LOAD_QUEUE


def own_queue(name: str) -> str:
    """The queue that only the worker of this name reads."""
    return f"worker.{name}"


@cache
def _client(url: str) -> redis.Redis:
    return redis.Redis.from_url(
        url,
        socket_timeout=TIMEOUT_S,
        socket_connect_timeout=TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),
        decode_responses=True,
    )


def beat(worker: Worker) -> None:
    """Say that `worker` lives. A broker that is away is logged, never raised."""
    said = {name: value for name, value in asdict(worker).items() if name != "name"}
    try:
        _client(settings.REDIS_URL).set(f"{PREFIX}{worker.name}", orjson.dumps(said), ex=EXPIRES_S)
    except (redis.RedisError, OSError) as exc:
        logger.warning("heartbeat of %s not written: %s", worker.name, exc)


def forget(name: str) -> None:
    """The worker ends in good order; what waits for it alone is sent elsewhere by the reaper."""
    try:
        _client(settings.REDIS_URL).delete(f"{PREFIX}{name}", own_queue(name))
    except (redis.RedisError, OSError) as exc:
        logger.warning("heartbeat of %s not removed: %s", name, exc)


def let_expire(queue: str) -> None:
    """A worker's own queue, after something was put into it."""
    try:
        _client(settings.REDIS_URL).expire(queue, OWN_QUEUE_KEPT_S)
    except (redis.RedisError, OSError) as exc:
        logger.info("queue %s does not expire: %s", queue, exc)


def waiting(queue: str) -> int:
    """How many messages wait there; 0 if the broker is away."""
    try:
        return int(_client(settings.REDIS_URL).llen(queue))
    except (redis.RedisError, OSError):
        return 0


def workers() -> list[Worker]:
    """Those that gave a sign of life within EXPIRES_S, by name. Raises redis.RedisError if the broker is away."""
    client = _client(settings.REDIS_URL)
    keys: list[str] = sorted(client.scan_iter(match=f"{PREFIX}*", count=1000))
    values: list[Any] = client.mget(keys) if keys else []
    ends = _ends(client, keys)
    return [
        _worker(key.removeprefix(PREFIX), value)
        for key, value, end_s in zip(keys, values, ends, strict=True)
        if value is not None  # expired in between
        and end_s <= EXPIRES_S + AHEAD_S
    ]


def _ends(client: redis.Redis, keys: list[str]) -> list[float]:
    """In how many seconds each key expires. By the broker's wall clock: once that is put back, a key outlives its
    worker, and shows a time that no worker gives it."""
    pipeline = client.pipeline(transaction=False)
    for key in keys:
        pipeline.pttl(key)
    return [end_ms / 1000 for end_ms in pipeline.execute()]


def note_pass(name: str) -> None:
    """A periodic task of the site's (see PASSES) has run to its end just now. A broker that is away is logged."""
    try:
        _client(settings.REDIS_URL).set(f"{PASS_PREFIX}{name}", "", ex=PASS_KEPT_S)
    except (redis.RedisError, OSError) as exc:
        logger.warning("the pass of %s is not noted: %s", name, exc)


def pass_ages() -> dict[str, float | None]:
    """How many seconds ago each of PASSES ran last; None: not for long, or at a time that lies ahead.

    By the broker's clock alone, which counts down what is left of the key's life. Raises redis.RedisError if the
    broker is away.
    """
    keys = [f"{PASS_PREFIX}{name}" for name in PASSES]
    ages = [PASS_KEPT_S - end_s if end_s >= 0 else None for end_s in _ends(_client(settings.REDIS_URL), keys)]
    known = [age if age is not None and age >= -AHEAD_S else None for age in ages]
    return {name: None if age is None else max(0.0, age) for name, age in zip(PASSES, known, strict=True)}


def scheduler_silence() -> str:
    """Since when the reaper, which beat sends, has not been done, such as "last ran 90 s ago"; empty: it is done, or
    nobody knows."""
    try:
        age_s = pass_ages()["reap"]
    except (redis.RedisError, OSError):
        return ""
    if age_s is None:
        return "has not run"
    return f"last ran {age_s:.0f} s ago" if age_s > SCHEDULER_LATE_S else ""


def load_workers() -> list[Worker] | None:
    """Those that run engines; None if the broker is away, so that nobody knows."""
    try:
        return [worker for worker in workers() if worker.carries_load]
    except (redis.RedisError, OSError):
        return None


def _worker(name: str, value: str) -> Worker:
    """Of a worker of another version, what both know of: an update of many hosts takes a while."""
    try:
        said = orjson.loads(value)
    except ValueError:
        said = None
    if not isinstance(said, Mapping):
        return Worker(name, tuple(value.split(",")))  # up to 0.1
    known = {key: said[key] for key in Worker.__dataclass_fields__ if key in said}
    return Worker(**{**known, "name": name, "queues": tuple(said.get("queues", ()))})
