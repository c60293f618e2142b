from __future__ import annotations

from typing import Any

import pytest

from runs.load.profile import parse_load
from runs.reporting.formatting import load_json, load_text
from runs.reporting.load_summary import SHOWN_TIMES, arrivals_text, restore, summarize

TIMES = [number / 8 for number in range(5000)]
LONG = {"kind": "trace", "arrivals_s": TIMES, "speed": 2}
WORDS = "5,000 arrivals from 0 s to 624.875 s"


def test_a_long_trace_is_its_number_first_and_last_as_given_and_as_packed() -> None:
    assert summarize(LONG) == {"kind": "trace", "arrivals_s": f"{WORDS}, kept as they are", "speed": 2}
    packed = parse_load(LONG).model_dump(mode="json")
    assert summarize(packed)["arrivals"] == f"{WORDS}, kept as they are"
    assert {**summarize(packed), "arrivals": packed["arrivals"]} == packed
    assert WORDS in load_json(packed) and packed["arrivals"] not in load_json(packed)
    assert load_text(LONG) == f"a trace of {WORDS} at 2 times its speed"
    assert load_text({**LONG, "arrivals_s": [2.5]}) == "a trace of 1 arrival from 2.5 s to 2.5 s at 2 times its speed"
    assert load_text(packed) == "a trace at 2 times its speed, 5,000 conversations"


def test_the_numbers_of_a_recording_are_shown_in_their_unit() -> None:
    numbers = list(range(27_000, 77_000, 10))
    load = {"kind": "trace", "timestamps": numbers, "trace_unit": "ms"}
    words = "5,000 arrivals from 27,000 ms to 76,990 ms"
    assert summarize(load)["timestamps"] == f"{words}, kept as they are"
    assert restore(summarize(load), load) == load
    assert load_text(load) == f"a trace of {words} at 1 times its speed, times read as ms"
    assert arrivals_text({"kind": "trace", "timestamps": [5]}) == "1 arrival from 5 to 5"


def test_what_a_person_typed_stays_what_it_is() -> None:
    short = {**LONG, "arrivals_s": TIMES[:SHOWN_TIMES]}
    assert summarize(short) == short
    assert summarize({"kind": "open", "arrivals": "poisson"}) == {"kind": "open", "arrivals": "poisson"}
    assert summarize("nonsense") == "nonsense"


@pytest.mark.parametrize("times", [[], ["soon"] * 30, [None] * 30, "no trace", 7, None])
def test_what_no_load_can_follow_is_shown_as_it_is(times: Any) -> None:
    for name in ("arrivals_s", "timestamps", "arrivals"):
        broken = {"kind": "trace", name: times}
        assert summarize(broken) == broken
        assert restore(broken, broken) == broken
        assert arrivals_text(broken) == ""
        assert load_text(broken) == "a trace at 1 times its speed"


def test_times_come_back_as_long_as_their_words_stand() -> None:
    for before in (LONG, parse_load(LONG).model_dump(mode="json")):
        assert restore(summarize(before), before) == before
        assert restore({**summarize(before), "speed": 3}, before) == {**before, "speed": 3}
    assert restore({**LONG, "arrivals_s": [1, 2]}, LONG) == {**LONG, "arrivals_s": [1, 2]}
    other = {**LONG, "arrivals_s": "4 arrivals from 0 s to 1 s, kept as they are"}
    assert restore(other, LONG) == other
    assert restore(summarize(LONG), {}) == summarize(LONG)
    assert restore([1], LONG) == [1]
