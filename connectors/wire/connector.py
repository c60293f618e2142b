"""The load lane's connectors for plain HTTP and for what streams an answer in its body."""

from __future__ import annotations

from typing import ClassVar

from connectors import guard
from connectors.headers import EVENTS, LINES, WHOLE, Style
from connectors.mapping import CompiledTarget, RenderedRequest
from connectors.timeline import Timeline
from connectors.wire.base import WireConnector
from connectors.wire.http1 import ClosedUnsent, HttpConnection


class HttpConnector(WireConnector):
    """Request and whole answer over HTTP/1.1."""

    style: ClassVar[Style] = WHOLE

    def __init__(self, target: CompiledTarget, *, allow_private: guard.AllowPrivate = True) -> None:
        super().__init__(target, allow_private=allow_private)
        self._connection: HttpConnection | None = None

    @property
    def ready(self) -> bool:
        return self._connection is not None and self._connection.usable and self.fresh

    async def connect(self) -> None:
        await self.disconnect()
        await self.shake()
        stream = await self.dial()
        target = self.target
        self._connection = HttpConnection(stream, target.spec.limits, target.spec.timeouts, target.host_header)

    async def send_message(self, request: RenderedRequest, timeline: Timeline) -> None:
        if self._connection is None:
            raise RuntimeError("send_message before connect")
        timeline.handshake_ns, self.handshake_ns = self.handshake_ns, None
        try:
            await self._connection.exchange(request, timeline, self.style)
        except ClosedUnsent:
            await self.connect()  # a kept connection that the target let go in this very moment
            timeline.handshake_ns, self.handshake_ns = self.handshake_ns, None
            await self._connection.exchange(request, timeline, self.style)

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
