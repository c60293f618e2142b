"""HTTP/2 in the reference lane: httpcore's connection (that of httpx), opened and read through a DeadlineTracker.

It stands where the lane's adapter of `requests` stands, and carries one stream at a time.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from typing import Any

import httpcore
import requests
from h2.events import ConnectionTerminated, StreamReset
from h2.exceptions import DenialOfServiceError, H2Error, InvalidBodyLengthError
from requests.structures import CaseInsensitiveDict
from urllib3 import HTTPHeaderDict

from connectors.errors import BrokenTransport, NotProcessed, TooLarge, TurnError
from connectors.http.endpoint import Endpoint
from connectors.http.http2_codes import error_name, goaway_failure, in_words, reset_failure, unavailable
from connectors.network.failures import tls_failure
from connectors.reference.transport.deadlines import DeadlineTracker
from connectors.reference.transport.http2_client import Http2Client, WatchedNetwork
from connectors.request_parts import OF_CONNECTIONS
from connectors.security.tls import tls_context

HOST = b"target"
"""A placeholder: the DeadlineTracker knows the address."""


class _Body:
    """A body as urllib3 hands it out."""

    def __init__(self, adapter: Http2Adapter, response: httpcore.Response, headers: HTTPHeaderDict) -> None:
        self.headers = headers
        self._adapter = adapter
        self._response = response
        self._pieces: Iterator[bytes] = iter(response.iter_stream())

    def read1(self, size: int, *, decode_content: bool = False) -> bytes:
        """The next piece, whatever its size; empty at the end."""
        try:
            piece = next((piece for piece in self._pieces if piece), b"")
        except (httpcore.ProtocolError, httpcore.ConnectionNotAvailable, H2Error) as exc:
            raise self._adapter.translated(exc) from exc
        self._adapter.answered()
        if not piece:
            self._response.close()  # its stream is over, and another may begin
        return piece


class Http2Adapter:
    """One connection to a target."""

    def __init__(self, endpoint: Endpoint, watch: DeadlineTracker) -> None:
        self._endpoint = endpoint
        self._watch = watch
        self._network: WatchedNetwork | None = None
        self._connection: Http2Client | None = None
        self._stream = -1
        """The number of the last stream."""

    @property
    def ready(self) -> bool:
        connection, network = self._connection, self._network
        if connection is None or network is None or network.is_leaving:
            return False
        return connection.is_idle() and network.is_open

    def connect(self) -> dict[str, int]:
        """Open a new connection. Returns how long its steps took in ns."""
        self.drop()
        sock = self._watch.dial(lasting=True)
        if self._endpoint.tls:
            sock = self._encrypted(sock)
        self._network = WatchedNetwork(sock, self._watch)
        self._connection = Http2Client(self._origin, self._network)
        self._stream = -1
        try:
            self._connection.greet(self._origin)
            self._network.wait_for_settings()
        except TurnError:
            self.drop()
            raise
        return dict(self._watch.handshake_ns)

    @property
    def _origin(self) -> httpcore.Origin:
        return httpcore.Origin(b"https" if self._endpoint.tls else b"http", HOST, self._endpoint.port)

    def _encrypted(self, sock: socket.socket) -> socket.socket:
        try:
            context = tls_context(self._endpoint.tls_spec, http2=True)
            encrypted = context.wrap_socket(sock, server_hostname=self._endpoint.host)
        except TimeoutError as exc:
            sock.close()
            raise self._watch.connect_timeout() from exc
        except (OSError, ValueError) as exc:
            sock.close()
            if isinstance(exc, ssl.SSLError) and "NO_APPLICATION_PROTOCOL" in (exc.reason or ""):
                raise unavailable("the target does not offer HTTP/2 (ALPN)") from exc
            raise tls_failure(exc) from exc
        except TurnError:
            sock.close()
            raise
        self._watch.tls_done(encrypted)
        if (chosen := encrypted.selected_alpn_protocol()) != "h2":
            encrypted.close()
            raise unavailable(f"the target chose {chosen or 'no protocol'} of those offered (ALPN), and not h2")
        return encrypted

    def send(self, prepared: requests.PreparedRequest, *, stream: bool) -> requests.Response:
        """Returns when the headers of the answer have come."""
        connection, network = self._connection, self._network
        if connection is None or network is None:
            self.connect()
            return self.send(prepared, stream=stream)
        given: dict[str, Any] = dict(prepared.headers)  # values are bytes, but for what the library adds
        headers = [
            (name.encode("latin-1"), value if isinstance(value, bytes) else value.encode("latin-1", "replace"))
            for name, value in given.items()
            if name.lower() not in OF_CONNECTIONS
        ]
        scheme, host, port = self._origin.scheme, self._origin.host, self._origin.port
        path = (prepared.url or "").partition("://")[2]
        url = httpcore.URL(scheme=scheme, host=host, port=port, target=path[path.index("/") :].encode("latin-1"))
        body: Any = prepared.body or b""
        if network.is_leaving:
            raise NotProcessed("the target left the request unread (GOAWAY)")
        network.wait_for_stream()
        self._stream += 2
        network.begin(self._stream)
        try:
            found = connection.handle_request(
                httpcore.Request(prepared.method or "", url, headers=headers, content=body)
            )
        except (httpcore.ProtocolError, httpcore.ConnectionNotAvailable, H2Error) as exc:
            raise self.translated(exc) from exc
        except ValueError as exc:  # a status that is no number
            raise BrokenTransport("http_malformed", f"the target breaks the rules of HTTP/2: {exc}") from exc
        network.answered()
        return self._response(found)

    def _response(self, found: httpcore.Response) -> requests.Response:
        pairs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in found.headers]
        response = requests.Response()
        response.status_code = found.status
        response.headers = CaseInsensitiveDict(dict(reversed(pairs)))
        response.raw = _Body(self, found, HTTPHeaderDict(pairs))
        return response

    def translated(self, exc: Exception) -> TurnError:
        """What httpcore raises, with the event of h2 in it."""
        event = exc.args[0] if exc.args else None
        if isinstance(event, StreamReset):
            code = int(event.error_code or 0)
            refused = error_name(code) == "REFUSED_STREAM"
            what = "the target refused the stream (REFUSED_STREAM)"
            return NotProcessed(what) if refused else reset_failure(code, self._watch.bytes_in)
        if isinstance(event, ConnectionTerminated) or isinstance(exc, httpcore.ConnectionNotAvailable):
            return self._gone(event)
        return self._broken(event, exc)

    def _gone(self, event: object) -> TurnError:
        if isinstance(event, ConnectionTerminated) and (event.last_stream_id or 0) >= self._stream:
            return goaway_failure(int(event.error_code or 0), event.additional_data or b"")
        return NotProcessed("the target left the request unread (GOAWAY)")

    def _broken(self, event: object, exc: Exception) -> TurnError:
        reason = event if isinstance(event, H2Error) else exc
        if isinstance(reason, DenialOfServiceError):
            return TooLarge("header_too_large", "the headers have more bytes than the library reads")
        if isinstance(reason, InvalidBodyLengthError) and reason.actual_length < reason.expected_length:
            return BrokenTransport("body_truncated", str(reason))
        if self._watch.ended:
            return BrokenTransport("body_truncated", "the target closed in the middle of the body")
        return BrokenTransport("http_malformed", f"the target breaks the rules of HTTP/2: {in_words(reason)}")

    def answered(self) -> None:
        if self._network is not None:
            self._network.answered()

    def drop(self) -> None:
        """Close the connection."""
        if self._network is not None:
            self._network.close()
        self._network = self._connection = None

    def close(self) -> None:
        self.drop()
