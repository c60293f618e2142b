"""The reference lane's connector for plain HTTP, on `requests`."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from itertools import chain
from typing import Any, ClassVar

import requests
import urllib3

from connectors import guard
from connectors.decoding import declared_charset
from connectors.errors import BadRequest, BrokenTransport, Refused, ReusedClosed, TooLarge, TurnError
from connectors.headers import WHOLE, Style, with_defaults
from connectors.mapping import CompiledTarget, RenderedRequest
from connectors.redirects import REDIRECTS, Trail, behind, pointing
from connectors.reference.shake import ReferenceConnector
from connectors.reference.transport import NO_HOST, GuardedAdapter
from connectors.reference.watch import GraceOver, Watch
from connectors.sniff import is_stream, note_type
from connectors.timeline import Timeline
from connectors.wire.body import make_decoder
from connectors.wire.stream import stream_failure

READ_BYTES = 16 * 1024


class HttpConnector(ReferenceConnector):
    """Request and whole answer. Blocks; use one connector in one thread at a time."""

    style: ClassVar[Style] = WHOLE

    def __init__(self, target: CompiledTarget, *, allow_private: guard.AllowPrivate = True) -> None:
        super().__init__(target, allow_private=allow_private)
        self._watch = Watch(target, allow_private=allow_private)
        self._adapter: GuardedAdapter | None = None
        self._location = ""
        self._begun: Iterator[bytes] | None = None

    @property
    def ready(self) -> bool:
        return self._adapter is not None and self.fresh and self._adapter.ready

    def connect(self) -> None:
        if self._adapter is None:
            self._adapter = GuardedAdapter(self.target, self._watch)
        if not self.has_run_steps_only:
            self._adapter.drop()
        self.shake()
        if self._adapter.ready:
            return  # only what all conversations share was to be done anew
        for name, ns in self._adapter.connect().items():
            self.add_step(name, ns)

    def send_message(self, request: RenderedRequest, timeline: Timeline) -> None:
        if self._adapter is None:
            raise RuntimeError("send_message before connect")
        prepared = self._prepare(self._with_cookies(request))
        timeline.handshake_ns, self.handshake_ns = self.handshake_ns, None
        try:
            self._exchange(self._adapter, prepared, timeline)
        except ReusedClosed:
            if not self.target.spec.request.idempotent:
                raise
            self.connect()
            self._note_resend(timeline)
            self.send_message(request, timeline)
        except Refused as exc:
            if exc.status not in REDIRECTS:
                raise
            if not self.target.spec.follow_redirects:
                raise pointing(exc, self._location) from exc
            self._follow(exc, self._location, request, timeline)

    def _follow(self, refused: Refused, location: str, request: RenderedRequest, timeline: Timeline) -> None:
        """To the answer, each hop on a connection of its own. Not as `requests` does it: that one judges nothing."""
        trail = Trail(self.target, request, self.saved, timeline)
        handshake_ns = timeline.handshake_ns
        while True:
            hop = trail.next(refused, location)
            carrier = type(self)(hop.target, allow_private=self.allow_private)
            carrier.cookies = self.cookies
            try:
                carrier.connect()
                carrier.send_message(hop.request, timeline)
            except Refused as exc:
                if exc.status not in REDIRECTS:
                    raise behind(hop, exc) from exc.__cause__
                refused, location = exc, carrier._location
            except TurnError as exc:
                raise behind(hop, exc) from exc.__cause__
            else:
                return
            finally:
                timeline.handshake_ns = handshake_ns  # a hop's own steps are part of the wait for the answer
                carrier.disconnect()

    def _exchange(self, adapter: GuardedAdapter, prepared: requests.PreparedRequest, timeline: Timeline) -> None:
        self._watch.begin(timeline)
        keep = False
        try:
            # Not Session.send: it reads a redirect's whole body, whatever its size, even if told not to follow.
            response = adapter.send(prepared, stream=True)
            self._location = response.headers.get("location", "")
            self.keep_cookies(prepared.path_url, response.raw.headers.getlist("set-cookie"))
            timeline.status = response.status_code
            self._read(response, timeline)
            keep = not self._watch.unread
        except (TurnError, GraceOver):
            if timeline.done_ns is None:
                raise  # else the answer was complete: what its transport does after that costs the connection alone
        except (requests.RequestException, urllib3.exceptions.HTTPError, http.client.HTTPException, OSError) as exc:
            if timeline.done_ns is None:
                raise self._translated(exc) from exc
        finally:
            if not keep:
                adapter.drop()

    def disconnect(self) -> None:
        if self._adapter is not None:
            self._adapter.close()

    def _prepare(self, request: RenderedRequest) -> requests.PreparedRequest:
        via = self.target.via
        pairs = [*with_defaults(request, self.target.host_header, self.style), *(via.headers if via else ())]
        headers = {name: value.encode("latin-1", "replace") for name, value in pairs}
        url = f"{'https' if self.target.tls else 'http'}://{NO_HOST}{request.path}"
        try:
            return requests.Request(request.method, url, headers=headers, data=request.body).prepare()
        except (requests.RequestException, ValueError) as exc:
            raise BadRequest("request_invalid", str(exc)) from exc

    def _read(self, response: requests.Response, timeline: Timeline) -> None:
        content_type = response.headers.get("content-type", "")
        kind = content_type.partition(";")[0].strip().lower()
        timeline.charset = declared_charset(content_type)
        limits = self.target.spec.limits
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
        """A stream or a whole answer, by what the body begins with, whatever its content type."""
        declared = kind in self.style.streamed
        pieces = self._pieces(response)
        held, streams = self._beginning(pieces, declared=declared)
        if streams is not None and streams is not declared:
            note_type(kind)
        if streams:
            self._begun = chain((held,), pieces)
            self._read_stream(response, timeline)
        elif streams is None and declared and held:
            timeline.end(self._watch.last_ns)  # a stream that ended before it could mean anything
        else:
            body = bytearray(held)
            limit = self.target.spec.limits.answer_bytes
            for piece in chain((b"",), pieces):
                body += piece
                if len(body) > limit:
                    raise _too_large(limit)
            timeline.answer(self._watch.last_ns, bytes(body))

    def _beginning(self, pieces: Iterator[bytes], *, declared: bool) -> tuple[bytes, bool | None]:
        """So much of a body that `is_stream` knows what it is, and what it says of it."""
        held = b""
        for piece in pieces:
            held += piece
            if (found := is_stream(self.style, held, declared=declared)) is not None:
                return held, found
        return held, None

    def _read_stream(self, response: requests.Response, timeline: Timeline) -> None:
        """The answer to its end, piece by piece, if the style has any."""
        raise NotImplementedError  # each kind has its own

    def _drain(self, pieces: Iterator[bytes]) -> None:
        """To the transport's own end, so that the connection can be used again."""
        for _ in pieces:
            pass

    def _stream_pieces(self, response: requests.Response) -> Iterator[bytes]:
        """The body of a stream, of which the beginning may have been looked at."""
        begun, self._begun = self._begun, None
        return begun or self._pieces(response)

    def _pieces(self, response: requests.Response, limit: int | None = None) -> Iterator[bytes]:
        """The decoded body as it comes. Raises TooLarge beyond `limit` (body_bytes), on the wire or decoded."""
        limit = limit or self.target.spec.limits.body_bytes
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
        """What a foreign exception means. Time-outs, resets and ends come as ours already: see `Watch`."""
        cause = _root(exc)
        if isinstance(cause, http.client.LineTooLong) or "got more than" in str(cause):
            limit = self.target.spec.limits.header_bytes
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
