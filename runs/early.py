"""Signals that come while a command is still importing. Imports nothing but what every Python has at hand."""

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
    """Until `hear_signals`, SIGINT, SIGTERM and SIGHUP end this process at once, with one line: there is nothing to end
    in order yet, and an exception in the middle of an import may come out as any other."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # as `nohup` has it
            _before[number] = signal.signal(number, _leave)


def hear_signals() -> None:
    """Everything is imported: signals are what they were before."""
    while _before:
        signal.signal(*_before.popitem())


def _leave(_number: int, _frame: FrameType | None) -> None:
    with suppress(OSError):  # its terminal may be gone
        os.write(2, f"burn: {INTERRUPTED}\n".encode())
    os._exit(EXIT_INTERRUPTED)
