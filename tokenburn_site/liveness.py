"""Workers that prove their life: each writes a key that expires, from the loop that also fetches its tasks.

Celery's remote control can go deaf while a worker works, and asking it costs a full timeout; a key costs a look-up.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import redis
from django.conf import settings

PREFIX = "tokenburn:worker:"
EXPIRES_S = 12  # Celery's heartbeat comes every 2 s
TIMEOUT_S = 2.0

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Worker:
    name: str
    queues: tuple[str, ...]


@lru_cache(maxsize=2)
def _client(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S, decode_responses=True)


def beat(name: str, queues: list[str]) -> None:
    """Say that worker `name` lives and serves `queues`. A broker that is away is logged, never raised."""
    try:
        _client(settings.REDIS_URL).set(f"{PREFIX}{name}", ",".join(sorted(queues)), ex=EXPIRES_S)
    except redis.RedisError as exc:
        log.warning("heartbeat of %s not written: %s", name, exc)


def forget(name: str) -> None:
    """The worker ends in good order."""
    try:
        _client(settings.REDIS_URL).delete(f"{PREFIX}{name}")
    except redis.RedisError as exc:
        log.warning("heartbeat of %s not removed: %s", name, exc)


def workers() -> list[Worker]:
    """Those that gave a sign of life within EXPIRES_S, by name. Raises redis.RedisError if the broker is away."""
    client = _client(settings.REDIS_URL)
    keys: list[str] = sorted(client.scan_iter(match=f"{PREFIX}*", count=1000))
    values: list[Any] = client.mget(keys) if keys else []
    return [
        Worker(key.removeprefix(PREFIX), tuple(value.split(",")))
        for key, value in zip(keys, values, strict=True)
        if value is not None  # expired in between
    ]
