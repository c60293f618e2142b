"""`requests` with our own connection pool: a single connection, opened and read through a DeadlineTracker."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import urllib3.exceptions
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HeaderParsingError
from urllib3.util.response import assert_header_parsing

from connectors.errors import BrokenTransport, ReusedClosed
from connectors.http.endpoint import Endpoint
from connectors.http.headers import ANOTHER_ANSWER
from connectors.network.failures import tls_failure
from connectors.reference.transport.deadlines import DeadlineTracker
from connectors.reference.transport.reader import WatchedFile
from connectors.security.tls import tls_context

NO_HOST = "target"
"""A placeholder host for the client, which refuses hosts that a resolver accepts ([::1%lo]): the DeadlineTracker knows
the address."""


class WatchedResponse(http.client.HTTPResponse):
    """Reads through the DeadlineTracker, and tells it which part of the answer is being read."""

    def __init__(self, sock: socket.socket, *args: Any, watch: DeadlineTracker, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self._watch = watch
        plain, self.fp = self.fp, WatchedFile(sock, watch)
        plain.close()

    def begin(self) -> None:
        super().begin()
        self._watch.enter("body")
        try:
            assert_header_parsing(self.msg)  # both libraries read on, having lost the headers after the bad one
        except HeaderParsingError as exc:
            raise BrokenTransport("http_malformed", "a header line is malformed") from exc
        length = self.msg.get("content-length", "0")
        if not (length.isascii() and length.strip().isdigit()):
            raise BrokenTransport("http_malformed", f"content-length is {length[:40]!r}")

    def _read_status(self) -> tuple[str, int, str]:
        """Skips every 1xx answer; http.client knows only 100."""
        while True:
            version, status, reason = super()._read_status()  # type: ignore[misc] # not in typeshed
            if status == 101:
                raise BrokenTransport("http_malformed", "the target switched protocols without being asked")
            if not 100 <= status < 200:
                return version, status, reason
            http.client.parse_headers(self.fp)

    def _read_and_discard_trailer(self) -> None:
        self._watch.enter("trailer")
        super()._read_and_discard_trailer()  # type: ignore[misc] # not in typeshed
        self._watch.enter("body")


class _Watched(HTTPConnection):
    """What both kinds of connection share."""

    def __init__(self, *args: Any, watch: DeadlineTracker, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._watch = watch
        self.response_class = self._response  # type: ignore[assignment] # http.client only calls it
        self.fresh = False

    def _response(self, sock: socket.socket, *args: Any, **kwargs: Any) -> WatchedResponse:
        return WatchedResponse(sock, *args, watch=self._watch, **kwargs)

    def _new_conn(self) -> socket.socket:
        self.fresh = True
        return self._watch.dial()

    @property
    def is_connected(self) -> bool:
        """On a fresh connection bytes may wait without harm: a TLS server's session tickets. Later they would be
        bytes, or an end, that belong to no answer."""
        if self.sock is None or self.fresh or super().is_connected:
            return self.sock is not None
        self._watch.unasked += self._has_another_answer()
        self.close()
        return False

    def _has_another_answer(self) -> bool:
        try:
            self.sock.settimeout(0)
            return self.sock.recv(len(ANOTHER_ANSWER[0])).startswith(ANOTHER_ANSWER)
        except (OSError, ValueError):
            return False

    def send(self, data: Any) -> None:
        self.fresh = False
        if self.sock is None:
            raise ReusedClosed("closed")  # since it was looked at, which the library has found out
        self._watch.sending(len(data))
        self.sock.settimeout(self._watch.left_s())
        try:
            super().send(data)
        except TimeoutError as exc:
            raise self._watch.timed_out() from exc
        except OSError:
            self._watch.judge_reused("reset")
            raise


class GuardedHTTPConnection(_Watched):
    pass


class GuardedHTTPSConnection(_Watched, HTTPSConnection):
    def connect(self) -> None:
        try:
            super().connect()
        except TimeoutError as exc:
            raise self._watch.connect_timeout() from exc
        except (OSError, ValueError, urllib3.exceptions.HTTPError) as exc:
            cause = exc.args[0] if isinstance(exc, urllib3.exceptions.SSLError) else exc
            raise tls_failure(cause if isinstance(cause, ssl.SSLError) else exc) from exc
        self._watch.tls_done(self.sock)


class GuardedHTTPPool(HTTPConnectionPool):
    ConnectionCls = GuardedHTTPConnection


class GuardedHTTPSPool(HTTPSConnectionPool):
    ConnectionCls = GuardedHTTPSConnection

    def _validate_conn(self, conn: Any) -> None:
        """Connects like the base class, without its warning, because `tls.verify: false` is deliberate."""
        if conn.is_closed:
            conn.connect()


class GuardedAdapter(HTTPAdapter):
    """Sends everything through one pool to one target, or to its proxy: no redirect and no retry leads elsewhere."""

    def __init__(self, endpoint: Endpoint, watch: DeadlineTracker) -> None:
        super().__init__()
        self._watch = watch
        self._via = endpoint.via
        common: dict[str, Any] = {"maxsize": 1, "watch": watch}
        self._pool: HTTPConnectionPool
        if endpoint.tls:
            context = tls_context(endpoint.tls_spec)
            common |= {"ssl_context": context, "cert_reqs": context.verify_mode, "server_hostname": endpoint.host}
            self._pool = GuardedHTTPSPool(NO_HOST, endpoint.port, **common)
        else:
            self._pool = GuardedHTTPPool(NO_HOST, endpoint.port, **common)

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> HTTPConnectionPool:
        return self._pool

    def request_url(self, request: Any, proxies: Any) -> str:
        via = self._via
        return f"{via.prefix if via else ''}{request.path_url}"

    def cert_verify(self, *args: Any, **kwargs: Any) -> None:
        """The pool's own TLS context decides what to verify."""

    @property
    def ready(self) -> bool:
        """Whether the connection is open and has no unread bytes."""
        with self._connection() as connection:
            return bool(connection.is_connected)

    def connect(self) -> dict[str, int]:
        """Open a new connection. Returns how long its steps took in ns."""
        with self._connection() as connection:
            connection.close()
            connection.connect()
        return dict(self._watch.handshake_ns)

    def drop(self) -> None:
        """Close the connection."""
        with self._connection() as connection:
            connection.close()

    @contextmanager
    def _connection(self) -> Iterator[_Watched]:
        """The pool's one connection, open or not; closed if the block fails."""
        connection: Any = self._pool._get_conn()
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        finally:
            self._pool._put_conn(connection)

    def close(self) -> None:
        self.drop()
        super().close()
