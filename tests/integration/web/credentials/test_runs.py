"""No run, plan or schedule sends the secrets of a credential for somebody who may not use it."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.contrib.messages import get_messages

from runs.models import PlanSchedule, Run, ScheduleSlot, SlotStatus, TestPlan
from runs.planning.errors import RequestError
from runs.schedules.services import create_schedule
from runs.schedules.starter import start_due
from runs.services import request_run
from targets.models import Credential, Target
from tests.hostile.server import HostileServer
from tests.integration.web import made_up
from tests.integration.web.credentials.conftest import REFUSED
from tests.integration.web.made_up import api_of, page_of

pytestmark = pytest.mark.django_db
EVERY_MINUTE = {"every": 1, "period": "minutes"}
ONE_MINUTE = timedelta(minutes=1)


def due_schedule(target: Target, user: User) -> None:
    """One whose last slot was not handled."""
    schedule = create_schedule(name="s", plan=made_up.plan(target), when=EVERY_MINUTE, user=user)
    PlanSchedule.objects.update(handled_until=schedule.handled_until - ONE_MINUTE, since=schedule.since - ONE_MINUTE)


def test_no_door_starts_plans_or_schedules_a_run_with_it(bank: Target, mal: User, bank_server: HostileServer) -> None:
    plan, own = made_up.plan(bank), made_up.plan()
    text = f"target 'bank': {REFUSED}"
    api, page = api_of(mal), page_of(mal)
    refusal = {"plan": [text], "code": ["credential_refused"], "field": ["target"]}
    started = api.post("/api/runs/", {"plan": plan.pk})
    assert (started.status_code, started.json()) == (400, refusal)
    estimate = api.get(f"/api/plans/{plan.pk}/estimate/")
    assert (estimate.status_code, estimate.json()) == (400, refusal)
    assert "only for those who may use" in page.get(f"/admin/runs/testplan/{plan.pk}/change/").content.decode()

    mix = [{"scenario": own.mix.get().scenario_id, "weight": 1}]
    body = {"name": "p", "target": bank.pk, "scenarios": mix, "load": made_up.LOAD}
    for answer in (
        api.post("/api/plans/", body),
        api.patch(f"/api/plans/{own.pk}/", {"target": bank.pk}),
        api.patch(f"/api/plans/{plan.pk}/", {"load": made_up.LOAD | {"users": 9}}),
    ):
        assert (answer.status_code, answer.json()) == (400, {"target": [text]})
    form = {
        "name": "f", "target": str(bank.pk), "load": json.dumps(made_up.LOAD), "thresholds": "[]", "regions": "[]",
        "processes": "1", "mix-TOTAL_FORMS": "1", "mix-INITIAL_FORMS": "0", "mix-MIN_NUM_FORMS": "1",
        "mix-MAX_NUM_FORMS": "1000", "mix-0-scenario": str(own.mix.get().scenario_id), "mix-0-weight": "1",
    }  # fmt: skip
    shown = page.post("/admin/runs/testplan/add/", form)
    assert shown.context["adminform"].form.errors["target"] == [text]

    when = {"name": "s", "plan": plan.pk, "when": EVERY_MINUTE}
    assert api.post("/api/schedules/", when).json() == {"plan": [text]}
    by_hand = {"action": "start_runs", "_selected_action": [plan.pk]}
    for path, data in (("/admin/runs/testplan/", by_hand), (f"/runs/plans/{plan.pk}/start/", {})):
        told = get_messages(page.post(path, data).wsgi_request)
        assert any(text in str(message) for message in told)
    assert not Run.objects.exists() and not PlanSchedule.objects.exists()
    assert TestPlan.objects.filter(target=bank).get() == plan
    assert bank_server.requests == []


def test_a_schedule_counts_as_its_owner_and_others_may_only_pause_it(bank: Target, ann: User, mal: User) -> None:
    plan = made_up.plan(bank)
    schedule = create_schedule(name="s", plan=plan, when=EVERY_MINUTE, user=ann)
    api, page, address = api_of(mal), page_of(mal), f"/api/schedules/{schedule.pk}/"
    assert api.patch(address, {"when": {"every": 2, "period": "seconds"}}).json() == {
        "plan": [f"target 'bank': {REFUSED}"]
    }
    assert api.post(f"{address}pause/").status_code == 200
    assert api.post(f"{address}resume/").status_code == 400
    page.post(f"/runs/schedules/{schedule.pk}/resume/")
    page.post("/admin/runs/planschedule/", {"action": "resume", "_selected_action": [schedule.pk]})
    schedule.task.refresh_from_db()
    assert schedule.task.enabled is False
    assert api_of(ann).post(f"{address}resume/").status_code == 200


@pytest.mark.parametrize("loss", ["owner", "origin"])
def test_a_slot_is_refused_when_the_owner_lost_the_right(loss: str, bank: Target, ann: User) -> None:
    due_schedule(bank, ann)
    if loss == "owner":
        Credential.objects.update(owner=None)
    else:
        Credential.objects.update(origins=["https://elsewhere.example:443"])
    start_due()
    slot = ScheduleSlot.objects.get()
    assert slot.status == SlotStatus.REFUSED
    assert "the credential 'bank'" in slot.reason
    assert not Run.objects.exists()


def test_a_slot_starts_with_the_owners_right_and_in_their_name(bank: Target, ann: User) -> None:
    due_schedule(bank, ann)
    start_due()
    assert Run.objects.get().requested_by == ann


def test_a_deleted_user_leaves_credentials_to_administrators(bank: Target, ann: User, mal: User) -> None:
    pk = made_up.plan(bank).pk
    ann.delete()
    plan = TestPlan.objects.get(pk=pk)
    with pytest.raises(RequestError, match="ask an administrator for it"):
        request_run(plan, mal)
    with pytest.raises(RequestError):
        request_run(plan)
    assert request_run(plan, made_up.user(superuser=True)).credential == bank.credential
