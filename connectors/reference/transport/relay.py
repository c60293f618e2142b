"""TLS with a proxy, for clients that want a plain socket, to wait for it or for TLS of their own within that."""

from __future__ import annotations

import select
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final, TypeVar

T = TypeVar("T")
READ_BYTES: Final = 64 * 1024


def relayed(far: ssl.SSLSocket) -> socket.socket:
    """One end of a pair of sockets. A thread passes on to `far` what comes at the other end, and back, until one of
    them ends."""
    ours, near = socket.socketpair()
    threading.Thread(target=_relay, args=(near, far), name="tls-relay", daemon=True).start()
    return ours


def _relay(near: socket.socket, far: ssl.SSLSocket) -> None:
    there: bytes | None = None
    back: bytes | None = None
    with near, far, suppress(OSError):
        near.setblocking(False)
        far.setblocking(False)
        while True:
            there = _passed_on(near, far, there)
            back = _passed_on(far, near, back)
            if b"" in (there, back):
                return
            _wait(near, far, to_far=bool(there), to_near=bool(back))


def _passed_on(source: socket.socket, sink: socket.socket, held: bytes | None) -> bytes | None:
    """What `source` has said and `sink` did not take yet. None: nothing; empty: `source` has ended."""
    if held is None and not (held := _now(lambda: source.recv(READ_BYTES))):
        return held
    return held[_now(lambda: sink.send(held)) or 0 :] or None


def _now(call: Callable[[], T]) -> T | None:
    """None: it would have to wait."""
    try:
        return call()
    except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
        return None


def _wait(near: socket.socket, far: ssl.SSLSocket, *, to_far: bool, to_near: bool) -> None:
    """Until something can be read or written. Who is not to be read is not looked at: it may have ended."""
    poll = select.poll()
    for sock, is_held, is_due in ((near, to_far, to_near), (far, to_near, to_far)):
        if events := (0 if is_held else select.POLLIN) | (select.POLLOUT if is_due else 0):
            poll.register(sock, events)
    poll.poll(0 if far.pending() and not to_near else None)
