"""The load lane's connectors for plain HTTP and for what streams an answer in its body."""

from __future__ import annotations

import time
from typing import ClassVar

from connectors import guard
from connectors.errors import Refused, ReusedClosed, TurnError
from connectors.headers import EVENTS, LINES, WHOLE, Style
from connectors.mapping import CompiledTarget, RenderedRequest
from connectors.redirects import REDIRECTS, Trail, behind, pointing
from connectors.shaking import BODY_WAIT, SHORTEST_WAIT_NS
from connectors.timeline import Timeline
from connectors.wire.base import WireConnector
from connectors.wire.http1 import ClosedUnsent, HttpConnection


class HttpConnector(WireConnector):
    """Request and whole answer over HTTP/1.1."""

    style: ClassVar[Style] = WHOLE

    def __init__(self, target: CompiledTarget, *, allow_private: guard.AllowPrivate = True) -> None:
        super().__init__(target, allow_private=allow_private)
        self._connection: HttpConnection | None = None
        self._usage_wait: tuple[int, int] | None = None

    @property
    def _is_usable(self) -> bool:
        return self._connection is not None and self._connection.usable

    @property
    def ready(self) -> bool:
        connection = self._connection
        return connection is not None and connection.usable and (self._handshake is None or self.fresh)

    async def connect(self) -> None:
        if self._connection is not None and self._connection.draining:
            began_ns = time.monotonic_ns()
            await self._connection.drained()
            self._waited(BODY_WAIT, began_ns)
            if self.ready:
                return
        if not (self.has_run_steps_only and self._is_usable):
            await self.disconnect()
        await self.shake()
        if self._is_usable:
            return  # only what all conversations share was to be done anew
        await self.disconnect()
        stream = await self.dial()
        target = self.target
        spec = target.spec
        self._connection = HttpConnection(stream, spec.limits, spec.timeouts, target.host_header, target.via)

    async def send_message(self, request: RenderedRequest, timeline: Timeline) -> None:
        connection = self._connection
        if connection is None:
            raise RuntimeError("send_message before connect")
        if self._usage_wait is not None:
            self._note_usage_wait(*self._usage_wait, timeline.planned_ns)
        if self.handshake_ns is not None:
            timeline.handshake_ns, self.handshake_ns = self.handshake_ns, None
        try:
            try:
                self._usage_wait = await connection.exchange(self._with_cookies(request), timeline, self.style)
            finally:
                if connection.set_cookies:
                    self.keep_cookies(request.path, connection.set_cookies)
        except ClosedUnsent:
            await self.connect()  # a kept connection that the target let go in this very moment
            self.handshake_ns = {**(timeline.handshake_ns or {}), **(self.handshake_ns or {})}
            await self.send_message(request, timeline)
        except ReusedClosed:
            if not self.target.spec.request.idempotent:
                raise
            await self.connect()
            self._note_resend(timeline)
            await self.send_message(request, timeline)
        except Refused as exc:
            if exc.status not in REDIRECTS:
                raise
            if not self.target.spec.follow_redirects:
                raise pointing(exc, connection.location) from exc
            await self._follow(exc, connection.location, request, timeline)

    def _note_usage_wait(self, from_ns: int, to_ns: int, planned_ns: int) -> None:
        """A message that was due while its user still waited for what the answer before may tell behind its end."""
        self._usage_wait = None
        waited_ns = to_ns - max(from_ns, planned_ns)
        if waited_ns >= SHORTEST_WAIT_NS:
            self.add_step(BODY_WAIT, waited_ns + (self.handshake_ns or {}).get(BODY_WAIT, 0))

    async def _follow(self, refused: Refused, location: str, request: RenderedRequest, timeline: Timeline) -> None:
        """To the answer, each hop on a connection of its own."""
        trail = Trail(self.target, request, self.saved, timeline)
        handshake_ns = timeline.handshake_ns
        while True:
            hop = trail.next(refused, location)
            carrier = type(self)(hop.target, allow_private=self.allow_private)
            carrier.cookies = self.cookies
            try:
                await carrier.connect()
                await carrier.send_message(hop.request, timeline)
            except Refused as exc:
                if exc.status not in REDIRECTS or carrier._connection is None:
                    raise behind(hop, exc) from exc.__cause__
                refused, location = exc, carrier._connection.location
            except TurnError as exc:
                raise behind(hop, exc) from exc.__cause__
            else:
                return
            finally:
                timeline.handshake_ns = handshake_ns  # a hop's own steps are part of the wait for the answer
                await carrier.disconnect()

    async def disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class SseConnector(HttpConnector):
    """The answer piece by piece, as server-sent events in the answer's body."""

    style = EVENTS


class NdjsonConnector(HttpConnector):
    """The answer piece by piece, one JSON document a line."""

    style = LINES
