"""Base of the reference lane's connectors: runs the handshake over HTTP."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from connectors.errors import TurnError
from connectors.handshake.farewell import Parting
from connectors.handshake.runner import run_handshake
from connectors.handshake.steps import Asking
from connectors.handshake_connector import HandshakeConnector
from connectors.http.cookies import Cookies
from connectors.reference.http.exchange import HttpExchange, Secrets
from connectors.reference.http.steps import NoteStep, StepCarrier
from connectors.timeline.greeting import Dialogue
from connectors.waits import RUN_WAIT

_run_lock = threading.Lock()
"""Held while the steps are done that all conversations share."""


class ReferenceConnector(HandshakeConnector):
    """`connect` of a subclass calls `do_handshake` first."""

    def expect_greeting(self) -> None:
        """Called before the first message of a new connection is read."""
        self.dialogue = self.target.new_opening(self.say)

    def wait_for_greeting(self, take: Callable[[float], None]) -> None:
        """Return when the greeting has arrived and `hello` was said; immediately without both. Raises TurnError."""
        dialogue = self.dialogue
        if dialogue is None:
            return
        self.hold(dialogue, take)
        for name, took_ns in dialogue.took_ns.items():
            self.add_step(name, took_ns)

    def hold(self, dialogue: Dialogue, take: Callable[[float], None]) -> None:
        """Say and hear all of it. `take` reads one message within the given seconds, passes it to `idle_event`, and
        raises TimeoutError or TurnError. Raises TurnError."""
        self.dialogue = dialogue
        try:
            if dialogue.failure is None:
                dialogue.start()
            wait, due_s = None, 0.0
            while dialogue.failure is None and not dialogue.over and dialogue.wait is not None:
                if wait is not dialogue.wait:
                    wait = dialogue.wait
                    due_s = time.monotonic() + wait.awaited.spec.within_s
                if (left_s := due_s - time.monotonic()) <= 0:  # also where messages come without end
                    dialogue.missed()
                    continue
                try:
                    take(left_s)
                except TimeoutError:
                    dialogue.missed()
        finally:
            self.dialogue = None
        if dialogue.failure is not None:
            raise dialogue.failure

    def do_handshake(self) -> None:
        """Do the handshake's steps that are due. Raises TurnError."""
        handshake = self.target.handshake
        if handshake is None:
            return
        if handshake.run_due():
            began_ns = time.monotonic_ns()
            with _run_lock:
                self._waited(RUN_WAIT, began_ns)
                if handshake.run_due():
                    self._send_steps(handshake.run_steps(), self._step_cookies(of_run=True))
        if (steps := self._session_steps()) is not None:
            self._send_steps(steps, self._step_cookies(of_run=False))
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
        )

    def say_farewell(self) -> Parting | None:
        if (parting := self.parting()) is None:
            return None
        carrier = self.new_carrier(self.own_exchange(), None, lambda: self.target.secrets)
        try:
            carrier.carry(parting.run(), self._step_cookies(of_run=False))
        except TurnError as exc:
            parting.failure = parting.failure or exc
        finally:
            carrier.close()
        return parting

    def _send_steps(self, steps: Asking, cookies: Cookies | None) -> None:
        carrier = self.new_carrier(self.own_exchange(), self.add_step, lambda: self.target.secrets)
        try:
            carrier.carry(run_handshake(steps, self.add_step), cookies)
        finally:
            carrier.close()
