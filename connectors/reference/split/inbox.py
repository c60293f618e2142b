"""What the threads of a split conversation pass to its turn."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from connectors.errors import TimedOut, TooLarge, TurnError


class Heard(NamedTuple):
    """An event, or with `call` the end of the POST and how to handle it."""

    ns: int
    name: str
    data: bytes
    call: Callable[[], None] | None = None


class Inbox:
    """What the threads have for the turn. `read_ns` and `read_bytes`: of the standing stream."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._waiting: deque[Heard] = deque()
        self._size = 0
        self._changed = threading.Condition()
        self.opened = False
        self.end: TurnError | None = None
        self.read_ns = 0
        self.read_bytes = 0

    def put(self, heard: Heard) -> None:
        with self._changed:
            self._size += len(heard.data)
            if self._size > self._limit:
                raise TooLarge("body_too_large", f"more than {self._limit} bytes of events wait")
            self._waiting.append(heard)
            self._changed.notify()

    def set(self, *, end: TurnError | None = None) -> None:
        """The stream is open or has ended."""
        with self._changed:
            self.opened = self.opened or end is None
            self.end = self.end or end
            self._changed.notify()

    def take(self, timeout_s: float) -> Heard | None:
        """The next event; None if there is none in time. Raises TurnError at the stream's end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self.end is not None, timeout_s)
            if self._waiting:
                self._size -= len(self._waiting[0].data)
                return self._waiting.popleft()
            if self.end is not None:
                raise self.end
            return None

    def wait_opened(self, limit_s: float) -> None:
        """Wait until the target has accepted. Raises TurnError with the target's answer, or TimedOut."""
        with self._changed:
            self._changed.wait_for(lambda: self.opened or self.end is not None, limit_s)
            if self.opened:
                return
            raise self.end or TimedOut("first_byte_timeout", f"no answer to the standing stream within {limit_s:g} s")
