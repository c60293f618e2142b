"""Requests and answers over HTTP/1.1 with one endpoint, on `requests`: turns, the steps of handshakes, and the hops of
redirects."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any

import requests
import urllib3

from connectors.content.decoding import declared_charset
from connectors.content.heads import AnswerHead
from connectors.content.sniff import is_stream, note_type
from connectors.content.styles import WHOLE, Style
from connectors.errors import BadRequest, BrokenTransport, NotProcessed, Refused, ReusedClosed, TooLarge, TurnError
from connectors.http.body import make_decoder
from connectors.http.cookies import Cookies, with_cookies
from connectors.http.endpoint import Endpoint
from connectors.http.headers import with_defaults
from connectors.http.redirects import REDIRECTS, RedirectChain, behind, pointing
from connectors.http.signing import ready
from connectors.mapping.request import RenderedRequest
from connectors.network.failures import stream_failure
from connectors.reference.transport.adapter import NO_HOST, GuardedAdapter
from connectors.reference.transport.deadlines import DeadlineTracker, GraceOver
from connectors.reference.transport.http2 import Http2Adapter
from connectors.security.guard import AllowPrivate
from connectors.timeline import Timeline
from connectors.timeline.heads import HeadTimeline
from connectors.waits import MOST_TRIES, note_resend

READ_BYTES = 16 * 1024
Adapter = GuardedAdapter | Http2Adapter
Secrets = Callable[[], Iterable[str]]


class HttpExchange:
    """Request and whole answer. Blocks; to be used in one thread at a time, but for `shut`. The arguments are those of
    the load lane's."""

    style: Style = WHOLE

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        allow_private: AllowPrivate,
        idempotent: bool = False,
        secrets: Secrets | None = None,
        pieces: str = "json",
    ) -> None:
        self.style = type(self).style.of(pieces)
        self._endpoint = endpoint
        self._allow_private = allow_private
        self._idempotent = idempotent
        self._secrets = secrets
        self._watch = DeadlineTracker(endpoint, allow_private=allow_private)
        self._adapter: Adapter | None = None
        self._location = ""
        self._begun: Iterator[bytes] | None = None

    @property
    def ready(self) -> bool:
        """Whether the connection is open and has no unread bytes."""
        return self._adapter is not None and self._adapter.ready

    def take_unasked(self) -> int:
        """Number of answers that arrived unrequested since the last call."""
        found, self._watch.unasked = self._watch.unasked, 0
        return found

    def connect(self) -> dict[str, int]:
        """Open a new connection, and close the old one. Returns how long its steps took (ns). Raises ConnectFailed or
        TimedOut."""
        if self._adapter is None:
            self._adapter = (Http2Adapter if self._endpoint.streams else GuardedAdapter)(self._endpoint, self._watch)
        return self._adapter.connect()

    def sharing(
        self, kind: type[HttpExchange], pieces: str, *, idempotent: bool, secrets: Secrets | None
    ) -> HttpExchange:
        """An exchange of another kind over this one's open connection."""
        allow = self._allow_private
        made = kind(self._endpoint, allow_private=allow, idempotent=idempotent, secrets=secrets, pieces=pieces)
        made._adapter, made._watch = self._adapter, self._watch
        return made

    def send(self, request: RenderedRequest, timeline: Timeline, cookies: Cookies | None, tries: int = 1) -> None:
        """Send `request` with its `cookies` and feed the complete answer into `timeline`. Raises TurnError."""
        if self._adapter is None:
            raise RuntimeError("send before connect")
        prepared = self._prepare(with_cookies(request, self._endpoint, cookies))
        try:
            self._carry(self._adapter, prepared, request.path, timeline, cookies)
        except (ReusedClosed, NotProcessed) as exc:
            if (isinstance(exc, ReusedClosed) and not self._idempotent) or tries >= MOST_TRIES:
                raise
            self.connect()
            note_resend(timeline, timeline.sent_ns)
            self.send(request, timeline, cookies, tries + 1)
        except Refused as exc:
            if exc.status not in REDIRECTS:
                raise
            if self._secrets is None:
                raise pointing(exc, self._location) from exc
            hops = RedirectChain(self._endpoint, request, self._secrets(), timeline)
            self._follow(hops, exc, self._location, timeline, cookies)

    def _follow(
        self, hops: RedirectChain, refused: Refused, location: str, timeline: Timeline, cookies: Cookies | None
    ) -> None:
        """Follow redirects to the answer, each hop on its own connection. Not by `requests`, which checks nothing."""
        handshake_ns = timeline.handshake_ns
        while True:
            hop = hops.next(refused, location)
            exchange = type(self)(hop.endpoint, allow_private=self._allow_private, pieces=self.style.pieces)
            try:
                exchange.connect()
                exchange.send(hop.request, timeline, cookies)
            except Refused as exc:
                if exc.status not in REDIRECTS:
                    raise behind(hop, exc) from exc.__cause__
                refused, location = exc, exchange._location
            except TurnError as exc:
                raise behind(hop, exc) from exc.__cause__
            else:
                return
            finally:
                timeline.handshake_ns = handshake_ns  # a hop's own steps are part of the wait for the answer
                exchange.close()

    def _carry(
        self,
        adapter: Adapter,
        prepared: requests.PreparedRequest,
        path: str,
        timeline: Timeline,
        cookies: Cookies | None,
    ) -> None:
        self._watch.begin(timeline)
        keep = False
        try:
            # Not Session.send: it reads a redirect's whole body, whatever its size, even if told not to follow.
            response = adapter.send(prepared, stream=True)
            self._location = response.headers.get("location", "")
            if isinstance(timeline, HeadTimeline):
                timeline.head(self._head(response, path))
            if cookies is not None and (given := response.raw.headers.getlist("set-cookie")):
                cookies.keep(self._endpoint, prepared.path_url, given)
            timeline.status = response.status_code
            self._read(response, timeline)
            keep = not self._watch.unread
        except (TurnError, GraceOver):
            if timeline.done_ns is None:
                raise  # otherwise the answer was complete: a later failure of its transport only closes the connection
        except (requests.RequestException, urllib3.exceptions.HTTPError, http.client.HTTPException, OSError) as exc:
            if timeline.done_ns is None:
                raise self._translated(exc) from exc
        finally:
            if not keep:
                adapter.drop()

    def _head(self, response: requests.Response, path: str) -> AnswerHead:
        """`path` is the request's, without its secrets."""
        cookies = tuple(response.raw.headers.getlist("set-cookie"))
        headers = {name.lower(): value for name, value in response.headers.items() if name.lower() != "set-cookie"}
        return AnswerHead(response.status_code, f"{self._endpoint.origin}{path}", headers, cookies)

    def drop(self) -> None:
        """Close the connection."""
        if self._adapter is not None:
            self._adapter.drop()

    def shut(self) -> None:
        """Wakes the thread that waits for the peer. Called from another thread."""
        self._watch.shut()

    def close(self) -> None:
        """Safe to call at any time, more than once."""
        if self._adapter is not None:
            self._adapter.close()

    def _prepare(self, request: RenderedRequest) -> requests.PreparedRequest:
        endpoint = self._endpoint
        request = ready(request, endpoint, self.style)
        via = endpoint.via
        pairs = [*with_defaults(request, endpoint.host_header, self.style), *(via.headers if via else ())]
        headers = {name: value.encode("latin-1", "replace") for name, value in pairs}
        url = f"{'https' if endpoint.tls else 'http'}://{NO_HOST}{request.path}"
        try:
            prepared = requests.Request(request.method, url, headers=headers, data=request.body).prepare()
        except (requests.RequestException, ValueError) as exc:
            raise BadRequest("request_invalid", str(exc)) from exc
        prepared.url = url  # as it is: the library takes /a/../b for /b
        return prepared

    def _read(self, response: requests.Response, timeline: Timeline) -> None:
        content_type = response.headers.get("content-type", "")
        kind = content_type.partition(";")[0].strip().lower()
        timeline.charset = declared_charset(content_type)
        limits = self._endpoint.limits
        good = 200 <= response.status_code < 300
        if good and self.style.streamed:
            self._read_by_beginning(response, kind, timeline)
            return
        body = b"".join(self._pieces(response, min(limits.body_bytes, limits.answer_bytes)))
        if good:
            timeline.answer(self._watch.last_ns, body)
        else:
            timeline.refused(response.status_code, body)

    def _read_by_beginning(self, response: requests.Response, kind: str, timeline: Timeline) -> None:
        """A stream or a whole answer, judged by the beginning of the body, whatever its content type."""
        declared = kind in self.style.streamed
        pieces = self._pieces(response)
        held, streams = self._beginning(pieces, declared=declared)
        if streams is not None and streams is not declared:
            note_type(kind)
        if streams:
            self._begun = chain((held,), pieces)
            self._read_stream(response, timeline)
        elif streams is None and declared and held and self.style.in_frames:
            timeline.end(self._watch.last_ns)  # a stream that ended before it had meaning
        else:
            body = bytearray(held)
            limit = self._endpoint.limits.answer_bytes
            for piece in chain((b"",), pieces):
                body += piece
                if len(body) > limit:
                    raise _too_large(limit)
            timeline.answer(self._watch.last_ns, bytes(body))

    def _beginning(self, pieces: Iterator[bytes], *, declared: bool) -> tuple[bytes, bool | None]:
        """The beginning of a body, long enough for `is_stream`, and the result of `is_stream`."""
        held = b""
        for piece in pieces:
            held += piece
            if (found := is_stream(self.style, held, declared=declared)) is not None:
                return held, found
        return held, None

    def _read_stream(self, response: requests.Response, timeline: Timeline) -> None:
        """The answer to its end, piece by piece. A style with pieces has its own class, which does it."""
        raise RuntimeError(f"{self.style.name} has no pieces to read")

    def _drain(self, pieces: Iterator[bytes]) -> None:
        """To the transport's own end, so that the connection can be used again."""
        for _ in pieces:
            pass

    def _stream_pieces(self, response: requests.Response) -> Iterator[bytes]:
        """The body of a stream, of which the beginning may have been looked at."""
        begun, self._begun = self._begun, None
        return begun or self._pieces(response)

    def _pieces(self, response: requests.Response, limit: int | None = None) -> Iterator[bytes]:
        """The decoded body in pieces. Raises TooLarge beyond `limit` (body_bytes), compressed or decoded."""
        limit = limit or self._endpoint.limits.body_bytes
        decoder = make_decoder(response.headers.get("content-encoding", "").strip().lower(), limit)
        raw: Any = response.raw
        size = 0
        while data := raw.read1(READ_BYTES, decode_content=False):
            size += len(data)
            if size > limit:
                raise _too_large(limit)
            if decoder is None:
                yield data
            else:
                yield from decoder.decode(data)
        if decoder is not None:
            decoder.finish()

    def _translated(self, exc: Exception) -> TurnError:
        """Maps foreign exceptions. Timeouts, resets and closed connections are ours already: see `DeadlineTracker`."""
        cause = _root(exc)
        if isinstance(cause, http.client.LineTooLong) or "got more than" in str(cause):
            limit = self._endpoint.limits.header_bytes
            return TooLarge("header_too_large", f"no end of the headers within {limit} bytes")
        if isinstance(cause, (http.client.IncompleteRead, urllib3.exceptions.IncompleteRead)) and self._watch.ended:
            return BrokenTransport("body_truncated", "the target closed in the middle of the body")
        if isinstance(cause, OSError) and not isinstance(cause, http.client.HTTPException):
            return stream_failure(cause, self._watch.bytes_in, self._watch.unanswered_advice())
        return BrokenTransport("http_malformed", str(cause) or type(cause).__name__)


def _too_large(limit: int) -> TooLarge:
    return TooLarge("body_too_large", f"the answer is larger than {limit} bytes")


def _root(exc: BaseException) -> BaseException:
    """The innermost exception: requests and urllib3 carry it as an argument, as a cause, or both."""
    while True:
        inner = next((arg for arg in reversed(exc.args) if isinstance(arg, BaseException)), exc.__cause__)
        if inner is None or inner is exc:
            return exc
        exc = inner
