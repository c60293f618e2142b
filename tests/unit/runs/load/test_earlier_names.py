"""Fields of a load under the names that they had before: read as before, written under today's."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.spec import SpecError
from metrics import earlier_names
from metrics.analysis.counts import Counts
from metrics.analysis.patience import patience_of
from runs.load.earlier_names import present_load, user_profile_of
from runs.load.groups import frozen_groups
from runs.load.profile import parse_load
from runs.reporting.formatting import load_text

LOAD: dict[str, Any] = {"kind": "closed", "users": 2, "duration_s": 3}
EARLIER: dict[str, Any] = {"at_once": 3, "models": ["a", "b"], "patience": {"within_s": {"mean": 1}, "then": "double"}}
NOW: dict[str, Any] = {
    "conversations_per_user": 3,
    "models": ["a", "b"],
    "patience": {"within_s": {"mean": 1}, "then": "hedge"},
}


@pytest.fixture(autouse=True)
def nothing_warned_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(earlier_names, "_told", set())


def test_earlier_names_are_read_with_one_warning_each(capsys: pytest.CaptureFixture[str]) -> None:
    now = parse_load({**LOAD, "user_profile": NOW})
    assert capsys.readouterr().err == ""
    assert parse_load({**LOAD, "people": EARLIER}) == parse_load({**LOAD, "people": EARLIER}) == now
    assert sorted(capsys.readouterr().err.splitlines()) == [
        "Token-Burn: the load's field `at_once` is now `conversations_per_user`; the old name works until 1.0",
        "Token-Burn: the load's field `people` is now `user_profile`; the old name works until 1.0",
        "Token-Burn: then: double is now then: hedge; the old name works until 1.0",
    ]
    assert "people" not in now.model_dump() and parse_load(now.model_dump(mode="json")) == now


def test_a_budget_is_read_under_its_earlier_name(capsys: pytest.CaptureFixture[str]) -> None:
    found = parse_load({**LOAD, "budget": {"only_errors_s": 7}}).budget
    assert found.no_success_timeout_s == 7 and "only_errors_s" not in found.model_dump()
    assert "`only_errors_s` is now `no_success_timeout_s`" in capsys.readouterr().err
    assert parse_load({**LOAD, "budget": {"only_errors_s": None}}).budget.no_success_timeout_s is None


def test_a_cost_is_read_under_its_earlier_name(capsys: pytest.CaptureFixture[str]) -> None:
    prices = {"*": {"input": 1.0, "output": 2.0}}
    earlier, now = ({**LOAD, "budget": {name: 5.0, "prices": prices}} for name in ("money", "cost"))
    assert load_text(earlier) == load_text(now) == "2 users, 3 s, at most 5 in cost"
    assert capsys.readouterr().err == ""
    found = parse_load(earlier)
    assert found == parse_load(now) and "money" not in found.model_dump()["budget"]
    line = "Token-Burn: the load's field `money` is now `cost`; the old name works until 1.0\n"
    assert capsys.readouterr().err == line


def test_both_names_of_a_field_are_too_many() -> None:
    with pytest.raises(SpecError, match="people is the earlier name of user_profile: give one of them"):
        parse_load({**LOAD, "people": {}, "user_profile": {}})
    with pytest.raises(SpecError, match="at_once is the earlier name of conversations_per_user"):
        parse_load({**LOAD, "user_profile": {"at_once": 1, "conversations_per_user": 1}})


def test_a_stored_load_reads_alike_under_either_name_and_warns_of_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    earlier, now = {**LOAD, "people": EARLIER}, {**LOAD, "user_profile": NOW}
    assert user_profile_of(earlier) == user_profile_of(now) == NOW
    assert user_profile_of(LOAD) == user_profile_of({**LOAD, "people": None}) == {}
    scenarios = [{"scenario": {"name": "s"}}]
    assert [group.model for group in frozen_groups(scenarios, earlier, {})] == ["a", "b"]
    assert load_text(earlier) == load_text(now)
    assert load_text(now).endswith(", 3 conversations at once each, 2 models, impatient (hedge)")
    assert patience_of(earlier, Counts()) == patience_of(now, Counts()) is not None
    assert capsys.readouterr().err == ""


def test_a_stored_load_is_shown_and_saved_under_todays_names(capsys: pytest.CaptureFixture[str]) -> None:
    notes: list[str] = []
    found = present_load({**LOAD, "people": EARLIER, "budget": {"money": 5, "only_errors_s": None}}, notes)
    assert found == {**LOAD, "user_profile": NOW, "budget": {"cost": 5, "no_success_timeout_s": None}}
    assert notes == [
        "load.people is now load.user_profile",
        "load.user_profile.at_once is now load.user_profile.conversations_per_user",
        "load.budget.only_errors_s is now load.budget.no_success_timeout_s",
        "load.budget.money is now load.budget.cost",
        "load.user_profile.patience.then: double is now hedge",
    ]
    assert present_load(found, notes) == found and len(notes) == 5
    assert present_load({"people": 3, "budget": "x"}) == {"user_profile": 3, "budget": "x"}
    both: dict[str, Any] = {"people": {}, "user_profile": {}}
    assert present_load(both) == both
    assert capsys.readouterr().err == ""
