"""The engine's own health, written to the ledger once a second as the basis of the verdict."""

from __future__ import annotations

import asyncio
import os
import resource
import time
from pathlib import Path
from typing import Final

from connectors.content.sniff import MOST_TYPES, WRONG_TYPES
from connectors.wire.transport.addresses import ROTA
from connectors.wire.transport.clock import arrival_clock
from runs.engine.core.context import MetricsContext

BEAT_S: Final = 0.1
BEATS_PER_LINE: Final = 10
MOST_ADDRESSES: Final = 32
"""Maximum number of addresses whose connections the ledger lists, busiest first."""
_PAGE = os.sysconf("SC_PAGE_SIZE")


class SelfMetrics:
    """Samples the event loop's lag ten times a second, and keeps the arrival clock's offset fresh."""

    def __init__(self, shard: MetricsContext) -> None:
        self._shard = shard
        self._lag_us: list[int] = []
        self._cpu_before_ns = time.process_time_ns()
        self._due_s: float | None = None

    async def beat(self) -> None:
        """Until cancelled. A late wake-up is the loop's lag (timers count whole milliseconds)."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        beats = 0
        while True:
            due = self._due_s = max(due + BEAT_S, loop.time())
            await asyncio.sleep(due - loop.time())
            self._lag_us.append(max(0, int((loop.time() - due) * 1e6)))
            arrival_clock().sample()
            beats += 1
            if beats % BEATS_PER_LINE == 0:
                self._write()
                self._shard.end_vain_grace()

    def _write(self) -> None:
        shard = self._shard
        overdue, hung = shard.overdue()
        waits = shard.lower_bounds()
        shard.ledger.append(
            {
                "k": "gen",
                "at": time.monotonic_ns() - shard.t0_ns,
                "cpu_ns": self._cpu_ns(),
                "rss": resident_bytes(),
                "lag": self._lag_us,
                "active": shard.active,
                "inflight": shard.in_flight,
                "dropped": shard.dropped,
                "overdue": overdue,
                "hung": hung,
                **({"waits": waits} if waits else {}),
            }
        )
        self._lag_us = []

    def _cpu_ns(self) -> int:
        """User and system time since the load began."""
        return time.process_time_ns() - self._cpu_before_ns

    def write_tail(self, reason: str, turns: int, sessions: int, load_ns: int | None) -> None:
        """The ledger's last lines: the rest of the samples, and the `tail`. A beat that is overdue counts: a process
        that stood still until the load's end must not end before it has said so. `load_ns`: see `Shard._load_ns`."""
        if self._due_s is not None:
            self._lag_us.append(max(0, int((asyncio.get_running_loop().time() - self._due_s) * 1e6)))
        self._write()
        shard = self._shard
        shard.ledger.append(
            {
                "k": "tail",
                "at": time.monotonic_ns() - shard.t0_ns,
                "reason": reason,
                "end_code": shard.end_code,
                "turns": turns,
                "sessions": sessions,
                "load": load_ns,
                "cpu_ns": self._cpu_ns(),
                "rss": peak_bytes(),
                "timestamps": arrival_clock().source,
                "clock_steps": arrival_clock().steps,
                "conns": dict(ROTA.connections.most_common(MOST_ADDRESSES)),
                **({"unjudged": shard.waits.unjudged} if shard.waits.unjudged else {}),
                **({"types": dict(WRONG_TYPES.most_common(MOST_TYPES))} if WRONG_TYPES else {}),
            }
        )


def resident_bytes() -> int:
    """Resident memory of this process now; its peak on systems without /proc."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * _PAGE
    except OSError:
        return peak_bytes()


def peak_bytes() -> int:
    """Peak memory of this process. Not from getrusage if possible, because that includes the peak of the parent
    process."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024
    except (OSError, IndexError, ValueError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
