from __future__ import annotations

import random
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenarios.definition.spec import ScenarioError
from scenarios.render.walk import SayAction, WaitAction, compile_scenario
from tests.unit.scenarios.walks import SESSION, begin, hold, say, scenario

QUIET = {"do": "wait", "seconds": 2}


def repeat(times: int, *steps: dict[str, Any]) -> dict[str, Any]:
    return {"do": "repeat", "times": times, "steps": list(steps)}


def test_a_plain_text_is_said_once_and_the_conversation_is_over() -> None:
    walk = begin(scenario(say("Hello")))
    assert walk.next_action() == SayAction("Hello", 0)
    assert walk.messages == [{"role": "user", "content": "Hello"}]
    assert walk.history == []
    assert walk.answer("Hi") is None
    assert walk.next_action() is None
    assert walk.history == [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi"}]


def test_repeats_are_nested_to_a_limit() -> None:
    def nested(depth: int) -> dict[str, Any]:
        return repeat(1, nested(depth - 1) if depth > 1 else say("x"))

    assert hold(scenario(nested(20))).texts == ["x"]
    with pytest.raises(ScenarioError, match="repeats may be nested at most 20 deep"):
        compile_scenario(scenario(nested(21)))


def test_live_history_holds_the_targets_answers_after_the_system_message() -> None:
    held = hold(scenario(say("a", answer="scripted"), say("b"), system="Be {{ mood }}.", variables={"mood": "kind"}))
    assert held.sent[1] == [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "re: a"},
        {"role": "user", "content": "b"},
    ]


def test_scripted_history_holds_the_scripted_answer_and_the_live_one_where_there_is_none() -> None:
    held = hold(scenario(say("a", answer="A of {{ session.user }}"), say("b"), say("c"), history="scripted"))
    contents = [message["content"] for message in held.sent[2]]
    assert contents == ["a", "A of 3", "b", "re: b", "c"]


def test_without_history_each_message_stands_alone_after_the_system_message() -> None:
    held = hold(scenario(say("a"), say("b"), history="none", system="S"))
    assert [[m["content"] for m in sent] for sent in held.sent] == [["S", "a"], ["S", "b"]]
    assert held.walk.history == [{"role": "system", "content": "S"}]


def test_history_is_messages_without_the_new_one() -> None:
    walk = begin(scenario(say("a"), say("b")))
    walk.next_action()
    walk.answer("A")
    walk.next_action()
    assert walk.history == walk.messages[:-1]
    assert walk.messages[-1] == {"role": "user", "content": "b"}


def test_a_message_without_an_answer_leaves_the_history_when_the_next_is_said() -> None:
    walk = begin(scenario(say("a"), say("b")))
    walk.next_action()
    walk.next_action()
    assert walk.messages == [{"role": "user", "content": "b"}]


@settings(deadline=None)  # other work shares the machine
@given(
    turns=st.lists(st.booleans(), min_size=1, max_size=20),
    mode=st.sampled_from(["live", "scripted"]),
    system=st.sampled_from([None, "S"]),
)
def test_roles_alternate_in_every_history(turns: list[bool], mode: str, system: str | None) -> None:
    steps = [say(f"m{i}", answer="scripted" if scripted else None) for i, scripted in enumerate(turns)]
    held = hold(scenario(*steps, history=mode, system=system))
    for number, sent in enumerate(held.sent):
        roles = [message["role"] for message in sent]
        if system:
            assert roles.pop(0) == "system"
        assert roles == ["user", "assistant"] * number + ["user"]


@settings(deadline=None, max_examples=30)  # other work shares the machine
@given(counts=st.lists(st.integers(1, 5), min_size=1, max_size=4))
def test_nested_repeats_say_the_product_of_their_counts(counts: list[int]) -> None:
    steps: list[dict[str, Any]] = [say("{{ loop.index }}/{{ loop.length }}")]
    for times in reversed(counts):
        steps = [repeat(times, *steps)]
    held = hold(scenario(*steps))
    product = 1
    for times in counts:
        product *= times
    inner = counts[-1]
    assert held.texts == [f"{1 + i % inner}/{inner}" for i in range(product)]


def test_loop_means_the_repeat_around_and_the_outer_one_again_after_it() -> None:
    spec = scenario(repeat(2, repeat(2, say("in {{ loop.index }}")), say("out {{ loop.index }} {{ loop.last }}")))
    assert hold(spec).texts == ["in 1", "in 2", "out 1 false", "in 1", "in 2", "out 2 true"]


def test_a_hundred_thousand_repeats_cost_nothing_before_they_are_walked() -> None:
    tracemalloc.start()
    try:
        walk = begin(scenario(repeat(100_000, repeat(100_000, say("x"))), history="none"))
        for number in range(1000):
            assert walk.next_action() == SayAction("x", number)
            walk.answer("y")
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_a_hundred_thousand_turns_are_walked_to_the_end() -> None:
    held = hold(scenario(repeat(100_000, say("{{ loop.index }}")), history="none"), at_most=100_001)
    assert len(held.texts) == 100_000
    assert held.texts[-1] == "100000"


def test_a_wait_is_in_proportion_to_the_next_message_rendered_first() -> None:
    wait = {"do": "wait", "seconds": 1, "per_character_s": 0.1, "max_s": 3}
    long, short = "x" * 100, "four"
    spec = scenario(wait, {"do": "set", "name": "t", "value": short}, say("{{ t }}"), wait, say(long))
    assert hold(spec).waits == [pytest.approx(1.4), 3.0]


def test_waits_in_a_row_add_up_and_the_last_action_may_be_a_wait() -> None:
    wait = {"do": "wait", "per_character_s": 0.5}
    walk = begin(scenario(QUIET, wait, QUIET, say("four"), QUIET))
    assert walk.next_action() == WaitAction(2.0)
    assert walk.next_action() == WaitAction(4.0)
    assert walk.messages == []
    assert walk.next_action() == SayAction("four", 0)
    walk.answer("ok")
    assert walk.next_action() == WaitAction(2.0)
    assert walk.next_action() is None


def test_a_wait_at_the_end_of_a_round_knows_the_first_message_of_the_next() -> None:
    wait = {"do": "wait", "per_character_s": 1}
    held = hold(scenario(repeat(2, say("{{ 'x' * loop.index }}"), wait)))
    assert held.waits == [0.0, 2.0]


def test_variables_find_one_another_in_any_order_and_keep_their_types() -> None:
    variables = {"a": "{{ b + 1 }}", "b": "{{ c.n }}", "c": {"n": 41}, "d": ["{{ a }}", "n={{ a }}"]}
    walk = begin(scenario(say("{{ d }}"), variables=variables))
    assert walk.variables == {"a": 42, "b": 41, "c": {"n": 41}, "d": [42, "n=42"]}
    assert walk.next_action() == SayAction('[42, "n=42"]', 0)


def test_set_counts_over_rounds_and_reads_the_last_answer() -> None:
    count = {"do": "set", "name": "n", "value": "{{ n + 1 }}"}
    keep = {"do": "set", "name": "heard", "value": {"text": "{{ answer }}", "n": "{{ n }}"}}
    held = hold(scenario(repeat(3, count, say("{{ n }}"), keep), variables={"n": 0}))
    assert held.texts == ["1", "2", "3"]
    assert held.walk.variables == {"n": 3, "heard": {"text": "re: 3", "n": 3}}


def test_sessions_share_no_variables() -> None:
    compiled = compile_scenario(
        scenario({"do": "set", "name": "n", "value": "{{ n + 1 }}"}, say("{{ n }}"), variables={"n": 0})
    )
    for _ in range(2):
        walk = compiled.walk(random.Random(1), SESSION)
        assert walk.next_action() == SayAction("1", 0)


def test_the_same_seed_gives_the_same_conversation_and_another_seed_another() -> None:
    pools = {"t": [str(i) for i in range(100)]}
    spec = scenario(
        repeat(5, say("{{ pick.t }} {{ pick['t'] | upper }} {{ x }}")), pools=pools, variables={"x": "{{ pick.t }}"}
    )
    assert hold(spec, seed=5).texts == hold(spec, seed=5).texts
    assert hold(spec, seed=5).texts != hold(spec, seed=6).texts


def test_draws_do_not_depend_on_the_order_in_which_variables_are_written() -> None:
    pools = {"t": [str(i) for i in range(1000)]}
    variables = {"a": "{{ pick.t }}", "b": "{{ pick.t }}", "c": "{{ pick.t }}"}
    turned = dict(reversed(variables.items()))
    one, two = (begin(scenario(say("x"), pools=pools, variables=v)).variables for v in (variables, turned))
    assert one == two


def test_every_text_of_a_pool_is_drawn() -> None:
    held = hold(scenario(repeat(300, say("{{ pick.t }}")), pools={"t": ["a", "b", "c"]}))
    assert set(held.texts) == {"a", "b", "c"}


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        (
            [say("{{ x }}"), {"do": "set", "name": "x", "value": 1}],
            "steps[0].text: 'x' is not known here: ",
        ),
        (
            [repeat(2, say("{{ x }}"), {"do": "set", "name": "x", "value": 1})],
            "steps[0].steps[0].text: 'x' is not",
        ),
        ([say("a"), say("b", answer="{{ x }}")], "scenario 's': steps[1].answer: 'x' is not known here"),
        ([say("a"), {"do": "set", "name": "x", "value": {"k": ["{{ y }}"]}}], "scenario 's': steps[1].value: 'y'"),
        (
            [say("a"), {"do": "set", "name": "session", "value": 1}],
            "steps[1].name: 'session' is reserved",
        ),
        ([say("a"), {"do": "expect", "contains": "{{ y }}"}], "scenario 's': steps[1]: 'y' is not known here"),
        (
            [say("a"), QUIET, {"do": "expect", "contains": "y"}],
            "steps[2]: an `expect` step must directly follow",
        ),
        ([say("a"), repeat(1, {"do": "expect", "contains": "y"})], "steps[1].steps[0]: an `expect` step must"),
        ([say("a"), {"do": "expect", "matches": "(("}], "steps[1]: matches: not a regular expression: "),
        ([repeat(2, say("a")), say("{{ loop.index }}")], "steps[1].text: `loop` is known only inside a `repeat` step"),
        ([say("a"), {"do": "expect"}], "steps[1]: the `expect` step checks nothing"),
        ([say("x" * 1_000_001)], "steps[0].text: the text has 1,000,001 characters: at most 1,000,000 can be sent"),
    ],
)
def test_what_can_be_seen_before_the_run_is_an_error_naming_the_step(steps: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        compile_scenario(scenario(*steps))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_variables_that_need_one_another_are_an_error() -> None:
    with pytest.raises(ScenarioError, match=r"variables\.a: 'b' is not known here"):
        compile_scenario(scenario(say("x"), variables={"a": "{{ b }}", "b": "{{ a }}"}))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{ v.nope }}", "`v.nope` is undefined"),
        ("{{ v.nope | upper }}", "an object has no 'nope'"),
        ("{{ answer }}", "`answer` is undefined before the first answer"),
        ("{{ v.empty }}", "the text is empty"),
    ],
)
def test_what_is_undefined_only_at_run_time_raises_and_is_never_an_empty_text(text: str, message: str) -> None:
    walk = begin(scenario(say(text), variables={"v": {"empty": ""}}))
    with pytest.raises(ScenarioError, match=f"^scenario 's': steps\\[0\\].text: .*{message}"):
        walk.next_action()


def test_steps_without_a_message_are_bounded_however_often_they_repeat() -> None:
    silent = {"do": "set", "name": "x", "value": 1}
    assert len(hold(scenario(repeat(49_000, silent), say("x"))).texts) == 1
    walk = begin(scenario(repeat(100_000, repeat(100_000, silent)), say("x")))
    with pytest.raises(ScenarioError, match="too much work before the next message"):
        walk.next_action()


@pytest.mark.parametrize(
    "value", ["{{ x ~ x }}", ["{{ x }}", "{{ x }}"], "{{ x + x }}", {"a": "{{ x }}", "b": "{{ x }}"}]
)
def test_a_variable_that_doubles_in_each_round_ends_in_an_error(value: Any) -> None:
    spec = scenario(repeat(100, {"do": "set", "name": "x", "value": value}), say("x"), variables={"x": "a"})
    with pytest.raises(ScenarioError, match=r"steps\[0\].steps\[0\].value: "):
        begin(spec).next_action()
