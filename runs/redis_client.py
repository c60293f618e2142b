"""Connections to Redis. A command is tried once and waits for a limited time, so an unavailable broker delays its
caller no longer than that."""

from __future__ import annotations

from functools import cache

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry


def redis_client(timeout_s: float, *, texts: bool = False) -> redis.Redis:
    """This process's client of the server at REDIS_URL; `texts`: answers are str, not bytes."""
    return _client(settings.REDIS_URL, timeout_s, texts)


@cache
def _client(url: str, timeout_s: float, texts: bool) -> redis.Redis:
    return redis.Redis.from_url(
        url,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        retry=Retry(NoBackoff(), 0),
        decode_responses=texts,
        encoding_errors="replace",  # what others wrote there is no reason to fail
        protocol=2,  # 3 begins with a HELLO, whose malformed answer (from a dying server) raises AttributeError
    )
