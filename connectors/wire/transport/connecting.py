"""How a stamped connection is made: to one of several addresses, through a proxy's tunnel, with TLS."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import ssl
import time
from collections.abc import Sequence

from connectors.http.proxy import STEP, Tunnel
from connectors.network.failures import connect_failure, tls_failure
from connectors.network.tcp_info import kernel_connect_ns
from connectors.security.guard import Address
from connectors.wire.transport.addresses import ROTA
from connectors.wire.transport.clock import ArrivalClock, stamp_reads
from connectors.wire.transport.sources import bind_source
from connectors.wire.transport.stream import READ_BYTES, StampedStream
from connectors.wire.transport.tls_stream import TlsStream

OURS = frozenset({errno.EADDRNOTAVAIL, errno.EMFILE, errno.ENFILE, errno.ENOBUFS})
"""What a connection can fail of that is not the address's fault."""
TRY_S = 3.0
"""How long one address of several may be silent before the next one is tried."""


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
        stream = StampedStream(loop, clock, sock)
        stream.early = b"" if tunnel is None else tunnel.rest
        return stream
    encrypted = await _tls_stream(loop, clock, sock, tls, server_name)
    steps["tls"] = time.monotonic_ns() - connected
    return encrypted


async def _open_tunnel(loop: asyncio.AbstractEventLoop, sock: socket.socket, tunnel: Tunnel) -> None:
    try:
        await loop.sock_sendall(sock, tunnel.request)
        while not tunnel.feed(await loop.sock_recv(sock, READ_BYTES)):
            if more := tunnel.take():
                await loop.sock_sendall(sock, more)
    except BaseException as exc:
        sock.close()
        if isinstance(exc, OSError):
            tunnel.broken(exc)
        raise


async def _connect(loop: asyncio.AbstractEventLoop, addresses: Sequence[Address]) -> socket.socket:
    failure = OSError(errno.EHOSTUNREACH, "no address to dial")
    order = ROTA.order(addresses)
    for place, address in enumerate(order, start=1):
        sock = socket.socket(address.family, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            if address.family != socket.AF_UNIX:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                bind_source(sock)
            stamp_reads(sock)
            if place < len(order):
                async with asyncio.timeout(TRY_S):
                    await loop.sock_connect(sock, address.target)
            else:  # the last one may take what is left of the caller's time
                await loop.sock_connect(sock, address.target)
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
