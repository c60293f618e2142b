from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from scenarios.definition.spec import ScenarioError
from scenarios.importers import SAMPLES, library, library_names, load_scenario, prompt_scenario
from scenarios.importers.reading import open_source
from tests.unit.scenarios.walks import hold

CONVERSATION = {
    "conversation_id": "c1",
    "messages": [
        {"role": "user", "content": "one {{ not a template }}"},
        {"role": "assistant", "content": "first {% answer %}"},
        {"role": "user", "content": "two"},
    ],
}
SCENARIO = {"name": "mine", "steps": [{"do": "say", "text": "x"}]}


def write(path: Path, data: Any) -> str:
    path.write_text(data if isinstance(data, str) else json.dumps(data), encoding="utf-8")
    return str(path)


def test_a_name_of_the_library_is_one_scenario_and_the_samples_are_a_mix_of_ten() -> None:
    assert [spec.name for spec in load_scenario("rapid-fire")] == ["rapid-fire"]
    samples = load_scenario(SAMPLES)
    assert len(samples) == len({spec.name for spec in samples}) == 10
    assert {spec.name for spec in library()} == set(library_names()) - {SAMPLES}


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ScenarioError, match=r"^there is no file 'nope' and no such scenario.*rapid-fire.*sample-conv"):
        load_scenario("nope")
    with pytest.raises(ScenarioError, match=r"^'x{77}\.\.\.' is neither a file nor a scenario of the library: "):
        load_scenario("x" * 5000)
    with pytest.raises(ScenarioError, match=r"^there is no file 'a\\x00b'"):
        load_scenario("a\0b")


def test_a_conversation_file_is_replayed_with_its_own_answers_word_for_word(tmp_path: Path) -> None:
    [spec] = load_scenario(write(tmp_path / "c.json", CONVERSATION), per_character_s=0.5)
    held = hold(spec)
    assert spec.name == "c1"
    assert held.texts == ["one {{ not a template }}", "two"]
    assert held.sent[1] == CONVERSATION["messages"]
    assert held.waits == [0.0, 1.5]


def test_a_file_may_hold_a_list_and_a_folder_is_the_mix_of_its_files(tmp_path: Path) -> None:
    write(tmp_path / "b.json", [SCENARIO, {"messages": CONVERSATION["messages"]}])
    write(tmp_path / "a.json", {"steps": SCENARIO["steps"]})
    write(tmp_path / "notes.txt", "no JSON")
    assert [spec.name for spec in load_scenario(str(tmp_path))] == ["a", "mine", "b-2"]


def test_two_scenarios_of_one_name_are_an_error(tmp_path: Path) -> None:
    write(tmp_path / "a.json", SCENARIO)
    write(tmp_path / "b.json", SCENARIO)
    with pytest.raises(ScenarioError, match="two scenarios are named 'mine'"):
        load_scenario(str(tmp_path))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"name": "x",\n "steps": [}', ": not JSON: line 2, column 12: Expecting value"),
        ("", ": not JSON: line 1, column 1: Expecting value"),
        ("[" * 100_000, ": not JSON: "),
        ('{"steps": NaN}', ": steps: must be a list"),
        ("[]", ": the list is empty"),
        ("5", ": must be an object"),
        ("{}", ": has neither `steps` (a scenario) nor `messages` (a conversation)"),
        ({"steps": [{"do": "say"}]}, ": steps[0].text: is missing"),
        ([SCENARIO, {"steps": [{"do": "say", "text": "{{ x }}"}]}], ": [1]: scenario 'f-2': steps[0].text: 'x' is not"),
        ({"messages": []}, ": messages: must be a list of at least one message"),
    ],
)
def test_an_unusable_file_is_one_line_that_says_where(tmp_path: Path, content: Any, message: str) -> None:
    ref = write(tmp_path / "f.json", content)
    with pytest.raises(ScenarioError) as caught:
        load_scenario(ref)
    assert str(caught.value).startswith(ref + message)
    assert "\n" not in str(caught.value)


def test_a_byte_order_mark_is_read_over_and_other_encodings_are_named(tmp_path: Path) -> None:
    (tmp_path / "bom.json").write_bytes(b"\xef\xbb\xbf" + json.dumps(SCENARIO).encode())
    assert load_scenario(str(tmp_path / "bom.json"))[0].name == "mine"
    (tmp_path / "latin.json").write_bytes(b'{"name": "\xe9"}')
    with pytest.raises(ScenarioError, match=r"latin\.json: is not UTF-8 text: byte 10"):
        load_scenario(str(tmp_path / "latin.json"))


def test_a_folder_without_json_and_a_pipe_are_errors_and_nothing_waits(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match=r"the folder contains no \.json file"):
        load_scenario(str(tmp_path))
    os.mkfifo(tmp_path / "pipe.json")
    with pytest.raises(ScenarioError, match="is not an ordinary file"):
        load_scenario(str(tmp_path / "pipe.json"))
    with pytest.raises(ScenarioError, match="there is no such file"), open_source(tmp_path / "none.csv"):
        pass


def test_a_prompt_is_said_once_and_may_be_a_template() -> None:
    assert hold(prompt_scenario("Hi {{ session.user }}")).texts == ["Hi 3"]
    for wrong in (" ", "{{ nope }}"):
        with pytest.raises(ScenarioError):
            prompt_scenario(wrong)
