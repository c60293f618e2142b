"""Health names what is missing, and a worker counts as alive only while it sends heartbeats."""

from __future__ import annotations

import pytest
import redis
from pytest_django import Settings

from runs.workers import registry
from runs.workers.registry import Worker
from tests.support.services import reserve_port
from tokenburn_site.web import health


@pytest.fixture
def broker_away(settings: Settings) -> None:
    settings.REDIS_URL = f"redis://127.0.0.1:{reserve_port()}/0"


def test_workers_are_alive_while_their_key_lives(valkey: str) -> None:
    assert not health.workers().ok
    registry.beat(Worker("load@a", ("load",)))
    assert not health.workers().ok
    registry.beat(Worker("control@a", ("control",)))
    assert health.workers() == health.Check("workers", True, "load: 1, control: 1")
    assert [worker.queues for worker in registry.workers()] == [("control",), ("load",)]
    registry.forget("load@a")
    assert health.workers().detail == "load: 0, control: 1"


def test_a_silent_worker_expires(valkey: str) -> None:
    registry.beat(Worker("load@a", ("load",)))
    client = redis.Redis.from_url(valkey)
    assert 0 < client.ttl(registry.worker_key("load@a")) <= registry.EXPIRES_S
    client.close()


def test_a_broker_that_is_away_is_a_failed_check_and_not_an_error(broker_away: None) -> None:
    assert not health.broker().ok
    assert not health.workers().ok
    registry.beat(Worker("load@a", ("load",)))  # a worker must survive it


@pytest.mark.django_db
def test_the_summary_is_ok_only_if_every_check_is(valkey: str) -> None:
    assert health.database().ok and health.broker().ok
    answer = health.summary(health.checks())
    assert answer["ok"] is False
    assert answer["checks"]["workers"] == {"ok": False, "detail": "load: 0, control: 0"}
    for name in ("load", "control"):
        registry.beat(Worker(f"{name}@a", (name,)))
    assert health.summary(health.checks())["checks"]["scheduler"]["ok"] is False
    for name in registry.PASSES:
        registry.note_pass(name)
    assert health.summary(health.checks())["ok"] is True
