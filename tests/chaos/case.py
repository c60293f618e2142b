"""One case from its start to its account."""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from tests.chaos.faults import inject
from tests.chaos.machine import Lateness, Machine, Sleeper
from tests.chaos.oracle import FAILURES, HARNESS, NO_SITE, NON_TERMINAL, Finding, Observed, doubts, judge
from tests.chaos.plan import Case, Fault
from tests.chaos.site import Site, Sites
from tests.chaos.waiting import Ended, NotUp, Stuck, rest, until
from tests.chaos.world import BURN_S, ENDED_S, Target, World
from tokenburn_site.local.process_groups import ProcessGroups

NS: Final = 1e9
TYPES_S: Final = 1.0
"""A person needs that long at least to type the next command."""


class Result(NamedTuple):
    case: Case
    done: Sequence[str]
    requests: int
    status: str
    findings: Sequence[Finding]
    late: Lateness
    took_s: float
    trusted: bool = False
    """Its verdict doubts nothing, but for few samples."""

    @property
    def failed(self) -> bool:
        return any(finding.category in FAILURES for finding in self.findings)


def hold(case: Case, sites: Sites, sleeper: Sleeper, root: Path, keep: Path | None) -> Result:
    """Raises Ended. `keep`: where the site of a case that fails is copied to."""
    began = time.monotonic()
    try:
        site = sites.take(case)
    except Stuck as exc:
        return Result(case, (), 0, "none", [Finding(NO_SITE, str(exc))], Lateness(), time.monotonic() - began)
    good = False
    try:
        result = _on(site, case, sleeper, root, began)
        good = not result.failed
        if not good and keep is not None:
            with suppress(shutil.Error):  # a farm goes on writing meanwhile
                shutil.copytree(site.home, keep / str(case.seed), dirs_exist_ok=True, ignore_dangling_symlinks=True)
    finally:
        if good and not case.spoils:
            sites.give_back(site)
        else:
            site.close()
    return result


def _on(site: Site, case: Case, sleeper: Sleeper, root: Path, began: float) -> Result:
    with tempfile.TemporaryDirectory(prefix="case-", dir=root) as directory, ProcessGroups() as family:
        log = Path(directory) / "received"
        world = World(case, site, site.ask(newest=True), Target(family, log), family)
        status, findings, start_ns = "none", list[Finding](), 0
        try:
            start_ns = world.start()
            _inject_all(world, start_ns)
            _see_through(world)
            left = world.left_behind()
            if left:
                findings.append(Finding(NON_TERMINAL, f"engines {left} lived on after the run's end"))
        except Ended:
            raise
        except NotUp as exc:
            findings.append(Finding(NO_SITE, str(exc)))
        except Stuck as exc:
            findings.append(Finding(NON_TERMINAL, f"{exc}; burn said {world.said()!r}"))
        except Exception as exc:  # noqa: BLE001 - one case's trouble must not end all the others
            findings.append(Finding(HARNESS, f"{type(exc).__name__}: {exc}"))
        finally:
            world.close()
        run, received, machine = world.account(), world.received(), _machine(world, sleeper)
        late = machine.lateness(range(start_ns, start_ns + int(case.duration_s * NS)))
        if run is not None:
            status = run["status"]
        if start_ns and not any(finding.category == NO_SITE for finding in findings):
            away = [_since(start_ns, times) for times in world.target.away]
            done = {kind: (at_ns - start_ns) / NS for kind, at_ns in world.done.items()}
            findings += judge(Observed(case, done, received, run, away, late, machine))
        trusted = run is not None and bool(run["verdict"]) and not doubts(run)
        took_s = time.monotonic() - began
        return Result(case, tuple(world.done), len(received), status, findings, late, took_s, trusted)


def _inject_all(world: World, start_ns: int) -> None:
    """Each in a thread of its own: one may last while the next begins."""
    failed: list[BaseException] = []

    def do(fault: Fault) -> None:
        try:
            rest(start_ns / NS + fault.at_s - time.monotonic())
            inject(world, fault)
        except BaseException as exc:  # noqa: BLE001 - raised again by the case's own thread
            failed.append(exc)

    threads = [threading.Thread(target=do, args=(fault,)) for fault in world.case.faults]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for exc in failed:
        raise exc


def _see_through(world: World) -> None:
    """To the run's end, with what a person would do after each fault. Raises Stuck."""
    assert world.burn is not None
    burn, case = world.burn, world.case
    if {"kill_up", "terminate_up"} & set(world.done):
        world.site.bring_up_again()
    until(lambda: burn.poll() is not None, BURN_S + case.duration_s, "the end of burn")
    if not world.target.lives:
        world.target.start()
    if case.way == "burn" and not world.ended():
        rest(TYPES_S)
        world.next_burn()
    with suppress(Stuck):  # the oracle says it
        until(world.ended, ENDED_S[case.way], "the run's end", 0.5)


def _since(start_ns: int, times: Sequence[int | None]) -> tuple[float, float]:
    began, ended = times
    assert began is not None
    return (began - start_ns) / NS, float("inf") if ended is None else (ended - start_ns) / NS


def _machine(world: World, sleeper: Sleeper) -> Machine:
    return Machine(list(sleeper.notes()), world.watch.waits if world.watch is not None else {})
