"""Requests and answers over HTTP with one endpoint: turns, the steps of handshakes, and the hops of redirects.

One connection at a time, kept from request to request. A request that a kept connection has lost unsent goes out on a
new one, and so does one that may be sent twice, or that the target says it has not processed; a redirect is followed
where that is wanted. Over HTTP/2 others use the connection too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from connectors.content.foreign import unanswered_advice
from connectors.content.styles import WHOLE, Style
from connectors.errors import ClosedUnsent, NotProcessed, Refused, ReusedClosed, TurnError
from connectors.http.cookies import Cookies, with_cookies
from connectors.http.endpoint import Endpoint
from connectors.http.headers import RequestEncoder
from connectors.http.redirects import REDIRECTS, RedirectChain, behind, pointing
from connectors.http.signing import request_encoder
from connectors.mapping.request import RenderedRequest
from connectors.security.guard import AllowPrivate
from connectors.timeline import Timeline
from connectors.waits import MOST_TRIES, note_resend
from connectors.wire.http.connection import HttpConnection
from connectors.wire.http.heads import HeadConnection
from connectors.wire.http.http2.pool import join
from connectors.wire.http.http2.user import Http2User
from connectors.wire.transport.dial import NoteStep, dial

Secrets = Callable[[], Iterable[str]]
CountUnasked = Callable[[int], None]


def _ignore(_step: str, _ns: int) -> None:
    """The steps of a hop are part of the wait for the answer."""


class HttpExchange:
    """`secrets` returns what must not go to another origin; None: redirects are not followed. `idempotent`: a request
    may be sent twice. `count_unasked` is told of answers that came while nothing was asked. `heads`: timelines are told
    the heads of their answers.

    `connection` is None before the first; `usage_wait` says from when to when (monotonic ns) the last request waited
    for what an answer may still tell behind its end.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        allow_private: AllowPrivate,
        style: Style = WHOLE,
        idempotent: bool = False,
        secrets: Secrets | None = None,
        count_unasked: CountUnasked | None = None,
        heads: bool = False,
    ) -> None:
        self._endpoint = endpoint
        self._allow_private = allow_private
        self.style = style
        self.idempotent = idempotent
        self._connection_class = HeadConnection if heads else HttpConnection
        self._secrets = secrets
        self._count_unasked = count_unasked
        self._encoder: RequestEncoder | None = None
        self.connection: HttpConnection | Http2User | None = None
        self.usage_wait: tuple[int, int] | None = None

    @property
    def usable(self) -> bool:
        """Whether a request can be sent now. If not, `connect` is called first."""
        connection = self.connection
        return connection is not None and connection.usable

    @property
    def draining(self) -> bool:
        """Whether the connection is usable soon: an answer is over, and its body is not."""
        return self.connection is not None and self.connection.draining

    async def drained(self) -> None:
        """Wait a little for the end of that body."""
        if self.connection is not None:
            await self.connection.drained()

    async def connect(self, note_step: NoteStep = _ignore) -> None:
        """Open a new connection, and close the old one. Raises ConnectFailed or TimedOut."""
        self.close()
        endpoint = self._endpoint
        if endpoint.streams:
            self.connection = await join(endpoint, self.style, note_step, allow_private=self._allow_private)
            return
        stream = await dial(endpoint, note_step, allow_private=self._allow_private)
        if self._encoder is None or self._encoder.style is not self.style:
            self._encoder = request_encoder(endpoint, self.style)
        self.connection = self._connection_class(stream, endpoint.limits, endpoint.timeouts, self._encoder)

    def restyle(self, style: Style, *, idempotent: bool) -> None:
        """How the requests that follow are asked, on the connection that there is."""
        self.idempotent = idempotent
        if style is not self.style:
            self.style = style
            if self.connection is not None:
                self.connection.restyle(style)

    async def send(self, request: RenderedRequest, timeline: Timeline, cookies: Cookies | None, tries: int = 1) -> None:
        """Send `request` with its `cookies` and feed the complete answer into `timeline`. Raises TurnError."""
        connection = self.connection
        if connection is None:
            raise RuntimeError("send before connect")
        try:
            try:
                asked = with_cookies(request, self._endpoint, cookies)
                self.usage_wait = await connection.exchange(asked, timeline)
                return
            finally:
                if connection.answer.set_cookies and cookies is not None:
                    cookies.keep(self._endpoint, request.path, connection.answer.set_cookies)
        except ClosedUnsent as exc:  # a kept connection that the target closed at this moment
            if tries >= MOST_TRIES:
                exc.advice = unanswered_advice(tls=self._endpoint.tls)
                raise
            steps: dict[str, int] = {}
            await self.connect(steps.__setitem__)
            timeline.handshake_ns = {**(timeline.handshake_ns or {}), **steps}
        except (ReusedClosed, NotProcessed) as exc:
            if (isinstance(exc, ReusedClosed) and not self.idempotent) or tries >= MOST_TRIES:
                raise
            if not connection.usable:
                await self.connect()
            note_resend(timeline, timeline.sent_ns)
        except Refused as exc:
            if exc.status not in REDIRECTS:
                raise
            if self._secrets is None:
                raise pointing(exc, connection.answer.location) from exc
            chain = RedirectChain(self._endpoint, request, self._secrets(), timeline)
            await self._follow(chain, exc, connection.answer.location, timeline, cookies)
            return
        await self.send(request, timeline, cookies, tries + 1)

    async def _follow(
        self, chain: RedirectChain, refused: Refused, location: str, timeline: Timeline, cookies: Cookies | None
    ) -> None:
        """Follow redirects to the answer, each hop on its own connection."""
        handshake_ns = timeline.handshake_ns
        while True:
            hop = chain.next(refused, location)
            heads = self._connection_class is HeadConnection
            exchange = HttpExchange(hop.endpoint, allow_private=self._allow_private, style=self.style, heads=heads)
            try:
                await exchange.connect()
                await exchange.send(hop.request, timeline, cookies)
            except Refused as exc:
                if exc.status not in REDIRECTS or exchange.connection is None:
                    raise behind(hop, exc) from exc.__cause__
                refused, location = exc, exchange.connection.answer.location
            except TurnError as exc:
                raise behind(hop, exc) from exc.__cause__
            else:
                return
            finally:
                timeline.handshake_ns = handshake_ns
                exchange.close()

    def close(self) -> None:
        """Safe to call at any time, more than once."""
        connection, self.connection = self.connection, None
        if connection is None:
            return
        if connection.unasked and self._count_unasked is not None:
            self._count_unasked(connection.unasked)
        connection.close()
