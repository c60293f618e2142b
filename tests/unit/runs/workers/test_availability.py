"""What a run waits for: each part of the farm that can be missing is named, and only that one."""

from __future__ import annotations

from typing import Any

import pytest
import redis
from django.test import Client

from runs.db_clock import DbNow
from runs.models import Run, RunStatus
from runs.workers import registry
from runs.workers.availability import shown_reason
from runs.workers.leases import fail_if_late
from runs.workers.registry import Worker
from tests.integration.web import made_up
from tests.support.runs import a_run

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("valkey")]
NO_BROKER = "the broker does not answer: start it, or check that REDIS_URL is the same on every machine"
NO_WORKER = "no load worker is running: start one"
NO_REGION = "no load worker of region eu is running: start a load worker or use fewer processes"
IN_USE = "2 slots needed, 1 of 2 there in use: start a load worker or use fewer processes"
NO_SCHEDULER = "load workers have free slots, and the scheduler has not run: start beat and a control worker"
SILENT = "load workers have free slots, and the scheduler last ran 90 s ago: start beat and a control worker"


def lives(slots: int = 2, busy: int = 0, region: str = "") -> None:
    queues = ("load", f"load.{region}") if region else ("load",)
    registry.beat(Worker("load@a", queues, host="a", region=region, slots=slots, busy=busy))


def scheduler_ran(valkey: str, seconds_ago: int) -> None:
    registry.note_pass("reap")
    client = redis.Redis.from_url(valkey)
    client.expire(registry.pass_key("reap"), registry.PASS_KEPT_S - seconds_ago)
    client.close()


def farm(state: str, valkey: str, settings: Any) -> Run:
    """A run of two shards that waits on a farm in this state."""
    if state != NO_SCHEDULER:
        scheduler_ran(valkey, 90 if state == SILENT else 3)
    if state == NO_REGION:
        lives(slots=4, region="eu")
    elif state != NO_WORKER:
        lives(slots=2)
    run = a_run(2, local=False, regions=["eu"] if state == NO_REGION else [])
    if state == NO_REGION:
        registry.forget("load@a")
        lives(slots=4, region="us")
    if state == IN_USE:
        lives(slots=2, busy=1)
    if state == NO_BROKER:
        settings.REDIS_URL = "redis://127.0.0.1:1/0"
    return run


@pytest.mark.parametrize("state", [NO_BROKER, NO_WORKER, NO_REGION, IN_USE, NO_SCHEDULER, SILENT])
def test_the_missing_part_is_named_while_a_run_waits_and_when_it_fails(state: str, valkey: str, settings: Any) -> None:
    run = farm(state, valkey, settings)
    assert shown_reason(run) == state
    Run.objects.filter(pk=run.pk).update(ready_by=DbNow(-1))
    assert fail_if_late(run.pk)
    run.refresh_from_db()
    assert run.reason == f"0 of 2 shards found a worker within 60 s; {state}"
    assert shown_reason(run) == run.reason


def test_a_whole_farm_is_not_said_to_lack_anything(valkey: str, settings: Any) -> None:
    run = farm("", valkey, settings)
    assert shown_reason(run) == ""
    Run.objects.filter(pk=run.pk).update(ready_by=DbNow(-1))
    assert fail_if_late(run.pk)
    run.refresh_from_db()
    assert run.reason.endswith("; load workers have free slots: see their logs")


@pytest.mark.parametrize("fields", [{"local": True}, {"status": RunStatus.RUNNING}, {"reason": "because"}])
def test_who_waits_for_nothing_of_the_farm_is_not_asked_about(fields: dict[str, Any]) -> None:
    run = a_run(2, local=False)
    assert shown_reason(run) == NO_WORKER
    Run.objects.filter(pk=run.pk).update(**fields)
    run.refresh_from_db()
    assert shown_reason(run) == fields.get("reason", "")


def test_page_and_api_say_it(client: Client, valkey: str, settings: Any) -> None:
    run = farm(NO_SCHEDULER, valkey, settings)
    client.force_login(made_up.user("runs.view_run"))
    assert f">{NO_SCHEDULER}</p>" in client.get(f"/runs/{run.pk}/live/").content.decode()
    assert client.get(f"/api/runs/{run.pk}/").json()["reason"] == NO_SCHEDULER
