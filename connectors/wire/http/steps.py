"""Carries requests that belong together, such as a handshake's steps: those to one place over one connection."""

from __future__ import annotations

import asyncio
import time
from contextlib import closing
from functools import partial

from connectors.content.styles import WHOLE
from connectors.errors import TurnError
from connectors.handshake.carrier import Carrier
from connectors.handshake.runner import Carried
from connectors.handshake.steps import StepRequest
from connectors.http.cookies import Cookies
from connectors.http.endpoint import Endpoint
from connectors.security.guard import AllowPrivate
from connectors.timeline import Timeline
from connectors.wire.http.exchange import HttpExchange, Secrets
from connectors.wire.transport.dial import NoteStep


class StepCarrier(Carrier[HttpExchange]):
    """In the load lane."""

    def __init__(
        self,
        endpoint: Endpoint,
        own: HttpExchange | None,
        note_step: NoteStep | None,
        *,
        allow_private: AllowPrivate,
        secrets: Secrets | None,
        heads: bool,
    ) -> None:
        new = partial(HttpExchange, allow_private=allow_private, secrets=secrets, heads=heads)
        super().__init__(endpoint, own, note_step, new)
        self._style = WHOLE if own is None else own.style
        self._idempotent = own is not None and own.idempotent

    async def carry(self, running: Carried, cookies: Cookies | None) -> None:
        """Raises TurnError."""
        task = asyncio.current_task()
        cancelled = task.cancelling() if task is not None else 0
        with closing(running):
            for step, timeline in running:
                if task is not None and task.cancelling() > cancelled:
                    raise asyncio.CancelledError  # it came with the end of the answer before
                try:
                    await self._send(step, timeline, cookies)
                except TurnError as exc:
                    running.throw(exc)

    async def _send(self, step: StepRequest, timeline: Timeline, cookies: Cookies | None) -> None:
        if step.after_s:
            await asyncio.sleep(step.after_s)
        exchange = self._exchange(step.endpoint)
        exchange.restyle(step.style or self._style, idempotent=step.repeatable)
        await exchange.drained()
        if not exchange.usable:
            if exchange is self._own and self._note_step is not None and not step.again:
                await exchange.connect(self._note)
                timeline.planned_ns = time.monotonic_ns()  # opening the turns' own connection is a step of its own
            else:
                await exchange.connect()
        await exchange.send(step.request, timeline, cookies)

    def close(self) -> None:
        """The turns' own exchange is as it was."""
        super().close()
        if self._own is not None:
            self._own.restyle(self._style, idempotent=self._idempotent)
