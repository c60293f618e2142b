"""The emergency stop: what it stops, what it refuses at every door, and what its undo restores."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from rest_framework.test import APIClient

from audit.models import AuditEvent
from policy.models import Panic
from policy.panic import current, let_go
from runs import db_clock, panic, tasks
from runs.models import PlanSchedule, Run, RunStatus, ScheduleSlot, ShardStatus, SlotStatus
from runs.planning.errors import RequestError
from runs.schedules.services import create_schedule, set_enabled
from runs.schedules.starter import start_due
from runs.services import claim_shard
from runs.workers.admission import next_shard
from tests.integration.web import made_up
from tests.support.runs import a_run, at_once, shards

EVERY_MINUTE = {"every": 1, "period": "minutes"}
ON = "the emergency stop has been on since"


def schedule(name: str, *, enabled: bool = True) -> PlanSchedule:
    return create_schedule(name=name, plan=made_up.plan(), when=EVERY_MINUTE, enabled=enabled)


def is_enabled(row: PlanSchedule) -> bool:
    return bool(PlanSchedule.objects.select_related("task").get(pk=row.pk).task.enabled)


@pytest.mark.usefixtures("any_database")
def test_it_stops_runs_that_wait_and_asks_those_that_run() -> None:
    waiting, running = a_run(), a_run()
    Run.objects.filter(pk=running.pk).update(status=RunStatus.RUNNING)
    running.shards.update(status=ShardStatus.RUNNING)

    made = panic.begin(by="boss", reason="wrong  target")

    waiting.refresh_from_db()
    running.refresh_from_db()
    assert (waiting.status, running.status) == (RunStatus.STOPPED, RunStatus.STOPPING)
    assert waiting.reason == "emergency stop by boss: wrong target"
    assert made.stopped_runs == [waiting.pk, running.pk]


@pytest.mark.django_db
def test_nothing_is_requested_claimed_or_fetched_while_it_is_on() -> None:
    run = a_run()
    shard = shards(run)[0]
    Panic.objects.create(began_by_name="boss", schedules_paused=True)  # the run was not reached yet
    assert claim_shard(shard.pk, "me") is None
    assert next_shard(shard.pk) is None
    with pytest.raises(RequestError, match=ON) as refused:
        a_run()
    assert refused.value.code == "closed"
    panic.undo(by="boss")
    assert claim_shard(shard.pk, "me") is not None


@pytest.mark.django_db
def test_burn_is_refused_before_it_connects_to_the_target(capsys: pytest.CaptureFixture[str]) -> None:
    Panic.objects.create(began_by_name="boss", schedules_paused=True)
    with socket.create_server(("127.0.0.1", 0)) as target:
        row = made_up.target(url=f"http://127.0.0.1:{target.getsockname()[1]}/v1")
        with pytest.raises(SystemExit) as ended:
            call_command("burn", "--target", row.name, "--prompt", "x", "--users", "1", "--duration", "1s")
        target.settimeout(0.1)
        with pytest.raises(TimeoutError):
            target.accept()
    assert (ended.value.code, ON in capsys.readouterr().err) == (3, True)
    event = AuditEvent.objects.get(action="run.start")
    assert (event.outcome, event.details["code"]) == ("refused", "closed")


@pytest.mark.usefixtures("valkey")
@pytest.mark.django_db
def test_the_reaper_completes_what_a_killed_command_began() -> None:
    run, row = a_run(), schedule("nightly")
    Panic.objects.create(began_by_name="boss")
    tasks.reap()
    run.refresh_from_db()
    assert run.status == RunStatus.STOPPED
    assert not is_enabled(row)
    panic.undo(by="boss")
    assert is_enabled(row)


@pytest.mark.usefixtures("any_database")
def test_its_undo_resumes_what_it_paused_and_nothing_else() -> None:
    going, paused, decided = schedule("going"), schedule("paused", enabled=False), schedule("decided")
    panic.begin(by="boss")
    assert [is_enabled(row) for row in (going, paused, decided)] == [False, False, False]
    set_enabled(decided, False)  # a person's own decision meanwhile
    panic.undo(by="boss")
    assert [is_enabled(row) for row in (going, paused, decided)] == [True, False, False]
    assert panic.undo(by="boss") is None


@pytest.mark.usefixtures("any_database")
def test_of_two_decisions_at_once_both_count(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [schedule(f"s{number}") for number in range(2)]
    panic.begin(by="boss")
    seen = threading.Barrier(len(rows))

    def seen_by_both() -> Panic | None:
        found = current()
        seen.wait(30)
        return found

    monkeypatch.setattr("policy.panic.current", seen_by_both)
    at_once(*[partial(let_go, row.task_id) for row in rows])
    assert Panic.objects.get().paused_tasks == []


@pytest.mark.django_db
def test_slots_of_the_time_in_between_are_not_caught_up() -> None:
    row = schedule("going")
    PlanSchedule.objects.filter(pk=row.pk).update(missed="run_all", grace_s=600)
    queued = ScheduleSlot.objects.create(
        schedule=row, slot_at=db_clock.now(), status=SlotStatus.QUEUED, decided_at=db_clock.now()
    )
    panic.begin(by="boss")
    queued.refresh_from_db()
    assert (queued.status, "emergency stop" in queued.reason) == (SlotStatus.REFUSED, True)
    later = db_clock.now() + timedelta(minutes=5)
    start_due(later)
    panic.undo(by="boss")
    start_due(later)
    assert not Run.objects.exists()
    assert row.slots.count() == 1


@pytest.mark.django_db
def test_a_schedule_that_is_resumed_meanwhile_starts_nothing() -> None:
    row = schedule("going")
    panic.begin(by="boss")
    set_enabled(row, True)
    start_due(db_clock.now() + timedelta(minutes=1, seconds=1))
    slot = row.slots.get()
    assert (slot.status, ON in slot.reason) == (SlotStatus.REFUSED, True)


@pytest.mark.usefixtures("any_database")
def test_two_at_once_make_one_and_no_run_slips_through() -> None:
    rows = [schedule(f"s{number}") for number in range(3)]
    refused: list[str] = []

    def request() -> None:
        try:
            a_run()
        except RequestError as exc:
            refused.append(exc.code)

    works: list[Callable[[], Any]] = [lambda: panic.begin(by="a"), lambda: panic.begin(by="b"), *[request] * 4]
    at_once(*works)
    assert Panic.objects.count() == 1
    assert not Run.objects.exclude(status=RunStatus.STOPPED).exists()
    assert Run.objects.count() + len(refused) == 4
    panic.undo(by="a")
    assert all(is_enabled(row) for row in rows)


def test_the_command_works_without_a_broker(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    run, out = a_run(), StringIO()
    call_command("panic", "--reason", "a mistake", stdout=out)
    assert "1 run stopped, 0 schedules paused" in out.getvalue()
    run.refresh_from_db()
    assert run.status == RunStatus.STOPPED
    with pytest.raises(SystemExit):
        call_command("panic", "--status", stdout=out)
    assert "(a mistake)" in out.getvalue()
    call_command("panic", "--undo", stdout=out)
    call_command("panic", "--status", stdout=out)
    assert out.getvalue().endswith("the emergency stop is off\n")
    with pytest.raises(CommandError, match="nothing to undo"):
        call_command("panic", "--undo", stdout=out)


@pytest.mark.usefixtures("valkey")
def test_the_api_switches_it_for_those_who_may(boss: User) -> None:
    api = APIClient()
    api.force_login(made_up.user("runs.view_run", "runs.change_run"))
    assert api.get("/api/panic/").json() == {"is_on": False}
    assert (api.post("/api/panic/", {}).status_code, api.delete("/api/panic/").status_code) == (403, 403)
    api.force_login(made_up.user("policy.use_panic"))
    assert api.post("/api/panic/", {"reason": 1, "x": 2}).status_code == 400
    assert api.post("/api/panic/", {"reason": "stop"}).json()["is_on"] is True
    assert api.post("/api/panic/", {}).json()["reason"] == "stop"
    api.force_login(boss)
    refused = api.post("/api/runs/", {"plan": made_up.plan().pk})
    assert (refused.status_code, refused.json()["code"]) == (400, ["closed"])
    probed = api.post(f"/api/targets/{made_up.target().pk}/probe/", {"message": "hi"})
    assert (probed.status_code, ON in str(probed.json())) == (400, True)
    events = AuditEvent.objects.filter(action__in=["panic.begin", "run.start", "target.probe"])
    assert set(events.values_list("action", "outcome")) == {
        ("panic.begin", "done"),
        ("run.start", "refused"),
        ("target.probe", "refused"),
    }
    undone = api.delete("/api/panic/").json()
    assert (undone["is_on"], undone["ended_by"]) == (False, str(boss))
    assert api.delete("/api/panic/").json() == {"is_on": False}
    assert AuditEvent.objects.filter(action="panic.undo", outcome="done").count() == 1


@pytest.mark.usefixtures("valkey")
def test_the_pages_have_a_button_and_a_banner(admin_page: Client) -> None:
    button, banner = b"Stop everything", b'id="panic"'
    for page in ("/admin/", "/workers/"):
        shown = admin_page.get(page).content
        assert (button in shown, banner in shown) == (True, False)
    assert admin_page.get("/runs/panic/").status_code == 405
    a_run()
    schedule("nightly")
    said = admin_page.post("/runs/panic/", {"reason": "<b>oops</b>"}, follow=True).content.decode()
    assert "Stopped: 1 run. Paused: 1 schedule." in said
    run = made_up.run()
    pages = ["/admin/", "/workers/", "/admin/runs/testplan/", f"/runs/{run.pk}/report/", "/admin/targets/target/add/"]
    for page in pages:
        shown = admin_page.get(page).content
        assert (button in shown, banner in shown, b"<b>oops" in shown) == (False, True, False), page
    plan = made_up.plan()
    said = admin_page.post(f"/runs/plans/{plan.pk}/start/", follow=True).content.decode()
    assert ON in said
    said = admin_page.post("/runs/panic/undo/", follow=True).content.decode()
    assert "Resumed: 1 schedule." in said
    assert banner not in admin_page.get("/admin/").content


def test_the_button_is_not_for_operators(client: Client, db: None) -> None:
    client.force_login(made_up.user("runs.view_run", "runs.change_run"))
    assert client.post("/runs/panic/").status_code == 403
    assert client.post("/runs/panic/undo/").status_code == 403
    assert b"Stop everything" not in client.get("/admin/").content
    assert not Panic.objects.exists()
