"""A policy that is tightened while runs wait holds for them too: it is asked again when their engines start."""

from __future__ import annotations

from typing import Any

import pytest

from audit.models import AuditEvent
from policy.models import InstallationLimits, Policy
from runs.approval import approve
from runs.load.profile import ClosedLoad
from runs.models import Run, RunStatus
from runs.planning.errors import RequestError
from runs.services import request_run, shard_spec
from runs.supervisor.supervisor import supervise
from tests.integration.web import made_up
from tests.support.runs import a_run, shards

pytestmark = pytest.mark.django_db(transaction=True)
NEVER = ("/bin/false",)


def started(run: Run) -> Run:
    """As a worker would."""
    assert supervise(shards(run)[0].pk, command=NEVER)
    run.refresh_from_db()
    return run


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"targets": "bot.example"}, "the target's address: the policy does not allow http://127.0.0.1:9: ask an"),
        ({"users": 3}, "8 users are more than the 3 that the policy allows"),
        ({"person_users": 3}, "8 users are more than the 3 that the policy allows"),
        ({"duration_s": 30}, "60 seconds (load.duration_s) are more than the 30 that the policy allows"),
        ({"tokens": 9}, "the policy limits load.budget.tokens by now, and this run has no such limit: start it again"),
        ({"turns_per_s": 2}, "the policy limits load.max_turns_per_s by now, and this run has no such limit"),
        ({"person_day_turns": 9}, "the policy allows 9 turns in 24 hours by now, and this run may send more"),
        ({"approve_users": 3}, "8 users: above 3 somebody else has to approve the run: start it again, so that"),
    ],
)
def test_a_run_that_waited_meanwhile_does_not_start(change: dict[str, Any], says: str) -> None:
    run = a_run()
    Policy.objects.create(**change)
    ended = started(run)
    assert ended.status == RunStatus.FAILED
    assert ended.reason.startswith(f"the run did not start: {says}")
    event = AuditEvent.objects.get(action="run.start", outcome="refused")
    code = "target_not_allowed" if "targets" in change else "load_not_allowed"
    assert (event.key, event.details) == (str(run.pk), {"code": code, "why": ended.reason})


def test_a_run_within_the_new_limits_starts() -> None:
    budget = {"turns": 9, "tokens": 9}
    run = a_run(load=ClosedLoad.model_validate({"users": 8, "duration_s": 60, "max_turns_per_s": 2, "budget": budget}))
    Policy.objects.create(
        targets="127.0.0.1:9", users=8, person_users=8, duration_s=60, turns_per_s=2, tokens=9, person_day_turns=9
    )
    InstallationLimits.objects.create(users=8, day_tokens=9)
    assert shard_spec(shards(run)[0]).load.budget.turns == 9
    InstallationLimits.objects.update(day_tokens=8)
    with pytest.raises(RequestError, match="allows 8 tokens in 24 hours by now, and this run may send more"):
        shard_spec(shards(run)[0])


def test_of_runs_that_do_not_fit_together_any_more_the_last_ones_go() -> None:
    first, second, third = a_run(), a_run(load=ClosedLoad(users=9, duration_s=60)), a_run()
    InstallationLimits.objects.create(users=16)
    says = "users more are too many: the policy allows 16 at the same time in all runs of the installation"
    assert shard_spec(shards(first)[0]).run_id == first.pk
    assert started(second).reason.startswith(f"the run did not start: 9 {says}")
    assert shard_spec(shards(third)[0]).run_id == third.pk, "the second one has made room"


@pytest.mark.usefixtures("valkey")
def test_what_somebody_has_approved_needs_no_second_approval() -> None:
    Policy.objects.create(approve_users=3)
    run = request_run(made_up.plan(), made_up.user("runs.change_run"))
    approve(run, made_up.user("runs.approve_run"))
    Policy.objects.update(approve_users=1)
    assert shard_spec(shards(run)[0]).load.kind == "closed"


@pytest.mark.usefixtures("valkey")
def test_a_limit_that_a_run_would_have_got_is_asked_when_it_is_approved() -> None:
    Policy.objects.create(approve_users=3)
    run = request_run(made_up.plan(), made_up.user("runs.change_run"))
    Policy.objects.update(tokens=9)
    with pytest.raises(ValueError, match=r": the policy limits load\.budget\.tokens by now"):
        approve(run, made_up.user("runs.approve_run"))
