"""What httpcore's HTTP/2 reads from and writes to, and what it is made to do beside its own."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import httpcore
from h2.events import ResponseReceived

from connectors.errors import BrokenTransport, NotProcessed
from connectors.http.http2_codes import SETTINGS, bad_status, no_stream, stream_wait_s, unavailable
from connectors.network.failures import stream_failure
from connectors.reference.transport.deadlines import DeadlineTracker
from connectors.reference.transport.http2_frames import FrameFilter

READ_BYTES: Final = 64 * 1024


def _left_s(due_ns: int) -> float:
    """Raises TimeoutError when nothing is left: 0 would mean "do not block"."""
    if (left_ns := due_ns - time.monotonic_ns()) <= 0:
        raise TimeoutError
    return left_ns / 1e9


class Http2Client(httpcore.HTTP2Connection):
    """httpcore's, which greets the target before its first request, and takes an answer with one status only."""

    def greet(self, origin: httpcore.Origin) -> None:
        super()._send_connection_init(httpcore.Request("GET", httpcore.URL(scheme=origin.scheme, host=origin.host)))

    def _send_connection_init(self, request: httpcore.Request) -> None:
        """It was sent by `greet`."""

    def _receive_stream_event(self, request: httpcore.Request, stream_id: int) -> Any:
        event = super()._receive_stream_event(request, stream_id)
        if isinstance(event, ResponseReceived):
            statuses = [bytes(value) for name, value in event.headers if name == b":status"]
            if (wrong := bad_status(b", ".join(statuses))) is not None:
                raise wrong
        return event


class WatchedNetwork(httpcore.NetworkStream):
    """What httpcore reads from and writes to. What comes is an answer's when its headers, or a piece of it, are whole:
    settings and pings are no first byte, and keep no answer alive."""

    def __init__(self, sock: socket.socket, watch: DeadlineTracker) -> None:
        self._sock = sock
        self._watch = watch
        self._unanswered = 0
        self._frames = FrameFilter(watch.header_limit)
        self._held = b""
        """Frames that came before the library asked for any."""
        self._greeted = self._has_read = False
        self._write_error: OSError | None = None

    @property
    def is_leaving(self) -> bool:
        """Whether the target takes no more requests on it."""
        return self._frames.is_leaving

    def wait_for_settings(self) -> None:
        """As the load lane does before the first request. Raises TurnError."""
        self._greeted = True
        began_ns = time.monotonic_ns()
        frames, early = self._frames, self._watch.early
        while frames.allowed is None:
            try:
                frames.check()
                data = early or self._receive(self._watch.connect_left_s)
                early = b""
                self._held += frames.feed(time.monotonic_ns(), data)
            except TimeoutError as exc:
                raise self._watch.settings_timeout() from exc
            except OSError as exc:
                raise stream_failure(exc) from exc
            except BrokenTransport as exc:
                raise unavailable(exc.detail) from exc
            if not data:
                raise unavailable("the target closed before it had shown its settings")
            if frames.is_leaving and frames.allowed is None:
                raise unavailable("it said goodbye before it had shown its settings")
        self._watch.handshake_ns[SETTINGS] = time.monotonic_ns() - began_ns

    def wait_for_stream(self) -> None:
        """While the target allows none at all. Raises TurnError."""
        if not self._frames.allows_none():
            return
        timeouts, began_ns = self._watch.timeouts, time.monotonic_ns()
        due_ns = began_ns + int(stream_wait_s(timeouts) * 1e9)
        while self._frames.allows_none():
            self._frames.check()
            try:
                data = self._receive(partial(_left_s, due_ns))
            except TimeoutError as exc:
                raise no_stream(timeouts, 0) from exc
            except OSError as exc:
                raise stream_failure(exc) from exc
            if not data or self._frames.is_leaving:
                raise NotProcessed("the target left the request unread")
            self._held += self._frames.feed(time.monotonic_ns(), data)
        self._watch.waited_for_stream(time.monotonic_ns() - began_ns)

    def begin(self, stream: int) -> None:
        """The request with this number follows."""
        self._unanswered = 0
        self._has_read = False
        self._frames.stream = stream

    def answered(self) -> None:
        """Headers, or a piece of the body, have come."""
        if self._unanswered:
            self._watch.received(self._unanswered)
            self._unanswered = 0
        self._watch.enter("body")

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        watch = self._watch
        self._has_read = True
        held, self._held = self._held, b""
        while not held:
            self._frames.check()
            try:
                data = self._receive(watch.left_s, max_bytes)
            except TimeoutError as exc:
                raise watch.timed_out() from exc
            except OSError as exc:
                watch.judge_reused("reset")
                raise stream_failure(exc, watch.bytes_in, watch.unanswered_advice()) from exc
            self._unanswered += len(data)
            if not data:
                if self._write_error is not None and watch.section == "head":
                    watch.judge_reused("reset")
                    raise stream_failure(self._write_error, watch.bytes_in, watch.unanswered_advice())
                watch.received(0)  # the end
                return data
            held = self._frames.feed(time.monotonic_ns(), data)
        return held

    def _receive(self, left_s: Callable[[], float], max_bytes: int = READ_BYTES) -> bytes:
        self._sock.settimeout(left_s())
        return self._sock.recv(max_bytes)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        watch = self._watch
        if not self._greeted:
            self._greet(buffer)
            return
        if watch.section == "head":
            watch.sending(len(buffer))
        try:
            self._sock.settimeout(watch.left_s())
            self._sock.sendall(buffer)
        except TimeoutError as exc:
            raise watch.timed_out() from exc
        except OSError as exc:
            if self._has_read:
                self._write_error = exc
                return  # windows and the like: the next read says what is the matter
            watch.judge_reused("reset")
            raise stream_failure(exc, watch.bytes_in, watch.unanswered_advice()) from exc

    def _greet(self, buffer: bytes) -> None:
        try:
            self._sock.settimeout(self._watch.connect_left_s())
            self._sock.sendall(buffer)
        except TimeoutError as exc:
            raise self._watch.settings_timeout() from exc
        except OSError as exc:
            raise stream_failure(exc) from exc

    def close(self) -> None:
        self._sock.close()

    def get_extra_info(self, info: str) -> Any:
        return None

    @property
    def is_open(self) -> bool:
        """Whether the peer has not closed. What it said meanwhile (a ping, a GOAWAY) is read with the next answer."""
        try:
            with socket.fromfd(self._sock.fileno(), self._sock.family, self._sock.type) as same:
                return bool(same.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
        except BlockingIOError:
            return True
        except (OSError, ValueError):
            return False
