"""Other tools' files: recognised by content, read piece by piece, one scenario for many conversations."""

from __future__ import annotations

import io
import json
import random
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenarios.definition.spec import ScenarioError, ScenarioSpec
from scenarios.importers import Sample, Source, Wanted, import_scenarios, load_scenario, read_pool
from scenarios.importers.reading import records
from scenarios.importers.sampling import Drawn
from scenarios.render.walk import SayAction, compile_scenario


def source(name: str, content: Any) -> Source:
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    return Source(name, io.BytesIO(text.encode()))


def lines(*values: Any) -> str:
    return "\n".join(json.dumps(value) for value in values) + "\n"


def read(name: str, content: Any, wanted: Wanted | None = None) -> ScenarioSpec:
    [spec] = import_scenarios(source(name, content), wanted or Wanted())
    return spec


def said(spec: ScenarioSpec, number: int) -> list[str]:
    walk = compile_scenario(spec).walk(random.Random(1), {"id": "s", "number": number, "user": 0})
    texts = []
    while (action := walk.next_action()) is not None:
        if isinstance(action, SayAction):
            texts.append(action.text)
            walk.answer("live")
    return texts


def gpt(*turns: tuple[str, str]) -> dict[str, Any]:
    return {"id": f"g{len(turns)}", "conversations": [{"from": who, "value": text} for who, text in turns]}


def chat(*texts: str) -> list[dict[str, str]]:
    return [{"role": ("user", "assistant")[n % 2], "content": text} for n, text in enumerate(texts)]


def test_a_sharegpt_file_is_one_scenario_whose_sessions_replay_its_conversations_in_turn() -> None:
    talks = [
        gpt(("system", "S"), ("human", "a1 {{ x }}"), ("gpt", "A1"), ("human", "a2")),
        gpt(("human", "b1"), ("gpt", "B1")),
    ]
    spec = read("talks.json", talks)
    assert (spec.name, spec.history) == ("talks", "scripted")
    assert [said(spec, number) for number in range(3)] == [["a1 {{ x }}", "a2"], ["b1"], ["a1 {{ x }}", "a2"]]


def test_a_single_conversation_has_its_name_its_tags_and_its_words() -> None:
    ours = {"id": 5, "tags": {"tier": "gold"}, "description": "d", "messages": chat("q")}
    spec = read("talk.json", ours)
    assert (spec.name, spec.tags, spec.description) == ("talk", {"tier": "gold"}, "d")
    assert read("talk.json", {**ours, "conversation_id": "c"}).name == "c"
    theirs = read("talk.json", gpt(("human", "q")))
    assert (theirs.name, said(theirs, 0)) == ("g1", ["q"])


def test_what_cannot_be_replayed_is_left_out_and_counted() -> None:
    talks = [
        gpt(("human", "good")),
        gpt(("gpt", "an answer first")),
        gpt(("human", "")),
        {"id": "x", "conversations": []},
        gpt(("human", "said something"), ("nobody", "something else")),
    ]
    wanted = Wanted()
    spec = read("talks.json", talks, wanted)
    assert said(spec, 0) == said(spec, 1) == ["good"]
    [note] = wanted.notes
    assert note.startswith(
        "talks.json: 4 of 5 conversations are left out: 1 because a conversation begins with the user"
    )
    assert note.endswith(" (first: [3]), 1 for other reasons")
    assert spec.description.endswith(
        "Replays 1 recorded talk of talks.json, one a session, in turn. 4 of 5 are left out."
    )
    with pytest.raises(ScenarioError, match=r"^talks.json: \[0\]: messages\[0\]: a conversation begins with the user"):
        read("talks.json", talks[1:2])


@pytest.mark.parametrize(
    "content",
    [
        lines({"messages": chat("q1", "a1", "q2")}, {"messages": chat("q3")}),
        lines({"custom_id": "r1", "body": {"model": "m", "messages": chat("q1", "a1", "q2")}},
              {"custom_id": "r2", "body": {"input": "q3"}}),
        lines({"messages": [{"role": "user", "content": [{"type": "text", "text": "q1"}]},
                            {"role": "assistant", "content": "a1"}, {"role": "user", "content": "q2"}]},
              {"prompt": "q3"}),
    ],
)  # fmt: skip
def test_lines_of_openai_and_of_ours_are_conversations(content: str) -> None:
    for name in ("chat.jsonl", "chat.json"):  # by content, whatever it is called
        spec = read(name, content)
        assert [said(spec, 0), said(spec, 1)] == [["q1", "q2"], ["q3"]]


def test_a_text_file_is_a_prompt_a_line() -> None:
    spec = read("prompts.txt", "one {{ x }}\n\n two \r\nthree")
    assert [said(spec, number) for number in range(4)] == [["one {{ x }}"], ["two"], ["three"], ["one {{ x }}"]]


def test_a_long_list_of_conversations_is_one_scenario_and_a_short_one_a_mix() -> None:
    talks = [{"messages": chat(f"q{n}")} for n in range(51)]
    assert len(import_scenarios(source("l.json", talks[:50]), Wanted())) == 50
    spec = read("l.json", talks)
    assert said(spec, 50) == ["q50"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("f.jsonl", '{"messages": []}\n{"messages": [}\n', "f.jsonl: not JSON: line 2, column 15: Expecting value"),
        ("f.json", '[{"conversations": []},\n{"conversations": [}]', "f.json: not JSON: line 2, column 20: Expecting"),
        ("f.json", '[{"a": 1}', "f.json: not JSON: the list has no end"),
        ("f.json", '[{"a": 1}, x]', "f.json: not JSON: line 1, column 12: Expecting value"),
        ("f.jsonl", lines({"a": "x"}, {"messages": []}), "f.jsonl: line 1: it has no `messages`, `conversation`"),
        ("f.jsonl", lines(*chat("q", "a")), "f.jsonl: line 1: it is one message: a conversation is a list of messages"),
        ("f.csv", "a,b\n1,2\n", "f.csv: a table is data for a scenario: give it with --data"),
        ("f.jsonl", "", "f.jsonl: the list is empty"),
    ],
)  # fmt: skip
def test_an_unusable_file_is_one_line_with_the_place(name: str, content: str, message: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        read(name, content)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


@settings(max_examples=40, deadline=None)
@given(
    values=st.lists(st.recursive(st.none() | st.integers() | st.text(), st.lists, max_leaves=5), max_size=8),
    piece=st.integers(1, 30),
    indent=st.sampled_from([None, 1]),
)
def test_a_list_read_piece_by_piece_is_the_same_list(values: list[Any], piece: int, indent: int | None) -> None:
    class Dripping(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            return super().read(piece)

    data = json.dumps(values, ensure_ascii=False, indent=indent).encode("utf-8", "surrogatepass")
    found = records(Source("l.json", Dripping(data)))
    assert [record.value for record in found] == values


def test_a_sample_of_a_large_file_is_even_repeatable_and_small_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "large.json"
    with path.open("w") as out:
        out.write("[")
        for n in range(6_000):
            out.write((", " if n else "") + json.dumps(gpt(("human", f"{n} " + "x" * 3000))))
        out.write("]")
    tracemalloc.start()
    [spec] = load_scenario(str(path), wanted=Wanted(sample=Sample(200, 5)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    numbers = [int(row["messages"][0]["content"].split()[0]) for row in spec.data["talks"].rows]
    assert len(numbers) == 200
    assert numbers == sorted(numbers)
    assert 2_400 < sum(numbers) / 200 < 3_600
    assert peak < 12_000_000 < path.stat().st_size
    with pytest.raises(
        ScenarioError, match=r"is more than a scenario can hold .* take a sample, for example --limit \d+$"
    ):
        load_scenario(str(path))


def test_each_of_many_is_drawn_equally_often() -> None:
    counts = [0] * 10
    for seed in range(2000):
        drawn: Drawn[int] = Drawn(Sample(3, seed))
        for item in range(10):
            drawn.add(item)
        for item in drawn.items():
            counts[item] += 1
    assert all(480 < count < 720 for count in counts)


def rows(name: str, content: Any, limit: int | None = None) -> list[Any]:
    return list(read_pool(source(name, content), "in_turn", Sample(limit)).rows)


def test_rows_come_from_tables_lines_lists_and_maps() -> None:
    table = [{"name": "Ada", "text": 'says "hi",\n\nand goes'}, {"name": "Bo", "text": ""}]
    assert rows("p.csv", 'name,text\r\nAda,"says ""hi"",\n\nand goes"\r\nBo,\r\n') == table
    assert rows("p.csv", "name;city\nAda;Bern, CH\n\n") == [{"name": "Ada", "city": "Bern, CH"}]
    assert rows("p.tsv", "a\tb\n1,5\t2\n") == [{"a": "1,5", "b": "2"}]
    assert rows("p.jsonl", lines("one", {"n": 2})) == ["one", {"n": 2}]
    assert rows("p.json", ["one", {"n": 2}]) == ["one", {"n": 2}]
    assert rows("p.txt", "one\ntwo\n") == ["one", "two"]
    courses = {"MED1060": ["a", "b"], "BUMA1000": ["c"]}
    assert rows("p.json", courses) == [
        {"name": "MED1060", "items": ["a", "b"]},
        {"name": "BUMA1000", "items": ["c"]},
    ]
    assert len(rows("p.txt", "\n".join("abcdefgh"), limit=3)) == 3


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("p.csv", "a,b\n1,2\n3\n", "p.csv: line 3: has 1 value, and the first line names 2"),
        ("p.csv", 'a,b\n1,"2\n', "p.csv: line 2: a quotation mark is opened in this row and never closed"),
        ("p.csv", "a,a\n1,2\n", "p.csv: line 1: columns 1 and 2 are both named 'a'"),
        ("p.csv", "", "p.csv: contains no rows"),
        ("p.jsonl", "1\n", "p.jsonl: line 1: a row must be a text or an object"),
        ("p.json", {"a": 1}, "p.json: must be a list of rows, or an object of lists"),
        ("p.jsonl", '{"a": 1}\n{"a": }\n', "p.jsonl: not JSON: line 2, column 7"),
        ("p.txt", "a\x00b\n", "p.txt: line 1: contains the character NUL"),
    ],
)
def test_rows_that_cannot_be_read_are_one_line_with_the_place(name: str, content: Any, message: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        rows(name, content)
    assert str(caught.value).startswith(message)
