"""How the load lane connects to an endpoint: it resolves and judges its addresses, and dials one of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping

from connectors.errors import ConnectFailed
from connectors.http.endpoint import Endpoint
from connectors.http.proxy import STEP, Tunnel
from connectors.network.failures import Stage, connect_timeout
from connectors.security import guard
from connectors.security.guard import Address, AllowPrivate
from connectors.security.tls import tls_context
from connectors.wire.transport.clock import arrival_clock
from connectors.wire.transport.connecting import open_stream
from connectors.wire.transport.dialling import dialling
from connectors.wire.transport.stream import StampedStream

NoteStep = Callable[[str, int], None]
"""Callback for each connection step: name and duration (ns)."""


async def dial(
    endpoint: Endpoint, note_step: NoteStep, *, allow_private: AllowPrivate, lasting: bool = False
) -> StampedStream:
    """A new connection. `lasting`: it will not carry HTTP requests, so that a proxy must make a tunnel. Raises
    ConnectFailed or TimedOut."""
    proxy, limit_s = endpoint.proxy, endpoint.timeouts.connect
    steps: dict[str, int] = {}
    tunnel = None
    async with dialling():
        try:
            async with asyncio.timeout(limit_s):
                began_ns = time.monotonic_ns()
                addresses, there = await _addresses(endpoint, allow_private)
                note_step("resolve", time.monotonic_ns() - began_ns)
                if proxy is not None and (endpoint.tls or lasting or proxy.is_socks):
                    tunnel = proxy.tunnel(there, endpoint.port)
                stream = await open_stream(
                    addresses,
                    arrival_clock(),
                    steps,
                    tls=tls_context(endpoint.tls_spec, http2=bool(endpoint.streams)) if endpoint.tls else None,
                    server_name=endpoint.host,
                    tunnel=tunnel,
                    secure=proxy if proxy is not None and proxy.tls is not None else None,
                )
        except TimeoutError as exc:
            raise connect_timeout(endpoint.host, limit_s, _stage(steps, endpoint, tunnel)) from exc
        except ConnectFailed as exc:
            if proxy is None or "connect" in steps:
                raise
            raise proxy.failed(exc) from exc
    for name, ns in steps.items():
        note_step(name, ns)
    return stream


async def _addresses(endpoint: Endpoint, allow_private: AllowPrivate) -> tuple[list[Address], str]:
    """What to connect to, and the target as a proxy is told of it."""
    proxy, there = endpoint.proxy, endpoint.host
    if endpoint.unix_socket is not None:
        return [guard.unix_address(endpoint.unix_socket, allow_private)], there
    if proxy is None:
        return await guard.resolve_async(endpoint.host, endpoint.port, allow_private), there
    if not proxy.resolves or guard.is_judged_behind_proxy(endpoint.host, allow_private):
        found = await guard.resolve_async(endpoint.host, endpoint.port, allow_private)
        there = there if proxy.resolves else found[0].host
    return await guard.resolve_async(proxy.host, proxy.port, allow_private), there


def _stage(steps: Mapping[str, int], endpoint: Endpoint, tunnel: Tunnel | None) -> Stage:
    """What a new connection waits for after these steps."""
    if "connect" not in steps:
        return "connect"
    through = tunnel is not None or not endpoint.tls  # without TLS of its own, it is the proxy's that is waited for
    return "proxy" if through and STEP not in steps else "tls"
