"""Output during a run: on a terminal, and in a pipe."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from runs.live_stream import Quantiles, Tick
from runs.load.profile import ClosedLoad
from runs.supervisor.ticks import TickInfo
from tokenburn_site.cli.burn.progress import LINE_EVERY_S, Progress

LOAD = ClosedLoad(users=50, duration_s=30)


def quantiles(p50: float) -> Quantiles:
    return {"p50": p50, "p95": p50 * 2, "p99": p50 * 3, "mean": p50, "count": 9}


def tick(at_s: float = 12.0, **counters: int) -> Tick:
    return {
        "at_s": at_s,
        "counters": {"sent": 1300, "ok": 1234, "error": 10, "timeout": 2, "output_tokens": 56_789, **counters},
        "rates": {"turns_per_s": 41.25, "output_tokens_per_s": 1893.0},
        "metrics": {"ttft_ms": quantiles(52.0), "e2e_ms": quantiles(812.0)},
        "active": 50,
        "inflight": 48,
    }


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def printed(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pipe() -> Console:
    return Console(file=io.StringIO(), width=80)


def test_a_pipe_gets_one_line_every_few_seconds(pipe: Console, clock: Clock) -> None:
    with Progress(pipe, LOAD, clock) as progress:
        for _ in range(11):
            clock.now += 1.0
            progress.tick(tick())
    lines = printed(pipe).splitlines()
    assert len(lines) == int(11 / LINE_EVERY_S)
    assert lines[0] == (
        "0:12 starting | 0:18 left | 50 users | 1,234 turns ok | 12 failed | 41.25/s"
        " | ttft p50 52 ms p95 104 ms | e2e p50 812 ms p95 1,624 ms"
    )


def test_what_a_search_does_stands_where_the_time_left_would(pipe: Console, clock: Clock) -> None:
    doing = "level 3: 40 users: settling; 20 is good"
    progress = Progress(pipe, LOAD, clock)
    progress.tick({**tick(), "doing": doing})
    assert progress.line().startswith(f"0:12 starting | {doing} | 50 users | ")
    screen = Console(file=io.StringIO(), width=80, force_terminal=True, color_system=None)
    screen.print(progress.render())
    assert doing in printed(screen)


def test_a_pipe_is_told_at_once_that_the_run_stops(pipe: Console, clock: Clock) -> None:
    with Progress(pipe, LOAD, clock) as progress:
        for status in ("running", "running", "stopping", "stopping", "finalizing"):
            progress.info(TickInfo(1, status, None, {"items": [], "held_back": 0}))
    assert printed(pipe).splitlines() == ["stopping", "finalizing"]


def terminal(width: int = 80) -> Console:
    return Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)


@pytest.mark.parametrize("width", [80, 200])
def test_a_terminal_sees_all_figures_within_its_width(width: int, clock: Clock) -> None:
    console = terminal(width)
    progress = Progress(console, LOAD, clock)
    progress.tick(tick(aborted=1, unknown=1, dropped_arrivals=7))
    progress.status("running")
    console.print(progress.render())
    text = printed(console)
    for figure in ("running", "0:18 left", "50 active", "48 waiting", "1,234 ok", "10 error", "7 arrivals", "52 ms"):
        assert figure in text
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text


def test_what_is_used_of_a_budget_is_shown(pipe: Console, clock: Clock) -> None:
    told = tick()
    told["budget"] = {"tokens": {"ceiling": 24_000, "used": 18_000}}
    progress = Progress(pipe, LOAD, clock)
    progress.tick(told)
    assert "18,000 tokens of 24,000 (75%)" in progress.line()
    console = terminal()
    console.print(progress.render())
    assert re.search(r"budget +18,000 tokens of 24,000 \(75%\)", printed(console))


def test_a_terminal_is_left_clean(clock: Clock) -> None:
    console = terminal()
    with Progress(console, LOAD, clock) as progress:
        progress.tick(tick())
    _, shown, after = printed(console).rpartition("\x1b[?25h")
    assert shown, "the cursor is visible again"
    assert re.fullmatch(r"\r(\x1b\[1A\x1b\[2K)+", after), "every line of the display is erased"


def test_before_the_first_figures_there_is_a_status(clock: Clock) -> None:
    progress = Progress(terminal(), LOAD, clock)
    console = terminal()
    console.print(progress.render())
    assert "starting" in printed(console)


@pytest.mark.parametrize(
    ("load", "counters", "words"),
    [
        (ClosedLoad(users=1, conversations=40), {"sessions_ended": 10}, "10 of 40 conversations"),
        (ClosedLoad(users=1, duration_s=60, conversations=40), {"sessions_ended": 10}, "10 of 40 conversations"),
        (ClosedLoad(users=1, duration_s=20, conversations=40), {"sessions_ended": 10}, "0:08 left"),
        (ClosedLoad(users=1, duration_s=5), {}, "0:00 left"),
    ],
)
def test_what_ends_the_run_first_is_counted_down(
    load: ClosedLoad, counters: dict[str, int], words: str, clock: Clock
) -> None:
    progress = Progress(terminal(), load, clock)
    progress.tick(tick(**counters))
    assert words in progress.line()


def test_a_threshold_that_is_missed_is_said_and_a_terminal_shows_how_all_stand(pipe: Console, clock: Clock) -> None:
    progress = Progress(pipe, LOAD, clock)
    progress.tick({**tick(), "thresholds": [{"expr": "ttft_ms.p95<500", "value": 104.0, "state": "kept"}]})
    assert "ttft_ms.p95" not in progress.line()
    pipe.print(progress.render())
    assert "1 met" in printed(pipe)
    progress.tick({**tick(), "thresholds": [{"expr": "error_rate<1%", "value": 0.12, "state": "missed"}]})
    assert "missed error_rate<1% (12%)" in progress.line()
