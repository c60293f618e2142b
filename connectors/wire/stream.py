"""A TCP or TLS connection whose reads carry the time at which the kernel received them."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import ssl
import struct
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Literal, NamedTuple, Protocol

from connectors.errors import BrokenTransport, ConnectFailed, TimedOut, TurnError
from connectors.guard import Address
from connectors.proxy import STEP, TunnelAnswer
from connectors.wire.addresses import ROTA
from connectors.wire.clock import ArrivalClock, stamp_reads
from connectors.wire.gather import gatherer
from connectors.wire.sources import bind_source

_TCP_INFO_BYTES = 104
_TCPI_RTT = struct.Struct("I")
READ_BYTES = 64 * 1024
NO_TLS_ADVICE = "check that the port speaks TLS (https or http?)"
OUR_CERTIFICATE = "give the target tls.cert_file and tls.key_file, a certificate that it accepts (mTLS)"
OF_CERTIFICATES = (
    "CERTIFICATE_REQUIRED", "ALERT_UNKNOWN_CA", "ALERT_BAD_CERTIFICATE", "ALERT_CERTIFICATE", "ACCESS_DENIED",
)  # fmt: skip
TLS_SIGNS = (
    ("CERTIFICATE_REQUIRED", "the target asks for a certificate of ours", OUR_CERTIFICATE),
    *((sign, "the target does not accept our certificate", OUR_CERTIFICATE) for sign in OF_CERTIFICATES[1:]),
    (
        "HANDSHAKE_FAILURE", "the target refused the handshake",
        "it may ask for a certificate of ours (tls.cert_file, tls.key_file), or shares no cipher with us",
    ),
    ("NO_APPLICATION_PROTOCOL", "the target speaks HTTP/2 alone", "switch HTTP/1.1 on in the target or its proxy"),
    ("UNRECOGNIZED_NAME", "the target knows no site of this name", "check the host name in the URL"),
    *(
        (sign, "we share no version of TLS with the target", "switch TLS 1.2 or 1.3 on in the target")
        for sign in ("PROTOCOL_VERSION", "UNSUPPORTED_PROTOCOL")
    ),
    *(
        (sign, "what came back is not TLS", NO_TLS_ADVICE)
        for sign in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG")
    ),
)  # fmt: skip
"""What a reason of OpenSSL's means (a part of it, the meaning, what to do); the first counts."""
OURS = frozenset({errno.EADDRNOTAVAIL, errno.EMFILE, errno.ENFILE, errno.ENOBUFS})
"""What a connection can fail of that is not the address's fault."""
TRY_S = 3.0
"""How long one address of several may be silent before the next one is tried."""
ANCILLARY_BYTES = 64


class Receiver(Protocol):
    """What reads the stream. Both calls come from the event loop, never inside one of its own calls."""

    def data_received(self, ns: int, data: bytes) -> None:
        """Bytes that arrived at `ns` (monotonic)."""

    def stream_closed(self, ns: int, error: OSError | None) -> None:
        """The peer ended the stream (None) or it broke. Comes once; nothing follows."""


def _nobody(_ns: int, _what: Any) -> None:
    """Receives what comes before `start`: nothing does."""


_RTT_BYTES = 152
_MIN_RTT_AT = 148
"""Where Linux's struct tcp_info has tcpi_min_rtt (microseconds)."""
_RTT_UNKNOWN = 0xFFFFFFFF


def round_trip_ns(sock: socket.socket) -> int:
    """The shortest round trip of a TCP connection by the kernel's own measurement; 0 where it does not say.

    A tenth is taken off: nothing that comes sooner after a message than that can be an answer to it.
    """
    try:
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _RTT_BYTES)
    except (OSError, AttributeError):
        return 0
    if len(info) < _RTT_BYTES:
        return 0
    micros = int.from_bytes(info[_MIN_RTT_AT:], sys.byteorder)
    return 0 if micros == _RTT_UNKNOWN else micros * 900


class StampedStream:
    """Non-blocking socket, read by the loop; TLS runs over memory buffers on the same socket."""

    is_tls: ClassVar[bool] = False

    __slots__ = ("_arrival", "_closed", "_deliver", "_fd", "_gatherer", "_loop", "_recvmsg", "_sock", "_unsent", "open")

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: ArrivalClock, sock: socket.socket) -> None:
        self._loop = loop
        self._arrival = clock.arrival
        self._gatherer = gatherer(loop, clock.reads)
        self._sock = sock
        self._recvmsg = sock.recvmsg
        self._fd = sock.fileno()
        self._deliver: Callable[[int, bytes], None] = _nobody
        self._closed: Callable[[int, OSError | None], None] = _nobody
        self._unsent = bytearray()
        self.open = True

    def start(self, receiver: Receiver) -> None:
        """Begin to read."""
        self.hand_over(receiver)
        self._gatherer.add(self._fd, self._readable)

    def hand_over(self, receiver: Receiver) -> None:
        """From now on `receiver` is called. May be called from within `data_received` of the one before."""
        self._deliver = receiver.data_received
        self._closed = receiver.stream_closed

    def write(self, data: bytes) -> None:
        """Send at once what the kernel takes; the rest follows when it can. Errors come by `stream_closed`."""
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
    def round_trip_ns(self) -> int:
        """The shortest that the kernel measured, 0 if it does not say."""
        return round_trip_ns(self._sock)

    def close(self) -> None:
        """Close without notice to the receiver."""
        if not self.open:
            return
        self.open = False
        self._gatherer.remove(self._fd)
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
        try:
            data, ancillary, _flags, _address = self._recvmsg(READ_BYTES, ANCILLARY_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as exc:
            self._lost(exc)
            return
        now = time.monotonic_ns()
        if data:
            self._deliver(self._arrival(ancillary, now), data)
        else:
            self._lost(None)

    def _lost(self, error: OSError | None) -> None:
        if self.open:
            self.close()
            self._closed(time.monotonic_ns(), error)


class TlsStream(StampedStream):
    """TLS over `ssl.MemoryBIO`: a decrypted piece has the stamp of the read that completed it."""

    is_tls = True

    __slots__ = ("_deliver_plain", "_incoming", "_outgoing", "_tls")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        clock: ArrivalClock,
        sock: socket.socket,
        context: ssl.SSLContext,
        server_name: str,
    ) -> None:
        super().__init__(loop, clock, sock)
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_name)

    async def handshake(self) -> None:
        """Raises ssl.SSLError, OSError or ConnectionError."""
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._flush_handshake()
                data = await self._loop.sock_recv(self._sock, READ_BYTES)
                if not data:
                    raise ConnectionResetError(errno.ECONNRESET, "the peer closed during the TLS handshake") from None
                self._incoming.write(data)
            else:
                await self._flush_handshake()
                return

    async def _flush_handshake(self) -> None:
        if data := self._outgoing.read():
            await self._loop.sock_sendall(self._sock, data)

    def start(self, receiver: Receiver) -> None:
        super().start(receiver)
        # Bytes that came with the handshake's last flight are decrypted now, or nobody would ask for them.
        self._loop.call_soon(self._drain, time.monotonic_ns())

    def hand_over(self, receiver: Receiver) -> None:
        super().hand_over(receiver)
        self._deliver = self._decrypt
        self._deliver_plain = receiver.data_received

    def write(self, data: bytes) -> None:
        if self.open:
            self._tls.write(data)
            super().write(self._outgoing.read())

    def _decrypt(self, ns: int, data: bytes) -> None:
        self._incoming.write(data)
        self._drain(ns)

    def _drain(self, ns: int) -> None:
        while self.open:
            try:
                data = self._tls.read(READ_BYTES)
            except ssl.SSLWantReadError:
                break
            except ssl.SSLError as exc:
                self._lost(None if isinstance(exc, ssl.SSLZeroReturnError) else _broken(exc))
                return
            if not data:
                self._lost(None)
                return
            self._deliver_plain(ns, data)
        if self.open and (answer := self._outgoing.read()):
            super().write(answer)


def _broken(exc: ssl.SSLError) -> OSError:
    error = OSError(errno.EPROTO, str(exc))
    error.__cause__ = exc
    return error


async def open_stream(
    addresses: Sequence[Address],
    clock: ArrivalClock,
    steps: dict[str, int],
    *,
    tls: ssl.SSLContext | None,
    server_name: str,
    tunnel: Tunnel | None = None,
) -> StampedStream:
    """Connect to one of `addresses`: they take turns, and one that does not answer leaves it to the next. The caller
    sets the time limit.

    How long its steps took in ns (`connect`, and `proxy` and `tls` if there is one) is put into `steps` as they are
    done. With `tunnel`, `addresses` are a proxy's.
    Raises ConnectFailed (`connect_refused`, `connect_unreachable`, `tls_failed`).
    """
    loop = asyncio.get_running_loop()
    began = time.monotonic_ns()
    sock = await _connect(loop, addresses)
    connected = time.monotonic_ns()
    steps["connect"] = kernel_connect_ns(sock) or connected - began
    if tunnel is not None:
        await _open_tunnel(loop, sock, tunnel)
        steps[STEP] = time.monotonic_ns() - connected
        connected = time.monotonic_ns()
    if tls is None:
        return StampedStream(loop, clock, sock)
    stream = await _tls_stream(loop, clock, sock, tls, server_name)
    steps["tls"] = time.monotonic_ns() - connected
    return stream


class Tunnel(NamedTuple):
    """What to say to a proxy, and who reads its answer."""

    request: bytes
    answer: TunnelAnswer


async def _open_tunnel(loop: asyncio.AbstractEventLoop, sock: socket.socket, tunnel: Tunnel) -> None:
    try:
        await loop.sock_sendall(sock, tunnel.request)
        while not tunnel.answer.feed(await loop.sock_recv(sock, READ_BYTES)):
            pass
    except BaseException as exc:
        sock.close()
        if isinstance(exc, OSError):
            tunnel.answer.broken(exc)
        raise


async def _connect(loop: asyncio.AbstractEventLoop, addresses: Sequence[Address]) -> socket.socket:
    failure = OSError(errno.EHOSTUNREACH, "no address to dial")
    order = ROTA.order(addresses)
    for place, address in enumerate(order, start=1):
        sock = socket.socket(address.family, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            stamp_reads(sock)
            bind_source(sock)
            # The last one may take what is left of the caller's time.
            async with asyncio.timeout(TRY_S if place < len(order) else None):
                await loop.sock_connect(sock, address.sockaddr)
        except OSError as exc:
            sock.close()
            if exc.errno not in OURS:
                ROTA.failed(address)
            failure = exc
        except BaseException:
            sock.close()
            raise
        else:
            ROTA.answered(address)
            return sock
    raise connect_failure(failure) from failure


def kernel_connect_ns(sock: socket.socket) -> int | None:
    """How long the TCP handshake took by the kernel's own clock, right after it; None where it does not say, or if
    packets were lost. A busy event loop notices a connection late, and must not count that as the target's time."""
    try:
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
    except (OSError, AttributeError):
        return None
    if len(info) < _TCP_INFO_BYTES:
        return None
    rtt_us, retransmissions = _TCPI_RTT.unpack_from(info, 68)[0], _TCPI_RTT.unpack_from(info, 100)[0]
    return rtt_us * 1000 if rtt_us and not retransmissions else None


async def _tls_stream(
    loop: asyncio.AbstractEventLoop, clock: ArrivalClock, sock: socket.socket, context: ssl.SSLContext, server_name: str
) -> TlsStream:
    try:
        stream = TlsStream(loop, clock, sock, context, server_name)
        await stream.handshake()
    except (ssl.SSLError, OSError, ValueError) as exc:
        sock.close()
        raise tls_failure(exc) from exc
    except BaseException:
        with contextlib.suppress(OSError):
            sock.close()
        raise
    return stream


def connect_failure(exc: OSError) -> ConnectFailed:
    """What an operating system's refusal means; both lanes call it."""
    if exc.errno == errno.ECONNREFUSED:
        return ConnectFailed("connect_refused", "nobody listens there", "start the target, or check host and port")
    if exc.errno == errno.EADDRNOTAVAIL:
        advice = "more TOKENBURN_SOURCE_ADDRESSES, a wider net.ipv4.ip_local_port_range, or more machines"
        return ConnectFailed("local_resources", "no port of this host is left for connections to that address", advice)
    if exc.errno in {errno.EMFILE, errno.ENFILE, errno.ENOBUFS}:
        return ConnectFailed("local_resources", str(exc), "raise `ulimit -n`, or use fewer users per machine")
    return ConnectFailed("connect_unreachable", exc.strerror or str(exc), "check the host, the network and firewalls")


def tls_failure(exc: Exception) -> ConnectFailed:
    """What a failed TLS handshake means; both lanes call it."""
    if isinstance(exc, ssl.SSLCertVerificationError):
        advice = "check the host name, or give the target its CA file (tls.ca_file)"
        return ConnectFailed("tls_failed", f"certificate: {exc.verify_message}", advice)
    if isinstance(exc, ssl.SSLError):
        for sign, what, advice in TLS_SIGNS:
            if sign in (exc.reason or ""):
                return ConnectFailed("tls_failed", f"{what} ({(exc.reason or '').lower().replace('_', ' ')})", advice)
    return ConnectFailed("tls_failed", str(exc), NO_TLS_ADVICE)


def stream_failure(exc: OSError, bytes_in: int | None = None, advice: str = "") -> TurnError:
    """What broke a connection that stood, after so many bytes of an answer; both lanes call it. A target that wants a
    certificate says so behind the handshake (TLS 1.3)."""
    cause = exc.__cause__ if isinstance(exc.__cause__, ssl.SSLError) else exc
    if isinstance(cause, ssl.SSLError) and any(sign in (cause.reason or "") for sign in OF_CERTIFICATES):
        return tls_failure(cause)
    after = "" if bytes_in is None else f" after {bytes_in} bytes"
    return BrokenTransport("connection_reset", f"{exc.strerror or exc}{after}", advice)


Stage = Literal["connect", "proxy", "tls"]


def connect_timeout(host: str, limit_s: float, stage: Stage) -> TimedOut:
    """No connection in time; both lanes call it. `stage`: what was not answered."""
    if stage == "proxy":
        what = f"the proxy made no connection to {host} within {limit_s:g} s"
        return TimedOut("connect_timeout", what, "check that the proxy reaches the target's host and port")
    if stage == "tls":
        what = f"{host} took the connection, and did not answer in TLS within {limit_s:g} s"
        return TimedOut("connect_timeout", what, NO_TLS_ADVICE)
    what = f"no connection to {host} within {limit_s:g} s"
    return TimedOut("connect_timeout", what, "check host and port, the network and firewalls, and the target's load")
