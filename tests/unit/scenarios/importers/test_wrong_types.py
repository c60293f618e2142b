"""A record may hold anything anywhere: a value of another type is refused, or left out, and never an exception."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any, Final

import pytest

from scenarios.definition.spec import ScenarioError
from scenarios.importers import Source, Wanted, import_scenarios, read_pool

ODD: Final[tuple[Any, ...]] = (None, True, -1, 1e999, 10**400, "", "\ud83d", [], [[]], {}, {"a": [1]})
CALL: Final = {"type": "function", "function": {"name": "f", "arguments": "{}"}}
RECORDS: Final[dict[str, Any]] = {
    "messages": {
        "id": "1",
        "system": "s",
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "q"}, {"type": "thinking", "thinking": "?"}]},
            {"role": "assistant", "content": "a", "tool_calls": [CALL]},
        ],
    },
    "sharegpt": {"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]},
    "chatgpt": {
        "mapping": {
            "r": {"message": None, "parent": None, "children": ["m"]},
            "m": {
                "message": {
                    "author": {"role": "user"},
                    "create_time": 5.0,
                    "recipient": "all",
                    "metadata": {"is_visually_hidden_from_conversation": False},
                    "content": {"content_type": "text", "parts": ["q"]},
                },
                "parent": "r",
                "children": [],
            },
            "n": {"message": {"author": {"role": "user"}, "create_time": 4.0}, "parent": "r", "children": []},
        },
        "current_node": "gone",
    },
    "gemini": {"contents": [{"role": "user", "parts": [{"text": "q"}, {"functionCall": {}}]}]},
    "items": {"items": [{"type": "reasoning", "summary": []}, {"type": "message", "role": "user", "content": "q"}]},
    "texts": {"data": ["q", "a"]},
    "turns": {"turns": [{"text": "q", "delay": 500}], "session_id": "s"},
    "alpaca": {"instruction": "q", "input": "i", "output": "a"},
    "batch": {"custom_id": "1", "body": {"model": "m", "messages": [{"role": "user", "content": "q"}]}},
    "ours": {"name": "n", "steps": [{"do": "say", "text": "q"}], "variables": {"v": 1}},
    "trace": {"timestamp": 27482, "input_length": 6955, "output_length": 52, "hash_ids": [46, 47]},
}


def damaged(record: Any, at: Any = ()) -> Iterator[Any]:
    """Copies of the record, each with something odd in one place."""
    inner = record
    for key in at:
        inner = inner[key]
    for odd in ODD if at else ():
        changed = copy.deepcopy(record)
        place = changed
        for key in at[:-1]:
            place = place[key]
        place[at[-1]] = odd
        yield changed
    keys = inner if isinstance(inner, dict) else range(len(inner)) if isinstance(inner, list) else ()
    for key in keys:
        yield from damaged(record, (*at, key))


def as_pool(source: Source) -> object:
    return read_pool(source, "in_turn")


def as_scenarios(source: Source) -> object:
    return import_scenarios(source, Wanted())


@pytest.mark.parametrize("name", RECORDS)
@pytest.mark.parametrize("file", ["f.json", "f.jsonl"])
@pytest.mark.parametrize("read", [as_scenarios, as_pool])
def test_an_odd_value_anywhere_is_refused_or_left_out(read: Callable[[Source], object], name: str, file: str) -> None:
    good, outcomes = json.dumps(RECORDS[name] | {"name": "another"}), []
    for changed in damaged(RECORDS[name]):
        texts = [good, json.dumps(changed)]
        data = "\n".join(texts) if file == "f.jsonl" else f"[{', '.join(texts)}]"
        try:
            outcomes.append(bool(read(Source(file, BytesIO(data.encode())))))
        except ScenarioError as exc:
            outcomes.append(False)
            assert str(exc).startswith("f.json")
    assert len(outcomes) > 20
    assert any(outcomes) or (name == "trace" and read is as_scenarios)
