"""Progress of `burn`: a live display on a terminal, a line every few seconds elsewhere.

Ticks come from the supervising threads, or from the run's stream; drawing is done by rich's own thread.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from metrics.number_format import NOTHING, clock, counted, number
from metrics.report.group_text import status_words
from metrics.report.spending_words import budget_words
from runs.live_stream import Tick
from runs.load.profile import Load
from runs.supervisor.ticks import TickInfo

LINE_EVERY_S = 5.0
REDRAWS_PER_S = 4
BAR_WIDTH = 30
AWAY = "database away"
"""Shown instead of a run's status while nobody can read it."""
OUTCOMES = ("error", "timeout", "aborted", "unknown")


def overdue_words(tick: Tick) -> str:
    """How many turns wait too long, as text; empty: none."""
    overdue = tick.get("overdue", 0)
    return f"{number(overdue)} overdue" if overdue else ""


class Progress:
    """A context manager; `tick` and `status` may be called from any thread."""

    def __init__(self, console: Console, load: Load, now: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._load = load
        self._now = now
        self._tick: Tick | None = None
        self._status = "starting"
        self._began = self._said_at = now()
        self._lock = threading.Lock()
        self._live: Live | None = None

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live = Live(
                console=self._console,
                get_renderable=self.render,
                refresh_per_second=REDRAWS_PER_S,
                transient=True,  # the table that follows repeats it
            )
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def info(self, info: TickInfo) -> None:
        """An update of a local supervisor: a status, and from one of the shards the run so far."""
        self.status(info.status)
        if info.tick is not None:
            self.tick(info.tick)

    def tick(self, tick: Tick) -> None:
        """The run so far."""
        with self._lock:
            self._tick = tick
            due = self._live is None and self._now() - self._said_at >= LINE_EVERY_S
            if due:
                self._said_at = self._now()
        if due:
            self._say(self.line())

    def status(self, status: str) -> None:
        """The run's status; a new one is shown at once."""
        with self._lock:
            new, self._status = status != self._status, status
        if new and self._live is None and status in {"stopping", "finalizing", AWAY}:
            self._say(status)

    def _say(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def _at_s(self) -> float:
        return self._tick["at_s"] if self._tick else 0.0

    def _done(self) -> tuple[float, str]:
        """The completed share, 0 to 1, and the progress as text."""
        at_s = self._at_s()
        shares: list[tuple[float, str]] = []
        if self._load.duration_s is not None:
            left = max(0.0, self._load.duration_s - at_s)
            shares.append((min(1.0, at_s / self._load.duration_s), f"{clock(math.ceil(left))} left"))
        if self._load.conversations is not None:
            held = self._tick["counters"].get("sessions_ended", 0) if self._tick else 0
            words = f"{number(held)} of {counted(self._load.conversations, 'conversation')}"
            shares.append((min(1.0, held / self._load.conversations), words))
        return max(shares)  # whichever comes first ends the run

    def _doing(self) -> str:
        """What a search or sweep does."""
        return self._tick.get("doing", "") if self._tick else ""

    def line(self) -> str:
        """The state on one line, for pipes and logs."""
        _, left = self._done()
        parts = [f"{clock(self._at_s())} {self._status}", self._doing() or left]
        if self._tick is not None:
            counters, metrics = self._tick["counters"], self._tick["metrics"]
            failed = sum(counters.get(name, 0) for name in OUTCOMES)
            parts += [
                counted(self._tick["active"], "user"),
                f"{counted(counters.get('ok', 0), 'turn')} ok",
                f"{number(failed)} failed",
                overdue_words(self._tick),
                _per_s(self._tick["rates"].get("turns_per_s")),
            ]
            parts.append(budget_words(self._tick.get("budget")))
            parts.append(status_words(self._tick.get("thresholds", ())))
            for name in ("ttft_ms", "e2e_ms"):
                if found := metrics.get(name):
                    parts.append(f"{name.removesuffix('_ms')} p50 {_ms(found['p50'])} p95 {_ms(found['p95'])}")
        return " | ".join(part for part in parts if part)

    def render(self) -> RenderableType:
        """The state as a block for a terminal, at most 80 columns wide."""
        with self._lock:
            share, left = self._done()
            head = Table.grid(padding=(0, 1))
            bar = ProgressBar(total=1.0, completed=share, width=BAR_WIDTH)
            head.add_row(Text(self._status, style="bold"), bar, Text(f"{clock(self._at_s())} elapsed"), Text(left))
            if self._tick is None:
                return head
            if doing := self._doing():
                return Group(head, Text(doing), self._figures(self._tick))
            return Group(head, self._figures(self._tick))

    def _figures(self, tick: Tick) -> Table:
        counters, rates, metrics = tick["counters"], tick["rates"], tick["metrics"]
        table = Table.grid(padding=(0, 2))
        late = f" ({words})" if (words := overdue_words(tick)) else ""
        table.add_row(
            "users", f"{number(tick['active'])} active, {number(tick['inflight'])} waiting for an answer{late}"
        )
        outcomes = [f"{number(counters.get('ok', 0))} ok"]
        outcomes += [f"{number(counters[name])} {name}" for name in OUTCOMES if counters.get(name)]
        table.add_row("turns", "   ".join([", ".join(outcomes), _per_s(rates.get("turns_per_s"))]))
        if counters.get("dropped_arrivals"):
            table.add_row("dropped", counted(counters["dropped_arrivals"], "arrival"))
        if counters.get("unsolicited"):
            table.add_row("unasked", counted(counters["unsolicited"], "message"))
        table.add_row(
            "tokens", f"{number(counters.get('output_tokens', 0))} out   {_per_s(rates.get('output_tokens_per_s'))}"
        )
        if used := budget_words(tick.get("budget")):
            table.add_row("budget", used)
        if stand := status_words(tick.get("thresholds", ()), missed_only=False):
            table.add_row("thresholds", stand)
        for name, label in (("ttft_ms", "first token"), ("e2e_ms", "whole answer")):
            if found := metrics.get(name):
                table.add_row(label, f"p50 {_ms(found['p50'])}   p95 {_ms(found['p95'])}   p99 {_ms(found['p99'])}")
        return table


def _ms(value: float | None) -> str:
    return NOTHING if value is None else f"{number(value)} ms"


def _per_s(value: float | None) -> str:
    return "" if value is None else f"{number(value)}/s"
