"""Runs above a limit: they wait, somebody else decides, and every end has a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Any
from unittest.mock import Mock

import pytest
from django.contrib.auth.models import User
from django.test import Client

from audit.models import AuditEvent
from policy.models import Policy
from runs import db_clock, panic, tasks
from runs.approval import ApprovalError, approve, expire, refuse
from runs.lifecycle.load_changes import SteeringError, change_load
from runs.load.profile import parse_load
from runs.models import Approval, Run, RunStatus, Shard
from runs.planning.approval_rules import why_approval
from runs.planning.errors import RequestError
from runs.services import claim_shard, request_run, stop_run
from runs.workers import dispatch
from runs.workers.admission import next_shard
from tests.integration.web import made_up
from tests.integration.web.made_up import api_of
from tests.support.runs import a_run, at_once, shards

pytestmark = pytest.mark.usefixtures("valkey")
TRACE = {"kind": "trace", "arrivals_s": [0, 6], "duration_s": None}
WHY = "4 users: above 3 somebody else has to approve the run"


@pytest.fixture
def author(db: None) -> User:
    return made_up.user("runs.view_run", "runs.change_run", "runs.approve_run")


@pytest.fixture
def other(db: None) -> User:
    return made_up.user("runs.view_run", "runs.approve_run")


@pytest.fixture
def run(author: User) -> Run:
    Policy.objects.create(approve_users=3)
    return request_run(made_up.plan(), author)


def status(run: Run) -> str:
    return Run.objects.values_list("status", flat=True).get(pk=run.pk)


@pytest.mark.parametrize(
    ("load", "limits", "says"),
    [
        ({"users": 4}, {"approve_users": 4}, ""),
        ({"users": 4}, {"approve_users": 3, "approve_duration_s": 59}, f"{WHY}; 60 seconds"),
        ({"users": 4}, {"approve_tokens": 100}, "no limit of tokens: above 100"),
        ({"users": 4, "budget": {"tokens": 100}}, {"approve_tokens": 100}, ""),
        ({**TRACE, "speed": 2}, {"approve_duration_s": 3}, ""),
        (TRACE, {"approve_duration_s": 3}, "6 seconds: above 3"),
        ({"users": 4, "duration_s": None, "conversations": 9}, {"approve_duration_s": 3}, "no limit of seconds"),
    ],
)
def test_what_needs_approval(load: dict[str, Any], limits: dict[str, Any], says: str) -> None:
    from policy.limits import Limits

    found = why_approval(parse_load({"kind": "closed", "duration_s": 60, **load}), Limits(**limits))
    assert found.startswith(says) if says else not found


def test_a_run_waits_and_no_worker_takes_it(run: Run) -> None:
    assert (run.status, run.reason) == (RunStatus.WAITING, f"waits for approval: {WHY}")
    shard = shards(run)[0]
    assert dispatch.nudge() == 0
    assert claim_shard(shard.pk, "me") is None
    assert next_shard(shard.pk) is None
    Run.objects.filter(pk=run.pk).update(ready_by=db_clock.now() - timedelta(hours=1))
    tasks.reap()
    assert status(run) == RunStatus.WAITING
    younger = a_run(local=False, load=parse_load({"kind": "closed", "users": 1, "duration_s": 5}))
    assert next_shard(shards(younger)[0].pk) == shards(younger)[0].pk  # it stands in nobody's way


def test_somebody_else_approves_and_it_queues(run: Run, author: User, other: User) -> None:
    with pytest.raises(ApprovalError, match="is your own: somebody else has to decide"):
        approve(run, author)
    with pytest.raises(ApprovalError, match="is your own"):
        refuse(run, author)
    approve(run, other)
    run.refresh_from_db()
    assert (run.status, run.reason) == (RunStatus.QUEUED, "")
    assert run.ready_by is not None
    assert run.ready_by > db_clock.now()
    assert claim_shard(shards(run)[0].pk, "me") is not None
    with pytest.raises(ApprovalError, match="does not wait for approval"):
        approve(run, other)
    found = AuditEvent.objects.filter(action__in=["run.approve", "run.refuse"]).values_list("action", "outcome")
    assert sorted(found) == [
        ("run.approve", "done"),
        ("run.approve", "refused"),
        ("run.approve", "refused"),
        ("run.refuse", "refused"),
    ]


def test_a_refused_or_late_one_ends_with_a_sentence(run: Run, other: User) -> None:
    refuse(run, other, "not  today")
    run.refresh_from_db()
    assert (run.status, run.reason) == (RunStatus.STOPPED, f"{other} did not approve it: not today")
    late = request_run(made_up.plan(), other)
    tasks.reap()
    assert status(late) == RunStatus.WAITING
    Approval.objects.filter(run=late).update(asked_at=db_clock.now() - timedelta(hours=72, seconds=1))
    tasks.reap()
    late.refresh_from_db()
    assert (late.status, late.reason) == (RunStatus.STOPPED, "nobody approved it within 72 hours")
    assert set(Shard.objects.values_list("status", flat=True)) == {"stopped"}


def test_the_reaper_goes_on_if_a_late_run_is_deleted_meanwhile(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def deleted_before() -> Iterator[None]:
        Run.objects.filter(pk=run.pk).delete()
        yield

    Approval.objects.update(asked_at=db_clock.now() - timedelta(hours=73))
    monkeypatch.setattr("runs.approval.one_at_a_time", deleted_before)
    assert expire() == 0
    assert not Approval.objects.exists()


@pytest.mark.parametrize(
    ("change", "says"),
    [({"targets": "bot.example"}, "the policy does not allow http://"), ({"users": 3}, "4 users are more than the 3")],
)
def test_a_policy_that_forbids_it_meanwhile_counts(run: Run, other: User, change: dict[str, Any], says: str) -> None:
    Policy.objects.update(**change)
    with pytest.raises(ApprovalError, match=f"run {run.pk} may not start any more: .*{says}"):
        approve(run, other)
    assert (status(run), Approval.objects.get(run=run).decision) == (RunStatus.WAITING, "")
    Policy.objects.update(targets="", users=None)
    approve(run, other)
    assert status(run) == RunStatus.QUEUED


def test_a_run_that_is_stopped_while_somebody_approves_it_stays_stopped(
    run: Run, other: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runs.approval.refuse_if_closed", lambda: stop_run(run))
    with pytest.raises(ApprovalError, match=f"run {run.pk} was stopped meanwhile"):
        approve(run, other)
    assert Approval.objects.get(run=run).decision == ""
    assert AuditEvent.objects.get(action="run.approve").outcome == "refused"


def test_the_reaper_ends_a_run_whose_refusal_was_killed_half_way(
    run: Run, other: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as killed, pytest.raises(KeyboardInterrupt):
        killed.setattr("runs.approval.stop_run", Mock(side_effect=KeyboardInterrupt))
        refuse(run, other, "not today")
    assert status(run) == RunStatus.WAITING
    tasks.reap()
    run.refresh_from_db()
    assert (run.status, run.reason) == (RunStatus.STOPPED, f"{other} did not approve it: not today")


def test_its_author_may_stop_it_and_a_panic_does(run: Run, author: User, other: User) -> None:
    second = request_run(made_up.plan(), author)
    assert stop_run(run)
    assert status(run) == RunStatus.STOPPED
    panic.begin(by="boss")
    assert status(second) == RunStatus.STOPPED
    with pytest.raises(ApprovalError, match="does not wait"):
        approve(second, other)


def test_nothing_is_approved_while_the_emergency_stop_is_on(run: Run, other: User) -> None:
    from policy.models import Panic

    Panic.objects.create(began_by_name="boss", schedules_paused=True)
    with pytest.raises(ApprovalError, match="the emergency stop has been on"):
        approve(run, other)
    assert (status(run), Approval.objects.get().decision) == (RunStatus.WAITING, "")


@pytest.mark.usefixtures("any_database")
def test_of_two_decisions_at_once_one_counts() -> None:
    Policy.objects.create(approve_users=3)
    run = request_run(made_up.plan(), made_up.user("runs.change_run"))
    users, failed = [made_up.user("runs.approve_run") for _ in range(4)], []

    def decide(work: Any, user: User) -> None:
        try:
            work(run, user)
        except ApprovalError:
            failed.append(user)

    works = [approve, refuse, approve, refuse]
    at_once(*[partial(decide, work, user) for work, user in zip(works, users, strict=True)])
    assert len(failed) == 3
    decision = Approval.objects.get().decision
    assert status(run) == (RunStatus.QUEUED if decision == "approved" else RunStatus.STOPPED)


def test_a_run_of_the_command_line_cannot_wait(db: None) -> None:
    Policy.objects.create(approve_users=3)
    with pytest.raises(RequestError, match="start it on the site or with --workers") as refused:
        a_run()
    assert refused.value.code == "approval_needed"
    assert not Run.objects.exists()


def test_a_running_load_is_not_raised_past_it(db: None) -> None:
    run = a_run(load=parse_load({"kind": "closed", "users": 4, "duration_s": 60}))
    Run.objects.update(status=RunStatus.RUNNING, start_at=db_clock.now())
    Policy.objects.create(approve_users=5)
    change_load(run, 5)
    with pytest.raises(SteeringError, match="6 users need approval, which a running load cannot get: stay at 5"):
        change_load(run, 6)


def test_the_api(run: Run, author: User, other: User) -> None:
    page = f"/api/runs/{run.pk}/"
    assert api_of(made_up.user("runs.view_run", "runs.change_run")).post(f"{page}approve/").status_code == 403
    own = api_of(author).post(f"{page}approve/")
    assert (own.status_code, "is your own" in own.json()["detail"]) == (409, True)
    assert api_of(author).get(page).json()["reason"] == f"waits for approval: {WHY}"
    made = api_of(other).post(f"{page}refuse/", {"note": "no"})
    assert (made.status_code, made.json()["decision"], made.json()["note"]) == (200, "refused", "no")
    assert made.json()["decided_by_name"] == str(other)
    assert api_of(other).post(f"{page}approve/").status_code == 409


def test_the_pages(run: Run, author: User, other: User, client: Client) -> None:
    live, approve_at = f"/runs/{run.pk}/live/", f"/runs/{run.pk}/approve/"
    client.force_login(made_up.user("runs.view_run", "runs.change_run"))
    shown = client.get(live).content.decode()
    assert (WHY in shown, 'id="decision"' in shown) == (True, False)
    assert client.post(approve_at).status_code == 403
    client.force_login(author)
    assert "is your own" in client.post(approve_at, follow=True).content.decode()
    client.force_login(other)
    assert 'id="decision"' in client.get(live).content.decode()
    client.post(approve_at)
    assert status(run) == RunStatus.QUEUED
    second = request_run(made_up.plan(), author)
    client.post(
        "/admin/runs/run/", {"action": "refuse_runs", "_selected_action": [str(second.pk), str(run.pk)]}, follow=True
    )
    assert (status(second), status(run)) == (RunStatus.STOPPED, RunStatus.QUEUED)
