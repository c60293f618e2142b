"""What can be done to a run under way. A fault that finds nothing to hit is not counted as done."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress

from tests.chaos.plan import PAUSE_S, Fault
from tests.chaos.world import World


def inject(world: World, fault: Fault) -> None:
    """Do it now; faults that last return when they are over."""
    if FAULTS[fault.kind](world):
        world.done.append(fault.kind)


def _signal(pids: list[int], signum: int) -> bool:
    hit = False
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signum)
            hit = True
    return hit


def _find(world: World, *words: str, but: str = "-") -> list[int]:
    found = world.processes().items()
    return [pid for pid, line in found if all(word in line for word in words) and but not in line]


def _engines(world: World) -> list[int]:
    return sorted(_find(world, "-m runs.engine ")) or sorted(_find(world, "-m runs.engine", but="witness"))


def _pool(world: World) -> list[int]:
    """Workers' processes for load; the main one, whose parent is `up`, comes first."""
    return sorted(_find(world, "celery", " worker ", "-Q load"))


def _pause(pids: list[int]) -> bool:
    if not _signal(pids, signal.SIGSTOP):
        return False
    time.sleep(PAUSE_S)
    _signal(pids, signal.SIGCONT)
    return True


def _on_burn(signum: int) -> Callable[[World], bool]:
    def act(world: World) -> bool:
        assert world.burn is not None
        return world.burn.poll() is None and _signal([world.burn.pid], signum)

    return act


def _pause_burn(world: World) -> bool:
    assert world.burn is not None
    return world.burn.poll() is None and _pause([world.burn.pid])


def _cut_database(world: World) -> bool:
    if world.wire is None:
        return False
    world.wire.cut()
    time.sleep(PAUSE_S)
    world.wire.mend()
    return True


FAULTS: dict[str, Callable[[World], bool]] = {
    "kill_engine": lambda world: _signal(_engines(world)[:1], signal.SIGKILL),
    "pause_engine": lambda world: _pause(_engines(world)[:1]),
    "kill_witness": lambda world: _signal(_find(world, "runs.engine.witness"), signal.SIGKILL),
    "kill_burn": _on_burn(signal.SIGKILL),
    "pause_burn": _pause_burn,
    "hang_up_burn": _on_burn(signal.SIGHUP),
    "interrupt_burn": _on_burn(signal.SIGINT),
    "kill_pool_child": lambda world: _signal(_pool(world)[1:2], signal.SIGKILL),
    "kill_worker": lambda world: _signal(_pool(world), signal.SIGKILL),
    "kill_beat": lambda world: _signal(_find(world, "celery", " beat "), signal.SIGKILL),
    "kill_broker": lambda world: _signal(_find(world, "valkey"), signal.SIGKILL),
    "database_away": _cut_database,
    "target_stands_still": lambda world: _pause([world.target.pid]),
    "target_dies": lambda world: world.target.poll() is None and _signal([world.target.pid], signal.SIGKILL),
}
