"""`burn --trace`: what may stand beside it, and the load that it makes."""

from __future__ import annotations

from pathlib import Path

import pytest

from runs.load.profile import TraceLoad
from runs.load.trace import unpack
from tests.unit.tokenburn_site.cli.options.test_burn_options import SAID, TARGET, options
from tokenburn_site.cli.errors import BadUsage
from tokenburn_site.cli.options.trace import before
from tokenburn_site.cli.request.parts import build_load


@pytest.fixture
def trace(tmp_path: Path) -> str:
    path = tmp_path / "trace.csv"
    path.write_text("TIMESTAMP,ContextTokens\n" + "".join(f"2023-11-16 18:17:0{second}.5,9\n" for second in range(9)))
    return str(path)


def test_a_trace_is_the_whole_load(trace: str) -> None:
    load = build_load(options(*TARGET, *SAID, "--trace", trace, "--speed", "2", "--processes", "3"))
    assert isinstance(load, TraceLoad)
    assert (load.speed, load.conversations, load.duration_s) == (2, 9, None)
    assert unpack(load.arrivals) == list(range(9))
    assert load.trace_unit == "dates"
    assert before(load) == "trace: 9 requests over 8 s, timestamps read as dates, sent over 4 s"
    assert before(build_load(options(*TARGET, *SAID, "--users", "3", "--duration", "5s"))) == ""


def test_a_unit_in_doubt_is_asked_for_and_no_run_begins_until_it_is_said(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    path.write_text("".join(f'{{"timestamp": {at}, "input_length": 5}}\n' for at in range(0, 36_010, 10)))
    with pytest.raises(
        BadUsage, match=r"^--trace: .*is ambiguous: as ms they are one every 10 ms, as s .* --trace-unit s\|ms"
    ):
        build_load(options(*TARGET, *SAID, "--trace", str(path)))
    for unit, says in (("s", "3,601 requests over 10 h"), ("ms", "3,601 requests over 36 s")):
        load = build_load(options(*TARGET, *SAID, "--trace", str(path), "--trace-unit", unit))
        assert isinstance(load, TraceLoad)
        assert load.trace_unit == unit
        assert before(load) == f"trace: {says}, timestamps read as {unit}"


def test_only_what_is_needed_of_a_trace_is_kept(trace: str) -> None:
    load = build_load(options(*TARGET, *SAID, "--trace", trace, "--speed", "2", "--duration", "2s"))
    assert isinstance(load, TraceLoad)
    assert unpack(load.arrivals) == [0, 1, 2, 3]
    assert (load.conversations, load.duration_s) == (4, 2)
    assert build_load(options(*TARGET, *SAID, "--trace", trace, "--conversations", "5")).conversations == 5


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (("--trace", "FILE", "--users", "3"), "a trace has its own times: leave --users out, or give --speed"),
        (("--trace", "FILE", "--rate", "3/s"), "leave --rate out"),
        (("--trace", "FILE", "--stages", "5s:3"), "leave --stages out"),
        (("--trace", "FILE", "--sweep", "5,10"), "leave --sweep out"),
        (("--trace", "FILE", "--find-capacity", "error_rate<1%"), "leave --find-capacity out"),
        (("--trace", "/nowhere.csv"), "--trace: /nowhere.csv: "),
        (
            ("--users", "3", "--duration", "5s", "--speed", "2"),
            "--speed applies only to a trace, and this is a closed loop: leave --speed out",
        ),
        (("--users", "3", "--duration", "5s", "--trace-unit", "ms"), "--trace-unit applies only to a trace"),
        (("--trace", "FILE", "--cool-down", "1s"), "--cool-down is the last part of the load: it needs --duration"),
    ],
)
def test_an_error_says_what_to_do(trace: str, argv: tuple[str, ...], says: str) -> None:
    with pytest.raises(BadUsage) as caught:
        build_load(options(*TARGET, *SAID, *(trace if word == "FILE" else word for word in argv)))
    assert says in str(caught.value)
