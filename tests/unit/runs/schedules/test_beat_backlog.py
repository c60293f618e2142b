"""What keeps beat's nudges from piling up while no worker fetches them: a count, and no clock."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import redis
from django_celery_beat.schedulers import DatabaseScheduler
from pytest_django import Settings

from runs.broker_keys import broker_key
from runs.schedules import beat
from tests.support.services import reserve_port
from tokenburn_site.celery import app
from tokenburn_site.config import celeryconf


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []
    monkeypatch.setattr(DatabaseScheduler, "apply_entry", lambda _, entry, producer=None: found.append(entry.task))
    return found


def send(task: str) -> None:
    scheduler = beat.LeaderScheduler.__new__(beat.LeaderScheduler)
    scheduler.app = app
    scheduler.apply_entry(SimpleNamespace(task=task))


def test_nudges_stop_at_a_backlog_and_other_peoples_tasks_do_not(valkey: str, sent: list[str]) -> None:
    client: Any = redis.Redis.from_url(valkey)
    client.rpush(broker_key(celeryconf.CONTROL), *["m"] * (beat.BACKLOG - 1))
    send("runs.tasks.reap")
    client.rpush(broker_key(celeryconf.CONTROL), "m")
    send("runs.tasks.reap")
    send("somebody.elses")
    client.close()
    assert sent == ["runs.tasks.reap", "somebody.elses"]


def test_without_a_broker_to_ask_it_is_tried(settings: Settings, sent: list[str]) -> None:
    settings.REDIS_URL = f"redis://127.0.0.1:{reserve_port()}/0"
    send("runs.tasks.reap")
    assert sent == ["runs.tasks.reap"]


def test_no_message_of_ours_expires_by_a_workers_clock() -> None:
    assert not any("options" in entry for entry in celeryconf.beat_schedule.values())
