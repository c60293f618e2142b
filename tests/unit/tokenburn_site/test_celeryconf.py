"""The task farm's promises that one changed line would break."""

from __future__ import annotations

import pytest
import redis

from tokenburn_site.celery import app


@pytest.mark.parametrize(("task", "queue"), [("runs.tasks.execute_shard", "load"), ("runs.tasks.reap", "control")])
def test_a_message_lands_in_its_own_queue_and_in_no_other(task: str, queue: str, valkey: str) -> None:
    app.send_task(task, args=[1])
    client = redis.Redis.from_url(valkey)
    lengths = {name: client.llen(name) for name in ("load", "control")}
    client.close()
    assert lengths == {"load": 0, "control": 0} | {queue: 1}


def test_only_json_is_accepted_and_no_results_are_kept() -> None:
    assert app.conf.accept_content == ["json"]
    assert app.conf.task_ignore_result and app.conf.result_backend is None


def test_the_reaper_runs_every_five_seconds_without_a_backlog() -> None:
    (entry,) = [entry for entry in app.conf.beat_schedule.values() if entry["task"] == "runs.tasks.reap"]
    assert entry["schedule"] == 5
    assert entry["options"]["expires"] <= 5
