"""Caps of a run: what is refused, what is bounded, whose policy counts."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db import IntegrityError

from policy.limits import Limits, limits_for
from policy.models import Policy
from policy.targets import NotAllowedError
from runs.load.demand import arrivals_of, users_of
from runs.load.profile import parse_load
from runs.planning.within import within
from tests.integration.web import made_up

CLOSED = {"kind": "closed", "users": 8, "duration_s": 60}
OPEN = {"kind": "open", "rate_per_s": 5, "duration_s": 60}
TRACE = {"kind": "trace", "arrivals_s": [0, 0.1, 0.2, 5.0, 5.5]}
SEARCH = {**CLOSED, "duration_s": None, "search": {"conditions": ["ttft_ms.p95<800"], "high": 500}}
PRICES = {"prices": {"*": {"input": 1, "output": 2}}}


@pytest.mark.parametrize(
    ("load", "limits", "says"),
    [
        (CLOSED, {"users": 8}, None),
        (CLOSED, {"users": 7}, "8 users are more than the 7 that the policy allows"),
        ({**CLOSED, "duration_s": None, "stages": [{"duration_s": 9, "to": 50}]}, {"users": 49}, "50 users"),
        ({**CLOSED, "user_profile": {"conversations_per_user": 3}}, {"users": 23}, "24 users"),
        (SEARCH, {"users": 499}, "500 users"),
        ({"kind": "closed", "sweep": {"levels": [2, 30, 4]}}, {"users": 29}, "30 users"),
        (OPEN, {"arrivals_per_s": 4.5}, "5 conversations per second are more than the 4.5"),
        ({**OPEN, "duration_s": None, "stages": [{"duration_s": 9, "to": 70}]}, {"arrivals_per_s": 60}, "70 conv"),
        ({**OPEN, "duration_s": None, "search": {"conditions": ["error_rate<1%"]}}, {"arrivals_per_s": 999}, "1,000"),
        ({**OPEN, "max_sessions": 200}, {"users": 100}, "200 open conversations"),
        (TRACE, {"arrivals_per_s": 2}, "3 conversations per second"),
        ({**TRACE, "speed": 10}, {"arrivals_per_s": 4}, "5 conversations per second"),
        (TRACE, {"duration_s": 5}, "5.5 seconds"),
        (CLOSED, {"duration_s": 59}, "60 seconds"),
        ({**CLOSED, "max_turns_per_s": 9}, {"turns_per_s": 8}, "9 turns per second"),
        (SEARCH, {"turns_per_s": 8}, "would distort a search"),
        ({**CLOSED, "budget": {"tokens": 1001}}, {"tokens": 1000}, "1,001 tokens"),
        (CLOSED, {"cost": 5}, "this load has no prices"),
        ({**CLOSED, "budget": {**PRICES, "cost": 6}}, {"cost": 5}, "6 cost"),
        (CLOSED, {"tokens": 0}, "there is no such load"),
        ({**CLOSED, "duration_s": None, "conversations": 5, "warm_up_s": 9}, {"duration_s": 9}, "no such load"),
    ],
)
def test_a_load_beyond_the_limits_is_refused(load: dict[str, Any], limits: dict[str, Any], says: str | None) -> None:
    if says is None:
        assert within(parse_load(load), Limits(**limits)) == parse_load(load)
        return
    with pytest.raises(NotAllowedError, match=says):
        within(parse_load(load), Limits(**limits))


@pytest.mark.parametrize(
    ("load", "limits", "expected"),
    [
        (OPEN, {"users": 100}, {"max_sessions": 100}),
        (OPEN, {"person_users": 50, "users": 100}, {"max_sessions": 50}),
        (CLOSED, {"turns_per_s": 8}, {"max_turns_per_s": 8.0}),
        ({"kind": "closed", "users": 2, "conversations": 9}, {"duration_s": 30}, {"duration_s": 30.0}),
    ],
)
def test_what_a_load_leaves_open_is_bounded(
    load: dict[str, Any], limits: dict[str, Any], expected: dict[str, Any]
) -> None:
    found = within(parse_load(load), Limits(**limits)).model_dump(mode="json")
    assert {**parse_load(load).model_dump(mode="json"), **expected} == found


def test_tokens_and_cost_become_the_budget() -> None:
    found = within(parse_load({**CLOSED, "budget": PRICES}), Limits(tokens=1000, cost=2.5))
    assert (found.budget.tokens, found.budget.cost) == (1000, 2.5)


def test_what_a_load_takes() -> None:
    assert (users_of(parse_load(CLOSED)), arrivals_of(parse_load(CLOSED))) == (8, 0.0)
    assert (users_of(parse_load(OPEN)), arrivals_of(parse_load(OPEN))) == (10_000, 5.0)


@pytest.fixture
def user(db: None) -> User:
    return made_up.user("runs.change_run")


def group(user: User | None = None, **fields: Any) -> Policy:
    made = Group.objects.create(name=f"group {Group.objects.count()}")
    if user is not None:
        user.groups.add(made)
    return Policy.objects.create(group=made, **fields)


def test_without_policies_there_are_no_limits(user: User) -> None:
    assert limits_for(user) == limits_for(None) == Limits()


def test_the_default_holds_for_those_without_a_policy_of_their_own(user: User) -> None:
    Policy.objects.create(users=5)
    group(users=50)
    assert limits_for(user).users == limits_for(None).users == 5


def test_of_several_groups_the_widest_of_each_limit_counts(user: User) -> None:
    Policy.objects.create(users=5)
    group(user, users=10, tokens=None, duration_s=60, targets="a.example")
    group(user, users=3, tokens=100, duration_s=600, targets="b.example\n# c\na.example")
    found = limits_for(user)
    assert (found.users, found.tokens, found.duration_s) == (10, None, 600)
    assert [pattern.text for pattern in found.targets or ()] == ["a.example", "b.example"]
    group(user)
    assert limits_for(user) == Limits()


def test_superusers_are_bound_unless_a_policy_says_otherwise(boss: User) -> None:
    row = Policy.objects.create(users=5)
    assert limits_for(boss).users == 5
    row.binds_superusers = False
    row.save()
    assert limits_for(boss) == Limits()
    assert limits_for(None).users == 5


def test_a_group_has_one_policy_and_there_is_one_default(db: None) -> None:
    Policy.objects.create()
    with pytest.raises(IntegrityError):
        Policy.objects.create()
