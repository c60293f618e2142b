"""Arrival times of recorded traces: from the files that people have, and as a load keeps them."""

from __future__ import annotations

import random
from itertools import accumulate
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.spec import SpecError
from runs.load.trace_units import DENSEST_S, SAMPLE, SECONDS, SPARSEST_S, Unit, UnitDoubt, read_as
from runs.planning.trace_files import read_trace

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
    ("name", "text", "times", "unit"),
    [
        ("mooncake.jsonl", MOONCAKE, [0, 3.053, 3.053], "ms"),
        ("azure.csv", AZURE, [0, 0.052, 1.52004], "dates"),
        ("burst.csv", BURSTGPT, [0, 40, 113.5], "s"),
        ("burst.csv", BURSTGPT.replace("118.5", "118"), [0, 40, 113], "s"),
        ("zones.csv", "time\n2024-05-10T02:00:00+02:00\n2024-05-10T00:00:01.5Z\n", [0, 1.5], "dates"),
        ("summer.csv", "time\n2024-10-27T02:59:59+02:00\n2024-10-27T02:00:00+01:00\n", [0, 1], "dates"),
        ("named.jsonl", '{"arrival_time_ms": 500}\n{"arrival_time_ms": 750.5}\n', [0, 0.2505], "ms"),
        ("named.csv", "Time (µs),x\n5,a\n40,b\n", [0, 35e-6], "us"),
        ("named.csv", "Timestamp [seconds]\n0\n600\n", [0, 600], "s"),
        ("named.jsonl", '{"timestampNs": 0}\n{"timestampNs": 2500}\n', [0, 2.5e-6], "ns"),
        ("epoch.json", "[1715299200123, 1715299200623]", [0, 0.5], "ms"),
        ("epoch.csv", "ts\n1715299200\n1715299200\n1715385600\n", [0, 0, 86400], "s"),
        ("epoch.jsonl", '{"msec": "1715299200000250"}\n{"msec": "1715299200000750"}\n', [0, 0.0005], "us"),
        ("seconds.json", '[{"time": 1715299200.25}, {"time": 1715299201}]', [0, 0.75], "s"),
        ("tabs.tsv", "at\twhat\n0.5\ta\n2\tb\n", [0, 1.5], "s"),
        ("form.jsonl", '{"timestamp": 0.5, "hash_ids": [1]}\n{"timestamp": 2.5, "hash_ids": [2]}\n', [0, 2], "s"),
        ("one.jsonl", '{"timestamp": 27, "hash_ids": [1]}\n', [0], "ms"),
        ("sheet.csv", "timestamp\n45292.5\n45292.50025\n", [0, 21.6], "days"),
        ("log.csv", "time_local\n[10/Oct/2000:13:55:36 -0700]\n[10/Oct/2000:20:55:38 +0000]\n", [0, 2], "dates"),
        ("mail.csv", 'created_at\n"Tue, 10 Oct 2000 13:55:36 GMT"\n"Tue, 10 Oct 2000 13:55:37 GMT"\n', [0, 1], "dates"),
        ("w3c.csv", "date,time\n2024-01-01,23:59:59\n2024-01-02,00:00:01\n", [0, 2], "dates"),
        ("days.csv", "date,what\n2024-01-01,a\n2024-01-02,b\n", [0, 86400], "dates"),
        ("slash.csv", "datetime\n2024/01/01 00:00:00 UTC\n2024/01/01 00:00:01.5 UTC\n", [0, 1.5], "dates"),
    ],
)
def test_the_traces_that_people_have_are_read(
    tmp_path: Path, name: str, text: str, times: list[float], unit: str
) -> None:
    found = read_trace(file(tmp_path, name, text))
    assert found.times_s == pytest.approx(times, abs=1e-6)
    assert found.unit == unit


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("t.json", "[0, 1, 2, 3600000]", "t.json: the unit of its numbers is ambiguous: as s they are one every 13 "
         "days 21 h, as ms they are one every 20 min: choose one, --trace-unit s|ms|us|ns"),
        ("t.csv", "timestamp\n0\n10\n20\n", "its timestamp is ambiguous: as s they are one every 10 s, as ms they"),
        ("t.csv", "time,x\n0.0001,a\n0.0004,b\n", "unit of its time is ambiguous: as s they are one every 300 us"),
        ("t.jsonl", '{"timestamp": 0, "hash_ids": []}\n{"timestamp": 3, "hash_ids": []}\n', "as ms they are one every"),
        ("t.jsonl", '{"timestamp": 0, "input_length": 1}\n{"timestamp": 9, "input_length": 1}\n', "as s they are"),
        ("t.csv", "timestamp\n45292.5\n45292.75\n", "as days of a spreadsheet one every 6 h (write those as dates)"),
    ],
)  # fmt: skip
def test_a_unit_that_is_a_guess_and_improbable_is_asked_for(tmp_path: Path, name: str, text: str, says: str) -> None:
    path = file(tmp_path, name, text)
    with pytest.raises(SpecError) as caught:
        read_trace(path)
    assert says in str(caught.value)
    assert read_trace(path, unit="us").unit == "us"


def test_the_first_rows_say_the_unit_also_where_few_are_wanted_and_later_ones_cannot_be_read(tmp_path: Path) -> None:
    rows = "".join(f'{{"timestamp": {at}, "input_length": 1}}\n' for at in (0, 7, 900))
    path = file(tmp_path, "t.jsonl", rows + "{")
    assert read_trace(path, rows=2) == ([0, 0.007], "ms")
    with pytest.raises(SpecError, match=r"t\.jsonl: not JSON: line 4"):
        read_trace(path)


def test_decimals_behind_many_whole_numbers_are_a_doubt(tmp_path: Path) -> None:
    path = file(tmp_path, "t.csv", "time\n" + "".join(f"{n}\n" for n in range(SAMPLE)) + "1000.5\n")
    with pytest.raises(SpecError, match=r"line 1002: time: 1000\.5 has decimals, and the first 1,000 times have none"):
        read_trace(path)
    assert read_trace(path, unit="s").times_s[-1] == 1000.5


def test_units_and_ends_may_be_given(tmp_path: Path) -> None:
    path = file(tmp_path, "t.json", "[0, 100, 200, 1500]")
    assert read_trace(path, unit="ms").times_s == [0, 0.1, 0.2, 1.5]
    assert read_trace(path, unit="s", rows=2).times_s == [0, 100]
    assert read_trace(path, unit="s", within_s=200).times_s == [0, 100]


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("t.csv", "time,what\n1,a\n2\n", "t.csv: line 3: has 1 value, and the first line names 2"),
        ("t.csv", "when\n1\n", "t.csv: line 2: has no time: name it timestamp, time, arrival_time"),
        ("t.csv", "time\n1\nnoon\n", "t.csv: line 3: time: 'noon' is not a time: give a number or an ISO time"),
        ("t.csv", "time\n5\n4\n", "t.csv: line 3: time: is 1 s before the row ahead of it: sort the file"),
        (
            "t.csv",
            "time\n2024-10-27 02:59:59\n2024-10-27 02:00:00\n",
            "clocks may have been put back there: give the times a",
        ),
        (
            "t.csv",
            "time\n2024-01-02\n2024-01-01\n",
            "t.csv: line 3: time: is 86400 s before the row ahead of it: sort the",
        ),
        (
            "t.csv",
            "time\n2024-01-01T00:00:00+01:00\n2024-01-01T00:00:01\n",
            "t.csv: line 3: time: has no zone and the first",
        ),
        (
            "t.csv",
            "time\n2024-01-01T00:00:00\n2024-01-01T00:00:01Z\n",
            "line 3: time: has a zone and the first time has none",
        ),
        (
            "t.csv",
            "time\n2024-01-01\n5\n",
            "line 3: time: is a number, and the first time is a date: give all alike",
        ),
        ("t.csv", "time,x\n0,a\n,b\n", "t.csv: line 3: time: is empty: every row needs its time"),
        ("t.csv", "time;x\n0,5;a\n", "t.csv: line 2: time: '0,5' is not a time: write decimals with a point"),
        (
            "t.csv",
            "time\n10:00:00\n",
            "line 2: time: '10:00:00' is a time of day without its date: add a column `date`",
        ),
        ("t.csv", "time\n01/02/2024 10:00\n", "may be day or month first: write the date as 2024-12-31"),
        ("t.csv", "date,time\n1.2.2024,10:00\n", "line 2: time: '1.2.2024 10:00' may be day or month first"),
        ("t.jsonl", '{"time": 1}\n{"delay": 5}\n', "t.jsonl: line 2: has no time: it has `delay`, a turn that follows"),
        ("t.jsonl", f'{{"time": {10**400}}}', "is not a time: give a number"),
        ("t.csv", "time\n", "t.csv: holds no arrival"),
        ("t.jsonl", '{"time": 1}\n{"time": true}\n', "t.jsonl: line 2: time: True is not a time"),
        ("t.jsonl", '{"time": 1}\n{"time": \n', "t.jsonl: not JSON: line 2"),
        ("t.json", "[0.5, 9999999.5]", "is 1e+07 s after the first arrival, and a run lasts at most 604800 s"),
        ("t.jsonl", "", "t.jsonl: holds no arrival"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, name: str, text: str, says: str) -> None:
    with pytest.raises(SpecError) as caught:
        read_trace(file(tmp_path, name, text))
    assert says in str(caught.value)


def test_a_file_of_too_many_rows_is_cut_or_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runs.planning.trace_files.MOST_ROWS", 3)
    path = file(tmp_path, "t.json", "[0, 1, 2, 3, 4]")
    assert len(read_trace(path, rows=3).times_s) == 3
    for rows in (None, 4):
        with pytest.raises(SpecError, match=r"\[3\]: a run keeps 3 arrivals: end it"):
            read_trace(path, rows=rows)
    with pytest.raises(SpecError, match="not an ordinary file"):
        read_trace(tmp_path)


@given(
    gap_s=st.floats(DENSEST_S, SPARSEST_S),
    written=st.sampled_from(["s", "ms", "us", "ns"]),
    form=st.sampled_from([(), ("timestamp", "input_length", "output_length"), ("timestamp", "hash_ids")]),
    first=st.integers(0, 10**6),
    seed=st.integers(0, 10**6),
)
def test_a_recording_in_whole_numbers_is_read_in_its_unit_or_asked_about(
    gap_s: float, written: Unit, form: tuple[str, ...], first: int, seed: int
) -> None:
    rng = random.Random(seed)
    times_s = list(accumulate(rng.expovariate(1 / gap_s) for _ in range(40)))
    numbers = [first + round(at_s / SECONDS[written]) for at_s in times_s]
    gap = (numbers[-1] - numbers[0]) / 39 * SECONDS[written]
    if not DENSEST_S <= gap <= SPARSEST_S:
        return  # chance has made it a load that nobody records
    try:
        found = read_as(numbers, form)
    except UnitDoubt:
        return
    if written in ("s", "ms"):
        assert found.unit == written
    assert SECONDS[found.unit] >= SECONDS[written]  # never too dense


@pytest.mark.parametrize(
    "column", ["time (h)", "timestamp_min", "minute", "Hours", "Time [minutes]", "arrival_time_days", "timestampMin"]
)
def test_hours_and_minutes_are_said_not_to_be_read(column: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError) as refused:
        read_trace(file(tmp_path, "t.csv", f"{column},n\n0,1\n1,2\n"))
    said = f"{column!r} is in days, hours or minutes, which are not read: convert it to s, ms, us or ns"
    assert str(refused.value).endswith(said)


@pytest.mark.parametrize("column", ["timezone", "attempt", "timed", "minimum", "hourly", "start"])
def test_other_columns_are_not_taken_for_such_times(column: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="has no time: name it timestamp"):
        read_trace(file(tmp_path, "t.csv", f"{column},n\n0,1\n1,2\n"))
