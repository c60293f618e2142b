"""Keeps listening on a few connections after their conversation has ended.

If a bot greets, or sends two answers to one question, each answer is taken for that of the next question. The last
answer then arrives after the conversation has ended. To detect this, a shard keeps some connections open: one at a time
while the load lasts, more at its end. Nothing is sent on them, and no user waits for them.
"""

from __future__ import annotations

import asyncio
import time
from typing import Final

from connectors.base import BaseConnector
from connectors.errors import TurnError
from metrics.end_codes import EndCode
from runs.engine.core.context import LoadContext
from runs.engine.core.session import Session

AT_ONCE: Final = 1
AT_THE_END: Final = 16
LEAST_S: Final = 0.5
MOST_S: Final = 5.0
TIMES: Final = 3
"""How long a connection is listened to, as a multiple of its conversation's longest turn."""
LOOK_S: Final = 0.1
LEAST_LOOKS: Final = 4
"""Checks of a connection before it may be closed, even if its time is over: the process may have been paused."""
ENOUGH: Final = 30
"""Once so many conversations in a row were followed by no message, the end of the load no longer listens."""


class LateMessageListener:
    """Listens for one shard. A message on a connection that it took becomes a line of the ledger."""

    def __init__(self, shard: LoadContext) -> None:
        self._shard = shard
        self._tasks: set[asyncio.Task[None]] = set()
        self._silent = 0

    def take(self, connector: BaseConnector, session: Session, longest_ns: int) -> bool:
        """Listen on `connector`, then close it. False: not taken, the caller must close it."""
        ending = self._shard.stopping
        if (
            self._shard.end_code != EndCode.DONE
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
        """Return when all taken connections are closed."""
        while self._tasks:
            if self._silent >= ENOUGH or self._shard.end_code != EndCode.DONE:
                for task in self._tasks:
                    task.cancel()
            await asyncio.wait(self._tasks, timeout=LOOK_S)

    async def _listen(self, connector: BaseConnector, session_id: int, listen_s: float) -> None:
        until_s = time.monotonic() + listen_s
        heard = looks = 0
        try:
            while (time.monotonic() < until_s or looks < LEAST_LOOKS) and not heard and connector.ready:
                await asyncio.sleep(LOOK_S)
                looks += 1
                heard = connector.new_unsolicited()
        except TurnError:
            pass  # the connection has ended
        finally:
            self._silent = 0 if heard else self._silent + 1
            if heard:
                at = time.monotonic_ns() - self._shard.t0_ns
                self._shard.ledger.append({"k": "uns", "s": session_id, "at": at, "n": heard})
            if (closing := connector.disconnect()) is not None:
                await closing
