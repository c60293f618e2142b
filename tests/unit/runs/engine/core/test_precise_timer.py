"""The alarm of arrivals: never early, and not in whole milliseconds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import uvloop

from runs.engine.core import precise_timer
from runs.engine.core.precise_timer import Alarm

Runner = Callable[[Coroutine[Any, Any, Any]], Any]


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
@pytest.mark.parametrize("by_file", [True, False])
def test_it_rings_at_its_time_and_not_before(run: Runner, by_file: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not by_file:
        monkeypatch.setattr(precise_timer, "_new_timer", lambda: -1)
    late: list[int] = []

    async def wait() -> None:
        with Alarm() as rings:
            for _ in range(60):
                at_ns = time.monotonic_ns() + 1_300_000
                await rings.until(at_ns)
                late.append(time.monotonic_ns() - at_ns)
            await rings.until(time.monotonic_ns() - 1)

    run(wait())
    assert min(late) >= 0
    if by_file:  # by the loop's own timers it is never less than 700 us: those count whole milliseconds
        assert min(late) < 600_000


def test_it_is_set_anew_after_a_wait_that_was_cancelled_and_leaves_nothing_open() -> None:
    async def wait() -> float:
        before = open_files()
        with Alarm() as rings:
            first = asyncio.create_task(rings.until(time.monotonic_ns() + 5_000_000))
            await asyncio.sleep(0)
            first.cancel()
            begin_ns = time.monotonic_ns()
            await rings.until(begin_ns + 20_000_000)
            took_s = (time.monotonic_ns() - begin_ns) / 1e9
        assert open_files() == before
        return took_s

    assert uvloop.run(wait()) >= 0.02
