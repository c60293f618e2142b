"""Data pools: which row a conversation has, what templates see of it, and what is refused before the run."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenarios.definition.data import MAX_BYTES, MAX_ROWS, DataPool
from scenarios.definition.spec import ScenarioError, parse_scenario
from scenarios.render.walk import SayAction, compile_scenario
from tests.unit.scenarios.walks import hold, say, scenario

PEOPLE = [{"name": "Ada", "city": "Bern"}, {"name": "Bo", "city": "Oslo"}, {"name": "Cy", "city": "Rome"}]


def said(spec: Any, number: int, seed: int = 1) -> list[str]:
    """What the conversation `number` of a scenario says."""
    session = {"id": f"tb-1-{number}", "number": number, "user": 0}
    walk = compile_scenario(spec).walk(random.Random(f"{seed}:{number}"), session)
    texts = []
    while (action := walk.next_action()) is not None:
        if isinstance(action, SayAction):
            texts.append(action.text)
            walk.answer("ok")
    return texts


def with_people(use: str, text: str = "I am {{ data.people.name }} of {{ data.people.city }}.") -> Any:
    return scenario(say(text), data={"people": {"rows": PEOPLE, "use": use}})


def test_rows_in_turn_begin_again_after_the_last() -> None:
    spec = with_people("in_turn")
    assert [said(spec, number)[0][5:7] for number in range(5)] == ["Ad", "Bo", "Cy", "Ad", "Bo"]


def test_a_row_used_once_has_no_second_conversation() -> None:
    spec = with_people("once")
    assert said(spec, 2) == ["I am Cy of Rome."]
    with pytest.raises(ScenarioError, match=r"data: there is no row left for conversation 3"):
        said(spec, 3)
    assert compile_scenario(spec).at_most == 3


def test_random_rows_depend_on_the_seed_alone_and_all_of_them_come() -> None:
    spec = with_people("random")
    drawn = [said(spec, number)[0] for number in range(60)]
    assert drawn == [said(spec, number)[0] for number in range(60)]
    assert set(Counter(drawn)) == {f"I am {p['name']} of {p['city']}." for p in PEOPLE}


@given(
    rows=st.integers(1, 40), of=st.integers(1, 5), total=st.integers(1, 200), use=st.sampled_from(["once", "in_turn"])
)
def test_over_any_number_of_shards_each_row_comes_as_often_as_in_one(rows: int, of: int, total: int, use: str) -> None:
    pool = DataPool.model_validate({"rows": [f"r{n}" for n in range(rows)], "use": use})
    numbers = range(min(total, rows) if use == "once" else total)
    whole = Counter(pool.row(number, random.Random(0)) for number in numbers)
    shares = Counter(pool.row(number, random.Random(0)) for index in range(of) for number in numbers[index::of])
    assert shares == whole
    assert max(whole.values()) - min(whole.values()) <= 1
    if use == "once":
        assert set(whole.values()) == {1}


def test_a_row_may_be_a_text_and_every_template_sees_it() -> None:
    spec = scenario(
        say("{{ data.q }}"),
        say("{{ data.q | upper }}{% if thing == 'one' %}!{% endif %}"),
        data={"q": {"rows": ["one", "two"]}},
        variables={"thing": "{{ data.q }}"},
        system="About {{ data.q }}",
    )
    held = hold(spec)  # conversation 7: the second row
    assert held.texts == ["two", "TWO"]
    assert held.sent[0][0] == {"role": "system", "content": "About two"}


def test_a_targets_own_templates_see_the_row_in_the_session() -> None:
    session: dict[str, Any] = {"id": "s", "number": 1, "user": 0}
    compile_scenario(with_people("in_turn")).walk(random.Random(1), session)
    assert session["data"]["people"] == PEOPLE[1]


def test_a_rows_text_is_no_template() -> None:
    assert said(scenario(say("{{ data.q }}"), data={"q": {"rows": ["{{ x }}"]}}), 0) == ["{{ x }}"]


COURSES = [
    {"course": "A", "questions": ["a1", "a2"]},
    {"course": "B", "questions": ["b1", "b2", "b3"]},
]


def over(path: str, *steps: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"do": "repeat", "over": path, "steps": list(steps), **fields}


def test_a_repeat_goes_through_the_rows_of_a_pool_and_the_lists_in_them() -> None:
    each = over("course.questions", say("{{ course.course }}/{{ row }}/{{ loop.index }} of {{ loop.length }}"))
    spec = scenario(over("courses", each, row="course"), data={"courses": {"rows": COURSES}})
    assert hold(spec).texts == ["A/a1/1 of 2", "A/a2/2 of 2", "B/b1/1 of 3", "B/b2/2 of 3", "B/b3/3 of 3"]


def test_a_repeat_goes_through_the_conversations_own_row_and_through_a_variable() -> None:
    steps = [
        over("data.courses.questions", say("{{ row | upper }}")),
        {"do": "set", "name": "parts", "value": ["x", {"y": 1}]},
        over("parts", say("{{ part }}"), row="part"),
    ]
    spec = scenario(*steps, data={"courses": {"rows": COURSES}})
    assert said(spec, 0) == ["A1", "A2", "x", '{"y": 1}']
    assert said(spec, 1) == ["B1", "B2", "B3", "x", '{"y": 1}']


def test_the_outer_row_is_there_again_after_the_inner_repeat() -> None:
    inner = over("row.questions", say("{{ q }}"), row="q")
    spec = scenario(over("courses", inner, say("end of {{ row.course }}")), data={"courses": {"rows": COURSES}})
    assert hold(spec).texts == ["a1", "a2", "end of A", "b1", "b2", "b3", "end of B"]


def test_a_list_that_turns_out_empty_is_an_error_and_not_a_silent_nothing() -> None:
    spec = scenario(say("a"), over("parts", say("b")), variables={"parts": "{{ range(0) }}"})
    with pytest.raises(ScenarioError, match=r"steps\[1\]\.over: `parts` must be a list that is not empty"):
        hold(spec)


TALK = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "One {{ not a template }}?"},
    {"role": "assistant", "content": "1"},
    {"role": "user", "content": "Two?"},
    {"role": "assistant", "content": "2"},
]
REPLAY = {"do": "replay", "messages": "data.talks.messages"}
TALKS = {"talks": {"rows": [{"messages": TALK}, {"messages": [{"role": "user", "content": "Alone"}]}]}}


def test_a_replay_says_what_was_said_with_the_recorded_answers_and_waits_in_proportion() -> None:
    held = hold(scenario({**REPLAY, "per_character_s": 0.5}, say("Bye"), data=TALKS, history="scripted"))
    assert held.texts == ["Alone", "Bye"]  # conversation 7: the second row
    spec = scenario(over("talks", {**REPLAY, "messages": "row.messages", "per_character_s": 0.5}), data=TALKS)
    spec = spec.model_copy(update={"history": "scripted"})
    held = hold(spec)
    assert held.texts == ["One {{ not a template }}?", "Two?", "Alone"]
    assert held.waits == [0, 2.0, 0]
    assert [m["content"] for m in held.sent[1]] == ["Be brief.", "One {{ not a template }}?", "1", "Two?"]


def test_a_replay_with_live_history_holds_the_targets_answers() -> None:
    spec = scenario({**REPLAY, "messages": "row.messages"}, data={"row": TALKS["talks"]})
    with pytest.raises(ScenarioError, match="'row' is not known"):
        compile_scenario(spec)
    held = hold(scenario(over("talks", {**REPLAY, "messages": "row.messages"}), data=TALKS))
    assert held.sent[1][2] == {"role": "assistant", "content": "re: One {{ not a template }}?"}


def test_a_wait_reads_the_answer_types_the_message_and_draws_a_pause() -> None:
    wait = {"do": "wait", "reading_wpm": 120, "typing_wpm": 60, "pause_s": {"kind": "uniform", "low": 1, "high": 2}}
    held = hold(scenario(wait, say("x" * 50), wait, say("y" * 25)), answer=lambda _: "z" * 100)
    # 50 characters at 60 words of 5 a minute: 10 s; an answer of 100 characters is read at 120: 10 s
    assert 11 <= held.waits[0] <= 12
    assert 16 <= held.waits[1] <= 17
    assert held.waits == hold(scenario(wait, say("x" * 50), wait, say("y" * 25)), answer=lambda _: "z" * 100).waits
    capped = hold(scenario({**wait, "max_s": 3}, say("x" * 50)))
    assert capped.waits == [3.0]


@pytest.mark.parametrize(
    ("fields", "steps", "message"),
    [
        ({"data": {"p": {"rows": []}}}, [say("x")], "data.p.rows"),
        ({"data": {"p": {"rows": ["a", 5]}}}, [say("x")], r"data.p: rows\[1\]: must be a text or an object"),
        ({"data": {"p": {"rows": ["a"], "use": "twice"}}}, [say("x")], "data.p.use"),
        ({"data": {"my-p": {"rows": ["a"]}}}, [say("x")], "cannot be used in templates"),
        ({"data": {"p": {"rows": ["a\x00"]}}}, [say("x")], "NUL"),
        ({"data": {"p": {"rows": ["a"] * (MAX_ROWS + 1)}}}, [say("x")], "at most 100,000 fit; take a sample"),
        ({"data": {"p": {"rows": ["a" * MAX_BYTES]}}}, [say("x")], "at most 5 MB fit; leave out"),
        ({"data": {"p": {"rows": PEOPLE}}}, [say("{{ data.q }}")], "`data` has no 'q': use one of data.p"),
        ({"data": {"p": {"rows": PEOPLE}}}, [say("{{ data }}")], "`data` alone is not a value"),
        ({"data": {"p": {"rows": PEOPLE}}}, [say("{{ data.p.nme }}")], "not every row of `data.p` has 'nme'"),
        ({}, [say("{{ data.p }}")], "'data' is not known here"),
        ({}, [say("{{ row }}")], "'row' is not known here"),
        ({"data": {"p": {"rows": PEOPLE}}}, [over("p", say("{{ row.nme }}"))], "not every row of `row` has 'nme'"),
        ({"data": {"p": {"rows": PEOPLE}}}, [over("p.name", say("x"))], "'p' is not known here"),
        ({"data": {"p": {"rows": PEOPLE}}}, [over("data.p.name", say("x"))], "row 0: `data.p.name` must be a list"),
        ({"data": {"p": {"rows": PEOPLE}}}, [over("p", say("x"), row="data")], "give the row another name"),
        ({"data": {"p": {"rows": PEOPLE}}, "variables": {"data": 1}}, [say("x")], "cannot be the name of a variable"),
        ({}, [{"do": "repeat", "steps": [say("x")]}], "needs either `times` or `over`"),
        ({}, [{"do": "repeat", "times": 2, "over": "x", "steps": [say("x")]}], "needs either `times` or `over`"),
        ({"data": {"t": {"rows": [{"messages": [{"role": "tool", "content": "x"}]}]}}},
         [{"do": "replay", "messages": "data.t.messages"}], r"row 0: messages\[0\]: the role 'tool' is unknown"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_an_error_before_the_run(fields: dict[str, Any], steps: list[Any], message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        compile_scenario(parse_scenario({"name": "s", "steps": steps, **fields}))


def test_a_scenario_without_data_may_call_its_variables_as_it_likes() -> None:
    assert hold(scenario(say("{{ data }}{{ row }}"), variables={"data": "a", "row": "b"})).texts == ["ab"]


def test_a_spec_with_data_survives_its_own_json() -> None:
    spec = scenario(over("talks", {**REPLAY, "messages": "row.messages"}), data=TALKS)
    assert parse_scenario(spec.model_dump(mode="json")) == spec
