"""The asyncio tasks of a shard's load, and how to end them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine
from typing import Any

from runs.engine.core.context import VirtualUser


class LoadTasks:
    """The load is over when its last task has ended. `on_crash` gets the first exception that a task raises."""

    def __init__(self, on_crash: Callable[[BaseException], None]) -> None:
        self._on_crash = on_crash
        self._users: dict[asyncio.Task[None], VirtualUser | None] = {}
        self._over = asyncio.Event()
        self._abort: asyncio.TimerHandle | None = None
        self.crash: BaseException | None = None

    @property
    def users(self) -> Collection[VirtualUser | None]:
        """The users whose conversations the tasks hold; None for other tasks."""
        return self._users.values()

    @property
    def in_flight(self) -> int:
        """Users whose requests were sent and whose answers are not complete."""
        return sum(user is not None and user.in_flight for user in self._users.values())

    def start(self, work: Coroutine[Any, Any, None], user: VirtualUser | None) -> asyncio.Task[None]:
        """Start a task; `user` is the one whose conversation it holds."""
        task = asyncio.get_running_loop().create_task(work)
        self._users[task] = user
        task.add_done_callback(self._ended)
        return task

    def end(self, grace_s: float, keep: Callable[[VirtualUser], bool]) -> None:
        """Cancel the tasks of all users except `keep`; those are cancelled after `grace_s`, or sooner if an earlier
        call requested it."""
        for task, user in list(self._users.items()):
            if user is None or not keep(user):
                task.cancel()
        loop = asyncio.get_running_loop()
        if self._abort is None or loop.time() + grace_s < self._abort.when():
            if self._abort is not None:
                self._abort.cancel()
            self._abort = loop.call_later(grace_s, self.abort)
        if not self._users:
            self._over.set()

    def abort(self) -> None:
        """Cancel all tasks now."""
        for task in list(self._users):
            task.cancel()

    async def wait(self) -> None:
        """Until the load is over."""
        await self._over.wait()

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._users[task]
        if not task.cancelled() and (crash := task.exception()) is not None and self.crash is None:
            self.crash = crash
            self._on_crash(crash)
        if not self._users:
            self._over.set()
