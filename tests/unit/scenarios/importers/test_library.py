"""The scenarios and conversations that come with the product, and the page that describes them."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import pytest

import scenarios
from scenarios.importers import load_scenario
from tests.unit.scenarios.walks import hold

HERE = Path(scenarios.__file__).parent
FIXED = "course-questions"
"""The one that says the same in every session."""
STRESS = sorted(path for path in (HERE / "library").glob("*.json") if path.stem != FIXED)
CONVERSATIONS = sorted((HERE / "conversations").glob("*.json"))
DOCS = HERE.parent / "docs" / "scenarios.md"
TURNS = {
    "context-stuffing": 10,
    "contradiction-loop": 14,
    "long-conversation": 42,
    "multilingual-burst": 16,
    "rapid-fire": 30,
    "repetitive-flood": 20,
    "structured-output": 7,
    "verbose-monologue": 6,
}


def long_answer(text: str) -> str:
    return f'"You said" <this>: {text}' * 20


def test_there_are_eight_stress_scenarios_and_ten_conversations() -> None:
    assert {path.stem for path in STRESS} == set(TURNS)
    assert len(CONVERSATIONS) == 10


@pytest.mark.parametrize("path", STRESS, ids=lambda path: path.stem)
def test_a_stress_scenario_is_named_like_its_file_described_and_walks_to_its_end(path: Path) -> None:
    [spec] = load_scenario(path.stem)
    assert spec.name == path.stem
    assert len(spec.description) > 80
    for seed in range(20):
        held = hold(spec, long_answer, seed=seed)
        assert len(held.texts) == TURNS[path.stem]
        assert all(text.strip() for text in held.texts)
        assert not any("{{" in text or "{%" in text for text in held.texts)


@pytest.mark.parametrize("path", STRESS, ids=lambda path: path.stem)
def test_sessions_of_a_stress_scenario_differ_and_repeat_with_their_seed(path: Path) -> None:
    [spec] = load_scenario(path.stem)
    told = {tuple(hold(spec, seed=seed).texts) for seed in range(10)}
    assert len(told) > 5
    assert tuple(hold(spec, seed=3).texts) in told


@pytest.mark.parametrize("path", STRESS, ids=lambda path: path.stem)
def test_every_pool_of_a_stress_scenario_is_used(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    used = set(re.findall(r"pick\.(\w+)", text))
    assert used == set(json.loads(text).get("pools", {}))


def test_course_questions_asks_all_questions_of_each_course_in_order() -> None:
    [spec] = load_scenario(FIXED)
    held = hold(spec, long_answer)
    courses = spec.data["courses"].rows
    assert [len(course["items"]) for course in courses] == [20, 20]
    assert held.texts == [question for course in courses for question in course["items"]]
    assert len(set(held.texts)) == 40
    assert held.walk.variables["course_id"] == courses[-1]["name"]


def test_context_stuffing_stuffs_and_asks_for_what_it_hid() -> None:
    [spec] = load_scenario("context-stuffing")
    for seed in range(5):
        held = hold(spec, lambda _: "Noted.", seed=seed)
        assert sum(len(m["content"]) for m in held.sent[-1]) > 45_000
        assert f"was changed to {held.walk.variables['code']};" in held.texts[1]


def test_structured_output_accepts_what_it_demands_and_nothing_else() -> None:
    [spec] = load_scenario("structured-output")

    def obey(text: str) -> str:
        if "XML" in text:
            return "<list><item/></list>" if "<list>" in text else "<order/>"
        return '[{"id": 1}]' if "array" in text else '{"mood": "calm"}'

    assert hold(spec, obey).problems == [None] * 7
    assert None not in hold(spec, lambda text: f"Sure! {obey(text)}").problems


@pytest.mark.parametrize("path", CONVERSATIONS, ids=lambda path: path.stem)
def test_a_sample_conversation_sends_exactly_its_user_messages(path: Path) -> None:
    data = json.loads(path.read_text(encoding="utf-8"))
    messages = data["messages"]
    [spec] = load_scenario(path.stem)
    held = hold(spec, lambda _: "something else")
    assert data["conversation_id"] == path.stem == spec.name
    assert held.texts == [m["content"] for m in messages if m["role"] == "user"]
    assert 1 <= len(held.texts) <= 5
    assert held.walk.history == messages


def test_the_page_names_every_scenario_of_the_library_with_its_turns() -> None:
    rows = dict(re.findall(r"^\| `([\w-]+)` \| (\d+) \|", DOCS.read_text(encoding="utf-8"), re.MULTILINE))
    expected = {name: str(turns) for name, turns in TURNS.items()} | {FIXED: "40"}
    for path in CONVERSATIONS:
        expected[path.stem] = str(path.read_text(encoding="utf-8").count('"role": "user"'))
    assert rows == expected


def test_every_example_of_the_page_is_a_scenario_that_runs() -> None:
    from scenarios.render.replay import conversation_scenario
    from scenarios.render.walk import check_scenario

    blocks = re.findall(r"^```json\n(.*?)^```", DOCS.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert len(blocks) == 4
    for block in blocks:
        data = json.loads(block)
        spec = conversation_scenario(data, "c") if "messages" in data else check_scenario(data)
        assert hold(spec, lambda _: json.dumps({"seed": random.Random(1).random()})).texts
