"""Base of the reference lane's connectors: runs the handshake over HTTP."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from connectors.errors import TurnError
from connectors.handshake.runner import Steps, run_handshake
from connectors.handshake_connector import HandshakeConnector
from connectors.http.cookies import Cookies
from connectors.reference.http.exchange import HttpExchange
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

    def _send_steps(self, steps: Steps, cookies: Cookies | None) -> None:
        exchanges: list[HttpExchange] = []
        target = self.target
        secrets = (lambda: target.secrets) if target.spec.follow_redirects else None
        running = run_handshake(steps, self.add_step)
        try:
            for step, timeline in running:
                exchange = HttpExchange(step.endpoint, allow_private=self.allow_private, secrets=secrets)
                exchanges.append(exchange)
                try:
                    exchange.connect()
                    exchange.send(step.request, timeline, cookies)
                except TurnError as exc:
                    running.throw(exc)
        finally:
            for exchange in exchanges:
                exchange.close()
