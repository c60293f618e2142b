"""Child processes that end with their owner: each leads a process group, and a guard watches the owner."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

GUARD = Path(__file__).with_name("guard.py")
GROUP_GONE_S = 2.0


class ProcessGroups:
    """Starts processes and stops all of their descendants, even if the owner is killed with -9 (see guard.py). A
    process that creates a session of its own leaves its group and must end by itself."""

    def __init__(self) -> None:
        reading, writing = os.pipe()
        argv = [sys.executable, "-I", "-S", str(GUARD)]
        self._guard = subprocess.Popen(argv, stdin=reading, stdout=subprocess.DEVNULL, start_new_session=True)
        os.close(reading)
        self._wire = os.fdopen(writing, "w", buffering=1)
        self._children: list[subprocess.Popen[Any]] = []

    def start(self, argv: Sequence[str | Path], **popen: Any) -> subprocess.Popen[Any]:
        """subprocess.Popen in a process group of its own. Raises OSError if the program cannot start."""
        child: subprocess.Popen[Any] = subprocess.Popen([str(arg) for arg in argv], process_group=0, **popen)
        self._tell(f"+{child.pid}")
        self._children.append(child)
        return child

    def stop(self, *children: subprocess.Popen[Any], signum: int = signal.SIGTERM, timeout_s: float = 5.0) -> None:
        """Send each one signal, wait for all together, then kill what is left of their groups."""
        for child in children:
            if child.poll() is None:
                child.send_signal(signum)
        deadline = time.monotonic() + timeout_s
        for child in children:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(max(0.0, deadline - time.monotonic()))
        for child in children:
            self.kill(child)

    def kill(self, child: subprocess.Popen[Any]) -> None:
        """SIGKILL to the whole group, and wait until it is empty."""
        deadline = time.monotonic() + GROUP_GONE_S
        while _signal_group(child.pid, signal.SIGKILL) and time.monotonic() < deadline:
            if child.poll() is None:
                child.wait()
            time.sleep(0.005)
        if child in self._children:
            self._children.remove(child)
            self._tell(f"-{child.pid}")

    def close(self, timeout_s: float = 5.0) -> None:
        """Stop every child, and the guard."""
        self.stop(*self._children, timeout_s=timeout_s)
        with contextlib.suppress(BrokenPipeError):
            self._wire.close()
        self._guard.wait()

    def _tell(self, line: str) -> None:
        with contextlib.suppress(BrokenPipeError):  # a killed guard must not keep us from stopping our children
            self._wire.write(f"{line}\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _signal_group(pgid: int, signum: int) -> bool:
    """Whether the group still existed."""
    try:
        os.killpg(pgid, signum)
    except ProcessLookupError:
        return False
    except PermissionError:  # macOS answers this for a group of zombies
        return False
    return True
