"""Registry of workers: each writes an expiring key, from the loop that also fetches its tasks.

Celery's remote control may not respond while a worker is busy, and asking it costs a full timeout; a key costs a
look-up. The list may be seconds old. Who holds a shard is in the database.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import orjson
import redis
from pydantic import TypeAdapter, ValidationError

from inputs.wording import place_of, words_of
from runs.broker_keys import broker_key
from runs.redis_client import redis_client

EXPIRES_S = 12  # Celery's heartbeat comes every 2 s
AHEAD_S = 1.0
"""A key that lives longer than its maximum by this much was written before the broker's clock was put back."""
PASSES = ("reap", "start_due", "deliver")
"""Periodic tasks that runs, schedules and webhooks depend on."""
PASS_KEPT_S = 86_400
SCHEDULER_LATE_S = 60.0
"""The tasks run every 5 s; one that takes long (a pass of webhooks may take 20 s) is not late yet."""
TIMEOUT_S = 1.0
LOAD_QUEUE = "load"
OWN_QUEUE_KEPT_S = 600
"""How long messages wait for a worker without heartbeats: its name may never come back."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Worker:
    """What a worker reports about itself. `busy`: slots that hold a shard. `clock_offset_ms`: how far its host's wall
    clock is ahead of the database's; None if not measured. `dropped`: messages that it dropped, as not
    signed by the installation or not readable."""

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
    dropped: int = 0

    @property
    def carries_load(self) -> bool:
        return any(queue.partition(".")[0] == LOAD_QUEUE for queue in self.queues)

    def serves(self, region: str) -> bool:
        """Whether it takes shards of that region (empty: those that may run anywhere)."""
        return region_queue(region) in self.queues

    @property
    def free(self) -> int:
        return max(0, self.slots - self.busy)


_worker_of = TypeAdapter(Worker)


def region_queue(region: str) -> str:
    """The queue of shards that must run in `region`; of those that may run anywhere, if it is empty."""
    return f"{LOAD_QUEUE}.{region}" if region else LOAD_QUEUE


def own_queue(name: str) -> str:
    """The queue that only the worker of this name reads."""
    return f"worker.{name}"


def worker_key(name: str) -> str:
    return broker_key(f"worker:{name}")


def pass_key(name: str) -> str:
    return broker_key(f"pass:{name}")


def _client() -> redis.Redis:
    return redis_client(TIMEOUT_S, texts=True)


def beat(worker: Worker) -> None:
    """Record that `worker` is alive. An unavailable broker is logged, never raised."""
    said = {name: value for name, value in asdict(worker).items() if name != "name"}
    try:
        _client().set(worker_key(worker.name), orjson.dumps(said), ex=EXPIRES_S)
    except (redis.RedisError, OSError) as exc:
        logger.warning("heartbeat of %s not written: %s", worker.name, exc)


def forget(name: str) -> None:
    """The worker shuts down cleanly; the reaper sends messages in its own queue elsewhere."""
    try:
        _client().delete(worker_key(name), broker_key(own_queue(name)))
    except (redis.RedisError, OSError) as exc:
        logger.warning("heartbeat of %s not removed: %s", name, exc)


def let_expire(queue: str) -> None:
    """Let a worker's own queue expire, after something was put into it."""
    try:
        _client().expire(broker_key(queue), OWN_QUEUE_KEPT_S)
    except (redis.RedisError, OSError) as exc:
        logger.info("queue %s does not expire: %s", queue, exc)


def waiting(queue: str) -> int:
    """Number of messages that wait there; 0 if the broker is unavailable."""
    try:
        return int(_client().llen(broker_key(queue)))
    except (redis.RedisError, OSError):
        return 0


def workers() -> list[Worker]:
    """Workers with a heartbeat within EXPIRES_S, by name. Raises redis.RedisError if the broker is unavailable."""
    client, prefix = _client(), worker_key("")
    keys: list[str] = sorted(client.scan_iter(match=f"{prefix}*", count=1000))
    values: list[Any] = client.mget(keys) if keys else []
    ends = _ends(client, keys)
    return [
        _worker(key.removeprefix(prefix), value)
        for key, value, end_s in zip(keys, values, ends, strict=True)
        if value is not None  # expired in between
        and end_s <= EXPIRES_S + AHEAD_S
    ]


def _ends(client: redis.Redis, keys: list[str]) -> list[float]:
    """Seconds until each key expires, by the broker's wall clock: if that is put back, a key outlives its worker and
    shows a time longer than any worker sets."""
    pipeline = client.pipeline(transaction=False)
    for key in keys:
        pipeline.pttl(key)
    return [end_ms / 1000 for end_ms in pipeline.execute()]


def note_pass(name: str) -> None:
    """Record that a periodic task of the site (see PASSES) has just ended. An unavailable broker is logged."""
    try:
        _client().set(pass_key(name), "", ex=PASS_KEPT_S)
    except (redis.RedisError, OSError) as exc:
        logger.warning("the pass of %s is not noted: %s", name, exc)


def pass_ages() -> dict[str, float | None]:
    """Seconds since each of PASSES last ran; None: not recently, or at a time in the future. Only the broker's clock
    counts, which counts down the rest of the key's life. Raises redis.RedisError if the broker is unavailable."""
    keys = [pass_key(name) for name in PASSES]
    ages = [PASS_KEPT_S - end_s if end_s >= 0 else None for end_s in _ends(_client(), keys)]
    known = [age if age is not None and age >= -AHEAD_S else None for age in ages]
    return {name: None if age is None else max(0.0, age) for name, age in zip(PASSES, known, strict=True)}


def scheduler_silence() -> str:
    """When the reaper, which beat sends, last ran, such as "last ran 90 s ago"; empty: it runs, or it is unknown."""
    try:
        age_s = pass_ages()["reap"]
    except (redis.RedisError, OSError):
        return ""
    if age_s is None:
        return "has not run"
    return f"last ran {age_s:.0f} s ago" if age_s > SCHEDULER_LATE_S else ""


def load_workers() -> list[Worker] | None:
    """Workers that run engines; None if the broker is unavailable."""
    try:
        return [worker for worker in workers() if worker.carries_load]
    except (redis.RedisError, OSError):
        return None


def _worker(name: str, value: str) -> Worker:
    """From a worker of another version, the fields that both know: updating many hosts takes a while."""
    try:
        said = orjson.loads(value)
    except ValueError:
        said = None
    if not isinstance(said, Mapping):
        return Worker(name, tuple(value.split(",")))  # up to 0.1
    try:
        return _worker_of.validate_python({**said, "name": name})
    except ValidationError as exc:  # listed, so that it is seen, but nothing goes to it
        logger.warning("heartbeat of %s is not understood: %s", name, "; ".join(map(_finding, exc.errors())))
        return Worker(name)


def _finding(error: Mapping[str, Any]) -> str:
    return f"{place_of(error['loc'])} {words_of(error)}"
