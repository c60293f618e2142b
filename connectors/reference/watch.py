"""What a stock HTTP client does not do by itself: judged addresses, deadlines across reads, header limits, times.

A `Watch` belongs to one connector. The client's connections dial through it and read through it; so each wait for
the network is cut to the next deadline, however slowly a target drips, and each read's time reaches the Timeline.
"""

from __future__ import annotations

import contextlib
import io
import socket
import time
from collections.abc import Callable
from typing import Any, Final, Literal, TypeVar

from connectors import guard
from connectors.errors import BrokenTransport, ConnectFailed, ReusedClosed, TimedOut, TooLarge
from connectors.foreign import not_http, unanswered_advice
from connectors.mapping import CompiledTarget
from connectors.proxy import ANSWER_BYTES, STEP, Proxy, TunnelAnswer
from connectors.shaking import BODY_WAIT_S, REUSED_CLOSED_S
from connectors.timeline import Timeline
from connectors.wire.lenient import mended_line
from connectors.wire.stream import connect_failure, connect_timeout, stream_failure

T = TypeVar("T")
FIRST_BYTES: Final = 64
REUSED_CLOSED_NS: Final = int(REUSED_CLOSED_S * 1e9)


class GraceOver(Exception):
    """The answer was complete, and its transport did not end in time; or the timeline is to be looked at. Not an error
    of the turn."""


class Watch:
    """`section` says what the client reads now: it decides what an end of the stream, or too much of it, means."""

    _timeline: Timeline  # from `begin` on
    sock: socket.socket | None = None
    """What was dialled last."""

    def __init__(self, target: CompiledTarget, *, allow_private: guard.AllowPrivate) -> None:
        self._target = target
        self._allow_private = allow_private
        self._limits = target.spec.limits
        self._timeouts = target.spec.timeouts
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
    def bytes_in(self) -> int:
        return self._timeline.bytes_in

    def shut(self) -> None:
        """From another thread: whoever waits for the peer waits no longer."""
        if self.sock is not None:
            with contextlib.suppress(OSError):  # it is closed already
                self.sock.shutdown(socket.SHUT_RDWR)

    # --- connecting -----------------------------------------------------------------------------------------

    def dial(self, *, lasting: bool = False) -> socket.socket:
        """Connect to the first judged address that answers. `lasting`: it will not carry HTTP requests, so that a proxy
        must make a tunnel. Raises ConnectFailed, or TimedOut (connect_timeout)."""
        target = self._target
        limit_s = self._timeouts.connect
        self._turns = self.dialled_ns = 0
        self.handshake_ns = {}
        began_ns = time.monotonic_ns()
        self._connect_due_ns = began_ns + int(limit_s * 1e9)
        proxy = target.proxy
        if proxy is None:
            addresses = guard.resolve(target.host, target.port, self._allow_private, limit_s)
        else:
            if guard.is_judged_behind_proxy(target.host, self._allow_private):
                guard.resolve(target.host, target.port, self._allow_private, limit_s)
            addresses = self._of_proxy(
                proxy, lambda: guard.resolve(proxy.host, proxy.port, self._allow_private, limit_s)
            )
        resolved_ns = time.monotonic_ns()
        sock = self.sock = self._of_proxy(proxy, lambda: self._first_that_answers(addresses))
        self.dialled_ns = time.monotonic_ns()
        self.handshake_ns = {"resolve": resolved_ns - began_ns, "connect": self.dialled_ns - resolved_ns}
        if proxy is not None and (target.tls or lasting):
            self._open_tunnel(sock, proxy)
        return sock

    def _of_proxy(self, proxy: Proxy | None, step: Callable[[], T]) -> T:
        try:
            return step()
        except ConnectFailed as exc:
            raise exc if proxy is None else proxy.failed(exc) from exc

    def _open_tunnel(self, sock: socket.socket, proxy: Proxy) -> None:
        answer = TunnelAnswer(proxy)
        try:
            sock.sendall(proxy.tunnel_request(self._target.host, self._target.port))
            while True:
                sock.settimeout(self.connect_left_s())
                if answer.feed(sock.recv(ANSWER_BYTES)):
                    break
        except TimeoutError as exc:
            sock.close()
            raise connect_timeout(self._target.host, self._timeouts.connect, "proxy") from exc
        except OSError as exc:
            sock.close()
            answer.broken(exc)
        except ConnectFailed:
            sock.close()
            raise
        self.handshake_ns[STEP] = time.monotonic_ns() - self.dialled_ns
        self.dialled_ns = time.monotonic_ns()
        sock.settimeout(self.connect_left_s())

    def tls_done(self, encrypted: socket.socket) -> None:
        self.sock = encrypted
        self.handshake_ns["tls"] = time.monotonic_ns() - self.dialled_ns

    def _first_that_answers(self, addresses: list[guard.Address]) -> socket.socket:
        failure = OSError("no address")
        for family, address in addresses:
            sock = socket.socket(family, socket.SOCK_STREAM)
            try:
                sock.settimeout(self.connect_left_s())
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sock.connect(address)
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

    def connect_timeout(self) -> TimedOut:
        waits_for_tls = self.dialled_ns > 0 and self._target.tls and "tls" not in self.handshake_ns
        return connect_timeout(self._target.host, self._timeouts.connect, "tls" if waits_for_tls else "connect")

    # --- a turn ---------------------------------------------------------------------------------------------

    def sending(self, size: int) -> None:
        """`size` bytes of the request are about to be written."""
        if self._sent_ns:
            self._timeline.bytes_out += size
            return
        self._sent_ns = self.last_ns = time.monotonic_ns()
        self._timeline.sent(self._sent_ns, size)

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
        seconds: float = getattr(self._timeouts, code.removesuffix("_timeout"))
        return TimedOut(code, f"{seconds:g} s passed; {self.bytes_in} bytes had come{self._timeline.lacking()}")

    def _deadline(self) -> tuple[int, str]:
        timeouts = self._timeouts
        timeline = self._timeline
        if timeline.done_ns is not None:
            return timeline.done_ns + int(BODY_WAIT_S * 1e9), "done"
        began_ns = self._sent_ns if timeline.sent_ns is None else timeline.sent_ns
        total = (began_ns + int(timeouts.total * 1e9), "total_timeout")
        if timeline.first_byte_ns is None:
            due = min(total, (self._sent_ns + int(timeouts.first_byte * 1e9), "first_byte_timeout"))
        else:
            due = min(total, (self.last_ns + int(timeouts.idle * 1e9), "idle_timeout"))
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
        return unanswered_advice(tls=self._target.tls) if first else ""

    def judge_reused(self, how: str) -> None:
        """The connection is `how`. Raises ReusedClosed if it was a kept one, and that came as the request was sent."""
        soon = time.monotonic_ns() - self._sent_ns < REUSED_CLOSED_NS
        if self._turns > 1 and soon and self._timeline.first_byte_ns is None:
            raise ReusedClosed(how)

    def look_at(self, read: bytes) -> None:
        """Before `received`. Raises BrokenTransport if an answer begins with what is known not to be HTTP: a client
        would wait for the end of its first line."""
        if self._timeline.first_byte_ns is None and (found := not_http(read)):
            raise BrokenTransport("http_malformed", *found)

    def check_section(self) -> None:
        """Before each read. Raises TooLarge while a head or trailer has no end."""
        if self.section != "body" and self._section_bytes > self._limits.header_bytes:
            limit = self._limits.header_bytes
            raise TooLarge("header_too_large", f"no end of the headers within {limit} bytes")


class WatchedReader(io.RawIOBase):
    """A socket as the raw file below the client's buffered one. Holds the socket open as `makefile` does."""

    def __init__(self, sock: socket.socket, watch: Watch) -> None:
        self._sock = sock
        self._held = sock.makefile("rb", 0)
        self._watch = watch
        self.silent = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self.silent:
            return None
        watch = self._watch
        watch.check_section()
        try:
            self._sock.settimeout(watch.left_s())
            size = self._sock.recv_into(buffer)
        except TimeoutError as exc:
            raise watch.timed_out() from exc
        except OSError as exc:
            watch.judge_reused("reset")
            raise stream_failure(exc, watch.bytes_in, watch.unanswered_advice()) from exc
        watch.look_at(bytes(buffer[: min(size, FIRST_BYTES)]))
        watch.received(size)
        return size

    def close(self) -> None:
        self._held.close()
        super().close()


class WatchedFile(io.BufferedReader):
    """What the client reads from. Bytes left in it when an answer is whole belong to no answer."""

    def __init__(self, sock: socket.socket, watch: Watch) -> None:
        self._reader = WatchedReader(sock, watch)
        self._watch = watch
        super().__init__(self._reader)

    def readline(self, size: int | None = -1, /) -> bytes:
        line = super().readline(size)
        return mended_line(line) if self._watch.section == "head" else line

    def close(self) -> None:
        if not self.closed:
            self._reader.silent = True
            self._watch.unread = bool(self.peek(1))
        super().close()
