"""Made-up texts: as long as asked for, all different unless asked to be the same, bounded."""

from __future__ import annotations

import random
from statistics import fmean, pstdev

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenarios.definition.spec import ScenarioError, ScenarioSpec
from scenarios.definition.synthetic import WORDS, parse_synthetic, synthetic_scenario, synthetic_text
from scenarios.render.walk import SayAction, check_scenario, compile_scenario


def estimate(text: str) -> int:
    return -(-len(text) // 4)


def sessions(spec: ScenarioSpec, count: int) -> list[list[list[dict[str, str]]]]:
    """For each of so many sessions the messages that each turn sends."""
    compiled = compile_scenario(spec)
    found = []
    for number in range(count):
        walk = compiled.walk(random.Random(f"3:{number}"), {"id": "s", "number": number, "user": 0})
        sent = []
        while (action := walk.next_action()) is not None:
            assert isinstance(action, SayAction)
            sent.append([dict(message) for message in walk.messages])
            walk.answer("ok")
        found.append(sent)
    return found


def made(text: str, **more: object) -> ScenarioSpec:
    return check_scenario({**synthetic_scenario(parse_synthetic(text)), **more})


@settings(max_examples=60, deadline=None)
@given(tokens=st.integers(1, 40_000), seed=st.integers(0, 50))
def test_a_text_is_estimated_at_exactly_the_tokens_asked_for(tokens: int, seed: int) -> None:
    assert estimate(synthetic_text(tokens, random.Random(seed))) == tokens


def test_a_word_is_about_a_token_so_that_tokenizers_agree_with_the_estimate() -> None:
    assert fmean(len(word) + 1 for word in WORDS) == pytest.approx(4.0, abs=0.05)
    text = synthetic_text(2000, random.Random(1))
    assert len(text.split()) == pytest.approx(2000, rel=0.05)


def test_no_two_of_many_prompts_begin_alike_and_a_run_repeats_them() -> None:
    turns = sessions(made("input=64,turns=2"), 2000)
    texts = [sent[-1]["content"] for session in turns for sent in session]
    assert len({text[:40] for text in texts}) == 4000
    assert texts[:20] == [sent[-1]["content"] for s in sessions(made("input=64,turns=2"), 10) for sent in s]


def test_lengths_have_the_mean_and_the_spread_asked_for() -> None:
    lengths = [estimate(s[0][-1]["content"]) for s in sessions(made("input=512,sd=64,high=600"), 2000)]
    assert fmean(lengths) == pytest.approx(510, rel=0.02)
    assert pstdev(lengths) == pytest.approx(61, rel=0.08)
    assert max(lengths) == 600


def test_a_shared_prefix_is_the_same_system_message_everywhere() -> None:
    prefixes = {session[0][0]["content"] for session in sessions(made("input=8,shared_prefix=100"), 50)}
    assert len(prefixes) == 1
    assert estimate(prefixes.pop()) == 100


def test_the_rows_of_a_trace_say_how_long_each_text_is() -> None:
    rows = [{"input_length": n} for n in ("12", 400, 3)]
    spec = made("from-trace", data={"trace": {"rows": rows}})
    assert [estimate(session[0][-1]["content"]) for session in sessions(spec, 4)] == [12, 400, 3, 12]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("512", "write for example input=512"),
        ("sd=3", "write for example input=512"),
        ("input=x", "input: must be a whole number"),
        ("input=5,size=3", "size: is not a known field; known are input, sd"),
        ("input=5,low=9,high=3", "high=3 is below low=9"),
        ("input=0", "input: must be greater than or equal to 1"),
    ],
)
def test_a_description_that_makes_no_sense_is_refused(text: str, why: str) -> None:
    with pytest.raises(ScenarioError, match=why):
        parse_synthetic(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{{ 1000000 | synthetic }}", "more than 1,000,000 characters"),
        ("{{ 'many' | synthetic }}", "works on numbers"),
        ("{{ 5 | spread('uniform') }}", "spread: a uniform spread needs `high`"),
        ("{{ 5 | spread('flat') }}", "spread: "),
    ],
)
def test_what_cannot_be_made_is_one_clear_error(text: str, why: str) -> None:
    spec = check_scenario({"name": "s", "steps": [{"do": "say", "text": text}]})
    with pytest.raises(ScenarioError, match=why):
        sessions(spec, 1)
