from __future__ import annotations

import time
from typing import Any

import pytest
import redis
from celery import current_app
from kombu.exceptions import OperationalError

from runs import tasks
from runs.broker_keys import broker_key
from runs.db_clock import DbNow
from runs.models import Shard, ShardStatus
from runs.workers import dispatch
from tests.support.runs import a_run, shards

pytestmark = pytest.mark.django_db


def test_the_tasks_have_the_names_and_queues_that_messages_name() -> None:
    assert tasks.execute_shard.name == dispatch.EXECUTE_SHARD
    assert current_app.conf.task_routes[dispatch.EXECUTE_SHARD]["queue"] == dispatch.LOAD_QUEUE
    assert {dispatch.EXECUTE_SHARD, "runs.tasks.reap"} <= current_app.tasks.keys()


def test_a_message_that_comes_again_finds_nothing_to_do() -> None:
    run = a_run()
    Shard.objects.update(status=ShardStatus.RUNNING)
    assert tasks.execute_shard(shards(run)[0].pk) is False
    assert tasks.execute_shard(4711) is False


def test_a_reap_says_what_it_did() -> None:
    assert tasks.reap() == {"nudged": 0, "requeued": 0, "lost": 0, "unstarted": 0, "finalized": 0}


def test_a_broker_that_is_away_costs_no_run_and_no_time(settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    run = a_run(3, local=False)
    Shard.objects.update(dispatched_at=DbNow(-60))
    begun = time.monotonic()
    assert dispatch.nudge(run.pk) == 0
    assert time.monotonic() - begun < 10
    assert {shard.status for shard in shards(run)} == {ShardStatus.QUEUED}


def test_a_nudge_reaches_its_queue(valkey: str) -> None:
    run = a_run(2, local=False)
    assert dispatch.nudge(run.pk) == 2
    client = redis.Redis.from_url(valkey)
    assert client.llen(broker_key(dispatch.LOAD_QUEUE)) == 2
    client.close()


def test_a_broker_that_goes_away_in_that_moment_is_no_error(valkey: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object, **__: object) -> None:
        raise OperationalError("Error 111 connecting")

    monkeypatch.setattr(current_app, "send_task", away)
    assert dispatch.nudge(a_run(3, local=False).pk) == 0
