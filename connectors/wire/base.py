"""Base of the load lane's connectors: runs the handshake over HTTP and opens the connection."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from weakref import WeakKeyDictionary

from connectors.errors import ConnectFailed, TurnError
from connectors.handshake.farewell import Parting
from connectors.handshake.runner import run_handshake
from connectors.handshake.steps import Asking
from connectors.handshake_connector import HandshakeConnector
from connectors.http.cookies import Cookies
from connectors.security.tls import tls_context
from connectors.target import CompiledTarget
from connectors.timeline.greeting import Dialogue
from connectors.waits import RUN_WAIT
from connectors.wire.http.exchange import HttpExchange, Secrets
from connectors.wire.http.steps import StepCarrier
from connectors.wire.transport.dial import NoteStep, dial
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

    _went_on: asyncio.Future[None] | None = None

    @classmethod
    def prepare(cls, target: CompiledTarget) -> None:
        """Loading the system's certificates takes tens of milliseconds, in which no user could send."""
        if target.tls or target.handshake is not None:
            with suppress(ConnectFailed):  # each turn says it
                tls_context(target.spec.tls, http2=bool(target.endpoint.streams))

    def expect_greeting(self) -> None:
        """Called before a connection is made: its first messages may be those that the target's opening waits for."""
        self.dialogue = self.target.new_opening(self.say)

    async def wait_for_greeting(self) -> None:
        """Return when the greeting has arrived and `hello` was said; immediately without both. Raises TurnError."""
        dialogue = self.dialogue
        if dialogue is None:
            return
        await self.hold(dialogue)
        for name, took_ns in dialogue.took_ns.items():
            self.add_step(name, took_ns)

    async def hold(self, dialogue: Dialogue) -> None:
        """Say and hear all of it. Raises TurnError."""
        self.dialogue = dialogue
        loop = asyncio.get_running_loop()
        try:
            if dialogue.failure is None:
                dialogue.start()
            while dialogue.failure is None and not dialogue.over and dialogue.wait is not None:
                self._went_on, wait = loop.create_future(), dialogue.wait
                try:
                    async with asyncio.timeout(wait.awaited.spec.within_s):
                        await self._went_on
                except TimeoutError:
                    if dialogue.wait is wait and dialogue.waits:  # else it came in this very moment
                        dialogue.missed()
        finally:
            self.dialogue = self._went_on = None
        if dialogue.failure is not None:
            raise dialogue.failure

    def dialogue_went_on(self) -> None:
        if self._went_on is not None and not self._went_on.done():
            self._went_on.set_result(None)

    def greeting_failed(self, error: TurnError) -> bool:
        """The connection was lost. Returns whether somebody waited for a message on it."""
        if self.dialogue is None or self.dialogue.over or self.dialogue.failure is not None:
            return False
        self.dialogue.failure = error
        self.dialogue_went_on()
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

    def new_carrier(self, own: HttpExchange | None, note_step: NoteStep | None, secrets: Secrets) -> StepCarrier:
        """Of requests that belong together; the arguments are StepCarrier's."""
        target = self.target
        return StepCarrier(
            target.endpoint,
            own,
            note_step,
            allow_private=self.allow_private,
            secrets=secrets if target.spec.follow_redirects else None,
            heads=target.reads_heads,
        )

    async def _send_steps(self, steps: Asking, cookies: Cookies | None) -> None:
        carrier = self.new_carrier(self.own_exchange(), self.add_step, lambda: self.target.secrets)
        try:
            await carrier.carry(run_handshake(steps, self.add_step), cookies)
        finally:
            carrier.close()

    async def say_farewell(self) -> Parting | None:
        if (parting := self.parting()) is None:
            return None
        carrier = self.new_carrier(self.own_exchange(), None, lambda: self.target.secrets)
        try:
            await carrier.carry(parting.run(), self._step_cookies(of_run=False))
        except TurnError as exc:
            parting.failure = parting.failure or exc
        finally:
            carrier.close()
        return parting

    async def dial(self, *, lasting: bool = False) -> StampedStream:
        """A new connection to the target, its steps' times noted. `lasting`: it will not carry HTTP requests, so that
        a proxy must make a tunnel. Raises ConnectFailed or TimedOut."""
        return await dial(self.target.endpoint, self.add_step, allow_private=self.allow_private, lasting=lasting)
