"""Schedules and webhooks through their doors: the API and the admin."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django_celery_beat.models import PeriodicTask
from rest_framework.test import APIClient

from runs import db_clock
from runs.models import PlanSchedule, Run, Webhook
from runs.schedules.services import create_schedule
from runs.schedules.starter import start_due
from runs.workers import registry
from runs.workers.registry import Worker, own_queue
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
    PlanSchedule.objects.update(since=db_clock.DbNow(-3), handled_until=db_clock.DbNow(-3))
    start_due(only=schedule.pk)
    found = api("runs.view_planschedule").get(f"/api/schedules/{schedule.pk}/slots/").json()["results"]
    assert [slot["status"] for slot in found] == ["refused"] * (len(found) - 1) + ["started"]
    run = Run.objects.get()
    assert found[-1]["run"] == run.pk
    detail = api("runs.view_run").get(f"/api/runs/{run.pk}/").json()
    assert detail["scheduled"] == {"schedule": schedule.pk, "slot_at": found[-1]["slot_at"]}


def test_a_slot_that_finds_too_few_workers_says_so_over_the_api_and_in_the_admin(
    valkey: str, admin_page: Client
) -> None:
    schedule = a_schedule(when={"every": 1, "period": "hours"})
    schedule.plan.processes = 3
    schedule.plan.save()
    registry.beat(Worker("load@alpha", ("load", own_queue("load@alpha")), host="alpha", slots=2))
    PlanSchedule.objects.update(since=db_clock.DbNow(-3601), handled_until=db_clock.DbNow(-3601))
    start_due(only=schedule.pk)
    (slot,) = admin_page.get(f"/api/schedules/{schedule.pk}/slots/").json()["results"]
    says = "the plan cannot run: needs 3 slots, 2 exist on 1 host: 1 is missing: start load workers there"
    assert (slot["status"], slot["run"]) == ("refused", None)
    assert slot["reason"].startswith(says)
    for page in (f"/admin/runs/planschedule/{schedule.pk}/change/", "/admin/runs/scheduleslot/"):
        assert says in admin_page.get(page).content.decode()


@pytest.mark.parametrize(
    ("fields", "field", "text"),
    [
        ({"when": {"crontab": "61 * * * *"}}, "when", "minute '61' is wrong: give numbers from 0 to 59"),
        ({"when": {"crontab": "* * * * *", "time_zone": "Moon/Base"}}, "when", "no time zone"),
        ({"when": {"every": 0, "period": "days"}}, "when", "at least 1"),
        ({"when": {"at": "2001-01-01T00:00"}}, "when", "is in the past"),
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
    for client in (weak, api("runs.change_run", "runs.view_planschedule")):
        assert client.post("/api/schedules/", body).status_code == 403
        assert client.patch(address, {"grace_s": 5}).status_code == 403
        assert client.post(f"{address}pause/").status_code == 403
        assert client.delete(address).status_code == 403
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
    assert (sent["attempts"], sent["next_at"]) == (1, None)
    assert boss.get(f"{address}deliveries/").json()["results"][0]["uid"] == sent["uid"]
    shown = "".join(boss.get(page).content.decode() for page in ("/api/webhooks/", address, f"{address}deliveries/"))
    assert "never-to-be-shown" not in shown + str(sent) + answer.content.decode()
    assert boss.post("/api/webhooks/", {"name": "none"}).json() == {"url": ["give an address"]}
    wrong = boss.post("/api/webhooks/", {"name": "none", "url": "https://user:never-to-be-shown@host/"})
    assert wrong.status_code == 400 and "never-to-be-shown" not in wrong.content.decode()
    never = boss.post("/api/webhooks/", {"name": "none", "url": "http://169.254.169.254/never-to-be-shown"})
    assert never.status_code == 400 and "the address of its receiver" in never.json()["url"][0]
    assert "never-to-be-shown" not in never.content.decode()
    assert api("runs.view_webhook").post(f"{address}test/").status_code == 403


def schedule_form(**fields: Any) -> dict[str, Any]:
    return {
        "name": "nightly",
        "plan": str(made_up.plan().pk),
        "enabled": "on",
        "kind": "crontab",
        "crontab": "30 2 * * 1-5",
        "every": "15",
        "period": "minutes",
        "at": "",
        "time_zone": "Europe/Berlin",
        "begins": "",
        "ends": "",
        "missed": "record",
        "grace_s": "60",
        "catch_up": "5",
        "overlap": "queue",
        "queue_limit": "2",
        **fields,
    }


def test_a_schedule_in_the_admin(admin_page: Client) -> None:
    assert admin_page.post("/admin/runs/planschedule/add/", schedule_form()).status_code == 302
    schedule = PlanSchedule.objects.get()
    assert (schedule.task.crontab.hour, str(schedule.task.crontab.timezone)) == ("2", "Europe/Berlin")
    assert (schedule.overlap, schedule.queue_limit, schedule.created_by) == ("queue", 2, User.objects.get())
    address = f"/admin/runs/planschedule/{schedule.pk}/change/"
    page = admin_page.get(address).content.decode()
    assert page.count("02:30:00 CE") == 5 and page.count("00:30:00 UTC") + page.count("01:30:00 UTC") == 5
    assert "30 2 * * 1-5 Europe/Berlin" in page
    # As it is shown, it can be saved, and then nothing has changed.
    before = PlanSchedule.objects.values("since", "handled_until", "timing_seen").get()
    assert admin_page.post(address, schedule_form(plan=str(schedule.plan_id))).status_code == 302
    assert PlanSchedule.objects.values("since", "handled_until", "timing_seen").get() == before
    moment = schedule_form(kind="at", at="2040-03-01T12:30:15", plan=str(schedule.plan_id))
    assert admin_page.post(address, moment).status_code == 302
    assert str(PeriodicTask.objects.get().clocked.clocked_time) == "2040-03-01 11:30:15+00:00"
    listed = admin_page.get("/admin/runs/planschedule/").content.decode()
    assert "2040-03-01 11:30:15 UTC" in listed and "active" in listed


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"crontab": "61 2 * * *"}, "minute '61' is wrong: give numbers from 0 to 59"),
        ({"crontab": ""}, "give one of"),
        ({"kind": "every", "every": ""}, "give one of"),
        ({"kind": "at", "at": "2001-01-01T10:00"}, "is in the past"),
        ({"kind": "at", "at": "2040-03-25T02:30"}, "clocks go forward over it"),
        ({"time_zone": "Moon/Base"}, "Select a valid choice"),
        ({"name": "taken"}, "already"),
        ({"queue_limit": "0"}, "greater than or equal to 1"),
    ],
)
def test_mistakes_in_the_admin_are_explained(admin_page: Client, fields: dict[str, str], text: str) -> None:
    a_schedule(name="taken")
    answer = admin_page.post("/admin/runs/planschedule/add/", schedule_form(**fields))
    assert answer.status_code == 200
    assert text in answer.content.decode().replace("&#x27;", "'")
    assert PlanSchedule.objects.count() == 1


def test_all_mistakes_in_the_form_are_told_at_once(admin_page: Client) -> None:
    plan = a_schedule(name="taken").plan
    plan.load = {"kind": "closed"}
    plan.save()
    wrong = {"kind": "every", "every": "0", "period": "moons", "begins": "soon", "queue_limit": "0"}
    form = schedule_form(name="taken", plan=str(plan.pk), ends="2001-01-01T10:00", **wrong)
    answer = admin_page.post("/admin/runs/planschedule/add/", form)
    errors = answer.context["adminform"].form.errors
    assert set(errors) == {"name", "plan", "every", "period", "begins", "queue_limit"}
    assert all(len(texts) == 1 for texts in errors.values())
    answer = admin_page.post("/admin/runs/planschedule/add/", schedule_form(kind="moon", name="taken", begins="soon"))
    assert set(answer.context["adminform"].form.errors) == {"kind", "name"}


def test_a_plan_that_no_run_can_have_is_refused_by_the_form(admin_page: Client) -> None:
    plan = made_up.plan()
    plan.load = {"kind": "closed"}
    plan.save()
    answer = admin_page.post("/admin/runs/planschedule/add/", schedule_form(plan=str(plan.pk)))
    assert answer.status_code == 200
    assert set(answer.context["adminform"].form.errors) == {"plan"}
    assert not PlanSchedule.objects.exists()


def test_pause_resume_and_delete_in_the_admin(admin_page: Client) -> None:
    schedule = a_schedule()
    page = admin_page.post(f"/runs/schedules/{schedule.pk}/pause/", follow=True).content.decode()
    assert "nightly is paused." in page and "Resume" in page
    chosen = {"action": "resume", "_selected_action": [schedule.pk]}
    assert "nightly is resumed." in admin_page.post("/admin/runs/planschedule/", chosen, follow=True).content.decode()
    assert PeriodicTask.objects.get().enabled
    PlanSchedule.objects.update(handled_until=db_clock.DbNow(-86400 * 8))
    start_due()
    missed = schedule.slots.filter(status="missed").count()
    assert missed >= 5
    page = admin_page.get(f"/admin/runs/planschedule/{schedule.pk}/change/").content.decode()
    assert page.count("no scheduler was running;") == missed
    made_up_run = made_up.run()
    schedule.slots.filter(pk=schedule.slots.latest("slot_at").pk).update(run=made_up_run, status="started")
    assert "nightly</a>" in admin_page.get(f"/admin/runs/run/{made_up_run.pk}/change/").content.decode()
    assert admin_page.get("/admin/runs/scheduleslot/").content.decode().count("no scheduler was running;") == missed
    assert admin_page.post(f"/admin/runs/planschedule/{schedule.pk}/delete/", {"post": "yes"}).status_code == 302
    assert not PeriodicTask.objects.exists()


def test_who_may_only_look_at_schedules_gets_no_button(client: Client) -> None:
    schedule = a_schedule()
    client.force_login(made_up.user("runs.view_planschedule", "runs.change_planschedule"))
    page = client.get(f"/admin/runs/planschedule/{schedule.pk}/change/").content.decode()
    assert "nightly" in page and "Pause</button>" not in page
    assert client.post(f"/runs/schedules/{schedule.pk}/pause/").status_code == 403
    assert PeriodicTask.objects.get().enabled


def test_the_dashboard_names_the_next_scheduled_runs(admin_page: Client) -> None:
    a_schedule(name="a year away", when={"every": 365, "period": "days"})
    a_schedule(name="soon", when={"every": 1, "period": "hours"})
    a_schedule(name="asleep", enabled=False)
    page = admin_page.get("/admin/").content.decode()
    assert page.index("Next scheduled runs") < page.index(">soon<") < page.index(">a year away<")
    assert "asleep" not in page


def test_a_webhook_in_the_admin(admin_page: Client) -> None:
    form = {"name": "chat", "kind": "json", "enabled": "on", "when": "always", "url": ADDRESS, "key": "sign"}
    assert admin_page.post("/admin/runs/webhook/add/", form).status_code == 302
    hook = Webhook.objects.get()
    assert hook.get_secrets() == {"url": ADDRESS, "key": "sign"}
    address = f"/admin/runs/webhook/{hook.pk}/change/"
    assert admin_page.post(address, {**form, "url": "", "key": "", "clear_key": "on"}).status_code == 302
    hook.refresh_from_db()
    assert hook.get_secrets() == {"url": ADDRESS}
    page = admin_page.post(f"/runs/webhooks/{hook.pk}/test/", follow=True).content.decode()
    assert "was not accepted: connect_refused" in page and "a test" in page
    pages = [admin_page.get(one).content.decode() for one in (address, "/admin/runs/webhook/")]
    assert "127.0.0.1:9" in pages[1]
    assert "never-to-be-shown" not in "".join([page, *pages])
    wrong = admin_page.post("/admin/runs/webhook/add/", {**form, "name": "x", "url": "ftp://never-to-be-shown"})
    assert "give an address such as" in wrong.content.decode()
    assert "never-to-be-shown" not in wrong.content.decode()
