"""Simulated users: what may be asked for, and what each conversation draws."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.spec import SpecError, build_target_spec
from runs.engine.core.shard_spec import ShardSpec
from runs.engine.shard import Shard
from runs.engine.users.base import User
from runs.engine.users.factory import user_class
from runs.engine.users.impatient import ImpatientUser
from runs.engine.users.paced import PacedUser
from runs.load.draws.lazy_random import LazyRandom
from runs.load.draws.pacing import PacedWalk
from runs.load.draws.sampling import Draws
from runs.load.profile import parse_load
from runs.load.users import Think, UserProfile, excluded
from runs.planning.run_request import RunRequest
from scenarios.definition.spec import parse_scenario
from scenarios.definition.spread import Spread
from scenarios.render.walk import SayAction, WaitAction, compile_scenario

CLOSED = {"kind": "closed", "users": 2, "duration_s": 5}
OPEN = {"kind": "open", "rate_per_s": 2, "duration_s": 5}


def people(**given: Any) -> UserProfile:
    return UserProfile.model_validate(given)


@pytest.mark.parametrize(
    ("load", "given", "why"),
    [
        (CLOSED, {"models": ["a"], "models_from_target": True}, "not both"),
        (CLOSED, {"models": ["a", "a"]}, "named twice"),
        (CLOSED, {"models": [" "]}, "is not a model name"),
        (CLOSED, {"exclude": ["a"]}, "has no models to exclude from"),
        (CLOSED, {"models": ["a"], "exclude": ["?"]}, "leaves none"),
        (CLOSED, {"temperature": [1.0, 0.5]}, "lower and the higher"),
        (CLOSED, {"temperature": [-1, 0.5]}, "lower and the higher"),
        (CLOSED, {"first_messages": {"share": 0.2, "low": 3, "high": 1}}, "low 3 is above high 1"),
        (CLOSED, {"first_messages": {"share": 0}}, "greater than 0"),
        (CLOSED, {"conversations_per_user": 0}, "greater than or equal to 1"),
        (OPEN, {"conversations_per_user": 2}, "conversations_per_user applies only to load.users"),
        (CLOSED, {"patience": {"within_s": {}}}, "give a time above 0"),
        (CLOSED, {"patience": {"within_s": {"mean": 1}, "then": "shout"}}, "'abandon', 'resend' or 'hedge'"),
        (CLOSED, {"think": {"pause_s": {"kind": "uniform"}}}, "needs `high`"),
        (CLOSED, {"patiance": {}}, r"load\.user_profile\.patiance: is not a known field; did you mean 'patience'\?"),
    ],
)
def test_what_makes_no_sense_is_one_line(load: dict[str, Any], given: dict[str, Any], why: str) -> None:
    with pytest.raises(SpecError, match=why) as caught:
        parse_load({**load, "user_profile": given})
    assert str(caught.value).startswith(("load.", "give load."))
    assert "\n" not in str(caught.value)


def test_an_exclusion_file_has_patterns_and_comments() -> None:
    patterns = excluded("# Embedding models\ntext-embedding-*\n\n  # Expensive\n  gpt-4-32k  \n")
    assert patterns == ("text-embedding-*", "gpt-4-32k")
    some = people(models_from_target=True, exclude=patterns)
    settled = some.settled(["gpt-4", "gpt-4-32k", "text-embedding-3-small"])
    assert settled.models == ("gpt-4",)
    assert not settled.models_from_target
    assert people(**settled.model_dump()) == settled  # a frozen load is a load


FULL = people(models=["a", "b", "c"], temperature=[0.5, 1.0], first_messages={"share": 0.2, "low": 1, "high": 3})


@given(seed=st.integers(-(2**60), 2**60), of=st.integers(1, 5))
def test_draws_are_the_same_for_any_number_of_engines(seed: int, of: int) -> None:
    whole = [Draws(FULL, seed).of(number) for number in range(20)]
    shares = [Draws(FULL, seed) for _ in range(of)]
    assert [shares[number % of].of(number) for number in range(20)] == whole


def test_one_part_does_not_change_anothers_draws() -> None:
    draws = [
        Draws(FULL, 7),
        Draws(people(models=["a", "b", "c"]), 7),
        Draws(people(temperature=[0.5, 1.0]), 7),
        Draws(people(first_messages={"share": 0.2, "low": 1, "high": 3}), 7),
    ]
    for number in range(200):
        full, model, warmth, length = (draw.of(number) for draw in draws)
        assert (full.place, full.model) == (model.place, model.model)
        assert full.params == warmth.params
        assert full.messages == length.messages
        assert (model.params, model.messages, warmth.model) == (None, 0, "")


def test_draws_are_even_and_within_their_bounds() -> None:
    drawn = [Draws(FULL, 1).of(number) for number in range(3000)]
    models = Counter(one.model for one in drawn)
    assert all(900 < models[name] < 1100 for name in "abc")
    assert all(one.model == "abc"[one.place] for one in drawn)
    warmth = [one.params["temperature"] for one in drawn if one.params]
    assert 0.5 <= min(warmth) < 0.51
    assert 0.99 < max(warmth) <= 1.0
    assert sum(warmth) / 3000 == pytest.approx(0.75, abs=0.01)
    lengths = Counter(one.messages for one in drawn)
    assert set(lengths) == {0, 1, 2, 3}
    assert lengths[0] / 3000 == pytest.approx(0.8, abs=0.03)
    assert all(lengths[count] == pytest.approx(200, abs=45) for count in (1, 2, 3))


def steps(*texts: str, waits: dict[int, float] | None = None) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for number, text in enumerate(texts):
        if waits and number in waits:
            found.append({"do": "wait", "seconds": waits[number]})
        found.append({"do": "say", "text": text})
    return found


def paced(think: Think | None, messages: int = 0, **more: Any) -> list[float | str]:
    """What a user does: seconds of waiting and texts said; each answer has 50 characters."""
    scenario = compile_scenario(parse_scenario({"name": "s", "steps": steps("one", "two", "three", **more)}))
    rng: Any = LazyRandom(1, 2)
    walk = PacedWalk(scenario.walk(rng, {"id": "i", "number": 2, "user": 0}), messages, think, rng)
    done: list[float | str] = []
    while (action := walk.next_action()) is not None:
        if isinstance(action, WaitAction):
            done.append(action.seconds)
            continue
        assert isinstance(action, SayAction)
        assert walk.messages[-1]["content"] == action.text
        done.append(action.text)
        walk.answer("x" * 50)
    return done


def test_people_think_read_and_type_before_each_further_message() -> None:
    think = Think(pause_s=Spread(mean=2), reading_wpm=300, typing_wpm=60)
    assert paced(think) == ["one", pytest.approx(2 + 2 + 0.6), "two", pytest.approx(2 + 2 + 1.0), "three"]


def test_thinking_has_an_upper_bound() -> None:
    assert paced(Think(pause_s=Spread(mean=100), max_s=1.5)) == ["one", 1.5, "two", 1.5, "three"]


def test_a_wait_of_the_scenario_stands_instead() -> None:
    assert paced(Think(pause_s=Spread(mean=2)), waits={1: 0.3}) == ["one", 0.3, "two", 2.0, "three"]


def test_a_conversation_may_end_after_its_first_messages() -> None:
    assert paced(None, 2) == ["one", "two"]
    assert paced(Think(pause_s=Spread(mean=2)), 1) == ["one"]
    assert paced(None, 9) == ["one", "two", "three"]


# --- what a shard makes of it -----------------------------------------------------------------------------------


def shard(given: dict[str, Any], index: int = 0, of: int = 1) -> Shard:
    spec = ShardSpec.model_validate(
        {
            "run_id": 1,
            "shard_id": 1,
            "index": index,
            "of": of,
            "seed": 7,
            "id_base": 0,
            "ledger_path": "none",
            "target": build_target_spec(name="t", url="http://127.0.0.1:9/v1", preset="openai-chat").wire_dict(),
            "scenarios": [{"scenario": {"name": name, "steps": steps("one")}} for name in "xy"],
            "load": {"kind": "closed", "users": 6, "conversations": 30, "user_profile": given},
        }
    )
    return Shard(spec)


def test_a_run_without_people_has_plain_users() -> None:
    patience = {"within_s": {"mean": 1}}
    assert user_class(people()) is user_class(people(conversations_per_user=3)) is User
    assert user_class(people(think={})) is user_class(people(models=["a"])) is PacedUser
    assert user_class(people(patience=patience)) is user_class(people(patience=patience, think={})) is ImpatientUser


def test_a_scenarios_own_draws_are_what_they_were_without_people() -> None:
    plain, full = shard({}), shard(FULL.model_dump(mode="json"))
    for _ in range(20):
        before, after = plain.new_session(0), full.new_session(0)
        assert (before.scenario.name, before.rng.random()) == (after.scenario.name, after.rng.random())
        assert (before.model, before.params, before.messages) == ("", None, 0)


def test_engines_give_each_conversation_its_own_draws_and_group() -> None:
    whole = shard(FULL.model_dump(mode="json"))
    alone = {session.info["number"]: session for session in (whole.new_session(0) for _ in range(30))}
    for index in range(3):
        share = shard(FULL.model_dump(mode="json"), index, 3)
        for _ in range(10):
            session = share.new_session(0)
            same = alone[session.info["number"]]
            assert (session.model, session.params, session.messages, session.group, session.scenario.name) == (
                same.model, same.params, same.messages, same.group, same.scenario.name,
            )  # fmt: skip
            assert session.group == "xy".index(session.scenario.name) * 3 + "abc".index(session.model)


def test_several_conversations_at_once_need_as_many_connections() -> None:
    double = {"patience": {"within_s": {"mean": 1}, "then": "hedge"}}
    assert [people(conversations_per_user=3).connections, people(conversations_per_user=3, **double).connections] == [
        3,
        6,
    ]
    assert shard({"conversations_per_user": 3}, 0, 2).driver.most_level(100) == 66
    assert shard({"conversations_per_user": 3, **double}, 0, 2).driver.most_level(100) == 32


def test_a_plan_says_what_is_wrong_on_one_line() -> None:
    problem = RunRequest(None, [], {**CLOSED, "user_profile": {"temperature": [2, 1]}}).problems()["load"]
    why = "temperature: give the lower and the higher bound, from 0 to 100"
    assert problem == f"load.user_profile.{why}"
