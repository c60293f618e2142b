"""What a run would come to, against values worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.spec import TargetSpec
from runs.load.profile import parse_load
from runs.planning.estimate import UNKNOWN, Amounts, Estimate, estimate_run, known_answers
from scenarios.definition.spec import ScenarioSpec
from scenarios.render.walk import check_scenario
from tests.support.runs import target

TEN = "x" * 40  # characters: ten tokens
KNOWN = known_answers(2.0, 30.0, "known")
PRICES = {"mock": {"input": 10.0, "output": 100.0}}


def scenario(*steps: dict[str, Any], **more: Any) -> list[tuple[float, ScenarioSpec]]:
    return [(1.0, check_scenario({"name": "talk", "steps": list(steps), **more}))]


SAY = {"do": "say", "text": TEN}
THREE = scenario({"do": "repeat", "times": 3, "steps": [SAY]})  # with history: 10, 50, 90 tokens in
ALONE = scenario({"do": "repeat", "times": 3, "steps": [SAY]}, history="none")


def likely(load: dict[str, Any], said: list[tuple[float, ScenarioSpec]] = THREE, **more: Any) -> Amounts:
    return whole(load, said, **more).likely


def whole(
    load: dict[str, Any], said: list[tuple[float, ScenarioSpec]] = THREE, of: TargetSpec | None = None, **more: Any
) -> Estimate:
    return estimate_run(of or target(), said, parse_load(load), **{"assumption": KNOWN, **more})


def test_attachments_are_told_as_what_they_add_to_the_requests() -> None:
    look = SAY | {"attachments": [{"generate": "png", "bytes": 300_000}]}
    load = {"kind": "closed", "users": 1, "conversations": 10}
    for said, sent in ((scenario(look, SAY), "8.0"), (scenario(look, SAY, history="none"), "4.0")):
        estimate = whole(load, said)
        assert estimate.assumptions[-1].startswith(f"attachments add {sent} MB"), "once a turn that carries them"
        assert estimate.likely.tokens_in == likely(load, scenario(SAY, SAY, history=said[0][1].history)).tokens_in


def test_a_number_of_conversations_is_that_many_times_one() -> None:
    found = likely({"kind": "closed", "users": 5, "conversations": 100})
    assert found == Amounts(100, 300, 15_000, 9_000, None, 100 * 6.0 / 5)


def test_requests_without_history_carry_their_message_only() -> None:
    assert likely({"kind": "closed", "users": 5, "conversations": 100}, ALONE).tokens_in == 3_000
    own = target(overrides={"request": {"body": {"model": "m", "messages": "{{ message }}"}}})
    assert likely({"kind": "closed", "users": 5, "conversations": 100}, of=own).tokens_in == 3_000


def test_users_for_a_time_hold_conversations_back_to_back_and_the_last_is_cut() -> None:
    # At 0, 2, .. 18 s and nothing at 20: ten turns, which are three conversations and the first turn of a fourth.
    found = likely({"kind": "closed", "users": 4, "duration_s": 20})
    assert found == Amounts(16, 40, 4 * (3 * 150 + 10), 4 * 300, None, 20)


def test_pauses_are_time_and_no_tokens() -> None:
    slow = scenario(SAY, {"do": "wait", "seconds": 8}, SAY, {"do": "wait", "seconds": 3})
    found = likely({"kind": "closed", "users": 1, "duration_s": 30}, slow)  # at 0, 10, 15, 25
    assert (found.turns, found.tokens_in) == (4, 10 + 50 + 10 + 50)


def test_a_long_run_goes_on_at_the_pace_of_its_beginning() -> None:
    found = likely({"kind": "closed", "users": 10, "duration_s": 86_400})
    assert found.turns == pytest.approx(10 * 43_200, rel=0.001)
    assert found.tokens_in == pytest.approx(50 * found.turns, rel=0.01)


def test_a_level_that_changes_counts_by_its_area() -> None:
    stages = [{"duration_s": 100, "to": 10}, {"duration_s": 100, "to": 10}]
    found = likely({"kind": "closed", "users": 0, "stages": stages}, ALONE)
    assert found.turns == pytest.approx((500 + 1000) / 2)


def test_arrivals_say_what_they_have_time_for() -> None:
    load = {"kind": "open", "rate_per_s": 5, "duration_s": 10}
    # Each says at 0, 2 and 4 s after its arrival: 50, then those of the first 8 s, then of the first 6 s.
    assert likely(load) == Amounts(50, 50 + 40 + 30, 50 * 10 + 40 * 50 + 30 * 90, 120 * 30, None, 10)
    assert likely({**load, "conversations": 20}).turns == 60  # they have all come by the 4th second
    assert likely({"kind": "open", "rate_per_s": 5, "conversations": 20}).turns == 60


def test_arrivals_that_find_no_place_are_dropped() -> None:
    load = {"kind": "open", "rate_per_s": 5, "duration_s": 600, "max_sessions": 15}  # of 30 that would be open
    assert likely(load).conversations == pytest.approx(1500)


def test_a_trace_counts_its_own_arrivals() -> None:
    load = {"kind": "trace", "arrivals_s": [0, 1, 2, 50], "duration_s": 9}
    assert likely(load) == Amounts(3, 9, 3 * 150, 9 * 30, None, 8)


def test_a_cap_of_turns_holds() -> None:
    assert likely({"kind": "closed", "users": 40, "duration_s": 10, "max_turns_per_s": 3}).turns == pytest.approx(30)
    slower = likely({"kind": "closed", "users": 40, "conversations": 10, "max_turns_per_s": 3})
    assert slower.turns == 30
    assert slower.duration_s == pytest.approx(10)


def test_first_messages_and_conversations_at_once_count() -> None:
    people = {"first_messages": {"share": 1.0, "low": 1, "high": 1}, "conversations_per_user": 3}
    found = likely({"kind": "closed", "users": 2, "duration_s": 10, "user_profile": people})
    assert found == Amounts(30, 30, 300, 900, None, 10)


def test_money_is_tokens_by_price_and_models_are_drawn_evenly() -> None:
    load = {"kind": "closed", "users": 5, "conversations": 100, "budget": {"prices": PRICES}}
    assert likely(load).cost == pytest.approx((15_000 * 10 + 9_000 * 100) / 1e6)
    prices = {"a": PRICES["mock"], "*": {"input": 0, "output": 0}}
    two = {**load, "user_profile": {"models": ["a", "b"]}, "budget": {"prices": prices}}
    assert likely(two).cost == pytest.approx((15_000 * 10 + 9_000 * 100) / 2e6)


def test_the_first_ceiling_that_is_reached_ends_it() -> None:
    budget = {"prices": PRICES, "cost": 0.21, "turns": 150, "tokens": 100_000}
    found = likely({"kind": "closed", "users": 5, "conversations": 100, "budget": budget})
    assert found.ended_by == "cost"
    assert found.cost == pytest.approx(0.21)
    assert found.conversations == pytest.approx(20)


def test_what_is_known_of_the_target_narrows_the_range() -> None:
    load = {"kind": "closed", "users": 5, "duration_s": 60}
    known, unknown = whole(load).data(), whole(load, assumption=None).data()
    for found in (known, unknown):
        assert found["turns"]["low"] < found["turns"]["likely"] < found["turns"]["high"]
        assert found["tokens_out"]["low"] < found["tokens_out"]["likely"] < found["tokens_out"]["high"]
    assert known["turns"]["high"] / known["turns"]["low"] < 1.6
    assert unknown["turns"]["high"] / unknown["turns"]["low"] > 6
    assert known["assumptions"][0].startswith(
        "answers: 2 s and 30 tokens (for the low load 2.4 s and 25, for the high one 1.67 s and 36)"
    )
    assert unknown["assumptions"][0].endswith(UNKNOWN.why)


def test_the_targets_own_limit_bounds_unknown_answers() -> None:
    short = target(overrides={"params": {"max_tokens": 64}})
    found = whole({"kind": "closed", "users": 1, "conversations": 10}, of=short, assumption=None).data()
    assert found["tokens_out"] == {"low": 30 * 50, "likely": 30 * 64, "high": 30 * 64}
