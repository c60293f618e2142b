"""How a stamped connection is made: to one of several addresses, through a proxy's tunnel, with TLS."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import ssl
import time
from collections.abc import Callable, Sequence

from connectors.errors import ConnectFailed
from connectors.http.proxy import STEP, Proxy, Tunnel
from connectors.network.failures import connect_failure, tls_failure
from connectors.network.tcp_info import kernel_connect_ns
from connectors.security.guard import Address
from connectors.wire.transport.addresses import ROTA
from connectors.wire.transport.clock import ArrivalClock, stamp_reads
from connectors.wire.transport.sources import bind_source
from connectors.wire.transport.stream import READ_BYTES, StampedStream
from connectors.wire.transport.tls_stream import NestedTlsStream, TlsStream

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
    secure: Proxy | None = None,
) -> StampedStream:
    """Connect to one of `addresses`: they take turns, and one that does not answer leaves it to the next. The caller
    sets the time limit.

    How long its steps took in ns (`connect`, and `proxy` and `tls` if there is one) is put into `steps` as they are
    done. With `tunnel`, `addresses` are a proxy's, and with `secure`, those of this one, which speaks TLS.
    Raises ConnectFailed (`connect_refused`, `connect_unreachable`, `tls_failed`).
    """
    loop = asyncio.get_running_loop()
    began = time.monotonic_ns()
    sock = await _connect(loop, addresses)
    connected = time.monotonic_ns()
    steps["connect"] = kernel_connect_ns(sock) or connected - began
    outer = None if secure is None else await _secured(loop, clock, sock, secure)
    if tunnel is not None:
        await _open_tunnel(loop, sock, tunnel, outer)
    if tunnel is not None or outer is not None:
        steps[STEP] = time.monotonic_ns() - connected
        connected = time.monotonic_ns()
    if tls is None:
        stream = outer or StampedStream(loop, clock, sock)
        stream.early = b"" if tunnel is None else tunnel.rest
        return stream
    if outer is None:
        encrypted = await _shaken(sock, lambda: TlsStream(loop, clock, sock, tls, server_name), tls_failure)
    else:
        encrypted = await _shaken(sock, lambda: NestedTlsStream(loop, clock, outer, tls, server_name), tls_failure)
    steps["tls"] = time.monotonic_ns() - connected
    return encrypted


async def _secured(
    loop: asyncio.AbstractEventLoop, clock: ArrivalClock, sock: socket.socket, proxy: Proxy
) -> TlsStream:
    """TLS with the proxy itself."""
    return await _shaken(sock, lambda: TlsStream(loop, clock, sock, proxy.tls_context(), proxy.host), proxy.tls_failed)


async def _open_tunnel(
    loop: asyncio.AbstractEventLoop, sock: socket.socket, tunnel: Tunnel, outer: TlsStream | None
) -> None:
    try:
        more = tunnel.request
        while True:
            if more and outer is not None:
                await outer.say(more)
            elif more:
                await loop.sock_sendall(sock, more)
            heard = await (loop.sock_recv(sock, READ_BYTES) if outer is None else outer.hear())
            if tunnel.feed(heard):
                return
            more = tunnel.take()
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


async def _shaken(
    sock: socket.socket, make: Callable[[], TlsStream], understood: Callable[[Exception], ConnectFailed]
) -> TlsStream:
    """A stream of TLS on `sock`, its handshake done."""
    try:
        stream = make()
        await stream.handshake()
    except (ssl.SSLError, OSError, ValueError) as exc:
        sock.close()
        raise understood(exc) from exc
    except BaseException:
        with contextlib.suppress(OSError):
            sock.close()
        raise
    return stream
