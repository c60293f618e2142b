"""Whatever a run would refuse, every door refuses with the same words at the same place: nothing of it can be saved."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runs.models import PlanScenario, PlanSchedule, Run, TestPlan
from runs.planning.errors import RequestError
from runs.planning.run_request import RunRequest, plan_request
from runs.schedules.services import ScheduleError, create_schedule
from runs.services import request_adhoc_run
from scenarios.models import Scenario
from targets.binding import led_to
from targets.models import Target
from targets.services import target_spec
from tests.integration.web import made_up
from tests.support.credentials import boss, keep
from tokenburn_site.cli.burn import main
from tokenburn_site.cli.errors import BadUsage, CannotRun
from tokenburn_site.cli.options.burn_options import Options, spelled

pytestmark = pytest.mark.django_db
CLOSED = {"kind": "closed", "users": 4, "duration_s": 9.0}
OPEN = {"kind": "open", "rate_per_s": 2.0, "duration_s": 9.0}
TRACE = {"kind": "trace", "arrivals_s": [0.0, 1.0, 2.0]}
LOADS: dict[str, dict[str, Any]] = {
    "no kind": {"users": 4, "duration_s": 9},
    "an unknown kind": {**CLOSED, "kind": "ajar"},
    "no users": {"kind": "closed", "duration_s": 9},
    "no end": {"kind": "closed", "users": 4},
    "nobody": {**CLOSED, "users": 0},
    "fewer than nobody": {**CLOSED, "users": -1},
    "too many": {**CLOSED, "users": 10_000_000},
    "users that are a text": {**CLOSED, "users": "many"},
    "half a user": {**CLOSED, "users": 1.5},
    "no time": {**CLOSED, "duration_s": 0},
    "for ever": {**CLOSED, "duration_s": 9e9},
    "an unknown field": {**CLOSED, "colour": "red"},
    "a warm-up of all of it": {**CLOSED, "warm_up_s": 9},
    "a cool-down without an end": {"kind": "closed", "users": 4, "conversations": 9, "cool_down_s": 1},
    "stages of another length": {**CLOSED, "stages": [{"duration_s": 4, "to": 4}]},
    "a stage that is too high": {"kind": "closed", "users": 4, "stages": [{"duration_s": 4, "to": 1e9}]},
    "no conversations": {**CLOSED, "conversations": 0},
    "no rate": {**OPEN, "rate_per_s": 0},
    "arrivals of another kind": {**OPEN, "arrivals": "lumpy"},
    "no room": {**OPEN, "max_sessions": 0},
    "several conversations of an arrival": {**OPEN, "user_profile": {"conversations_per_user": 2}},
    "no trace": {"kind": "trace"},
    "a trace that goes back": {**TRACE, "arrivals_s": [2.0, 1.0]},
    "a trace with stages": {**TRACE, "stages": [{"duration_s": 4, "to": 4}]},
    "cost without prices": {**CLOSED, "budget": {"cost": 5}},
    "no price for the model": {**CLOSED, "budget": {"prices": {"other": {"input": 1, "output": 2}}}},
    "more errors than turns": {**CLOSED, "budget": {"error_rate": {"above": 2}}},
    "fewer tokens than engines": {**CLOSED, "users": 1, "budget": {"tokens": 0}},
    "a model named twice": {**CLOSED, "user_profile": {"models": ["a", "a"]}},
    "models from two sides": {**CLOSED, "user_profile": {"models": ["a"], "models_from_target": True}},
    "nothing to exclude from": {**CLOSED, "user_profile": {"exclude": ["*a*"]}},
    "nothing left": {**CLOSED, "user_profile": {"models": ["a"], "exclude": ["*"]}},
    "cold before warm": {**CLOSED, "user_profile": {"temperature": [2, 1]}},
    "a search with a warm-up": {**CLOSED, "search": {"conditions": ["error_rate<1%"]}, "warm_up_s": 1},
    "a search for nothing": {"kind": "closed", "users": 4, "search": {"conditions": ["nonsense"]}},
    "a search for more than all": {"kind": "closed", "users": 4, "search": {"conditions": ["error_rate<5"]}},
    "a search of another's": {
        "kind": "closed", "users": 4, "search": {"conditions": ["e2e_ms{scenario=another}.p95<9"]}
    },
    "a sweep of nothing": {"kind": "closed", "sweep": {"levels": []}},
    "a search beside a sweep": {
        "kind": "closed", "sweep": {"levels": [1, 2]}, "search": {"conditions": ["error_rate<1%"]}
    },
}  # fmt: skip
OTHERS: dict[str, dict[str, Any]] = {
    "no engine": {"processes": 0},
    "an address that is never dialled": {"url": "http://169.254.169.254/v1"},
    "more engines than users": {"processes": 5},
    "more engines than conversations": {"load": {**CLOSED, "conversations": 2}, "processes": 3},
    "a threshold on nothing": {"thresholds": ["error_rate<1%", "tftt_ms.p95<8"]},
    "a share above 1": {"thresholds": ["error_rate<5"]},
    "a threshold without a limit": {"thresholds": ["error_rate"]},
    "a threshold on another scenario": {"thresholds": ["e2e_ms{scenario=another}.p95<9"]},
    "a threshold on another model": {"thresholds": ["e2e_ms{model=another}.p95<9"]},
    "an unknown set of thresholds": {"thresholds": ["@nobody"]},
    "nothing to abort for": {"abort_on_fail": True},
    "no region": {"regions": ["E U"], "processes": 2},
    "a region twice": {"regions": ["eu", "eu"], "processes": 2},
    "more regions than engines": {"regions": ["eu", "us"]},
    "more engines than rows": {"once": True, "processes": 2},
}
CASES: dict[str, dict[str, Any]] = {**{name: {"load": load} for name, load in LOADS.items()}, **OTHERS}
ONCE = {"data": {"rows": {"rows": [{"name": "ann"}], "use": "once"}}}
BASE: dict[str, Any] = {
    "load": CLOSED, "thresholds": [], "abort_on_fail": False, "processes": 1, "regions": [], "seed": 5,
}  # fmt: skip


@pytest.fixture
def target() -> Target:
    made = Target(name="bot", url="http://127.0.0.1:9/v1", preset="openai-chat", params={"model": "mock"})
    keep(made, {"api_key": made_up.SECRET})
    return made


def scenario(once: bool) -> Scenario:
    text = "Hello {{ data.rows.name }}" if once else "Hello"
    spec = {"name": "talk", "steps": [{"do": "say", "text": text}], **(ONCE if once else {})}
    return Scenario.objects.create(name=f"talk {Scenario.objects.count()}", spec=spec)


def stored(target: Target, said: Scenario, asked: dict[str, Any]) -> TestPlan:
    """As an earlier version, or a migration, may have left it: never validated."""
    plan = TestPlan.objects.create(name=f"stored {TestPlan.objects.count()}", target=target, **asked)
    PlanScenario.objects.create(plan=plan, scenario=said)
    return plan


def expected(target: Target, said: Scenario, asked: dict[str, Any]) -> RequestError:
    with pytest.raises(RequestError) as caught:
        RunRequest(target_spec(target), [(1.0, said.spec)], **asked).validate()
    return caught.value


@pytest.mark.parametrize("name", CASES)
def test_every_door_refuses_it_with_the_same_words_at_the_same_place(
    name: str, admin_page: Client, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = dict(CASES[name])
    said = scenario(case.pop("once", False))
    target.url = case.pop("url", target.url)
    keep(target, {"api_key": made_up.SECRET}, origins=led_to(target))
    asked = {**BASE, **case}
    want = expected(target, said, asked)
    assert "\n" not in str(want)
    good = stored(target, said, BASE)
    plan = stored(target, said, asked)

    plans_are_refused(admin_page, good, said, asked, want)
    runs_are_refused(admin_page, plan, want)
    burns_are_refused(monkeypatch, target, said, asked, want)

    assert not Run.objects.exists()
    assert not PlanSchedule.objects.exists()
    assert set(TestPlan.objects.values_list("pk", flat=True)) == {good.pk, plan.pk}
    good.refresh_from_db()
    assert good.load == CLOSED


def plans_are_refused(
    admin_page: Client, good: TestPlan, said: Scenario, asked: dict[str, Any], want: RequestError
) -> None:
    """New ones, and a change of a good one."""
    target, text = good.target, str(want)
    body = {"name": "p", "target": target.pk, "scenarios": [{"scenario": said.pk, "weight": 1.0}], **asked}

    answer = admin_page.post("/api/plans/", body, "application/json")
    assert (answer.status_code, answer.json().get(want.field)) == (400, [text])

    if not said.spec.get("data"):
        changed = {field: asked[field] for field in asked if asked[field] != BASE[field]}
        answer = admin_page.patch(f"/api/plans/{good.pk}/", changed, "application/json")
        assert (answer.status_code, answer.json().get(want.field)) == (400, [text])

    page = admin_page.post("/admin/runs/testplan/add/", form(target, said, asked))
    assert page.status_code == 200
    errors = page.context["adminform"].form.errors
    assert text in errors["__all__" if want.field == "scenarios" else want.field]


def runs_are_refused(admin_page: Client, plan: TestPlan, want: RequestError) -> None:
    text = str(want)
    refusal = {"plan": [text], "code": [want.code], "field": [want.field]}
    answer = admin_page.get(f"/api/plans/{plan.pk}/estimate/")
    assert (answer.status_code, answer.json()) == (400, refusal)
    answer = admin_page.post("/api/runs/", {"plan": plan.pk}, "application/json")
    assert (answer.status_code, answer.json()) == (400, refusal)
    with pytest.raises(ScheduleError) as unscheduled:
        create_schedule(name="s", plan=plan, when={"crontab": "0 2 * * *"}, user=boss())
    assert (unscheduled.value.field, str(unscheduled.value)) == ("plan", text)


def burns_are_refused(
    monkeypatch: pytest.MonkeyPatch, target: Target, said: Scenario, asked: dict[str, Any], want: RequestError
) -> None:
    text = str(want)
    with pytest.raises(RequestError) as refused:
        request_adhoc_run(target=target_spec(target), scenarios=[(1.0, said.spec)], local=True, **asked)
    assert (refused.value.field, refused.value.code, str(refused.value)) == (want.field, want.code, text)

    monkeypatch.setattr(main, "ensure_database", lambda: None)
    monkeypatch.setattr(main, "stored_target", lambda _: target_spec(target))
    with pytest.raises(CannotRun if want.code == "target_invalid" else BadUsage) as unburned:
        main.prepare(options(said, asked))
    assert str(unburned.value) == spelled(text)


def form(target: Target, said: Scenario, asked: dict[str, Any]) -> dict[str, Any]:
    shown = {"load": json.dumps(asked["load"]), "thresholds": json.dumps(asked["thresholds"])}
    shown |= {"regions": json.dumps(asked["regions"]), "processes": str(asked["processes"]), "seed": "5"}
    return {
        "name": "f", "target": str(target.pk), **shown, **({"abort_on_fail": "on"} if asked["abort_on_fail"] else {}),
        "mix-TOTAL_FORMS": "1", "mix-INITIAL_FORMS": "0", "mix-MIN_NUM_FORMS": "1", "mix-MAX_NUM_FORMS": "1000",
        "mix-0-scenario": str(said.pk), "mix-0-weight": "1",
    }  # fmt: skip


def options(said: Scenario, asked: dict[str, Any]) -> Options:
    return Options(
        target="bot",
        scenarios=(said.name,),
        load=asked["load"],
        thresholds=tuple(asked["thresholds"]),
        abort_on_fail=asked["abort_on_fail"],
        processes=asked["processes"],
        regions=tuple(asked["regions"]),
        seed=asked["seed"],
        estimate=True,
    )


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.fixed_dictionaries(
        {"kind": st.sampled_from(["closed", "open"])},
        optional={
            "users": st.integers(-1, 3),
            "rate_per_s": st.sampled_from([0, 1.5]),
            "duration_s": st.sampled_from([None, 0, 9]),
            "conversations": st.sampled_from([None, 0, 2]),
            "warm_up_s": st.sampled_from([0, 9]),
            "budget": st.sampled_from([{}, {"turns": 1}, {"cost": 1}]),
        },
    ),
    st.integers(1, 3),
)
def test_what_can_be_saved_can_be_run(load: dict[str, Any], processes: int) -> None:
    """The API saves a plan exactly if a run of it is accepted."""
    client = Client()
    client.force_login(made_up.user(superuser=True))
    bot, said = made_up.target(), made_up.scenario()
    body = {"name": f"p{said.pk}", "target": bot.pk, "scenarios": [{"scenario": said.pk, "weight": 1.0}]}
    answer = client.post("/api/plans/", {**body, "load": load, "processes": processes}, "application/json")
    plan = stored(bot, said, {**BASE, "load": load, "processes": processes})
    wrong = plan_request(plan).problems()
    assert (answer.status_code == 201) is (not wrong)
    if wrong:
        assert answer.json() == {field: [text] for field, text in wrong.items()}
