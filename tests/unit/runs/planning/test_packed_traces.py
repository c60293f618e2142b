"""Arrival times of recorded traces as a load keeps them: packed, bounded, with what they were read as."""

from __future__ import annotations

import base64
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.spec import SpecError
from runs.load import trace
from runs.load.profile import TraceLoad, parse_load
from runs.load.trace import pack, shown_load, unpack


@given(st.lists(st.floats(0, 600_000), min_size=1, max_size=50).map(sorted))
def test_packed_times_are_the_same_to_the_microsecond(times: list[float]) -> None:
    assert unpack(pack(times)) == pytest.approx(times, abs=6e-7)


def test_a_packed_trace_is_small() -> None:
    assert len(pack(row * 0.0371 for row in range(100_000))) < 300_000


@pytest.mark.parametrize(
    ("load", "says"),
    [
        ({}, "load.arrivals is missing"),
        ({"arrivals_s": []}, "at least one arrival"),
        ({"arrivals_s": [0, 2, 1]}, "arrival 2: 1 s is before the one ahead of it, 2 s: sort them"),
        ({"arrivals_s": [0, float("nan")]}, "arrival 1: nan is not a time"),
        ({"arrivals_s": [-1]}, "arrival 0: -1.0 is not a time"),
        ({"arrivals_s": 7}, "arrivals_s is a list of seconds"),
        ({"arrivals_s": ["soon"]}, "could not convert"),
        ({"arrivals": "!"}, "not a packed trace"),
        ({"arrivals": base64.b64encode(zlib.compress(b"12345")).decode()}, "not a packed trace"),
        ({"arrivals_s": [0, 1], "stages": [{"duration_s": 1, "to": 2}]}, "leave load.stages out"),
        ({"arrivals_s": [0, 1], "sweep": {"levels": [1, 2]}}, "leave load.sweep out"),
        (
            {"arrivals_s": [0, 1], "search": {"conditions": ["error_rate<1%"]}},
            "load.search needs load.users or load",
        ),
        ({"arrivals_s": [0, 1], "speed": 0}, "speed"),
        ({"arrivals_s": [0, 1], "trace_unit": "ms"}, "arrivals_s are seconds: with a trace_unit give timestamps"),
        ({"arrivals_s": [0, 1], "timestamps": [0, 1]}, "give timestamps or arrivals_s, not both"),
        ({"timestamps": [0, 10, 20]}, "unit of timestamps is ambiguous: as s .* set trace_unit to s, ms, us or ns"),
        ({"timestamps": [0, 1, 3], "trace_unit": "h"}, "trace_unit one of s, ms, us, ns or days"),
        ({"timestamps": "now", "trace_unit": "s"}, "timestamps is a list of numbers"),
        ({"timestamps": [0, "2024-01-01"]}, "timestamp 1: '2024-01-01' is not a number"),
        ({"timestamps": [5, 3], "trace_unit": "s"}, "arrival 1: -2.0 is not a time"),
        ({"timestamps": []}, "at least one arrival"),
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


def test_numbers_of_a_recording_are_kept_with_what_they_were_read_as() -> None:
    settled = parse_load({"kind": "trace", "timestamps": [27_000, 27_010, 27_020], "trace_unit": "ms"})
    found = parse_load({"kind": "trace", "timestamps": [1_715_299_200_000, 1_715_299_200_500]})
    for load, times in ((settled, [0, 0.01, 0.02]), (found, [0, 0.5])):
        assert isinstance(load, TraceLoad)
        assert (unpack(load.arrivals), load.trace_unit) == (times, "ms")
        assert parse_load(load.model_dump(mode="json")) == load
    plain = parse_load({"kind": "trace", "arrivals_s": [0, 1]})
    assert isinstance(plain, TraceLoad)
    assert plain.trace_unit is None
