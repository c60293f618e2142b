"""Handles signals during the imports of a command. Imports only built-in modules."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from types import FrameType
from typing import Any, Final

INTERRUPTED: Final = "interrupted before the run began: nothing was sent"
EXIT_INTERRUPTED: Final = 130

_before: dict[signal.Signals, Any] = {}


def leave_at_signals() -> None:
    """Until `hear_signals` is called, SIGINT, SIGTERM and SIGHUP end this process immediately with one line: nothing
    has started yet, and an exception during an import may surface as any other."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # as under `nohup`
            _before[number] = signal.signal(number, _leave)


def hear_signals() -> None:
    """All imports are done: restore the signal handlers."""
    while _before:
        signal.signal(*_before.popitem())


def _leave(_number: int, _frame: FrameType | None) -> None:
    with suppress(OSError):  # the terminal may be gone
        os.write(2, f"burn: {INTERRUPTED}\n".encode())
    os._exit(EXIT_INTERRUPTED)
