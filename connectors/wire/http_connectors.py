"""The load lane's connectors for plain HTTP and for what streams an answer in its body."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from typing import ClassVar

from connectors.content.styles import EVENTS, FRAMES, LINES, TEXTS, WHOLE, Style
from connectors.errors import Aborted
from connectors.http.cookies import Cookies
from connectors.http.redirects import secrets_of
from connectors.mapping.request import RenderedRequest
from connectors.security.guard import AllowPrivate
from connectors.target import CompiledTarget
from connectors.timeline import Timeline
from connectors.waits import BODY_WAIT, SHORTEST_WAIT_NS
from connectors.wire.base import WireConnector
from connectors.wire.http.exchange import HttpExchange


class HttpConnector(WireConnector):
    """Request and whole answer over HTTP/1.1."""

    opens_secrets = True
    style: ClassVar[Style] = WHOLE

    def __init__(self, target: CompiledTarget, *, allow_private: AllowPrivate = True) -> None:
        super().__init__(target, allow_private=allow_private)
        self._exchange = HttpExchange(
            target.endpoint,
            allow_private=allow_private,
            style=self.style.of(target.spec.response.pieces),
            idempotent=target.spec.request.idempotent,
            secrets=self._secrets if target.spec.follow_redirects else None,
            count_unasked=self._count_unasked,
            heads=target.reads_heads,
        )
        self._send = self._exchange.send if target.then is None else self._send_parts

    def own_exchange(self) -> HttpExchange | None:
        return self._exchange if self.target.spec.reuse_connections else None

    def _secrets(self) -> list[str]:
        return secrets_of(self.target.secrets, self.saved)

    def _count_unasked(self, number: int) -> None:
        self.unsolicited += number

    @property
    def ready(self) -> bool:
        connection = self._exchange.connection
        return connection is not None and connection.usable and (self._handshake is None or self.fresh)

    async def connect(self) -> None:
        exchange = self._exchange
        if exchange.draining:
            began_ns = time.monotonic_ns()
            await exchange.drained()
            self._waited(BODY_WAIT, began_ns)
            if self.ready:
                return
        if not (self.has_run_steps_only and exchange.usable):
            await self.disconnect()
        await self.do_handshake()
        if exchange.usable:
            return  # it has carried the handshake, or only the steps shared by all conversations had expired
        await self.disconnect()
        await exchange.connect(self.add_step)

    def send_message(self, request: RenderedRequest, timeline: Timeline) -> Awaitable[None]:
        exchange = self._exchange
        if exchange.usage_wait is not None:
            self._note_usage_wait(*exchange.usage_wait, timeline.planned_ns)
        if self.handshake_ns is not None:
            timeline.handshake_ns, self.handshake_ns = self.handshake_ns, None
        return self._send(request, timeline, self.cookies)  # without a coroutine of its own, which costs each turn

    async def _send_parts(self, request: RenderedRequest, timeline: Timeline, cookies: Cookies | None) -> None:
        """A turn that is several requests."""
        carrier = self.new_carrier(self._exchange, None, self._secrets)
        try:
            await carrier.carry(self.parts_of(timeline).run(request), cookies)
        except asyncio.CancelledError:
            self._exchange.close()
            if timeline.done_ns is None:
                raise Aborted from None
        finally:
            carrier.close()

    def _note_usage_wait(self, from_ns: int, to_ns: int, planned_ns: int) -> None:
        """A message that was due while its user still waited for what the answer before may tell behind its end."""
        self._exchange.usage_wait = None
        waited_ns = to_ns - max(from_ns, planned_ns)
        if waited_ns >= SHORTEST_WAIT_NS:
            self.add_step(BODY_WAIT, waited_ns + (self.handshake_ns or {}).get(BODY_WAIT, 0))

    async def disconnect(self) -> None:
        self._exchange.close()


class SseConnector(HttpConnector):
    """The answer piece by piece, as server-sent events in the answer's body."""

    style = EVENTS


class NdjsonConnector(HttpConnector):
    """The answer piece by piece, one JSON document a line."""

    style = LINES


class TextConnector(HttpConnector):
    """The answer is the body's text, piece by piece as it arrives."""

    style = TEXTS


class AwsConnector(HttpConnector):
    """The answer piece by piece, as messages of an Amazon event stream."""

    style = FRAMES
