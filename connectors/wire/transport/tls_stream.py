"""TLS over memory buffers, on the socket of a stamped stream; and TLS within it, through a proxy that speaks TLS."""

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

    __slots__ = ("_deliver_plain", "_incoming", "_outgoing", "_tls", "ended")

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
        self.ended = False

    @property
    def alpn(self) -> str | None:
        return self._tls.selected_alpn_protocol()

    # --- before `start` -------------------------------------------------------------------------------------------

    async def handshake(self) -> None:
        """Raises ssl.SSLError, OSError or ConnectionError."""
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._flush_handshake()
                data = await self._receive()
                if not data:
                    raise ConnectionResetError(errno.ECONNRESET, "the peer closed during the TLS handshake") from None
                self._incoming.write(data)
            else:
                await self._flush_handshake()
                return

    async def _flush_handshake(self) -> None:
        if data := self._outgoing.read():
            await self._send(data)

    async def _receive(self) -> bytes:
        return await self._loop.sock_recv(self._sock, READ_BYTES)

    async def _send(self, data: bytes) -> None:
        await self._loop.sock_sendall(self._sock, data)

    async def say(self, data: bytes) -> None:
        self._tls.write(data)
        await self._flush_handshake()

    async def hear(self) -> bytes:
        """Empty at the end. Raises OSError."""
        while not (data := self.opened()) and not self.ended:
            if not (sealed := await self._receive()):
                break
            self._incoming.write(sealed)
        return data

    # --- from `start` on ------------------------------------------------------------------------------------------

    def start(self, receiver: Receiver) -> None:
        super().start(receiver)
        # Decrypt bytes that came with the handshake's last flight now; no read event would announce them.
        self._loop.call_soon(self._drain, time.monotonic_ns())

    def _deliver_early(self, ns: int) -> None:
        self._deliver = self._deliver_plain  # it was decrypted before the stream was started
        super()._deliver_early(ns)
        self._deliver = self._decrypt

    def hand_over(self, receiver: Receiver) -> None:
        super().hand_over(receiver)
        self._deliver = self._decrypt
        self._deliver_plain = receiver.data_received

    def write(self, data: bytes) -> None:
        if self.open:
            self._tls.write(data)
            self._pass_on(self._outgoing.read())

    def _pass_on(self, sealed: bytes) -> None:
        super().write(sealed)

    def opened(self) -> bytes:
        """What can be decrypted of what came, for whoever speaks within this TLS; `ended`: nothing follows. Raises
        ssl.SSLError."""
        pieces = []
        try:
            while piece := self._tls.read(READ_BYTES):
                pieces.append(piece)
            self.ended = True
        except ssl.SSLZeroReturnError:
            self.ended = True
        except ssl.SSLWantReadError:
            pass  # the rest has not come yet
        return b"".join(pieces)

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
            self._pass_on(answer)


class NestedTlsStream(TlsStream):
    """TLS with a target within TLS with its proxy, `outer`, whose handshake is done and which was not started."""

    __slots__ = ("_outer",)

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        clock: ArrivalClock,
        outer: TlsStream,
        context: ssl.SSLContext,
        server_name: str,
    ) -> None:
        super().__init__(loop, clock, outer._sock, context, server_name)
        self._outer = outer

    async def _receive(self) -> bytes:
        return await self._outer.hear()

    async def _send(self, data: bytes) -> None:
        await self._outer.say(data)

    def _decrypt(self, ns: int, data: bytes) -> None:
        self._outer._incoming.write(data)
        self._drain(ns)

    def _drain(self, ns: int) -> None:
        outer = self._outer
        try:
            self._incoming.write(outer.opened())
        except ssl.SSLError as exc:
            self._lost(_broken(exc))
            return
        super()._drain(ns)
        if outer.ended:
            self._lost(None)
        elif self.open and (answer := outer._outgoing.read()):
            super()._pass_on(answer)

    def _pass_on(self, sealed: bytes) -> None:
        self._outer._tls.write(sealed)
        super()._pass_on(self._outer._outgoing.read())


def _broken(exc: ssl.SSLError) -> OSError:
    error = OSError(errno.EPROTO, str(exc))
    error.__cause__ = exc
    return error
