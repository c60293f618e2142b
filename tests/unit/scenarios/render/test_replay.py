from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenarios.definition.spec import ScenarioError
from scenarios.render.replay import MAX_WAIT_S, conversation_scenario
from tests.unit.scenarios.walks import hold

CONTENT = st.text(min_size=1, max_size=40).filter(lambda text: text.strip())


def message(role: str, content: Any) -> dict[str, Any]:
    return {"role": role, "content": content}


@settings(deadline=None)  # other work shares the machine
@given(st.lists(st.tuples(CONTENT, CONTENT), min_size=1, max_size=6), st.lists(CONTENT, max_size=2))
def test_every_user_message_is_sent_with_exactly_the_recorded_history(
    turns: list[tuple[str, str]], system: list[str]
) -> None:
    recorded = [m for user, assistant in turns for m in (message("user", user), message("assistant", assistant))]
    data = {"messages": [*(message("system", text) for text in system), *recorded]}
    held = hold(conversation_scenario(data, "c"))
    first = [message("system", "\n\n".join(system))] if system else []
    assert held.texts == [user for user, _ in turns]
    for number, sent in enumerate(held.sent):
        assert sent == [*first, *recorded[: 2 * number + 1]]


def test_waits_grow_with_the_next_message_up_to_a_limit_and_none_comes_first() -> None:
    data = {"messages": [message("user", "a" * 50), message("user", "b" * 10), message("user", "c" * 99_999)]}
    assert hold(conversation_scenario(data, "c", per_character_s=0.2)).waits == [0.0, pytest.approx(2.0), MAX_WAIT_S]
    assert hold(conversation_scenario(data, "c", per_character_s=0)).waits == [0.0, 0.0, 0.0]


def test_two_user_messages_are_two_turns_and_two_assistant_messages_one_answer() -> None:
    roles = [("user", "a"), ("user", "b"), ("assistant", "B1"), ("assistant", "B2"), ("user", "c")]
    held = hold(conversation_scenario({"messages": [message(*pair) for pair in roles]}, "c"))
    assert [m["content"] for m in held.sent[2]] == ["a", "re: a", "b", "B1\n\nB2", "c"]


def test_a_last_answer_and_unknown_extra_fields_do_no_harm() -> None:
    data = {"messages": [message("user", "a") | {"at": 1}, message("assistant", "A")], "model": "m"}
    held = hold(conversation_scenario(data, "c"))
    assert held.texts == ["a"]
    assert held.walk.history[-1] == message("assistant", "A")


@pytest.mark.parametrize(
    ("messages", "problem"),
    [
        (["x"], "messages[0]: must be an object with `role` and `content`"),
        ([message("user", None)], "messages[0]: `content` must be a text that is not empty"),
        ([message("user", "a"), message("user", " ")], "messages[1]: `content` must be a text that is not empty"),
        (
            [message("user", "a"), message("assistant", None)],
            "messages[1]: `content` must be a text: an answer that is",
        ),
        ([message("user", [{"type": "image_url"}])], "messages[0]: `content` must be a text: pictures, sounds and"),
        ([message("tool", "a")], "messages[0]: the role 'tool' is unknown: use one of system, user, assistant"),
        ([{"content": "a"}], "messages[0]: the role None is unknown"),
        ([{"content": "a", "role": ["user"]}], "messages[0]: the role ['user'] is unknown"),
        ([{"content": "a", "role": {}}], "messages[0]: the role {} is unknown"),
        ([message("assistant", "a")], "messages[0]: a conversation begins with the user"),
        ([message("user", "a"), message("system", "b")], "messages[1]: a system message must stand before"),
        ([message("system", "a")], "messages: there is no message of role 'user'"),
        ([message("user", "\ud800")], "messages[0]: the text holds half of a surrogate pair"),
        ([message("user", "x" * 1_000_001)], "messages[0]: the text has 1,000,001 characters"),
        ("x", "messages: must be a list of at least one message"),
    ],
)
def test_a_conversation_that_cannot_be_replayed_names_the_message(messages: Any, problem: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        conversation_scenario({"messages": messages}, "c")
    assert str(caught.value).startswith(problem)


@pytest.mark.parametrize("name", ["", 5.5, None, ["a"], "x" * 121])
def test_an_unusable_conversation_id_is_an_error(name: Any) -> None:
    with pytest.raises(ScenarioError, match="conversation_id: must be a text"):
        conversation_scenario({"conversation_id": name, "messages": [message("user", "a")]}, "c")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"description": "x\ud800"}, "description: is not valid Unicode"),
        ({"tags": {"tier": "\ud800"}}, "tags.tier: is not valid Unicode"),
    ],
)
def test_what_a_conversation_tells_about_itself_must_be_unicode(more: dict[str, Any], message: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        conversation_scenario({"messages": [{"role": "user", "content": "a"}], **more}, "c")
    assert str(caught.value) == message


def test_a_conversation_keeps_its_tags_and_what_is_no_object_of_them_is_somebody_elses() -> None:
    messages = [message("user", "a")]
    assert conversation_scenario({"messages": messages, "tags": {"tier": "gold"}}, "c").tags == {"tier": "gold"}
    assert conversation_scenario({"messages": messages, "tags": ["old", "short"]}, "c").tags == {}
    with pytest.raises(ScenarioError, match=r"^tags: a tag cannot be called 'model'"):
        conversation_scenario({"messages": messages, "tags": {"model": "x"}}, "c")
