"""Joins a namespace of a server of Socket.IO 2 or later, on the load lane."""

from __future__ import annotations

import asyncio
import time

from socketio import packet as kinds

from connectors.errors import TurnError
from connectors.socketio import packets
from connectors.socketio.base import FIND_OUT_S
from connectors.socketio.opening import Opened
from connectors.socketio.packets import BoundedPacket
from connectors.wire.socketio.reading import PacketReader
from connectors.wire.socketio.stages import Stage


class NamespaceJoiner(PacketReader):
    """`_timer`: the next ping, or the end of the time in which a server may say that it is of version 2."""

    _stage: Stage
    _opened: Opened | None
    _awaited: str | None
    _timer: asyncio.TimerHandle | None

    def _join_namespace(self, opened: Opened) -> None:
        """The first message of all has come."""
        self._opened = opened
        self._stage = "asked"
        if self.eio is None and opened.eio is not None:
            self.found(opened.eio)
        if self.eio is None:
            self._timer = asyncio.get_running_loop().call_later(FIND_OUT_S, self._guess)
        else:
            self._ask_to_join()

    def _guess(self) -> None:
        """The target has not said that it is of version 2."""
        self._timer = None
        try:
            self._ask_to_join()
        except TurnError as exc:
            self.connection_lost(time.monotonic_ns(), exc)

    def _ask_to_join(self) -> None:
        if self.eio != 3:
            self._emit(BoundedPacket(kinds.CONNECT, self.auth(), self.namespace, binary=False))
            return
        self.auth()  # it must be none
        self._ping_later()
        if self.namespace != "/":
            self._emit(BoundedPacket(kinds.CONNECT, None, self.namespace, binary=False))

    def _older_connected(self, namespace: str) -> None:
        if self.eio is None:
            self.found(3)
            if self._timer is not None:
                self._timer.cancel()
            self._ask_to_join()
        if namespace == self.namespace:
            self._connected()

    def _ping_later(self) -> None:
        """In version 3 the client pings."""
        if self._opened is not None:
            self._timer = asyncio.get_running_loop().call_later(self._opened.interval_ms / 1e3, self._ping)

    def _ping(self) -> None:
        if self._connection is not None and self._connection.open:
            self._connection.send(packets.PING.encode())
            self._ping_later()

    def _connected(self) -> None:
        """CONNECT was answered."""
        if self._stage != "asked":
            return
        self._stage = "connected"
        if (hello := self.hello()) is not None:
            self._emit(BoundedPacket(kinds.EVENT, hello, self.namespace, binary=False))
        self._look_whether_joined()

    def _look_whether_joined(self) -> None:
        if self._stage == "connected" and self._awaited is None and self._joining and not self._joining.done():
            self._joining.set_result(None)
