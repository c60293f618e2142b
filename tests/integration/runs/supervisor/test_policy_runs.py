"""Policies and the emergency stop on runs that really send: what the target counts is what was permitted."""

from __future__ import annotations

import time

import pytest

from policy.models import Panic, Policy
from runs import panic
from runs.approval import approve
from runs.load.profile import ClosedLoad
from runs.models import QuotaUse, Run, RunStatus
from runs.supervisor import local
from tests.integration.runs.conftest import Counting, Start
from tests.integration.web import made_up
from tests.support.runs import in_background, until

pytestmark = pytest.mark.django_db(transaction=True)
ENDS_WITHIN_S = 10.0


@pytest.fixture
def answer_s() -> float:
    return 0.25


def ended(run: Run) -> bool:
    run.refresh_from_db()
    return run.ended_at is not None


def test_a_run_of_the_command_line_is_stopped_without_a_broker(counting: Counting) -> None:
    run = counting.run(1, ClosedLoad(users=10, duration_s=120))
    thread = in_background(lambda: local.run_local(run))
    until(lambda: run.turns.count() > 20, 60)
    panic.begin(by="boss", reason="too much")
    begun = time.monotonic()
    thread.join(60)
    run.refresh_from_db()
    assert time.monotonic() - begun < ENDS_WITHIN_S
    assert (run.status, run.reason) == (RunStatus.STOPPED, "emergency stop by boss: too much")
    assert run.report is not None
    assert run.report["turns"]["sent"] == counting.count() == QuotaUse.objects.get().turns
    assert Panic.objects.get().stopped_runs == [run.pk]


def test_a_quota_of_turns_is_what_the_target_gets(counting: Counting) -> None:
    Policy.objects.create(person_day_turns=25)
    run = counting.run(2, ClosedLoad(users=10, conversations=5))  # of 5 turns each
    assert run.load["budget"]["turns"] == 25
    local.run_local(run)
    run.refresh_from_db()
    assert counting.count() == QuotaUse.objects.get().turns <= 25
    assert run.status in {RunStatus.COMPLETED, RunStatus.STOPPED}


@pytest.mark.usefixtures("valkey")
def test_a_worker_runs_what_was_approved_and_nothing_before(counting: Counting, start_worker: Start) -> None:
    Policy.objects.create(approve_users=3)
    load = ClosedLoad(users=4, conversations=4)
    waiting = counting.run(1, load, local=False, user=made_up.user("runs.change_run"))
    start_worker("load", "-c", "2")
    Policy.objects.update(approve_users=None)
    first = counting.run(1, load, local=False)
    until(lambda: ended(first), 60)
    sent = counting.count()
    waiting.refresh_from_db()
    assert (waiting.status, sent) == (RunStatus.WAITING, first.turns.count())
    approve(waiting, made_up.user("runs.approve_run"))
    until(lambda: ended(waiting), 60)
    assert waiting.status == RunStatus.COMPLETED
    assert counting.count() == sent + waiting.turns.count() > sent
