"""The task farm's promises that one changed line would break."""

from __future__ import annotations

from tokenburn_site.celery import app


def test_shards_go_to_the_load_queue_and_all_else_to_control() -> None:
    route = app.amqp.router.route
    assert route({}, "runs.tasks.execute_shard")["queue"].name == "load"
    assert route({}, "runs.tasks.reap")["queue"].name == "control"


def test_only_json_is_accepted_and_no_results_are_kept() -> None:
    assert app.conf.accept_content == ["json"]
    assert app.conf.task_ignore_result and app.conf.result_backend is None


def test_the_reaper_runs_every_five_seconds_without_a_backlog() -> None:
    (entry,) = [entry for entry in app.conf.beat_schedule.values() if entry["task"] == "runs.tasks.reap"]
    assert entry["schedule"] == 5
    assert entry["options"]["expires"] <= 5
