"""Carries requests that belong together, such as a handshake's steps: those to one place over one connection."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Final

from connectors.content.styles import EVENTS, WHOLE
from connectors.errors import TurnError
from connectors.handshake.carrier import Carrier
from connectors.handshake.runner import Carried
from connectors.handshake.steps import StepRequest
from connectors.http.cookies import Cookies
from connectors.http.endpoint import Endpoint
from connectors.reference.http.exchange import HttpExchange, Secrets
from connectors.reference.http.sse import SseExchange
from connectors.security.guard import AllowPrivate
from connectors.timeline import Timeline

NoteStep = Callable[[str, int], None]
KINDS: Final[dict[str, type[HttpExchange]]] = {WHOLE.name: HttpExchange, EVENTS.name: SseExchange}


class StepCarrier(Carrier[HttpExchange]):
    """In the reference lane."""

    def __init__(
        self,
        endpoint: Endpoint,
        own: HttpExchange | None,
        note_step: NoteStep | None,
        *,
        allow_private: AllowPrivate,
        secrets: Secrets | None,
    ) -> None:
        new = partial(HttpExchange, allow_private=allow_private, secrets=secrets)
        super().__init__(endpoint, own, note_step, new)
        self._kind = HttpExchange if own is None else type(own)
        self._pieces = "json" if own is None else own.style.pieces
        self._secrets = secrets

    def carry(self, running: Carried, cookies: Cookies | None) -> None:
        """Raises TurnError."""
        for step, timeline in running:
            try:
                self._send(step, timeline, cookies)
            except TurnError as exc:
                running.throw(exc)

    def _send(self, step: StepRequest, timeline: Timeline, cookies: Cookies | None) -> None:
        if step.after_s:
            time.sleep(step.after_s)
        exchange = self._exchange(step.endpoint)
        if not exchange.ready:
            steps = exchange.connect()
            if self._note_step is not None and exchange is self._own and not step.again:
                for name, ns in steps.items():
                    self._note(name, ns)
                timeline.planned_ns = time.monotonic_ns()
        kind = self._kind if step.style is None else KINDS[step.style.name]
        pieces = self._pieces if step.style is None else step.style.pieces
        asking = exchange.sharing(kind, pieces, idempotent=step.repeatable, secrets=self._secrets)
        asking.send(step.request, timeline, cookies)
