"""A TCP or TLS connection whose reads carry the time at which the kernel received them."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from typing import Any, ClassVar, Protocol

from connectors.network.tcp_info import round_trip_ns
from connectors.wire.transport.batch_reader import batch_reader
from connectors.wire.transport.clock import ArrivalClock

READ_BYTES = 64 * 1024
ANCILLARY_BYTES = 64


class Receiver(Protocol):
    """Reader of the stream. The event loop makes both calls, never from inside one of the reader's own calls."""

    def data_received(self, ns: int, data: bytes) -> None:
        """Bytes that arrived at `ns` (monotonic)."""

    def stream_closed(self, ns: int, error: OSError | None) -> None:
        """The peer ended the stream (None) or it broke. Comes once; nothing follows."""


def _nobody(_ns: int, _what: Any) -> None:
    """Receives data before `start`, which does not occur."""


class StampedStream:
    """Non-blocking socket, read by the loop; TLS runs over memory buffers on the same socket."""

    is_tls: ClassVar[bool] = False

    __slots__ = (
        "_alone",
        "_arrival",
        "_closed",
        "_deliver",
        "_fd",
        "_loop",
        "_read_bytes",
        "_reader",
        "_recvmsg",
        "_sock",
        "_unsent",
        "early",
        "open",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: ArrivalClock, sock: socket.socket) -> None:
        self._loop = loop
        self._arrival = clock.arrival
        self._reader = batch_reader(loop, clock.reads)
        self._read_bytes = READ_BYTES
        self._alone = False
        self._sock = sock
        self._recvmsg = sock.recvmsg
        self._fd = sock.fileno()
        self._deliver: Callable[[int, bytes], None] = _nobody
        self._closed: Callable[[int, OSError | None], None] = _nobody
        self._unsent = bytearray()
        self.open = True
        self.early = b""
        """What the peer said before `start`, if it speaks first, as over HTTP/2."""

    def start(self, receiver: Receiver) -> None:
        """Begin to read."""
        self.hand_over(receiver)
        if self.early:
            self._loop.call_soon(self._deliver_early, time.monotonic_ns())
        else:
            self._reader.add(self._fd, self._readable, alone=self._alone)

    def read_alone(self) -> None:
        """Before `start`: it carries many answers, so that no read may wait for those of other connections."""
        self._alone = True

    def read_at_most(self, most_bytes: int) -> None:
        """By one read, from now on."""
        self._read_bytes = most_bytes

    def _deliver_early(self, ns: int) -> None:
        """Before anything is read: the loop may look at its sockets before it makes this call."""
        if self.open:
            early, self.early = self.early, b""
            self._reader.add(self._fd, self._readable, alone=self._alone)
            self._deliver(ns, early)

    def hand_over(self, receiver: Receiver) -> None:
        """From now on `receiver` is called. May be called from within `data_received` of the previous one."""
        self._deliver = receiver.data_received
        self._closed = receiver.stream_closed

    def write(self, data: bytes) -> None:
        """Send what the kernel accepts immediately, the rest later. Errors are reported by `stream_closed`."""
        if not self.open:
            return
        if self._unsent:
            self._unsent += data
            return
        try:
            size = self._sock.send(data)
        except (BlockingIOError, InterruptedError):
            size = 0
        except OSError as exc:
            self._loop.call_soon(self._lost, exc)
            return
        if size < len(data):
            self._unsent += data[size:]
            self._loop.add_writer(self._fd, self._writable)

    @property
    def alpn(self) -> str | None:
        """The protocol that TLS agreed on."""
        return None

    @property
    def is_behind(self) -> bool:
        """Whether the peer has not taken yet what was written."""
        return bool(self._unsent)

    @property
    def round_trip_ns(self) -> int:
        """The shortest round trip measured by the kernel, 0 if unknown."""
        return round_trip_ns(self._sock)

    def close(self) -> None:
        """Close without notice to the receiver."""
        if not self.open:
            return
        self.open = False
        self._reader.remove(self._fd)
        self._loop.remove_writer(self._fd)
        self._sock.close()

    def _writable(self) -> None:
        try:
            size = self._sock.send(self._unsent)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as exc:
            self._lost(exc)
            return
        del self._unsent[:size]
        if not self._unsent:
            self._loop.remove_writer(self._fd)

    def _readable(self) -> None:
        recvmsg, arrival, deliver = self._recvmsg, self._arrival, self._deliver  # as in `Timeline.event`
        try:
            data, ancillary, _flags, _address = recvmsg(self._read_bytes, ANCILLARY_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as exc:
            self._lost(exc)
            return
        now = time.monotonic_ns()
        if data:
            deliver(arrival(ancillary, now), data)
        else:
            self._lost(None)

    def _lost(self, error: OSError | None) -> None:
        if self.open:
            self.close()
            self._closed(time.monotonic_ns(), error)
