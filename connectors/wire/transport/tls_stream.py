"""TLS over memory buffers, on the socket of a stamped stream."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
import time

from connectors.wire.transport.clock import ArrivalClock
from connectors.wire.transport.stream import READ_BYTES, Receiver, StampedStream


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

    @property
    def alpn(self) -> str | None:
        return self._tls.selected_alpn_protocol()

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
        # Decrypt bytes that came with the handshake's last flight now; no read event would announce them.
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
