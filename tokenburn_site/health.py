"""Is everything there that a run needs? Plain functions, for the health address and for `manage.py up`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import redis
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection

from runs import registry
from tokenburn_site import celeryconf


@dataclass(frozen=True)
class Check:
    """`detail` names no host, user or secret: the health address is open to everybody."""

    name: str
    ok: bool
    detail: str


def database() -> Check:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            cursor.fetchone()
    except (DatabaseError, InterfaceError) as exc:
        return Check("database", False, f"no answer: {type(exc).__name__}")
    return Check("database", True, connection.vendor)


def broker() -> Check:
    client = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2)
    try:
        client.ping()
    except redis.RedisError as exc:
        return Check("broker", False, f"no answer: {type(exc).__name__}")
    finally:
        client.close()
    return Check("broker", True, "answers")


def workers() -> Check:
    """Each queue needs a worker that gave a sign of life in the last seconds."""
    try:
        alive = registry.workers()
    except redis.RedisError as exc:
        return Check("workers", False, f"unknown: the broker gave {type(exc).__name__}")
    counts = {queue: sum(queue in worker.queues for worker in alive) for queue in (celeryconf.LOAD, celeryconf.CONTROL)}
    detail = ", ".join(f"{queue}: {count}" for queue, count in counts.items())
    return Check("workers", all(counts.values()), detail)


def scheduler() -> Check:
    """When what beat sends was last done, each kind; beat, broker, control worker and database have a part in it."""
    try:
        ages = registry.pass_ages()
    except (redis.RedisError, OSError) as exc:
        return Check("scheduler", False, f"unknown: the broker gave {type(exc).__name__}")
    known = [age for age in ages.values() if age is not None]
    if len(known) < len(ages):
        missing = ", ".join(name for name, age in ages.items() if age is None)
        return Check("scheduler", False, f"has not run: {missing}: start beat and a control worker")
    oldest_s = max(known)
    detail = f"last ran {oldest_s:.0f} s ago"
    if oldest_s > registry.SCHEDULER_LATE_S:
        return Check("scheduler", False, f"{detail}: see the logs of beat and the control worker")
    return Check("scheduler", True, detail)


def checks() -> list[Check]:
    return [database(), broker(), workers(), scheduler()]


def summary(results: list[Check]) -> dict[str, Any]:
    """{"ok": bool, "checks": {name: {"ok", "detail"}}}"""
    return {
        "ok": all(check.ok for check in results),
        "checks": {check.name: {"ok": check.ok, "detail": check.detail} for check in results},
    }
