"""What connections bring that carry many answers each: it is read at once, and worked on piece by piece.

A read has one stamp, that of its last byte. To work on all that a read brought, connection by connection, would make
what arrives meanwhile seem late; so the event loop reads between two pieces.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Final
from weakref import WeakKeyDictionary

PIECE_BYTES: Final = 512
"""Of a read: a few events of a token stream."""
MOST_WAITING: Final = 256
"""More than these are worked on at once: what peers send fast is not to fill our memory."""
Take = Callable[[int, Any], None]


class Pieces:
    """Of one event loop, which reads between two of its turns."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: deque[tuple[Take, int, Any]] = deque()
        self._is_due = False

    def put(self, take: Take, ns: int, what: Any) -> None:
        """Call `take` in a later turn of the loop, in the order of these calls."""
        if not self._is_due:
            self._is_due = True
            self._loop.call_soon(self._next)
        self._waiting.append((take, ns, what))

    def _next(self) -> None:
        waiting = self._waiting
        take, ns, what = waiting.popleft()
        if waiting:
            self._loop.call_soon(self._next)
            while len(waiting) >= MOST_WAITING:
                take(ns, what)
                take, ns, what = waiting.popleft()
        else:
            self._is_due = False
        take(ns, what)


_pieces: WeakKeyDictionary[asyncio.AbstractEventLoop, Pieces] = WeakKeyDictionary()


def pieces() -> Pieces:
    """The running loop's."""
    loop = asyncio.get_running_loop()
    if (found := _pieces.get(loop)) is None:
        found = _pieces[loop] = Pieces(loop)
    return found
