"""Listening on a few connections after their conversation is over.

A bot that greets, or says two things to one question, gives each answer to the question after it. That leaves an answer
over, which comes when the conversation has ended. Such a connection is therefore not closed at once: one at a time
while the load lasts, more when it ends. Nothing is sent on them, and no user waits for them.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from connectors.base import BaseConnector
from connectors.errors import TurnError

if TYPE_CHECKING:
    from runs.engine.session import Session
    from runs.engine.shard import Shard

AT_ONCE: Final = 1
AT_THE_END: Final = 16
LEAST_S: Final = 0.5
MOST_S: Final = 5.0
TIMES: Final = 3
"""How long a connection is listened to, as a multiple of its conversation's longest turn."""
LOOK_S: Final = 0.02
LEAST_LOOKS: Final = 20
"""However long they take: a process that stood still meanwhile has not listened."""
ENOUGH: Final = 30
"""Conversations after which nothing came, from which on the end of the load waits for no more."""


class Overhearing:
    """Of one shard. `take` a connection; what comes on it becomes a line of the ledger."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard
        self._tasks: set[asyncio.Task[None]] = set()
        self._silent = 0

    def take(self, connector: BaseConnector, session: Session, longest_ns: int) -> bool:
        """Listen on `connector` and close it then; False: it is the caller's to close."""
        ending = self._shard.stopping
        if (
            self._shard.reason != "done"
            or not connector.ready
            or len(self._tasks) >= (AT_THE_END if ending else AT_ONCE)
        ):
            return False
        if ending and self._silent >= ENOUGH:
            return False
        listen_s = min(max(TIMES * longest_ns / 1e9, LEAST_S), MOST_S)
        task = asyncio.get_running_loop().create_task(self._listen(connector, session.id, listen_s))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    async def end(self) -> None:
        """Return when all that were taken are closed."""
        while self._tasks:
            if self._silent >= ENOUGH or self._shard.reason != "done":
                for task in self._tasks:
                    task.cancel()
            await asyncio.wait(self._tasks, timeout=LOOK_S * 5)

    async def _listen(self, connector: BaseConnector, session_id: int, listen_s: float) -> None:
        until_s = time.monotonic() + listen_s
        heard = looks = 0
        try:
            while (time.monotonic() < until_s or looks < LEAST_LOOKS) and not heard and connector.ready:
                await asyncio.sleep(LOOK_S)
                looks += 1
                heard = connector.new_unsolicited()
        except TurnError:
            pass  # the connection is over, and so is what it could say
        finally:
            self._silent = 0 if heard else self._silent + 1
            if heard:
                at = time.monotonic_ns() - self._shard.t0_ns
                self._shard.ledger.append({"k": "uns", "s": session_id, "at": at, "n": heard})
            if (closing := connector.disconnect()) is not None:
                await closing
