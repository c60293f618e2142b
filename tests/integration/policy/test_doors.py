"""One policy at every door: pages, API, estimates, schedules, probes, steering and the command line."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.core.management import call_command
from django.test import Client
from rest_framework.test import APIClient

from audit.models import AuditEvent
from policy.hosts import EXAMPLE
from policy.models import InstallationLimits, Policy
from runs import db_clock
from runs.lifecycle.load_changes import SteeringError, change_load
from runs.load.profile import parse_load
from runs.models import PlanSchedule, QuotaUse, Run, RunStatus, ScheduleSlot, SlotStatus, TestPlan
from runs.planning.errors import RequestError
from runs.schedules.services import ScheduleError, change_schedule, create_schedule
from runs.schedules.starter import start_due
from runs.services import finalize_run, request_run, stop_run
from tests.integration.web import made_up
from tests.support.runs import a_run, at_once

EVERY_MINUTE = {"every": 1, "period": "minutes"}
pytestmark = pytest.mark.usefixtures("valkey")
HOST, USERS = "does not allow http://127.0.0.1:9", "4 users are more than the 3"


@pytest.fixture
def plan(db: None) -> TestPlan:
    return made_up.plan()


@pytest.fixture(params=[{"targets": "bot.example"}, {"users": 3}], ids=["host", "users"])
def closed(request: pytest.FixtureRequest, plan: TestPlan) -> str:
    """A default policy that does not permit the plan; gives what is said."""
    Policy.objects.create(**request.param)
    return HOST if "targets" in request.param else USERS


def test_the_api_refuses_runs_estimates_and_plans(boss: User, plan: TestPlan, closed: str) -> None:
    api = APIClient()
    api.force_login(boss)
    answers = [
        api.post("/api/runs/", {"plan": plan.pk}),
        api.get(f"/api/plans/{plan.pk}/estimate/"),
        api.patch(f"/api/plans/{plan.pk}/", {"name": "other"}),
        api.post("/api/schedules/", {"name": "s", "plan": plan.pk, "when": {"crontab": "0 2 * * *"}}),
    ]
    assert [answer.status_code for answer in answers] == [400] * 4
    assert [closed in str(answer.json()) for answer in answers] == [True] * 4, [a.json() for a in answers]
    assert not Run.objects.exists()


def test_pages_refuse_runs_and_plans(admin_page: Client, plan: TestPlan, closed: str) -> None:
    shown = [
        admin_page.post(f"/runs/plans/{plan.pk}/start/", follow=True),
        admin_page.get(f"/admin/runs/testplan/{plan.pk}/change/"),
        admin_page.post(
            "/admin/runs/testplan/", {"action": "start_runs", "_selected_action": [str(plan.pk)]}, follow=True
        ),
    ]
    assert [closed in answer.content.decode() for answer in shown] == [True] * 3
    assert not Run.objects.exists()


def test_a_schedule_runs_by_the_policy_of_its_owner(boss: User, plan: TestPlan) -> None:
    made = Group.objects.create(name="free")
    boss.groups.add(made)
    Policy.objects.create(group=made)
    Policy.objects.create(users=3)
    mine = create_schedule(name="mine", plan=plan, when=EVERY_MINUTE, user=boss)
    with pytest.raises(ScheduleError, match=USERS):
        create_schedule(name="nobody's", plan=plan, when=EVERY_MINUTE)
    limited = made_up.user("runs.change_run")
    with pytest.raises(ScheduleError, match=USERS):
        change_schedule(mine, user=limited, plan=made_up.plan())
    start_due(db_clock.now() + timedelta(minutes=1))
    assert Run.objects.get().requested_by == boss
    boss.groups.clear()
    Run.objects.update(status=RunStatus.COMPLETED)
    start_due(db_clock.now() + timedelta(minutes=2))
    slot = ScheduleSlot.objects.filter(status=SlotStatus.REFUSED).get()
    assert USERS in slot.reason
    assert PlanSchedule.objects.count() == 1


def test_probes_meet_the_list_of_targets(boss: User, admin_page: Client) -> None:
    Policy.objects.create(targets="bot.example")
    row = made_up.target()
    api = APIClient()
    api.force_login(boss)
    answer = api.post(f"/api/targets/{row.pk}/probe/", {"message": "hi"})
    assert (answer.status_code, HOST in str(answer.json())) == (400, True)
    page = f"/admin/targets/target/{row.pk}/test-message/"
    assert HOST in admin_page.post(page, {"message": "hi", "lane": "reference"}).content.decode()


@pytest.mark.parametrize("command", [["burn", "--users", "4", "--duration", "2s"], ["probe"]])
def test_the_command_line_meets_the_default_policy(
    db: None, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    Policy.objects.create(targets="bot.example")
    row = made_up.target()
    with pytest.raises(SystemExit):
        call_command(*command, "--prompt", "x", "--target", row.name, stdout=StringIO())
    assert HOST in capsys.readouterr().err
    assert not Run.objects.exists()
    asked = AuditEvent.objects.filter(action="run.start", outcome="refused", details__code="target_not_allowed")
    assert asked.count() == (command[0] == "burn")


def run_of(load: dict[str, Any], user: User | None = None) -> Run:
    return a_run(load=parse_load(load), user=user)


def running(user: User | None = None, **load: Any) -> Run:
    run = run_of({"kind": "closed", "users": 4, "duration_s": 60, **load}, user)
    Run.objects.filter(pk=run.pk).update(status=RunStatus.RUNNING, start_at=db_clock.now())
    return run


@pytest.mark.django_db
def test_a_load_is_raised_only_within_the_policy() -> None:
    InstallationLimits.objects.create(users=20)
    run = running()
    a_run()  # 8 users
    Policy.objects.create(users=15)
    with pytest.raises(SteeringError, match="16 users are more than the 15") as refused:
        change_load(run, 16)
    assert refused.value.code == "not_allowed"
    with pytest.raises(SteeringError, match="13 users more are too many: the policy allows 20"):
        change_load(run, 13)
    change_load(run, 12)
    assert QuotaUse.objects.get(run=run).users == 12
    with pytest.raises(RequestError, match="8 users more are too many"):
        a_run()
    Policy.objects.update(users=1)
    change_load(run, 2)  # lowering is always possible
    run_of({"kind": "closed", "users": 1, "duration_s": 5})


def test_steering_over_the_api_uses_the_rights_of_whoever_asks(boss: User, db: None) -> None:
    Policy.objects.create(users=8)
    group = Group.objects.create(name="free")
    Policy.objects.create(group=group)
    run, api = running(boss), APIClient()
    api.force_login(boss)
    answer = api.post(f"/api/runs/{run.pk}/load/", {"users": 9})
    assert (answer.status_code, answer.json()["code"]) == (400, ["not_allowed"])
    boss.groups.add(group)
    assert api.post(f"/api/runs/{run.pk}/load/", {"users": 9}).status_code == 202


@pytest.mark.usefixtures("any_database")
@pytest.mark.parametrize(
    "caps",
    [{"person_users": 12}, {"site": {"users": 12}}, {"person_day_turns": 700}, {"site": {"day_turns": 700}}],
    ids=["person at once", "site at once", "person a day", "site a day"],
)
def test_of_two_requests_at_once_that_only_fit_alone_one_passes(caps: dict[str, Any]) -> None:
    if "site" in caps:
        InstallationLimits.objects.create(**caps["site"])
    else:
        Policy.objects.create(**caps)
    user = made_up.user("runs.change_run")
    outcomes: list[str] = []

    def request() -> None:
        load: dict[str, Any] = {"kind": "closed", "users": 8, "duration_s": 60, "budget": {"turns": 400}}
        try:
            run_of(load, user)
            outcomes.append("made")
        except RequestError as exc:
            outcomes.append(exc.code)

    at_once(*[request] * 5)
    assert sorted(outcomes) == ["made", *["quota_used"] * 4]
    assert Run.objects.count() == QuotaUse.objects.count() == 1


@pytest.mark.django_db
def test_a_quota_bounds_the_run_and_is_settled_by_what_was_sent() -> None:
    Policy.objects.create(person_day_turns=1000, person_day_tokens=10**9)
    run = run_of({"kind": "closed", "users": 2, "conversations": 20})
    reserved = QuotaUse.objects.get()
    assert (reserved.turns, run.load["budget"]["turns"]) == (20, 20)
    assert reserved.tokens == run.load["budget"]["tokens"] > 20
    with pytest.raises(RequestError, match="981 turns more are too many: the policy allows 1,000 in 24 hours"):
        run_of({"kind": "closed", "users": 2, "conversations": 20, "budget": {"turns": 981}})
    stop_run(run)
    finalize_run(run.pk)
    assert QuotaUse.objects.get().turns == 0
    run_of({"kind": "closed", "users": 2, "conversations": 20, "budget": {"turns": 981}})


@pytest.mark.django_db
def test_deleting_a_run_gives_nothing_back() -> None:
    run = made_up.run()
    QuotaUse.objects.create(run=run, at=db_clock.now(), users=4, arrivals_per_s=0, turns=90)
    api = APIClient()
    api.force_login(made_up.user(superuser=True))
    assert api.delete(f"/api/runs/{run.pk}/").status_code == 204
    Policy.objects.create(person_day_turns=100)
    with pytest.raises(RequestError, match="90 are used or reserved"):
        run_of({"kind": "closed", "users": 1, "duration_s": 5, "budget": {"turns": 11}})
    QuotaUse.objects.update(at=db_clock.now() - timedelta(hours=24, seconds=1))
    run_of({"kind": "closed", "users": 1, "duration_s": 5, "budget": {"turns": 11}})


@pytest.mark.django_db
def test_a_quota_of_cost_needs_prices() -> None:
    InstallationLimits.objects.create(day_cost=5)
    with pytest.raises(RequestError, match="no prices"):
        a_run()
    prices = {"prices": {"*": {"input": 1, "output": 2}}}
    run = run_of({"kind": "closed", "users": 1, "conversations": 2, "budget": prices})
    assert 0 < run.load["budget"]["cost"] == QuotaUse.objects.get().cost < 1


def test_policies_over_the_api(boss: User) -> None:
    api = APIClient()
    api.force_login(made_up.user("runs.view_run", "runs.change_run"))
    assert api.get("/api/policies/").status_code == api.get("/api/installation-limits/").status_code == 403
    api.force_login(boss)
    made = api.post("/api/policies/", {"targets": "a b", "users": -1})
    assert made.json() == {
        "targets": [f"'a b' is no host: {EXAMPLE}"],
        "users": ["Ensure this value is greater than or equal to 0."],
    }
    assert api.post("/api/policies/", {"users": 3}).status_code == 201
    assert "default policy already" in str(api.post("/api/policies/", {}).json())
    assert api.get("/api/installation-limits/").json()["users"] is None
    assert api.patch("/api/installation-limits/", {"users": 7}).json()["users"] == 7
    assert api.patch("/api/installation-limits/", {"day_turns": 9}).json()["users"] == 7
    assert api.patch("/api/installation-limits/", {"x": 9}).status_code == 400
    for address in ("/api/installation-limits/", f"/api/policies/{Policy.objects.get().pk}/"):
        assert api.patch(address, {"users": "9"}).json() == {"users": ["A valid integer is required."]}


def test_policies_in_the_admin(admin_page: Client) -> None:
    page = "/admin/policy/policy/add/"
    assert "is no host" in admin_page.post(page, {"targets": "a b"}).content.decode()
    assert admin_page.post(page, {"targets": "a.example", "users": "3"}).status_code == 302
    assert Policy.objects.get().users == 3
    assert b"everybody else (default)" in admin_page.get("/admin/policy/policy/").content
    assert b"There is such a policy already" in admin_page.post(page, {"users": "4"}).content
    limits = "/admin/policy/installationlimits/"
    assert admin_page.post(f"{limits}add/", {"users": "30"}).status_code == 302
    assert admin_page.get(f"{limits}add/").status_code == 403
    assert InstallationLimits.objects.get().users == 30
    assert admin_page.get("/admin/policy/panic/").status_code == 200


def test_a_run_of_a_plan_meets_the_users_own_policy(plan: TestPlan) -> None:
    user = made_up.user("runs.change_run")
    group = Group.objects.create(name="small")
    Policy.objects.create(group=group, users=3)
    request_run(plan, user)
    user.groups.add(group)
    with pytest.raises(RequestError, match=USERS):
        request_run(plan, user)
