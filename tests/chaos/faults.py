"""What can be done to a run under way. Each returns whether it hit: a fault that found nothing to hit was none.

A full disk is a limit on the size of files (RLIMIT_FSIZE 0, set on living processes by prlimit, which needs no root):
every write to a file of the engines, the witness and whoever stores what they do fails from then on, until it is
lifted. It says EFBIG where a disk says ENOSPC. A database that is away is a wire that is cut (PostgreSQL), or a lock
that somebody else holds (SQLite).
"""

from __future__ import annotations

import resource
import signal
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

from tests.chaos import processes
from tests.chaos.plan import CLOCK_STEP_S, KINDS, Fault
from tests.chaos.waiting import rest
from tests.chaos.world import World

LOOK_AGAIN_S = 0.2
TRIES = 10
"""A process that is just being started again may be hit a moment later."""


def inject(world: World, fault: Fault) -> bool:
    """Do it now; one that lasts returns when it is over. Raises Ended."""
    at_ns = time.monotonic_ns()
    hit = FAULTS[fault.kind](world, KINDS[fault.kind].lasts_s)
    if hit:
        with world.lock:
            world.done[fault.kind] = at_ns
    return hit


Act = Callable[[World, float], bool]
Find = Callable[[World], list[int]]


def _engine(world: World) -> list[int]:
    return world.tree().engines()[:1]


def _witness(world: World) -> list[int]:
    return world.tree().witnesses()


def _supervisor(world: World) -> list[int]:
    return world.tree().supervisors()[:1]


def _burn(world: World) -> list[int]:
    return [world.burn.pid] if world.burn is not None and world.burn.poll() is None else []


def _up(world: World) -> list[int]:
    return [world.site.up.pid] if world.site.up is not None and world.site.up.poll() is None else []


def _service(name: str) -> Find:
    return lambda world: world.tree().service(name)


def _everything(world: World) -> list[int]:
    return [*world.tree().all, world.target.child.pid]


def _found(world: World, find: Find) -> list[int]:
    for _ in range(TRIES):
        if pids := find(world):
            return pids
        rest(LOOK_AGAIN_S)
    return []


def _kill(find: Find) -> Act:
    return lambda world, _: processes.kill(_found(world, find))


def _tell(find: Find, signum: int) -> Act:
    """To the first only: what it has forked hears of it from there."""
    return lambda world, _: bool(processes.send(_found(world, find)[:1], signum))


def _pause(find: Find) -> Act:
    def act(world: World, lasts_s: float) -> bool:
        with _paused(world, _found(world, find)) as hit:
            if hit:
                rest(lasts_s)
        return bool(hit)

    return act


@contextmanager
def _paused(world: World, pids: Iterable[int]) -> Iterator[list[int]]:
    pids = list(pids)
    world.paused |= set(pids)
    hit = processes.pause(pids)
    try:
        yield hit
    finally:
        processes.resume(pids)


def _pause_everything(world: World, lasts_s: float) -> bool:
    world.target.is_away()
    try:
        return bool(world.tree().engines()) and _pause(_everything)(world, lasts_s)
    finally:
        world.target.is_back()


def _disk_full(world: World, lasts_s: float) -> bool:
    tree = world.tree()
    pids = [*tree.engines(), *tree.witnesses(), *tree.supervisors()]
    hit = [pid for pid in pids if _limit(pid, 0)]
    if not tree.engines():
        return False
    rest(lasts_s)
    for pid in hit:
        _limit(pid, None)
    return bool(hit)


def _limit(pid: int, size: int | None) -> bool:
    """None: as much as it was."""
    with suppress(ProcessLookupError, PermissionError):
        _, most = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (most if size is None else size, most))
        return True
    return False


def _database_away(world: World, lasts_s: float) -> bool:
    if world.site.wire is None:
        return _lock_database(urlsplit(world.site.database_url).path, lasts_s)
    wire = world.site.wire
    before = wire.cuts
    wire.cut()
    try:
        rest(lasts_s)
    finally:
        wire.mend()
    return wire.cuts > before


def _lock_database(path: str, lasts_s: float) -> bool:
    connection = sqlite3.connect(path, timeout=5.0, isolation_level=None)
    try:
        connection.execute("BEGIN EXCLUSIVE")
        rest(lasts_s)
        connection.execute("ROLLBACK")
    finally:
        connection.close()
    return True


def _set_clock(ahead_s: int) -> Act:
    def act(world: World, _: float) -> bool:
        if world.site.clock is None or not world.tree().engines():
            return False
        world.site.clock.set(ahead_s)
        return True

    return act


def _pause_target(world: World, lasts_s: float) -> bool:
    world.target.is_away()
    try:
        return _pause(lambda _: [world.target.child.pid])(world, lasts_s)
    finally:
        world.target.is_back()


def _kill_target(world: World, _: float) -> bool:
    return bool(world.tree().engines()) and world.target.kill()


def _restart_target(world: World, lasts_s: float) -> bool:
    hit = _kill_target(world, 0.0)
    rest(lasts_s)
    world.target.start()
    return hit


FAULTS: dict[str, Act] = {
    "kill_engine": _kill(_engine),
    "pause_engine": _pause(_engine),
    "pause_everything": _pause_everything,
    "kill_witness": _kill(_witness),
    "disk_full": _disk_full,
    "clock_ahead": _set_clock(CLOCK_STEP_S),
    "clock_back": _set_clock(-CLOCK_STEP_S),
    "database_away": _database_away,
    "database_away_long": _database_away,
    "target_stands_still": _pause_target,
    "target_dies": _kill_target,
    "target_restarts": _restart_target,
    "kill_burn": _kill(_burn),
    "hang_up_burn": _tell(_burn, signal.SIGHUP),
    "interrupt_burn": _tell(_burn, signal.SIGINT),
    "terminate_burn": _tell(_burn, signal.SIGTERM),
    "pause_burn": _pause(_burn),
    "pause_burn_long": _pause(_burn),
    "kill_supervisor": _kill(_supervisor),
    "pause_supervisor": _pause(_supervisor),
    "pause_supervisor_long": _pause(_supervisor),
    "kill_worker": _kill(_service("load")),
    "terminate_worker": _tell(_service("load"), signal.SIGTERM),
    "kill_control": _kill(_service("control")),
    "kill_beat": _kill(_service("beat")),
    "kill_broker": _kill(_service("broker")),
    "pause_broker": _pause(_service("broker")),
    "kill_follower": _kill(_burn),
    "interrupt_follower": _tell(_burn, signal.SIGINT),
    "kill_up": _kill(_up),
    "terminate_up": _tell(_up, signal.SIGTERM),
}
assert FAULTS.keys() == KINDS.keys()
