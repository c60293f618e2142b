"""Base of the reference lane's connectors: runs the handshake over HTTP."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from connectors.handshake.runner import run_handshake
from connectors.handshake.steps import Asking
from connectors.handshake_connector import HandshakeConnector
from connectors.http.cookies import Cookies
from connectors.reference.http.exchange import HttpExchange
from connectors.reference.http.steps import StepCarrier
from connectors.waits import RUN_WAIT

_run_lock = threading.Lock()
"""Held while the steps are done that all conversations share."""


class ReferenceConnector(HandshakeConnector):
    """`connect` of a subclass calls `do_handshake` first."""

    def wait_for_greeting(self, take: Callable[[float], None]) -> None:
        """Wait for the greeting, if there is one. `take` reads one message within the given seconds, passes it to
        `idle_event`, and raises TimeoutError or TurnError. Raises TurnError."""
        greeting = self.greeting
        if greeting is None:
            return
        began_s = time.monotonic()
        due_s = began_s + greeting.spec.within_s
        try:
            while not greeting.over:
                take(max(due_s - time.monotonic(), 0.001))
                if greeting.failure is not None:
                    raise greeting.failure
        except TimeoutError as exc:
            if greeting.spec.required:
                raise greeting.missed() from exc
        finally:
            self.greeting = None
        self.add_step("greeting", int((time.monotonic() - began_s) * 1e9))

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

    def new_carrier(self) -> StepCarrier:
        """Of requests beside the turns' own."""
        target = self.target
        return StepCarrier(
            target.endpoint,
            self.own_exchange(),
            self.add_step,
            allow_private=self.allow_private,
            secrets=(lambda: target.secrets) if target.spec.follow_redirects else None,
        )

    def _send_steps(self, steps: Asking, cookies: Cookies | None) -> None:
        carrier = self.new_carrier()
        try:
            carrier.carry(run_handshake(steps, self.add_step), cookies)
        finally:
            carrier.close()
