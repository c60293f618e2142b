from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.db import connection

from runs.load.profile import ClosedLoad
from runs.models import PlanScenario, Run, RunStatus, Shard, ShardStatus, TestPlan
from runs.planning.errors import RequestError
from runs.services import can_stop, claim_shard, request_run, shard_spec, stop_run
from runs.workers import dispatch
from scenarios.models import Scenario
from targets.models import Credential, Target
from tests.support.credentials import boss, keep
from tests.support.runs import SECRET, a_run, shards, talk, target

pytestmark = pytest.mark.django_db


@pytest.fixture
def plan() -> TestPlan:
    row = Target.objects.create(name="shop bot", url="http://127.0.0.1:9/v1", params={"model": "m"})
    keep(row, {"api_key": SECRET})
    plan = TestPlan.objects.create(
        name="night", target=row, load={"kind": "closed", "users": 4, "duration_s": 5}, processes=2
    )
    for number, weight in enumerate((3.0, 1.0)):
        scenario = Scenario.objects.create(name=f"s{number}", spec=talk(f"text {number}", name=f"s{number}"))
        PlanScenario.objects.create(plan=plan, scenario=scenario, weight=weight)
    return plan


def test_a_plan_is_frozen_whole(plan: TestPlan) -> None:
    user = get_user_model().objects.create(username="ann", is_superuser=True)
    run = request_run(plan, user=user, local=True)
    assert (run.name, run.status, run.requested_by, run.plan) == ("night", RunStatus.QUEUED, user, plan)
    assert [shard.index for shard in shards(run)] == [0, 1]
    Target.objects.update(url="http://changed:1/v1")
    Scenario.objects.update(spec={})
    keep(Target.objects.get(), {})
    spec = shard_spec(shards(run)[1])
    assert spec.target.url == "http://127.0.0.1:9/v1"
    assert spec.target.secrets["api_key"].get_secret_value() == SECRET
    assert [(w.weight, w.scenario.name) for w in spec.scenarios] == [(3.0, "s0"), (1.0, "s1")]
    assert (spec.index, spec.of, spec.id_base) == (1, 2, shards(run)[1].pk << 32)


def test_a_threshold_may_choose_what_the_run_has(plan: TestPlan) -> None:
    plan.thresholds = ["ttft_ms{scenario=s1, model=m}.p95<500 and error_rate<1%"]
    plan.abort_on_fail = True
    run = request_run(plan, boss(), local=True)
    assert (run.thresholds, run.abort_on_fail) == (plan.thresholds, True)


def test_a_host_says_how_much_text_is_kept_and_where_its_connections_leave_from(settings: Any) -> None:
    settings.RECORD_CHARS, settings.SOURCE_ADDRESSES = 0, ("127.0.0.2",)
    spec = shard_spec(shards(a_run())[0])
    assert (spec.record_chars, spec.source_addresses) == (0, ("127.0.0.2",))


def test_no_secret_is_readable_in_any_row(plan: TestPlan) -> None:
    request_run(plan, boss(), local=True)
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names():
            cursor.execute(f'SELECT * FROM "{table}"')
            assert SECRET not in repr(cursor.fetchall())


def test_a_seed_is_drawn_for_each_run_unless_the_plan_has_one(plan: TestPlan) -> None:
    assert request_run(plan, boss(), local=True).seed != request_run(plan, boss(), local=True).seed
    plan.seed, plan.target.credential = 5, None
    assert request_run(plan, user=AnonymousUser(), local=True).seed == 5


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"load": {"kind": "closed", "users": 0, "duration_s": 1}}, "load_invalid"),
        ({"load": {"kind": "closed", "users": 1, "duration_s": 1}}, "load_invalid"),
        ({"thresholds": ["ttft_ms.p95<fast"]}, "threshold_invalid"),
        ({"thresholds": ["ttft_ms{scenario=s2}.p95<500"]}, "threshold_invalid"),
        ({"thresholds": ["turns_ok>1 and error_rate{tier=gold}<1"]}, "threshold_invalid"),
        ({"abort_on_fail": True}, "threshold_invalid"),
        ({"processes": 0}, "processes_invalid"),
    ],
)
def test_what_cannot_run_is_refused_with_a_code_and_leaves_no_row(
    plan: TestPlan, change: dict[str, Any], code: str
) -> None:
    for name, value in change.items():
        setattr(plan, name, value)
    with pytest.raises(RequestError) as caught:
        request_run(plan, boss(), local=True)
    assert caught.value.code == code
    assert not Run.objects.exists()


def test_a_plan_without_a_scenario_or_with_a_broken_one_is_refused(plan: TestPlan) -> None:
    Scenario.objects.filter(name="s1").update(spec={"name": "s1", "steps": []})
    with pytest.raises(RequestError) as caught:
        request_run(plan, boss())
    assert caught.value.code == "scenario_invalid"
    plan.mix.all().delete()
    with pytest.raises(RequestError, match="give at least one"):
        request_run(plan, boss())


def test_secrets_sealed_with_a_lost_key_are_said_before_anything_starts(plan: TestPlan) -> None:
    Credential.objects.update(sealed_secrets="gone:AAAA")
    plan.refresh_from_db()
    with pytest.raises(RequestError, match=r"shop bot.*TOKENBURN_KEYS") as caught:
        request_run(plan, boss())
    assert caught.value.code == "secrets_unreadable"


def test_the_nudge_leaves_after_the_commit_only(
    monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    sent: list[int] = []

    def send(shard_id: int, queue: str) -> bool:
        sent.append(shard_id)
        return True

    monkeypatch.setattr(dispatch, "_send", send)
    with django_capture_on_commit_callbacks() as callbacks:
        run = a_run(2, local=False)
    assert sent == []
    for callback in callbacks:
        callback()
    assert sent == [shard.pk for shard in shards(run)]
    assert dispatch.nudge(run.pk) == 0  # lately nudged


def test_a_local_run_is_never_nudged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "_send", lambda *_: pytest.fail("sent"))
    a_run(2, local=True)
    assert dispatch.nudge() == 0


def test_stopping_before_anybody_came_ends_the_run_at_once() -> None:
    run = a_run(2)
    assert can_stop(run)
    assert stop_run(run, "changed my mind")
    run.refresh_from_db()
    assert (run.status, run.reason) == (RunStatus.STOPPED, "changed my mind")
    assert {shard.status for shard in shards(run)} == {ShardStatus.STOPPED}
    assert not stop_run(run)
    assert not can_stop(run)


def test_stopping_leaves_claimed_shards_to_their_supervisors() -> None:
    run = a_run(2)
    assert claim_shard(shards(run)[0].pk, "me") is not None
    assert stop_run(run.pk)
    run.refresh_from_db()
    assert run.status == RunStatus.STOPPING
    assert [shard.status for shard in shards(run)] == [ShardStatus.CLAIMED, ShardStatus.STOPPED]
    assert claim_shard(shards(run)[1].pk, "me") is None


def test_each_claim_has_its_own_ledger_path_below_the_ledger_directory(settings: Any) -> None:
    shard = claim_shard(shards(a_run())[0].pk, "me")
    assert shard is not None
    directory = f"run-{shard.run_id}-{shard.run.uid.hex[:8]}"
    assert Path(shard.ledger_path) == settings.LEDGER_DIR / directory / "shard-0-1.jsonl"
    assert Shard.objects.get(pk=shard.pk).ledger_path == shard.ledger_path


def test_an_adhoc_run_takes_its_secrets_from_the_target() -> None:
    run = a_run(target=target(secrets={}), load=ClosedLoad(users=1, conversations=1), name="")
    assert run.get_secrets() == {}
    assert run.name == "mock: talk"
