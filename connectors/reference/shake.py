"""What every connector of the reference lane does before a turn: shake hands over HTTP."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from connectors.cookies import Cookies
from connectors.errors import TurnError
from connectors.mapping import CompiledTarget
from connectors.shaking import RUN_WAIT, ShakingConnector

if TYPE_CHECKING:
    from connectors.reference.http import HttpConnector
    from connectors.shaking import Steps

_shaking = threading.Lock()
"""Held while the steps are done that all conversations share."""


class ReferenceConnector(ShakingConnector):
    """`connect` of a subclass calls `shake` first."""

    def wait_for_greeting(self, take: Callable[[float], None]) -> None:
        """Return when the greeting came; without one, at once. `take` reads one message within so many seconds, gives
        it to `idle_event`, and raises TimeoutError or TurnError. Raises TurnError."""
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

    def shake(self) -> None:
        """Do the handshake's steps that are due. Raises TurnError."""
        handshake = self.target.handshake
        if handshake is None:
            return
        if handshake.run_due():
            began_ns = time.monotonic_ns()
            with _shaking:
                self._waited(RUN_WAIT, began_ns)
                if handshake.run_due():
                    self._walk(handshake.run_steps(), self._step_cookies(of_run=True))
        if (steps := self._session_steps()) is not None:
            self._walk(steps, self._step_cookies(of_run=False))
        self._shook()

    def _walk(self, steps: Steps, cookies: Cookies | None) -> None:
        from connectors.handshake import StepAnswer, StepTimeline, of_step
        from connectors.reference.http import HttpConnector  # a connector of this kind itself

        carriers: dict[CompiledTarget, HttpConnector] = {}
        try:
            step = next(steps, None)
            while step is not None:
                began_ns = time.monotonic_ns()
                if (carrier := carriers.get(step.target)) is None:
                    carrier = carriers[step.target] = HttpConnector(step.target, allow_private=self.allow_private)
                    carrier.cookies = cookies
                timeline = StepTimeline(step, began_ns)
                try:
                    if not carrier.ready:
                        carrier.connect()
                    carrier.send_message(step.request, timeline)
                except TurnError as exc:
                    raise of_step(step.name, exc) from exc.__cause__
                self.add_step(step.name, time.monotonic_ns() - began_ns)
                try:
                    step = steps.send(StepAnswer(timeline.status, timeline.body, timeline.charset))
                except StopIteration:
                    step = None
        finally:
            for carrier in carriers.values():
                carrier.disconnect()
