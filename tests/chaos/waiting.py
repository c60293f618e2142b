"""Waits that end when the harness is to end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

OVER = threading.Event()
"""Set when the harness is to end: whoever waits ends at once."""


class Stuck(Exception):
    """Something did not come to pass in time."""


class NotUp(Stuck):
    """The site did not come up: nothing can be tried there."""


class Ended(Exception):
    """The harness was told to end."""


def rest(seconds: float) -> None:
    """Sleep. Raises Ended."""
    if OVER.wait(max(0.0, seconds)):
        raise Ended


def until(condition: Callable[[], Any], seconds: float, what: str, every_s: float = 0.1) -> Any:
    """The first true value. Raises Stuck, Ended."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise Stuck(f"{what} did not come within {seconds:g} s")
        rest(every_s)
    return found
