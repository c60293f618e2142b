"""The load lane's connectors for plain HTTP and for server-sent events."""

from __future__ import annotations

import asyncio
import ssl
import time
from functools import cache

from connectors import guard
from connectors.base import BaseConnector
from connectors.errors import ConnectFailed, TimedOut
from connectors.mapping import CompiledTarget, RenderedRequest
from connectors.spec import TlsSpec
from connectors.timeline import Timeline
from connectors.wire.clock import ArrivalClock
from connectors.wire.http1 import ClosedUnsent, HttpConnection
from connectors.wire.stream import open_stream


@cache
def tls_context(spec: TlsSpec) -> ssl.SSLContext:
    """One context for all connections of a target, on both lanes. Raises ConnectFailed if its CA file is unusable."""
    try:
        context = ssl.create_default_context(cafile=spec.ca_file)
    except OSError as exc:
        what = exc.strerror or str(exc)
        advice = "give the path of a file with certificates in PEM form, readable on this machine"
        raise ConnectFailed("tls_failed", f"tls.ca_file {spec.ca_file}: {what}", advice) from exc
    if not spec.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


@cache
def arrival_clock() -> ArrivalClock:
    """The process's one clock of arrivals."""
    return ArrivalClock()


class HttpConnector(BaseConnector):
    """Request and whole answer over HTTP/1.1."""

    streaming = False

    def __init__(self, target: CompiledTarget, *, allow_private: bool = True) -> None:
        super().__init__(target, allow_private=allow_private)
        self._connection: HttpConnection | None = None

    @property
    def ready(self) -> bool:
        return self._connection is not None and self._connection.usable

    async def connect(self) -> None:
        await self.disconnect()
        target = self.target
        limit_s = target.spec.timeouts.connect
        try:
            async with asyncio.timeout(limit_s):
                began_ns = time.monotonic_ns()
                addresses = await guard.resolve_async(target.host, target.port, self.allow_private)
                resolved_ns = time.monotonic_ns()
                stream, steps = await open_stream(
                    addresses,
                    arrival_clock(),
                    tls=tls_context(target.spec.tls) if target.tls else None,
                    server_name=target.host,
                )
        except TimeoutError as exc:
            raise TimedOut("connect_timeout", f"no connection to {target.host} within {limit_s:g} s") from exc
        self.handshake_ns = {"resolve": resolved_ns - began_ns, **steps}
        self._connection = HttpConnection(stream, target.spec.limits, target.spec.timeouts, target.host_header)

    async def send_message(self, request: RenderedRequest, timeline: Timeline) -> None:
        if self._connection is None:
            raise RuntimeError("send_message before connect")
        timeline.handshake_ns, self.handshake_ns = self.handshake_ns, None
        try:
            await self._connection.exchange(request, timeline, stream=self.streaming)
        except ClosedUnsent:
            await self.connect()  # a kept connection that the target let go in this very moment
            timeline.handshake_ns, self.handshake_ns = self.handshake_ns, None
            await self._connection.exchange(request, timeline, stream=self.streaming)

    async def disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class SseConnector(HttpConnector):
    """The answer piece by piece, as server-sent events in the answer's body."""

    streaming = True
