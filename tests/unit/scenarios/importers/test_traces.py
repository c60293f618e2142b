"""Traces of others, for what they say besides times."""

from __future__ import annotations

from pathlib import Path

import pytest

from scenarios.definition.spec import ScenarioError
from scenarios.importers import trace_pool

MOONCAKE = '{"timestamp": 0, "input_length": 12, "output_length": 5, "hash_ids": [1, 2]}\n' * 3
AZURE = "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.68,374,44\n2023-11-16 18:15:50.99,396,109\n"
BURST = "Timestamp,Model,Request tokens,Response tokens\n5,ChatGPT,472,18\n"


@pytest.mark.parametrize(
    ("name", "text", "lengths"),
    [
        ("m.jsonl", MOONCAKE, [(12, 5)] * 3),
        ("a.csv", AZURE, [(374, 44), (396, 109)]),
        ("b.csv", BURST, [(472, 18)]),
    ],
)
def test_lengths_of_all_formats_have_our_names(
    name: str, text: str, lengths: list[tuple[int, int]], tmp_path: Path
) -> None:
    (tmp_path / name).write_text(text)
    pool = trace_pool(tmp_path / name)
    assert [(row["input_length"], row["output_length"]) for row in pool.rows] == lengths
    assert all("hash_ids" not in row for row in pool.rows)
    assert pool.use == "in_turn"
    assert len(trace_pool(tmp_path / name, 1).rows) == 1


def test_what_cannot_be_said_is_told_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text("1.5\n")
    with pytest.raises(ScenarioError, match=r"t\.jsonl: line 1: has only a time"):
        trace_pool(path)
    path.write_text('{"at": 1, "input_length": "many"}\n')
    with pytest.raises(ScenarioError, match=r"line 1: input_length: 'many' is not a number of tokens"):
        trace_pool(path)
