"""Adds what a stock HTTP client lacks: checked addresses, deadlines across reads, header limits, timestamps.

A `DeadlineTracker` belongs to one connector. The client's connections dial through it and read through it; so each wait
for the network is cut to the next deadline, however slowly a target drips, and each read's time reaches the Timeline.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Callable
from typing import Final, Literal, TypeVar

from connectors.content.foreign import not_http, unanswered_advice
from connectors.deadlines import next_deadline, timed_out
from connectors.errors import BrokenTransport, ConnectFailed, ReusedClosed, TimedOut, TooLarge
from connectors.http.endpoint import Endpoint
from connectors.http.proxy import ANSWER_BYTES, STEP, Proxy, Tunnel
from connectors.network.failures import connect_failure, connect_timeout
from connectors.reference.transport.relay import relayed
from connectors.security import guard
from connectors.timeline import Timeline
from connectors.waits import BODY_WAIT_S, REUSED_CLOSED_S, note_stream_wait

T = TypeVar("T")
REUSED_CLOSED_NS: Final = int(REUSED_CLOSED_S * 1e9)


class GraceOver(Exception):
    """The answer was complete, but its transport did not end in time; or the timeline must be checked. Not an error of
    the turn."""


class DeadlineTracker:
    """`section`: what the client is reading, which decides what an early end or too much data means."""

    _timeline: Timeline  # from `begin` on
    sock: socket.socket | None = None
    """The address that was last connected to."""

    def __init__(self, endpoint: Endpoint, *, allow_private: guard.AllowPrivate) -> None:
        self._endpoint = endpoint
        self._allow_private = allow_private
        self._limits = endpoint.limits
        self._timeouts = self.timeouts = endpoint.timeouts
        self._connect_due_ns = 0
        self.dialled_ns = 0
        self.handshake_ns: dict[str, int] = {}
        self._turns = 0
        self._sent_ns = 0
        self._section_bytes = 0
        self.last_ns = 0
        self.section: Literal["head", "body", "trailer"] = "head"
        self.ended = False
        self.unread = False
        self.early = b""
        """What the target sent together with the proxy's answer."""
        self.unasked = 0
        """Number of answers that arrived unrequested."""

    def begin(self, timeline: Timeline) -> None:
        """A turn begins: nothing of it was sent yet."""
        self._timeline = timeline
        self._turns += 1
        self._sent_ns = 0
        self.ended = False
        self.unread = False
        self.enter("head")

    def enter(self, section: Literal["head", "body", "trailer"]) -> None:
        self.section = section
        self._section_bytes = 0

    @property
    def header_limit(self) -> int:
        return self._limits.header_bytes

    @property
    def bytes_in(self) -> int:
        return self._timeline.bytes_in

    def shut(self) -> None:
        """Wakes the thread that waits for the peer. Called from another thread."""
        if self.sock is not None:
            with contextlib.suppress(OSError):  # it is closed already
                self.sock.shutdown(socket.SHUT_RDWR)

    # --- connecting -----------------------------------------------------------------------------------------

    def dial(self, *, lasting: bool = False) -> socket.socket:
        """Connect to the first judged address that answers. `lasting`: it will not carry HTTP requests, so that a proxy
        must make a tunnel. Raises ConnectFailed, or TimedOut (connect_timeout)."""
        endpoint = self._endpoint
        limit_s = self._timeouts.connect
        self._turns = self.dialled_ns = 0
        self.handshake_ns, self.early = {}, b""
        began_ns = time.monotonic_ns()
        self._connect_due_ns = began_ns + int(limit_s * 1e9)
        proxy, there = endpoint.proxy, endpoint.host
        if endpoint.unix_socket is not None:
            addresses = [guard.unix_address(endpoint.unix_socket, self._allow_private)]
        elif proxy is None:
            addresses = guard.resolve(endpoint.host, endpoint.port, self._allow_private, limit_s)
        else:
            if not proxy.resolves or guard.is_judged_behind_proxy(endpoint.host, self._allow_private):
                found = guard.resolve(endpoint.host, endpoint.port, self._allow_private, limit_s)
                there = there if proxy.resolves else found[0].host
            addresses = self._of_proxy(
                proxy, lambda: guard.resolve(proxy.host, proxy.port, self._allow_private, limit_s)
            )
        resolved_ns = time.monotonic_ns()
        sock = self.sock = self._of_proxy(proxy, lambda: self._first_that_answers(addresses))
        self.dialled_ns = time.monotonic_ns()
        self.handshake_ns = {"resolve": resolved_ns - began_ns, "connect": self.dialled_ns - resolved_ns}
        if proxy is None:
            return sock
        secured = None if proxy.tls is None else self._secure(sock, proxy)
        if endpoint.tls or lasting or proxy.is_socks:
            self._open_tunnel(secured or sock, proxy.tunnel(there, endpoint.port))
        if secured is not None:
            self._proxy_done()
            sock = self.sock = relayed(secured)
        try:
            sock.settimeout(self.connect_left_s())
        except TimeoutError as exc:
            sock.close()
            raise self._proxy_timeout() from exc
        return sock

    def _secure(self, sock: socket.socket, proxy: Proxy) -> ssl.SSLSocket:
        """TLS with the proxy itself."""
        try:
            return proxy.tls_context().wrap_socket(sock, server_hostname=proxy.host)
        except BaseException as exc:
            sock.close()
            if isinstance(exc, TimeoutError):
                raise self._proxy_timeout() from exc
            if isinstance(exc, (OSError, ValueError)):
                raise proxy.tls_failed(exc) from exc
            raise

    def _of_proxy(self, proxy: Proxy | None, step: Callable[[], T]) -> T:
        try:
            return step()
        except ConnectFailed as exc:
            raise exc if proxy is None else proxy.failed(exc) from exc

    def _open_tunnel(self, sock: socket.socket, tunnel: Tunnel) -> None:
        more = tunnel.request
        try:
            while True:
                sock.settimeout(self.connect_left_s())
                sock.sendall(more)
                if tunnel.feed(sock.recv(ANSWER_BYTES)):
                    break
                more = tunnel.take()
        except TimeoutError as exc:
            sock.close()
            raise self._proxy_timeout() from exc
        except OSError as exc:
            sock.close()
            tunnel.broken(exc)
        except ConnectFailed:
            sock.close()
            raise
        self.early = tunnel.rest
        self._proxy_done()

    def _proxy_done(self) -> None:
        now_ns = time.monotonic_ns()
        self.handshake_ns[STEP] = self.handshake_ns.get(STEP, 0) + now_ns - self.dialled_ns
        self.dialled_ns = now_ns

    def tls_done(self, encrypted: socket.socket) -> None:
        self.sock = encrypted
        self.handshake_ns["tls"] = time.monotonic_ns() - self.dialled_ns

    def _first_that_answers(self, addresses: list[guard.Address]) -> socket.socket:
        failure = OSError("no address")
        for address in addresses:
            sock = socket.socket(address.family, socket.SOCK_STREAM)
            try:
                sock.settimeout(self.connect_left_s())
                if address.family != socket.AF_UNIX:
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sock.connect(address.target)
                sock.settimeout(self.connect_left_s())  # for the TLS handshake that may follow
            except TimeoutError as exc:
                sock.close()
                raise self.connect_timeout() from exc
            except OSError as exc:
                sock.close()
                failure = exc
            else:
                return sock
        raise connect_failure(failure) from failure

    def connect_left_s(self) -> float:
        """Seconds left to connect. Raises TimeoutError when there are none: 0 would mean "do not block"."""
        left_s = (self._connect_due_ns - time.monotonic_ns()) / 1e9
        if left_s <= 0:
            raise TimeoutError
        return left_s

    def settings_timeout(self) -> TimedOut:
        return connect_timeout(self._endpoint.host, self._timeouts.connect, "settings")

    def _proxy_timeout(self) -> TimedOut:
        return connect_timeout(self._endpoint.host, self._timeouts.connect, "proxy")

    def connect_timeout(self) -> TimedOut:
        waits_for_tls = self.dialled_ns > 0 and self._endpoint.tls and "tls" not in self.handshake_ns
        return connect_timeout(self._endpoint.host, self._timeouts.connect, "tls" if waits_for_tls else "connect")

    # --- a turn ---------------------------------------------------------------------------------------------

    def sending(self, size: int) -> None:
        """`size` bytes of the request are about to be written."""
        if self._sent_ns:
            self._timeline.bytes_out += size
            return
        self._sent_ns = self.last_ns = time.monotonic_ns()
        self._timeline.sent(self._sent_ns, size)

    def waited_for_stream(self, ns: int) -> None:
        note_stream_wait(self._timeline, ns)

    def left_s(self) -> float:
        """Seconds until the next deadline. Raises TimedOut when it has passed, GraceOver after the end mark's."""
        due_ns, code = self._deadline()
        left_s = (due_ns - time.monotonic_ns()) / 1e9
        if left_s > 0:
            return left_s
        raise self.timed_out(code)

    def timed_out(self, code: str | None = None) -> TimedOut | GraceOver:
        """The deadline that a wait ran into, as its exception."""
        code = code or self._deadline()[1]
        if code in {"done", "look"}:
            return GraceOver()
        return timed_out(code, self._timeouts, self.bytes_in, self._timeline.lacking())

    def _deadline(self) -> tuple[int, str]:
        timeline = self._timeline
        if timeline.done_ns is not None:
            return timeline.done_ns + int(BODY_WAIT_S * 1e9), "done"
        began_ns = self._sent_ns if timeline.sent_ns is None else timeline.sent_ns
        last_ns = None if timeline.first_byte_ns is None else self.last_ns
        due = next_deadline(self._timeouts, began_ns=began_ns, sent_ns=self._sent_ns, last_ns=last_ns)
        look_ns = timeline.look_at_ns(time.monotonic_ns())
        return due if look_ns is None else min(due, (look_ns, "look"))

    def received(self, size: int) -> None:
        """`size` bytes were read just now; 0 is the end of the stream."""
        timeline = self._timeline
        if size:
            self.last_ns = time.monotonic_ns()
            self._section_bytes += size
            timeline.received(self.last_ns, size)
            return
        self.ended = True
        if timeline.first_byte_ns is None:
            self.judge_reused("closed")
            what = "the target closed without a byte of answer"
            raise BrokenTransport("connection_closed", what, self.unanswered_advice())
        if self.section == "head":
            raise BrokenTransport("connection_closed", "the target closed in the middle of the headers")

    def unanswered_advice(self) -> str:
        """What to do where a new connection ended without a byte of answer; empty otherwise."""
        first = self._turns == 1 and self._timeline.first_byte_ns is None
        return unanswered_advice(tls=self._endpoint.tls) if first else ""

    def judge_reused(self, how: str) -> None:
        """The connection is `how`. Raises ReusedClosed if it was a kept one and this happened as the request was
        sent."""
        soon = time.monotonic_ns() - self._sent_ns < REUSED_CLOSED_NS
        if self._turns > 1 and soon and self._timeline.first_byte_ns is None:
            raise ReusedClosed(how)

    def look_at(self, read: bytes) -> None:
        """Called before `received`. Raises BrokenTransport if an answer begins with something known not to be HTTP: a
        client would wait for the end of its first line."""
        if self._timeline.first_byte_ns is None and (found := not_http(read)):
            raise BrokenTransport("http_malformed", *found)

    def check_section(self) -> None:
        """Before each read. Raises TooLarge while a head or trailer has no end."""
        if self.section != "body" and self._section_bytes > self._limits.header_bytes:
            limit = self._limits.header_bytes
            raise TooLarge("header_too_large", f"no end of the headers within {limit} bytes")
