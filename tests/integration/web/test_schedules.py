"""Schedules and webhooks through their doors: the API and the admin."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django_celery_beat.models import PeriodicTask
from rest_framework.test import APIClient

from runs import dbclock
from runs.models import Run
from runs.schedule_models import PlanSchedule, ScheduleSlot, Webhook, WebhookDelivery
from runs.schedules import create_schedule
from runs.scheduling import start_due
from tests.integration.web import made_up

pytestmark = pytest.mark.django_db
CRON = {"crontab": "30 2 * * 1-5", "time_zone": "Europe/Berlin"}
ADDRESS = "http://127.0.0.1:9/never-to-be-shown-7c1e"
RIGHTS = ("runs.view_planschedule", "runs.add_planschedule", "runs.change_planschedule", "runs.delete_planschedule")


def api(*permissions: str, superuser: bool = False) -> APIClient:
    client = APIClient()
    client.force_authenticate(made_up.user(*permissions, superuser=superuser))
    return client


def a_schedule(**more: Any) -> PlanSchedule:
    given = {"name": "nightly", "plan": made_up.plan(), "when": CRON, **more}
    return create_schedule(**given)


def test_a_schedule_over_the_api() -> None:
    boss, plan = api(superuser=True), made_up.plan()
    answer = boss.post("/api/schedules/", {"name": "nightly", "plan": plan.pk, "when": CRON, "missed": "run_latest"})
    assert answer.status_code == 201, answer.content
    made = answer.json()
    assert made["when"] == CRON
    assert (made["enabled"], made["missed"], made["overlap"], made["grace_s"]) == (True, "run_latest", "refuse", 60)
    assert len(made["next_runs"]) == 5
    assert {run["local"][11:16] for run in made["next_runs"]} == {"02:30"}
    assert {run["utc"][-6:] for run in made["next_runs"]} == {"+00:00"}
    assert PeriodicTask.objects.get().crontab.hour == "2"
    address = f"/api/schedules/{made['id']}/"
    paused = boss.post(f"{address}pause/").json()
    assert (paused["enabled"], paused["next_runs"]) == (False, [])
    assert boss.post(f"{address}resume/").json()["enabled"] is True
    slower = boss.patch(address, {"when": {"every": 2, "period": "hours"}}).json()
    assert slower["when"] == {"every": 2, "period": "hours"}
    assert boss.get(f"/api/schedules/?plan={plan.pk}").json()["count"] == 1
    assert boss.delete(f"/api/plans/{plan.pk}/").status_code == 409, "a schedule needs it"
    assert boss.delete(address).status_code == 204
    assert not PeriodicTask.objects.exists()


def test_slots_over_the_api() -> None:
    schedule = a_schedule(when={"every": 1, "period": "seconds"})
    PlanSchedule.objects.update(since=dbclock.DbNow(-3), handled_until=dbclock.DbNow(-3))
    start_due(only=schedule.pk)
    found = api("runs.view_planschedule").get(f"/api/schedules/{schedule.pk}/slots/").json()["results"]
    assert [slot["status"] for slot in found] == ["refused"] * (len(found) - 1) + ["started"]
    assert found[-1]["run"] == Run.objects.get().pk


@pytest.mark.parametrize(
    ("fields", "field", "text"),
    [
        ({"when": {"crontab": "61 * * * *"}}, "when", "minute '61'"),
        ({"when": {"crontab": "* * * * *", "time_zone": "Moon/Base"}}, "when", "no known time zone"),
        ({"when": {"every": 0, "period": "days"}}, "when", "at least 1"),
        ({"when": {"at": "2001-01-01T00:00"}}, "when", "lies in the past"),
        ({"when": "daily"}, "when", "Expected a dictionary"),
        ({"overlap": "perhaps"}, "overlap", "not a valid choice"),
        ({"grace_s": -1}, "grace_s", "greater than or equal to 0"),
        ({"plan": 0}, "plan", "does not exist"),
        ({"name": "taken"}, "name", "already"),
    ],
)
def test_mistakes_over_the_api_are_explained(fields: dict[str, Any], field: str, text: str) -> None:
    a_schedule(name="taken")
    answer = api(superuser=True).post(
        "/api/schedules/", {"name": "x", "plan": made_up.plan().pk, "when": CRON, **fields}
    )
    assert answer.status_code == 400
    assert text in answer.json()[field][0]
    assert PlanSchedule.objects.count() == 1


def test_who_may_not_start_runs_may_not_schedule_them() -> None:
    schedule = a_schedule()
    address = f"/api/schedules/{schedule.pk}/"
    body = {"name": "x", "plan": schedule.plan_id, "when": CRON}
    weak = api(*RIGHTS)
    assert weak.get(address).status_code == 200
    for call in (
        lambda client: client.post("/api/schedules/", body),
        lambda client: client.patch(address, {"grace_s": 5}),
        lambda client: client.post(f"{address}pause/"),
        lambda client: client.delete(address),
    ):
        assert call(weak).status_code == 403
        assert call(api("runs.change_run", "runs.view_planschedule")).status_code == 403
    strong = api(*RIGHTS, "runs.change_run")
    assert strong.post("/api/schedules/", body).status_code == 201
    assert strong.post(f"{address}pause/").status_code == 200


def test_a_webhook_over_the_api() -> None:
    boss = api(superuser=True)
    answer = boss.post("/api/webhooks/", {"name": "chat", "kind": "slack", "url": ADDRESS, "key": "sign"})
    assert answer.status_code == 201, answer.content
    made = answer.json()
    assert (made["host"], made["signed"], made["when"]) == ("127.0.0.1:9", True, "always")
    hook = Webhook.objects.get()
    assert hook.get_secrets() == {"url": ADDRESS, "key": "sign"}
    address = f"/api/webhooks/{hook.pk}/"
    assert boss.patch(address, {"when": "failed", "key": None}).json()["signed"] is False
    hook.refresh_from_db()
    assert hook.get_secrets() == {"url": ADDRESS}
    sent = boss.post(f"{address}test/").json()
    assert sent["status"] == "failed" and "connect_refused" in sent["error"]
    assert boss.get(f"{address}deliveries/").json()["results"][0]["uid"] == sent["uid"]
    shown = "".join(boss.get(page).content.decode() for page in ("/api/webhooks/", address, f"{address}deliveries/"))
    assert "never-to-be-shown" not in shown + str(sent) + answer.content.decode()
    assert boss.post("/api/webhooks/", {"name": "none"}).json() == {"url": ["give an address"]}
    wrong = boss.post("/api/webhooks/", {"name": "none", "url": "https://user:never-to-be-shown@host/"})
    assert wrong.status_code == 400 and "never-to-be-shown" not in wrong.content.decode()
    assert api("runs.view_webhook").post(f"{address}test/").status_code == 403
