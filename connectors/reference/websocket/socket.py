"""A socket for `websocket-client` whose waits end at the next deadline and whose reads are timestamped."""

from __future__ import annotations

import io
import math
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, Literal

from connectors.content.foreign import unanswered_advice
from connectors.errors import BrokenTransport, TimedOut, TooLarge, TurnError
from connectors.http.endpoint import Endpoint
from connectors.network.failures import stream_failure, tls_failure
from connectors.network.tcp_info import round_trip_ns
from connectors.reference.transport.deadlines import DeadlineTracker, GraceOver
from connectors.security.tls import tls_context
from connectors.websocket.upgrade import UpgradeAnswer

READ_BYTES: Final = 16 * 1024
Phase = Literal["upgrade", "idle", "turn"]


class Dry(Exception):
    """Raised between two turns when there is nothing more to read."""


class MessageWatch(DeadlineTracker):
    """A DeadlineTracker for a connection that carries messages: `phase` decides which time limit applies."""

    phase: Phase = "upgrade"
    idle_until = math.inf
    """By `time.monotonic`: after it, nothing more is read between two turns. A target may send without end."""

    def expect_within(self, seconds: float) -> None:
        """The next read belongs to no turn, and must complete within `seconds`."""
        self.phase = "upgrade"
        self._connect_due_ns = time.monotonic_ns() + int(seconds * 1e9)

    @contextmanager
    def only_within(self, seconds: float) -> Iterator[None]:
        """`expect_within` for what is read here, and then as before."""
        before = self.phase, self._connect_due_ns
        self.expect_within(seconds)
        try:
            yield
        finally:
            self.phase, self._connect_due_ns = before

    def sent_aside(self) -> None:
        """A message before the turn's own was answered: the time limits of an answer begin with the next one."""
        self._sent_ns = 0

    def left_s(self) -> float:
        if self.phase == "upgrade":
            try:
                return self.connect_left_s()
            except TimeoutError as exc:
                raise self.timed_out() from exc
        return super().left_s()

    def connect_timeout(self) -> TimedOut:
        if self.dialled_ns and (not self._endpoint.tls or "tls" in self.handshake_ns):
            return TimedOut("connect_timeout", f"no answer to the upgrade within {self._timeouts.connect:g} s")
        return super().connect_timeout()

    def timed_out(self, code: str | None = None) -> TimedOut | GraceOver:
        return self.connect_timeout() if self.phase == "upgrade" else super().timed_out(code)

    def received(self, size: int) -> None:
        if not size:
            self.ended = True
            raise BrokenTransport("connection_closed", "the target closed without a close frame")
        self.last_ns = time.monotonic_ns()
        self.read_aside(size)

    def read_aside(self, size: int) -> None:
        """So many bytes came, at `last_ns`. Raises TooLarge."""
        if self.phase == "turn":
            self._timeline.bytes_in += size
            if self._timeline.bytes_in > self._limits.body_bytes:
                raise TooLarge("body_too_large", f"more than {self._limits.body_bytes} bytes in one turn")

    def answer_begun(self) -> None:
        """A message begins. Signs of life (a ping) are no first byte."""
        if self.phase == "turn" and self._timeline.first_byte_ns is None:
            self._timeline.first_byte_ns = self.last_ns


class WatchedSocket:
    """Stands in for the client's socket. `before_read` is called before a read of the real one."""

    def __init__(self, endpoint: Endpoint, watch: MessageWatch) -> None:
        """Dials. Raises ConnectFailed or TimedOut."""
        self._watch = watch
        self._held = io.BytesIO()
        self.answer = UpgradeAnswer(endpoint.limits.header_bytes)
        self.before_read: Callable[[], None] = lambda: None
        self.beats: list[Callable[[], float]] = []
        """Each sends what keeps the connection alive, if it is due, and returns the seconds until it is due again."""
        self._sock = watch.dial(lasting=True)
        if endpoint.tls:
            self._sock = self._encrypted(endpoint)

    def _encrypted(self, endpoint: Endpoint) -> socket.socket:
        try:
            encrypted = tls_context(endpoint.tls_spec).wrap_socket(self._sock, server_hostname=endpoint.host)
        except TimeoutError as exc:
            self._sock.close()
            raise self._watch.connect_timeout() from exc
        except (OSError, ValueError) as exc:
            self._sock.close()
            raise tls_failure(exc) from exc
        except TurnError:
            self._sock.close()
            raise
        self._watch.tls_done(encrypted)
        return encrypted

    # --- what the client calls ------------------------------------------------------------------------------------

    def gettimeout(self) -> float:
        return 1.0  # the client asks whether to block

    def recv(self, size: int) -> bytes:
        while not (data := self._held.read(size)):
            self._held = io.BytesIO(self._upgraded() if not self.answer.status else self._read())
        return data

    def send(self, data: bytes) -> int:
        watch = self._watch
        if watch.phase == "turn":
            watch.sending(len(data))
        elif not self.answer.status:
            data = data.decode().encode("latin-1", "replace")  # headers, as the load lane and HTTP send them
        try:
            self._sock.settimeout(watch.left_s() if watch.phase != "idle" else 1.0)
            self._sock.sendall(data)
        except TimeoutError as exc:
            raise (_not_taken() if watch.phase == "idle" else watch.timed_out()) from exc
        except OSError as exc:
            raise self._broken(exc) from exc
        return len(data)

    def close(self) -> None:
        self._sock.close()

    @property
    def round_trip_ns(self) -> int:
        """The shortest round trip measured by the kernel, 0 if unknown."""
        return round_trip_ns(self._sock)

    # --- reading ----------------------------------------------------------------------------------------------------

    def _upgraded(self) -> bytes:
        """The head of a 101, and the bytes after it. Raises Dry for any other answer."""
        try:
            while not self.answer.feed(self._read()):
                pass
        except TurnError:
            if not self.answer.status:
                raise
        if self.answer.status != 101:
            raise Dry
        return self.answer.head + self.answer.rest

    def _read(self) -> bytes:
        watch = self._watch
        self.before_read()
        self._wait_with_beats()
        try:
            if watch.phase == "idle" and (time.monotonic() > watch.idle_until or not self._readable()):
                raise Dry
            self._sock.settimeout(watch.left_s() if watch.phase != "idle" else 1.0)
            data = self._sock.recv(READ_BYTES)
        except TimeoutError as exc:
            raise (Dry() if watch.phase == "idle" else watch.timed_out()) from exc
        except OSError as exc:
            raise self._broken(exc) from exc
        if not data and not self.answer.status:
            raise self.answer.ended(tls=isinstance(self._sock, ssl.SSLSocket))
        watch.received(len(data))
        return data

    def _wait_with_beats(self) -> None:
        """Until there is something to read, or the time for it is over."""
        while self.beats:
            left_s = min(beat() for beat in self.beats)
            if self._watch.phase == "idle" or self._readable(min(left_s, self._watch.left_s())):
                return

    def _broken(self, exc: OSError) -> TurnError:
        tls = isinstance(self._sock, ssl.SSLSocket)
        return stream_failure(exc, advice="" if self.answer.begun else unanswered_advice(tls=tls))

    def _readable(self, within_s: float = 0) -> bool:
        if isinstance(self._sock, ssl.SSLSocket) and self._sock.pending():
            return True
        return bool(select.select([self._sock], [], [], within_s)[0])


def _not_taken() -> BrokenTransport:
    return BrokenTransport("connection_closed", "the target does not take what it is sent")


def keep(over: threading.Event, every_s: float, lock: threading.RLock, drain: Callable[[], None]) -> None:
    """For a thread beside a connection between two turns: `drain` it, which answers pings, until `over`."""
    while not over.wait(every_s):
        if lock.acquire(blocking=False):
            try:
                if not over.is_set():
                    drain()
            finally:
                lock.release()
