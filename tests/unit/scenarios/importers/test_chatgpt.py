"""ChatGPT's export: trees of messages, of which the path to the last one that was read is the conversation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scenarios.importers import Wanted, load_scenario
from scenarios.importers.dialects import talk_of


def node(
    name: str,
    parent: str | None,
    role: str = "user",
    *parts: Any,
    kind: str = "text",
    at: float | None = None,
    **more: Any,
) -> dict[str, Any]:
    message = {"id": name, "author": {"role": role}, "create_time": at, "recipient": "all", "metadata": {}, **more}
    message["content"] = {"content_type": kind, "parts": list(parts)}
    return {"id": name, "parent": parent, "children": [], "message": message}


def export(*nodes: dict[str, Any], current: str | None = None, **more: Any) -> dict[str, Any]:
    found = {one["id"]: one for one in nodes}
    for one in nodes:
        if one["parent"] in found:
            found[one["parent"]]["children"].append(one["id"])
    return {"title": "A talk", "conversation_id": "c1", "mapping": found, "current_node": current, **more}


ROOT: dict[str, Any] = {"id": "root", "message": None, "parent": None, "children": []}


def root() -> dict[str, Any]:
    return {**ROOT, "children": []}


def said(*texts: str) -> list[dict[str, str]]:
    return [{"role": ("user", "assistant")[at % 2], "content": text} for at, text in enumerate(texts)]


def branched(current: str | None) -> dict[str, Any]:
    """The answer was made twice, and the conversation went on from the first."""
    return export(
        root(),
        node("system", "root", "system", ""),
        node("q", "system", "user", "q", create_time=1.0),
        node("a1", "q", "assistant", "first", create_time=2.0),
        node("a2", "q", "assistant", "second", create_time=9.0),
        node("r", "a1", "user", "r", create_time=5.0),
        node("b", "r", "assistant", "b", create_time=6.0),
        current=current,
    )


@pytest.mark.parametrize(
    ("current", "expected"),
    [
        ("b", said("q", "first", "r", "b")),
        ("a2", said("q", "second")),
        ("r", said("q", "first", "r")),
        (None, said("q", "second")),  # the newest leaf
        ("gone", said("q", "second")),
    ],
)
def test_the_path_to_the_current_node_is_the_conversation(current: str | None, expected: list[dict[str, str]]) -> None:
    talk = talk_of(branched(current))
    assert talk is not None
    assert (talk.id, talk.messages, talk.tools) == ("c1", expected, 0)


def test_tools_thoughts_and_what_is_hidden_are_no_messages() -> None:
    hidden = {"is_visually_hidden_from_conversation": True}
    talk = talk_of(
        export(
            root(),
            node("s", "root", "system", "rules of the house", metadata=hidden),
            node("u", "s", "user", kind="user_editable_context", metadata=hidden),
            node("q", "u", "user", "what is ", "6 * 7?"),
            node("t", "q", "assistant", "let me think", kind="thoughts"),
            node("c", "t", "assistant", "6 * 7", kind="code", recipient="python"),
            node("x", "c", "tool", "42", kind="execution_output"),
            node("e", "x", "assistant", ""),
            node("a", "e", "assistant", "42"),
            current="a",
        )
    )
    assert talk is not None
    assert (talk.messages, talk.tools) == (said("what is 6 * 7?", "42"), 2)


def test_a_picture_in_a_question_cannot_be_replayed_and_spoken_words_can(tmp_path: Path) -> None:
    picture = {"content_type": "image_asset_pointer", "asset_pointer": "file://x"}
    speech = {"content_type": "audio_transcription", "text": "q"}
    records = [
        export(root(), node("q", "root", "user", picture, "what is it?", kind="multimodal_text"), current="q"),
        export(root(), node("q", "root", "user", speech, kind="multimodal_text"), current="q"),
        branched("b"),
    ]
    path, wanted = tmp_path / "conversations.json", Wanted()
    path.write_text(json.dumps(records))
    [spec] = load_scenario(str(path), wanted=wanted)
    assert [row["messages"] for row in spec.data["talks"].rows] == [said("q"), said("q", "first", "r", "b")]
    [note] = wanted.notes
    assert "1 of 3 conversations are left out" in note
    assert note.endswith("pictures, sounds and files cannot be replayed (first: [0])")


def test_one_export_alone_is_a_scenario_by_its_id(tmp_path: Path) -> None:
    path = tmp_path / "one.json"
    path.write_text(json.dumps(branched("b")))
    [spec] = load_scenario(str(path))
    assert spec.name == "c1"
    assert len([step for step in spec.steps if step.do == "say"]) == 2


@pytest.mark.parametrize(
    "broken", [{"a": {"parent": "b"}, "b": {"parent": "a"}}, {"a": None}, {"a": 5, "b": {"message": 7}}]
)
def test_a_broken_tree_is_no_endless_walk(broken: dict[str, Any]) -> None:
    talk = talk_of({"mapping": broken, "current_node": "a"})
    assert talk is not None
    assert talk.messages == []
