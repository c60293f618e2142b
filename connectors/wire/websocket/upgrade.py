"""Opens a WebSocket for the load lane: connects, requests the upgrade, and passes the stream to a `WsConnection`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Final

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidHandshake
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.http11 import Request
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from connectors.content.foreign import unanswered_advice
from connectors.errors import BrokenTransport, TimedOut, TurnError
from connectors.http.endpoint import Endpoint
from connectors.mapping.request import RenderedRequest
from connectors.network.failures import stream_failure
from connectors.request_parts import encoded_head
from connectors.websocket.upgrade import UpgradeAnswer, upgrade_headers
from connectors.wire.base import WireConnector
from connectors.wire.transport.stream import StampedStream
from connectors.wire.websocket.connection import WsConnection, WsReceiver

URI: Final = parse_uri("ws://target/")
"""The library wants one; path and host are put into its request afterwards."""


async def open_websocket(
    connector: WireConnector,
    request: RenderedRequest,
    receiver: WsReceiver,
    *,
    subprotocols: Sequence[str] = (),
    compression: bool = True,
) -> WsConnection:
    """Dial the connector's target and upgrade, within its `timeouts.connect`; the steps' times are added to it.

    Raises TurnError: `http_<status>` for any status but 101, `upgrade_malformed`, `header_too_large`, ...
    """
    target = connector.target
    limits = target.spec.limits
    protocol = ClientProtocol(
        URI,
        extensions=[ClientPerMessageDeflateFactory(client_max_window_bits=True)] if compression else None,
        subprotocols=[Subprotocol(name) for name in subprotocols] or None,
        max_size=(limits.event_bytes, None),
    )
    asked = encode_upgrade(protocol.connect(), request, target.endpoint)
    stream = await connector.dial(lasting=True)
    known = connector.handshake_ns or {}
    spent_s = sum(known.get(step, 0) for step in ("resolve", "connect", "proxy", "tls")) / 1e9
    upgrade = _Upgrade(stream, protocol, receiver, limits.header_bytes, limits.event_bytes)
    asked_ns = time.monotonic_ns()
    connection = await upgrade.ask(asked, max(target.spec.timeouts.connect - spent_s, 0.001))
    connector.keep_cookies(request.path, upgrade.answer.set_cookies)
    if connection is None:
        upgrade.answer.refuse(connector.timeline(0), socketio=target.spec.protocol == "socketio")
    connector.add_step("upgrade", connection.opened_ns - asked_ns)
    return connection


class _Upgrade:
    """Reads the stream until the upgrade is done."""

    def __init__(
        self, stream: StampedStream, protocol: ClientProtocol, receiver: WsReceiver, head_limit: int, limit: int
    ) -> None:
        self._stream = stream
        self._protocol = protocol
        self._receiver = receiver
        self._limit = limit
        self.answer = UpgradeAnswer(head_limit)
        self._done: asyncio.Future[WsConnection | None] = asyncio.get_running_loop().create_future()

    async def ask(self, asked: bytes, limit_s: float) -> WsConnection | None:
        """None: the target refused, which `answer` tells. Raises TurnError; the stream is closed if there is no
        connection."""
        connection: WsConnection | None = None
        try:
            async with asyncio.timeout(limit_s):
                self._stream.start(self)
                self._stream.write(asked)
                connection = await self._done
        except TimeoutError as exc:
            if self._done.done() and not self._done.cancelled():
                connection = self._done.result()  # it came in the very moment in which the time was over
            elif self.answer.status in {0, 101}:
                raise TimedOut("connect_timeout", f"no answer to the upgrade within {limit_s:.3g} s") from exc
        finally:
            if connection is None:
                self._stream.close()
        return connection

    def data_received(self, ns: int, data: bytes) -> None:
        if self._done.done():
            return
        try:
            if not self.answer.feed(data):
                return
            if self.answer.status != 101:
                self._done.set_result(None)
                return
            self._protocol.receive_data(self.answer.head)
            self._protocol.events_received()
            if (error := self._protocol.handshake_exc) is not None:
                raise _malformed(error)
            if self._protocol.available_subprotocols and self._protocol.subprotocol is None:
                raise BrokenTransport("upgrade_malformed", "the target chose none of the subprotocols")
        except TurnError as exc:
            self._done.set_exception(exc)
            return
        connection = WsConnection(self._stream, self._protocol, self._receiver, self._limit, ns)
        self._done.set_result(connection)
        if frames := self.answer.rest:
            connection.data_received(ns, frames)

    def stream_closed(self, _ns: int, error: OSError | None) -> None:
        if self._done.done():
            return
        if error is not None:
            advice = "" if self.answer.begun else unanswered_advice(tls=self._stream.is_tls)
            self._done.set_exception(stream_failure(error, advice=advice))
        elif self.answer.status:
            self._done.set_result(None)  # a refusal whose body ended early
        else:
            self._done.set_exception(self.answer.ended(tls=self._stream.is_tls))


def encode_upgrade(asked: Request, request: RenderedRequest, endpoint: Endpoint) -> bytes:
    """The library's request with the target's own path and headers. Raises BadRequest."""
    headers = upgrade_headers(request, endpoint.host_header)
    headers += [(name, value) for name, value in asked.headers.raw_items() if name.lower() != "host"]
    return endpoint.release(encoded_head(f"GET {request.path} HTTP/1.1", headers), request.headers) + b"\r\n"


def _malformed(error: Exception) -> BrokenTransport:
    what = str(error) if isinstance(error, InvalidHandshake) else type(error).__name__
    return BrokenTransport("upgrade_malformed", f"{what}: {error.__cause__}" if error.__cause__ else what)
