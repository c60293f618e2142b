"""One case's: the target that counts, burn, and the site on which they run."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.chaos import evidence, processes
from tests.chaos.machine import Watch
from tests.chaos.plan import Case
from tests.chaos.processes import Tree
from tests.chaos.site import Site
from tests.chaos.waiting import Stuck, until
from tests.support.processes import ROOT, read_json_line
from tests.support.services import reserve_port
from tokenburn_site.local.process_groups import ProcessGroups

SWING: Final = 20
"""Requests after which a run counts as under way."""
START_S, BURN_S, GONE_S = 120.0, 100.0, 30.0
ENDED_S: Final = {"farm": 75.0, "burn": 10.0}
"""A farm has to find out that somebody is dead; the next burn does what there is to do before it ends."""


class Target:
    """The chatbot that counts. `away`: when it could not be asked, (from, to) in ns; None: it is still away."""

    def __init__(self, family: ProcessGroups, log: Path) -> None:
        self.log = log
        self.away: list[list[int | None]] = []
        self._family = family
        self._port = reserve_port()
        self.start()

    def start(self) -> None:
        self.child = self._family.start(
            (sys.executable, "-m", "tests.support.servers.counting_target", str(self.log), "127.0.0.1",
             str(self._port)),
            cwd=ROOT, stdout=subprocess.PIPE, bufsize=0,
        )  # fmt: skip
        self.url = str(read_json_line(self.child)["url"])
        assert self.child.stdout is not None
        self.child.stdout.close()
        self.is_back()

    @property
    def lives(self) -> bool:
        return self.child.poll() is None

    def kill(self) -> bool:
        self.is_away()
        hit = self.lives and bool(processes.send([self.child.pid], signal.SIGKILL))
        self.child.wait(10)
        return hit

    def is_away(self) -> None:
        self.away.append([time.monotonic_ns(), None])

    def is_back(self) -> None:
        for times in self.away:
            times[1] = times[1] or time.monotonic_ns()


@dataclass
class World:
    case: Case
    site: Site
    after: int
    """The newest run before this one."""
    target: Target
    family: ProcessGroups
    burn: subprocess.Popen[bytes] | None = None
    done: dict[str, int] = field(default_factory=dict)
    """Faults that really happened, and when (monotonic ns)."""
    lock: threading.Lock = field(default_factory=threading.Lock)
    engines: dict[int, int] = field(default_factory=dict)
    """Engines and witnesses that were seen: id, and when they began."""
    paused: set[int] = field(default_factory=set)
    watch: Watch | None = None

    def received(self) -> list[evidence.Request]:
        return evidence.read(self.target.log)

    def tree(self) -> Tree:
        found = Tree(self.site.up.pid if self.site.up else None, self.burn.pid if self.burn else None)
        for pid in (*found.engines(), *found.witnesses()):
            self.engines[pid] = found.all[pid].began
        return found

    def start(self) -> int:
        """Begin the load and wait until it is under way: when it began, monotonic ns. Raises Stuck."""
        overrides = self.target.log.with_name("overrides.json")
        overrides.write_text(json.dumps({"request": {"headers": {"x-turn": evidence.HEADER}}}), encoding="ascii")
        argv = self.site.command(
            "burn", "--url", self.target.url, "--preset", "openai-chat", "--prompt", "How are you?",
            "--overrides", str(overrides), *self.case.level.split(), "--duration", f"{self.case.duration_s}s",
            "--processes", str(self.case.processes), "--no-error-abort",
            *(["--workers"] if self.case.way == "farm" else []),
        )  # fmt: skip
        self.burn = child = self._start(argv, "burn.log")
        self.watch = Watch(lambda: self.tree().engines())

        def under_way() -> list[evidence.Request]:
            found = self.received()
            if child.poll() is not None and len(found) < SWING:
                raise Stuck(f"burn ended with code {child.returncode} before the load: {self.said()}")
            return found if len(found) >= SWING else []

        return int(until(under_way, START_S, "the load")[0].at_ns)

    def _start(self, argv: list[str], name: str) -> subprocess.Popen[bytes]:
        """Its words go through a pipe: a disk that is full for burn must not be so for what it prints."""
        tee = self.family.start(("tee", "-a", self.site.home / name), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        assert tee.stdin is not None
        with tee.stdin as out:
            return self.family.start(
                argv, cwd=ROOT, env=self.site.env, stdin=subprocess.DEVNULL, stdout=out, stderr=out
            )

    def said(self) -> str:
        path = self.site.home / "burn.log"
        return path.read_text(errors="replace")[-300:] if path.exists() else ""

    def next_burn(self) -> None:
        """The next command of a person whose last one is gone, which must see to what that one left."""
        argv = self.site.command(
            "burn", "--url", self.target.url, "--preset", "openai-chat", "--prompt", "Hello", "--users", "1",
            "--conversations", "1", "--no-witness",
        )  # fmt: skip
        child = self._start(argv, "next.log")
        until(lambda: child.poll() is not None, BURN_S, "the end of the next burn")

    def ended(self) -> bool:
        run = self.site.ask(after=self.after)
        return bool(run and run["terminal"] and not run["unstored"])

    def account(self) -> dict[str, Any] | None:
        found: dict[str, Any] | None = self.site.ask(after=self.after, whole=True)
        return found

    def left_behind(self) -> list[int]:
        """Engines that do not end. They are ended here."""
        alive = self._alive()
        with suppress(Stuck):
            until(lambda: not self._alive(), GONE_S, "the engines' end")
        alive = self._alive()
        processes.send(alive, signal.SIGKILL)
        return alive

    def _alive(self) -> list[int]:
        looks = {pid: processes.look(pid) for pid in self.engines}
        return [pid for pid, found in looks.items() if found and found.began == self.engines[pid]]

    def close(self) -> None:
        """Nobody is left standing still: a stopped process would not hear that it shall end."""
        if self.watch is not None:
            self.watch.stop()
        processes.resume([*self.paused, *self._alive(), self.target.child.pid])
        self.family.close()
        rest_of = self._alive()
        if rest_of:
            time.sleep(1.5)  # they notice within a second that their supervisor is gone
            processes.send(self._alive(), signal.SIGKILL)
