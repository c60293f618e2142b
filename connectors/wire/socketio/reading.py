"""Reads the packets of a Socket.IO connection of the load lane, all but those of an answer's pieces."""

from __future__ import annotations

import asyncio
from abc import abstractmethod

from socketio import packet as kinds

from connectors.errors import BrokenTransport
from connectors.socketio import packets
from connectors.socketio.base import SocketIoBase, disconnected
from connectors.socketio.packets import BoundedPacket
from connectors.wire.socketio.polling import PollingConnection
from connectors.wire.turn import Turn
from connectors.wire.websocket.connection import WsConnection
from connectors.wire.websocket.lasting import Take, WireLasting

EngineConnection = WsConnection | PollingConnection


def unheard(_ns: int, _data: bytes) -> None:
    """Takes what comes when there is no turn to take it."""


class PacketReader(SocketIoBase, WireLasting):
    """`_hear` takes the documents of events."""

    _connection: EngineConnection | None
    _turn: Turn | None
    _joining: asyncio.Future[None] | None
    _attaching: BoundedPacket | None
    _ack_id: int | None
    _hear: Take

    @abstractmethod
    def _connected(self) -> None:
        """CONNECT was answered."""

    @abstractmethod
    def _older_connected(self, namespace: str) -> None:
        """A server of Socket.IO 2 says that a namespace is connected."""

    def _emit(self, packet: BoundedPacket) -> int:
        """Send a packet. Returns its bytes on the wire."""
        if self._connection is None:
            return 0
        data = f"{packets.MESSAGE}{packet.encode()}".encode()
        return self._connection.send(self.released(data) if self.marker is not None and self.marker in data else data)

    def _packet(self, ns: int, data: bytes) -> None:
        text = packets.text_of(data)
        packets.check_engine(text)
        if (kind := text[0]) == packets.MESSAGE:
            if self._attaching is not None:
                self._attaching.add_attachment(text)  # which says what is wrong with it
            if self.eio != 4 and (namespace := packets.older_connect(text)) is not None:
                self._older_connected(namespace)
                return
            packet = BoundedPacket(encoded_packet=text[1:])
            if packet.attachment_count and packet.packet_type in {kinds.BINARY_EVENT, kinds.BINARY_ACK}:
                self._attaching = packet
            else:
                self._take(ns, packet)
        elif kind == packets.PING:
            self.count_reply()
            if self._connection is not None:
                self._connection.send(f"{packets.PONG}{text[1:]}".encode())
        elif kind == packets.OPEN:
            raise packets.protocol_error("a second open packet")
        elif kind == packets.CLOSE:
            raise disconnected("closed the Engine.IO connection")

    def _attachment(self, ns: int, data: bytes) -> None:
        packet = self._attaching
        if packet is None:
            raise packets.protocol_error("a binary message that no packet announced")
        if packet.add_attachment(data):
            self._attaching = None
            self._take(ns, packet)

    def _take(self, ns: int, packet: BoundedPacket) -> None:
        """A whole packet."""
        if (packet.namespace or "/") != self.namespace:
            return  # another namespace's: a server may use several
        kind, data = packet.packet_type, packet.data
        if kind in packets.EVENTS:
            if packet.id is not None:
                self.count_reply()
                self._emit(BoundedPacket(kinds.ACK, [], self.namespace, packet.id, binary=False))
            self._hear(ns, packets.event_document(data))
        elif kind in packets.ACKS:
            self._acknowledged(ns, packet)
        elif kind == kinds.CONNECT:
            self._connected()
        elif kind == kinds.CONNECT_ERROR:
            raise packets.refused(data)
        elif self._joining is not None:
            raise BrokenTransport("socketio_refused", "the target disconnected the namespace")
        else:
            raise disconnected("disconnected the namespace")

    def _acknowledged(self, ns: int, packet: BoundedPacket) -> None:
        seen = packets.document("ack", packet.data)
        if packet.id == self._ack_id and self._turn is not None:
            self._ack_id = None
            self._turn.message(ns, seen)
        else:
            self.idle_event(seen, ns)
