"""The task farm's promises that one changed line would break."""

from __future__ import annotations

import pytest
import redis

from runs.broker_keys import broker_key
from runs.schedules.beat import SlotEntry
from tokenburn_site.celery import app


@pytest.mark.parametrize(("task", "queue"), [("runs.tasks.execute_shard", "load"), ("runs.tasks.reap", "control")])
def test_a_message_lands_in_its_own_queue_and_in_no_other(task: str, queue: str, valkey: str) -> None:
    app.send_task(task, args=[1])
    client = redis.Redis.from_url(valkey)
    lengths = {name: client.llen(broker_key(name)) for name in ("load", "control")}
    client.close()
    assert lengths == {"load": 0, "control": 0} | {queue: 1}


def test_only_json_is_accepted_and_no_results_are_kept() -> None:
    assert app.conf.accept_content == ["json"]
    assert app.conf.task_ignore_result and app.conf.result_backend is None


@pytest.mark.django_db
@pytest.mark.parametrize("task", ["runs.tasks.reap", "runs.tasks.start_due", "runs.tasks.deliver"])
def test_urgent_tasks_are_sent_every_five_seconds_without_an_expiry(task: str) -> None:
    """As beat sends it, which goes through the database."""
    ((name, given),) = [(name, one) for name, one in app.conf.beat_schedule.items() if one["task"] == task]
    entry = SlotEntry.from_entry(name, app=app, **given)
    assert entry.schedule.run_every.total_seconds() == 5
    assert entry.options.get("expires") is None
    assert app.amqp.router.route(entry.options, task)["queue"].name == "control"


def test_the_schedules_own_entries_keep_their_names() -> None:
    """Rows in the database have them: an entry of a new name would run beside the old one after an update."""
    assert set(app.conf.beat_schedule) == {
        "Reap lost runs",
        "Start what schedules say",
        "Tell webhooks",
        "Send the audit log",
        "Delete what was kept long enough",
    }
