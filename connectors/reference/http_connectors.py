"""The reference lane's connectors for plain HTTP and for what streams an answer in its body, on `requests`."""

from __future__ import annotations

from typing import ClassVar

from connectors.http.redirects import secrets_of
from connectors.mapping.request import RenderedRequest
from connectors.reference.base import ReferenceConnector
from connectors.reference.http.aws import AwsExchange
from connectors.reference.http.exchange import HttpExchange
from connectors.reference.http.ndjson import NdjsonExchange
from connectors.reference.http.sse import SseExchange
from connectors.reference.http.text import TextExchange
from connectors.security.guard import AllowPrivate
from connectors.target import CompiledTarget
from connectors.timeline import Timeline


class HttpConnector(ReferenceConnector):
    """Request and whole answer. Blocks; use one connector in one thread at a time."""

    opens_secrets = True
    exchange_class: ClassVar[type[HttpExchange]] = HttpExchange

    def __init__(self, target: CompiledTarget, *, allow_private: AllowPrivate = True) -> None:
        super().__init__(target, allow_private=allow_private)
        self._exchange = self.exchange_class(
            target.endpoint,
            allow_private=allow_private,
            idempotent=target.spec.request.idempotent,
            secrets=self._secrets if target.spec.follow_redirects else None,
            pieces=target.spec.response.pieces,
        )

    def own_exchange(self) -> HttpExchange | None:
        return self._exchange if self.target.spec.reuse_connections else None

    def _secrets(self) -> list[str]:
        return secrets_of(self.target.secrets, self.saved)

    @property
    def ready(self) -> bool:
        return self.fresh and self._exchange.ready

    def connect(self) -> None:
        exchange = self._exchange
        if not exchange.ready:
            self.unsolicited += exchange.take_unasked()
        if not self.has_run_steps_only:
            exchange.drop()
        self.do_handshake()
        if exchange.ready:
            return  # it has carried the handshake, or only the steps shared by all conversations had expired
        for name, ns in exchange.connect().items():
            self.add_step(name, ns)

    def send_message(self, request: RenderedRequest, timeline: Timeline) -> None:
        timeline.handshake_ns, self.handshake_ns = self.handshake_ns, None
        if self.target.then is None:
            self._exchange.send(request, timeline, self.cookies)
        else:
            self._send_parts(request, timeline)

    def _send_parts(self, request: RenderedRequest, timeline: Timeline) -> None:
        """A turn that is several requests."""
        carrier = self.new_carrier(self._exchange, None, self._secrets)
        try:
            carrier.carry(self.parts_of(timeline).run(request), self.cookies)
        finally:
            carrier.close()

    def disconnect(self) -> None:
        self._exchange.close()


class SseConnector(HttpConnector):
    """The answer piece by piece, as server-sent events in the answer's body."""

    exchange_class = SseExchange


class NdjsonConnector(HttpConnector):
    """The answer piece by piece, one JSON document a line."""

    exchange_class = NdjsonExchange


class TextConnector(HttpConnector):
    """The answer is the body's text, piece by piece as it arrives."""

    exchange_class = TextExchange


class AwsConnector(HttpConnector):
    """The answer piece by piece, as messages of an Amazon event stream."""

    exchange_class = AwsExchange
