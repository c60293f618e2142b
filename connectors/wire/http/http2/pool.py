"""The HTTP/2 connections of a process: which of them a user's requests go on, and when another one is made."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Hashable
from weakref import WeakKeyDictionary

from connectors.content.styles import Style
from connectors.errors import ConnectFailed, TurnError
from connectors.http.endpoint import Endpoint
from connectors.http.http2_codes import SETTINGS, unavailable
from connectors.network.failures import connect_timeout
from connectors.security.guard import AllowPrivate
from connectors.waits import SHORTEST_WAIT_NS, STREAM_WAIT
from connectors.wire.http.http2.connection import Http2Connection
from connectors.wire.http.http2.frames import same
from connectors.wire.http.http2.user import Http2User
from connectors.wire.transport.dial import NoteStep, dial

_Pool = dict[Hashable, list[Http2Connection]]
_pools: WeakKeyDictionary[asyncio.AbstractEventLoop, _Pool] = WeakKeyDictionary()


async def join(endpoint: Endpoint, style: Style, note_step: NoteStep, *, allow_private: AllowPrivate) -> Http2User:
    """A place on a connection to `endpoint`: on the one with most room, or on a new one if none has any. Raises
    TurnError."""
    began_ns = time.monotonic_ns()
    known = _pools.setdefault(asyncio.get_running_loop(), {}).setdefault((endpoint, allow_private), [])
    known[:] = [connection for connection in known if connection.open]
    connection = _roomy(known, endpoint.streams)
    is_new = connection is None
    if connection is None:
        connection = Http2Connection(endpoint.limits, endpoint.streams)
        connection.opening = asyncio.create_task(_open(connection, endpoint, allow_private))
        known.append(connection)
    user = Http2User(connection, endpoint, style)
    try:
        steps = await _opened(connection)
    except BaseException as exc:
        if isinstance(exc, TurnError):
            connection.open = False
        user.close()
        raise
    if is_new:
        for name, ns in steps.items():
            note_step(name, ns)
    elif (waited_ns := time.monotonic_ns() - began_ns) >= SHORTEST_WAIT_NS:
        note_step(STREAM_WAIT, waited_ns)
    return user


def _roomy(known: list[Http2Connection], places: int) -> Http2Connection | None:
    """With one stream at a time, a connection belongs to one user."""
    free = [one for one in known if one.has_room and not (places == 1 and one.users)]
    return min(free, key=lambda one: one.reserved + one.limit.active, default=None)


async def _opened(connection: Http2Connection) -> dict[str, int]:
    """The steps of its making, which all wait for who came meanwhile."""
    if connection.opening is None:
        raise RuntimeError("nobody opens it")
    try:
        return await asyncio.shield(connection.opening)
    except TurnError as exc:
        raise same(exc) from exc.__cause__


async def _open(connection: Http2Connection, endpoint: Endpoint, allow_private: AllowPrivate) -> dict[str, int]:
    steps: dict[str, int] = {}
    limit_s = endpoint.timeouts.connect
    try:
        stream = await dial(endpoint, steps.__setitem__, allow_private=allow_private, lasting=True)
    except ConnectFailed as exc:
        cause = exc.__cause__
        if isinstance(cause, ssl.SSLError) and "NO_APPLICATION_PROTOCOL" in (cause.reason or ""):
            raise unavailable("the target does not offer HTTP/2 (ALPN)") from cause
        raise
    if endpoint.tls and stream.alpn != "h2":
        stream.close()
        raise unavailable(f"the target chose {stream.alpn or 'no protocol'} of those offered (ALPN), and not h2")
    began_ns = time.monotonic_ns()
    try:
        async with asyncio.timeout(limit_s):
            await connection.start(stream)
    except TimeoutError as exc:
        raise connect_timeout(endpoint.host, limit_s, SETTINGS) from exc
    steps[SETTINGS] = time.monotonic_ns() - began_ns
    return steps
