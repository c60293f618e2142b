"""Conversations as other tools write them, and odd records among them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenarios.definition.spec import ScenarioError, ScenarioSpec
from scenarios.importers import Wanted, load_scenario
from scenarios.importers.dialects import talk_of
from tests.unit.scenarios.walks import hold

TEXT = st.text(min_size=1, max_size=20).filter(lambda text: bool(text.strip()) and "\x00" not in text)
ODD: list[Any] = [
    *(None, 5, True, [], [1], ["a", "b"], {}, {"id": 7}, {"messages": None}, {"conversations": []}, {"turns": 2}),
    *({"prompt": " "}, {"prompt": None}, {"question": ["a", "b"]}, {"text": "cut \ud83d"}, {"text": "nul \x00"}),
    *({"turns": [{"delay": 5}]}, {"items": ["a", "b"]}, {"role": "user", "content": "alone"}, {"body": {"model": "m"}}),
    {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": None}]},
    {"messages": [{"role": "tool", "content": "42"}, {"role": "assistant", "content": "a"}]},
    {"mapping": {}, "current_node": None},
    {"mapping": {"r": {"message": None, "parent": None, "children": []}}, "current_node": "r"},
    {"messages": [{"role": "user", "content": [{"type": "text", "text": "see"}, {"type": "image_url"}]}]},
    {"conversations": [{"from": "human", "value": "q"}, {"from": "nobody", "value": "42"}]},
]


def messages(*texts: str, system: str | None = None) -> list[dict[str, str]]:
    first = [] if system is None else [{"role": "system", "content": system}]
    return [*first, *({"role": ("user", "assistant")[n % 2], "content": text} for n, text in enumerate(texts))]


def load(path: Path, *values: Any, wanted: Wanted | None = None) -> ScenarioSpec:
    path.write_text("\n".join(map(json.dumps, values)) if path.suffix == ".jsonl" else json.dumps(values[0]))
    [spec] = load_scenario(str(path), wanted=wanted or Wanted())
    return spec


def talks(spec: ScenarioSpec) -> list[list[dict[str, str]]]:
    return [row["messages"] for row in spec.data["talks"].rows]


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"conversation": messages("q", "a"), "turn": 1, "model": "gpt-4"}, messages("q", "a")),
        ({"conversation_a": messages("q", "a"), "conversation_b": messages("x"), "winner": "a"}, messages("q", "a")),
        ({"conversation": [{"human": "q", "assistant": "a"}, {"human": "r"}]}, messages("q", "a", "r")),
        ({"conversation": [{"speaker": "USER", "utterance": "q"}, {"speaker": "SYSTEM", "utterance": "a"}]},
         messages("q", "a")),
        ({"items": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]}, messages("q", "a")),
        ({"chat_messages": [{"sender": "human", "text": "q"}, {"sender": "assistant", "text": "a"}]},
         messages("q", "a")),
        ({"contents": [{"role": "user", "parts": [{"text": "q"}]}, {"role": "model", "parts": [{"text": "a"}]}],
          "systemInstruction": {"parts": [{"text": "s"}]}}, messages("q", "a", system="s")),
        ({"data": ["q", "a", "r"]}, messages("q", "a", "r")),
        ({"dialog": ["q", "a"], "act": [1, 2]}, messages("q", "a")),
        ({"turns": ["q", "r"], "question_id": 81, "category": "c"}, [*messages("q"), *messages("r")]),
        ({"turns": [{"text": "q"}, {"text": "r", "delay": 500}], "session_id": "s"}, [*messages("q"), *messages("r")]),
        ({"turns": [{"prompt": "q", "response": "a"}, {"prompt": "r"}]}, messages("q", "a", "r")),
        ({"messages": [{"role": "User", "content": "q"}, {"role": "ASSISTANT", "content": "a"}]}, messages("q", "a")),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": "q"}]}], "system": "s"},
         messages("q", system="s")),
        ({"messages": messages("q", system="own"), "system": "s"}, messages("q", system="own")),
        (messages("q", "a"), messages("q", "a")),
        ("q", messages("q")),
        ({"text": "q"}, messages("q")),
        ({"text_input": "q", "output_length": 5}, messages("q")),
        ({"prompt": "q", "prompt_tokens_count": 3, "output_tokens_count": 9}, messages("q")),
        ({"prompt": "q", "completion": "a"}, messages("q", "a")),
        ({"prompt": messages("q"), "completion": messages("x", "a")[1:]}, messages("q", "a")),
        ({"instruction": "q", "input": "", "output": "a"}, messages("q", "a")),
        ({"instruction": "q", "context": "c", "response": "a", "category": "x"}, messages("q\n\nc", "a")),
        ({"system_prompt": "s", "question": "q", "response": "a"}, messages("q", "a", system="s")),
        ({"question": "q", "answer": ["a", "b"]}, messages("q")),
        ({"input": messages("q"), "ideal": "a"}, messages("q", "a")),
        ({"inputs": {"messages": messages("q")}, "outputs": {}}, messages("q")),
        ({"custom_id": "1", "params": {"system": "s", "messages": messages("q")}}, messages("q", system="s")),
        ({"custom_id": "1", "body": {"input": "q", "instructions": "s"}}, messages("q", system="s")),
        ({"request": {"contents": [{"role": "user", "parts": [{"text": "q"}]}]}}, messages("q")),
    ],
)  # fmt: skip
def test_records_of_many_tools_are_conversations(record: Any, expected: list[dict[str, str]], tmp_path: Path) -> None:
    lined = load(tmp_path / "f.jsonl", record, record)
    assert talks(lined) == [expected, expected]
    if isinstance(record, dict):  # the same alone in a file
        sent = hold(load(tmp_path / "f.json", record)).sent
        user = [message["content"] for message in expected if message["role"] == "user"]
        assert [messages[-1]["content"] for messages in sent] == user
        assert sent[0] == [message for message in expected if message["role"] == "system"] + messages(user[0])


@pytest.mark.parametrize(
    ("record", "name"),
    [({"session_id": "s1", "text": "q"}, "s1"), ({"uuid": "u", "question": "q"}, "u"), ({"id": "", "text": "q"}, None),
     ({"id": True, "question_id": 0, "turns": ["q"]}, "0"), ({"text": "q"}, None)],
)  # fmt: skip
def test_a_conversation_keeps_the_name_that_its_tool_gave_it(record: Any, name: str | None) -> None:
    talk = talk_of(record)
    assert talk is not None
    assert talk.id == name


def test_a_list_of_messages_is_one_conversation_and_a_list_of_such_lists_a_collection(tmp_path: Path) -> None:
    assert hold(load(tmp_path / "one.json", messages("q", "a", "r"))).texts == ["q", "r"]
    both = load(tmp_path / "two.json", [messages("q", "a"), messages("r")])
    assert talks(both) == [messages("q", "a"), messages("r")]
    with pytest.raises(ScenarioError, match=r"one\.json: is one conversation of more than 10,000 messages"):
        load(tmp_path / "one.json", messages(*"q" * 10_001))


def test_a_list_of_prompts_is_a_collection_of_them(tmp_path: Path) -> None:
    assert talks(load(tmp_path / "p.json", ["q", "r"])) == [messages("q"), messages("r")]


@pytest.mark.parametrize("odd", ODD, ids=lambda value: json.dumps(value)[:40])
@pytest.mark.parametrize("suffix", [".jsonl", ".json"])
def test_an_odd_record_is_left_out_and_counted_wherever_it_stands(odd: Any, suffix: str, tmp_path: Path) -> None:
    good = [{"prompt": "q"}, {"prompt": "r"}]
    for at in range(3):
        wanted = Wanted()
        records = [*good[:at], odd, *good[at:]]
        spec = load(tmp_path / f"f{suffix}", *(records if suffix == ".jsonl" else [records]), wanted=wanted)
        assert talks(spec) == [messages("q"), messages("r")]
        [note] = wanted.notes
        place = f"line {at + 1}" if suffix == ".jsonl" else rf"[{at}]"
        assert "f" + suffix + ": 1 of 3 conversations are left out: 1 because " in note
        assert note.endswith(f" (first: {place})")


def test_a_mix_of_ours_leaves_odd_records_out_too(tmp_path: Path) -> None:
    path = tmp_path / "mix.json"
    path.write_text(json.dumps([{"messages": messages("q")}, None, {"messages": []}, {"messages": messages("r")}]))
    wanted = Wanted()
    assert [spec.name for spec in load_scenario(str(path), wanted=wanted)] == ["mix-1", "mix-4"]
    assert "2 of 4 conversations are left out" in wanted.notes[0]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=4), st.none() | TEXT)
def test_a_conversation_is_the_same_in_whatever_form_it_is_written(
    pairs: list[tuple[str, str]], system: str | None
) -> None:
    texts = [text for pair in pairs for text in pair]
    ours = messages(*texts, system=system)
    beside = {} if system is None else {"system": system}
    share = {"system": "system", "user": "human", "assistant": "gpt"}
    written: list[Any] = [
        {"messages": ours},
        ours,
        {"conversation": ours},
        {"conversations": [{"from": share[m["role"]], "value": m["content"]} for m in ours]},
        {"contents": [{"role": m["role"], "parts": [{"text": m["content"]}]} for m in messages(*texts)], **beside},
        {"body": {"messages": messages(*texts), **beside}},
        {"dialogue": texts, **beside},
        {"conversation": [{"human": user, "assistant": answer} for user, answer in pairs], **beside},
        {"turns": [{"question": user, "answer": answer} for user, answer in pairs], **beside},
    ]
    for value in written:
        talk = talk_of(value)
        assert talk is not None
        assert talk.messages == ours


def test_a_file_without_any_conversation_says_how_its_fields_are_sent(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError) as caught:
        load(tmp_path / "bugs.jsonl", {"id": 3, "headline": "It does not start at all"}, {"id": 4})
    assert str(caught.value).removeprefix(str(tmp_path)) == (
        "/bugs.jsonl: line 1: it has no `messages`, `conversation`, `turns`, `prompt` or `question`;"
        ' to send one of its fields: --data rows=bugs.jsonl --prompt "{{ data.rows.headline }}"'
    )
    with pytest.raises(ScenarioError, match=r"""--prompt "\{\{ data\.rows\['the bug'\] \}\}"$"""):
        load(tmp_path / "bugs.json", [{"the bug": "It does not start"}])
    for value in ([1, 2], {"a": 1}, {"a'b": "c"}):
        with pytest.raises(ScenarioError, match=r"or `question`$"):
            load(tmp_path / "f.json", [value])
