"""Keeps services running: restarts a dead one after a pause that grows with repeated failures.

By hand because `manage.py up` is one command without a configuration, whose services end with it even after kill -9:
honcho restarts nothing, and supervisor and circus are services themselves.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runs.backoff import Backoff
from tokenburn_site.local.errors import LocalServiceError
from tokenburn_site.local.log_files import bound
from tokenburn_site.local.process_groups import ProcessGroups

BACKOFF = Backoff(0.5, 10.0)
STEADY_S = 30.0
"""After a service has run this long, its next pause is the first one again."""
KEEP_LOG_BYTES = 10_000_000
LOGS_EVERY_S = 1.0
STOP_S = 15.0


@dataclass(frozen=True)
class Service:
    name: str
    argv: Sequence[str]
    env: Mapping[str, str]
    stage: int = 0
    """Services of a higher stage use those of lower stages, and are stopped before them."""


@dataclass
class _Kept:
    service: Service
    child: subprocess.Popen[Any]
    started_at: float
    deaths: int = 0
    """Number of consecutive failures."""
    due_at: float | None = None
    """When to start it again; None while it runs."""


class ServiceSupervisor:
    """`say` gets one line for each death. Times are seconds of the monotonic clock."""

    def __init__(self, processes: ProcessGroups, log_dir: Path, say: Callable[[str], None]) -> None:
        self._processes = processes
        self._log_dir = log_dir
        self._say = say
        self._kept: list[_Kept] = []
        self._logs_at = 0.0

    def start(self, service: Service) -> None:
        """Raises LocalServiceError if the program cannot be started at all."""
        self._kept.append(_Kept(service, self._spawn(service), time.monotonic()))

    def running(self, name: str) -> bool:
        return any(kept.service.name == name and kept.child.poll() is None for kept in self._kept)

    def require(self) -> None:
        """Raises LocalServiceError if a service has ended; for the start, when all of them are required."""
        for kept in self._kept:
            if kept.child.poll() is not None:
                name, path = kept.service.name, self.log_path(kept.service.name)
                message = f"{name} ended while it was starting: {last_line(path)} (all of it: {path})"
                raise LocalServiceError("died", message)

    def check(self) -> None:
        """Restart services that died and have waited long enough, and bound their logs. Call it several times a
        second."""
        now = time.monotonic()
        if now >= self._logs_at:
            self._logs_at = now + LOGS_EVERY_S
            for kept in self._kept:
                bound(self.log_path(kept.service.name), KEEP_LOG_BYTES)
        for kept in self._kept:
            if kept.due_at is not None:
                if now >= kept.due_at:
                    kept.child, kept.started_at, kept.due_at = self._spawn(kept.service), now, None
            elif kept.child.poll() is not None:
                self._note_death(kept, now)

    def stop(self) -> None:
        """End all, stage by stage, so that each can finish its work while the services that it needs are still
        running."""
        kept, self._kept = self._kept, []
        for stage in sorted({each.service.stage for each in kept}, reverse=True):
            self._processes.stop(*[each.child for each in kept if each.service.stage == stage], timeout_s=STOP_S)

    def log_path(self, name: str) -> Path:
        return self._log_dir / f"{name}.log"

    def _note_death(self, kept: _Kept, now: float) -> None:
        self._processes.kill(kept.child)  # its children must not work beside its successor
        kept.deaths = 1 if now - kept.started_at >= STEADY_S else kept.deaths + 1
        pause_s = BACKOFF.pause_s(kept.deaths)
        kept.due_at = now + pause_s
        code = kept.child.returncode
        how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
        self._say(f"{kept.service.name} {how}; starting it again in {pause_s:g} s")

    def _spawn(self, service: Service) -> subprocess.Popen[Any]:
        path = self.log_path(service.name)
        bound(path, KEEP_LOG_BYTES)
        with path.open("ab") as log:
            try:
                return self._processes.start(
                    service.argv, env=dict(service.env), stdin=subprocess.DEVNULL, stdout=log, stderr=log
                )
            except OSError as exc:
                raise LocalServiceError("cannot_start", f"{service.name}: {exc}") from exc


def last_line(path: Path) -> str:
    """The last line of a log that is not empty."""
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n") if path.exists() else []
    return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
