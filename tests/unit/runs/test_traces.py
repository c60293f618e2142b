"""Arrival times of recorded traces: from the files that people have, and as a load keeps them."""

from __future__ import annotations

import base64
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.spec import SpecError
from runs.engine import trace
from runs.engine.spec import TraceLoad, parse_load
from runs.engine.trace import pack, shown_load, unpack
from runs.traces import read_trace

MOONCAKE = """\
{"timestamp": 27482, "input_length": 6955, "output_length": 52, "hash_ids": [46, 47]}
{"timestamp": 30535, "input_length": 6472, "output_length": 26, "hash_ids": [46, 48]}
{"timestamp": 30535, "input_length": 2, "output_length": 2, "hash_ids": [9]}
"""
AZURE = """\
TIMESTAMP,ContextTokens,GeneratedTokens
2023-11-16 18:17:03.9799600,4808,10
2023-11-16 18:17:04.0319600,3180,8
2023-11-16 18:17:05.5,110,27
"""
BURSTGPT = """\
Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type
5,ChatGPT,472,18,490,Conversation log
45,ChatGPT,1087,230,1317,Conversation log
118.5,GPT-4,417,276,693,Conversation log
"""


def file(tmp_path: Path, name: str, text: str) -> Path:
    path = tmp_path / name
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("name", "text", "times"),
    [
        ("mooncake.jsonl", MOONCAKE, [0, 3.053, 3.053]),
        ("azure.csv", AZURE, [0, 0.052, 1.52004]),
        ("burst.csv", BURSTGPT, [0, 40, 113.5]),
        ("zones.csv", "time\n2024-05-10T02:00:00+02:00\n2024-05-10T00:00:01.5Z\n", [0, 1.5]),
        ("named.jsonl", '{"arrival_time_ms": 500}\n{"arrival_time_ms": 750.5}\n', [0, 0.2505]),
        ("epoch.json", "[1715299200123, 1715299200623]", [0, 0.5]),
        ("seconds.json", '[{"time": 1715299200.25}, {"time": 1715299201}]', [0, 0.75]),
        ("tabs.tsv", "at\twhat\n0.5\ta\n2\tb\n", [0, 1.5]),
    ],
)
def test_the_traces_that_people_have_are_read(tmp_path: Path, name: str, text: str, times: list[float]) -> None:
    assert read_trace(file(tmp_path, name, text)) == pytest.approx(times, abs=2e-6)


def test_units_and_ends_may_be_given(tmp_path: Path) -> None:
    path = file(tmp_path, "t.json", "[0, 100, 200, 1500]")
    assert read_trace(path, unit="ms") == [0, 0.1, 0.2, 1.5]
    assert read_trace(path, rows=2) == [0, 100]
    assert read_trace(path, within_s=200) == [0, 100]


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("t.csv", "time,what\n1,a\n2\n", "t.csv: line 3: has 1 value, and the first line names 2"),
        ("t.csv", "when\n1\n", "t.csv: line 2: has no time: name it timestamp, time, arrival_time"),
        ("t.csv", "time\n1\nnoon\n", "t.csv: line 3: time: 'noon' is no time: give a number or an ISO time"),
        ("t.csv", "time\n5\n4\n", "t.csv: line 3: is 1 s before the line ahead of it: sort the file"),
        ("t.csv", "time\n", "t.csv: holds no arrival"),
        ("t.jsonl", '{"time": 1}\n{"time": true}\n', "t.jsonl: line 2: time: True is no time"),
        ("t.jsonl", '{"time": 1}\n{"time": \n', "t.jsonl: not JSON: line 2"),
        ("t.json", "[0, 9999999]", "is 1e+07 s after the first arrival, and a run lasts at most 604800 s"),
        ("t.jsonl", "", "t.jsonl: holds no arrival"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, name: str, text: str, says: str) -> None:
    with pytest.raises(SpecError) as caught:
        read_trace(file(tmp_path, name, text))
    assert says in str(caught.value)


def test_a_file_of_too_many_rows_is_cut_or_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runs.traces.MOST_ROWS", 3)
    path = file(tmp_path, "t.json", "[0, 1, 2, 3, 4]")
    assert len(read_trace(path, rows=3)) == 3
    for rows in (None, 4):
        with pytest.raises(SpecError, match=r"\[3\]: a run keeps 3 arrivals: end it"):
            read_trace(path, rows=rows)
    with pytest.raises(SpecError, match="no ordinary file"):
        read_trace(tmp_path)


@given(st.lists(st.floats(0, 600_000), min_size=1, max_size=50).map(sorted))
def test_packed_times_are_the_same_to_the_microsecond(times: list[float]) -> None:
    assert unpack(pack(times)) == pytest.approx(times, abs=6e-7)


def test_a_packed_trace_is_small() -> None:
    assert len(pack(row * 0.0371 for row in range(100_000))) < 300_000


@pytest.mark.parametrize(
    ("load", "says"),
    [
        ({}, "arrivals: Field required"),
        ({"arrivals_s": []}, "at least one arrival"),
        ({"arrivals_s": [0, 2, 1]}, "arrival 2: 1 s is before the one ahead of it, 2 s: sort them"),
        ({"arrivals_s": [0, float("nan")]}, "arrival 1: nan is not a time"),
        ({"arrivals_s": [-1]}, "arrival 0: -1.0 is not a time"),
        ({"arrivals_s": 7}, "arrivals_s is a list of seconds"),
        ({"arrivals_s": ["soon"]}, "could not convert"),
        ({"arrivals": "!"}, "not a packed trace"),
        ({"arrivals": base64.b64encode(zlib.compress(b"12345")).decode()}, "not a packed trace"),
        ({"arrivals_s": [0, 1], "stages": [{"duration_s": 1, "to": 2}]}, "leave stages out"),
        ({"arrivals_s": [0, 1], "sweep": {"levels": [1, 2]}}, "leave sweep out"),
        ({"arrivals_s": [0, 1], "search": {"conditions": ["error_rate<1%"]}}, "a search needs users or a rate"),
        ({"arrivals_s": [0, 1], "speed": 0}, "speed"),
    ],
)
def test_a_trace_that_makes_no_sense_says_why(load: dict[str, Any], says: str) -> None:
    with pytest.raises(SpecError, match=says):
        parse_load({"kind": "trace", **load})


def test_a_bomb_of_zeros_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace, "MOST_ROWS", 1000)
    bomb = base64.b64encode(zlib.compress(bytes(8_000_000))).decode()
    with pytest.raises(SpecError, match="more than 1,000 arrivals"):
        parse_load({"kind": "trace", "arrivals": bomb})


def test_a_trace_bounds_its_load_and_is_frozen_whole() -> None:
    load = parse_load({"kind": "trace", "arrivals_s": [0, 1, 2], "speed": 2})
    assert isinstance(load, TraceLoad)
    assert (load.conversations, load.begins_at) == (3, 2)
    assert parse_load(load.model_dump(mode="json")) == load
    cut = parse_load({"kind": "trace", "arrivals_s": [0, 1, 2], "conversations": 2})
    assert cut.conversations == 2
    assert "arrivals" not in shown_load(load.model_dump(mode="json"))
