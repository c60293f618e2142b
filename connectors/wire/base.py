"""Base of the load lane's connectors: runs the handshake over HTTP and opens the connection."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from weakref import WeakKeyDictionary

from connectors.errors import ConnectFailed, TurnError
from connectors.handshake.runner import run_handshake
from connectors.handshake.steps import Asking
from connectors.handshake_connector import HandshakeConnector
from connectors.http.cookies import Cookies
from connectors.security.tls import tls_context
from connectors.target import CompiledTarget
from connectors.waits import RUN_WAIT
from connectors.wire.http.exchange import HttpExchange
from connectors.wire.http.steps import StepCarrier
from connectors.wire.transport.dial import dial
from connectors.wire.transport.stream import StampedStream

_run_locks: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()


def _run_lock() -> asyncio.Lock:
    """To be held while the steps are done that all conversations share."""
    loop = asyncio.get_running_loop()
    if (found := _run_locks.get(loop)) is None:
        found = _run_locks[loop] = asyncio.Lock()
    return found


class WireConnector(HandshakeConnector):
    """`connect` of a subclass calls `do_handshake` and then, where it needs a stamped stream, `dial`."""

    _greeted: asyncio.Future[None] | None = None

    @classmethod
    def prepare(cls, target: CompiledTarget) -> None:
        """Loading the system's certificates takes tens of milliseconds, in which no user could send."""
        if target.tls or target.handshake is not None:
            with suppress(ConnectFailed):  # each turn says it
                tls_context(target.spec.tls)

    def expect_greeting(self) -> None:
        """Called before a connection is made: its messages belong to the greeting, if the target has one."""
        self.greeting = self.target.new_greeting()
        self._greeted = None if self.greeting is None else asyncio.get_running_loop().create_future()

    async def wait_for_greeting(self) -> None:
        """Return when the greeting has arrived; immediately without one. Raises TurnError."""
        greeting, greeted = self.greeting, self._greeted
        if greeting is None or greeted is None:
            return
        began_ns = time.monotonic_ns()
        try:
            async with asyncio.timeout(greeting.spec.within_s):
                await greeted
        except TimeoutError as exc:
            if greeting.spec.required:
                raise greeting.missed() from exc
        finally:
            self.greeting = self._greeted = None
        self.add_step("greeting", time.monotonic_ns() - began_ns)

    def greeting_over(self) -> None:
        greeting, greeted = self.greeting, self._greeted
        if greeting is None or greeted is None or greeted.done():
            return
        if greeting.failure is None:
            greeted.set_result(None)
        else:
            greeted.set_exception(greeting.failure)

    def greeting_failed(self, error: TurnError) -> bool:
        """The connection was lost. Returns whether somebody waited for its greeting."""
        if self.greeting is None or self._greeted is None or self._greeted.done():
            return False
        self.greeting.failure = error
        self.greeting_over()
        return True

    async def do_handshake(self) -> None:
        """Do the handshake's steps that are due. Raises TurnError."""
        handshake = self.target.handshake
        if handshake is None:
            return
        if handshake.run_due():
            began_ns = time.monotonic_ns()
            async with _run_lock():
                self._waited(RUN_WAIT, began_ns)
                if handshake.run_due():
                    await self._send_steps(handshake.run_steps(), self._step_cookies(of_run=True))
        if (steps := self._session_steps()) is not None:
            await self._send_steps(steps, self._step_cookies(of_run=False))
        self._handshake_done()

    def own_exchange(self) -> HttpExchange | None:
        """The one of the turns, where it may carry other requests too."""
        return None

    def new_carrier(self) -> StepCarrier:
        """Of requests beside the turns' own."""
        target = self.target
        return StepCarrier(
            target.endpoint,
            self.own_exchange(),
            self.add_step,
            allow_private=self.allow_private,
            secrets=(lambda: target.secrets) if target.spec.follow_redirects else None,
            heads=target.reads_heads,
        )

    async def _send_steps(self, steps: Asking, cookies: Cookies | None) -> None:
        carrier = self.new_carrier()
        try:
            await carrier.carry(run_handshake(steps, self.add_step), cookies)
        finally:
            carrier.close()

    async def dial(self, *, lasting: bool = False) -> StampedStream:
        """A new connection to the target, its steps' times noted. `lasting`: it will not carry HTTP requests, so that
        a proxy must make a tunnel. Raises ConnectFailed or TimedOut."""
        return await dial(self.target.endpoint, self.add_step, allow_private=self.allow_private, lasting=lasting)
