"""Health checks as plain functions, for the health endpoint and `manage.py up`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import redis
from django.db import DatabaseError, InterfaceError, connection

from runs.redis_client import redis_client
from runs.workers import registry
from tokenburn_site.config import celeryconf


@dataclass(frozen=True)
class Check:
    """`detail` contains no host, user or secret: the health address is public."""

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
    try:
        redis_client(2.0).ping()
    except redis.RedisError as exc:
        return Check("broker", False, f"no answer: {type(exc).__name__}")
    return Check("broker", True, "answers")


def workers() -> Check:
    """Each queue needs a worker with a heartbeat in the last seconds."""
    try:
        alive = registry.workers()
    except redis.RedisError as exc:
        return Check("workers", False, f"unknown: the broker gave {type(exc).__name__}")
    counts = {queue: sum(queue in worker.queues for worker in alive) for queue in (celeryconf.LOAD, celeryconf.CONTROL)}
    detail = ", ".join(f"{queue}: {count}" for queue, count in counts.items())
    return Check("workers", all(counts.values()), detail)


def scheduler() -> Check:
    """When each task that beat sends last ran, which needs beat, broker, control worker and database."""
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
