"""python-socketio's Client on our WebSocket, with limits and without threads.

Its own loops are not started. Whoever owns the client calls `pump` for each message, so that every wait ends at a
deadline, packets are taken in their order, and what goes wrong comes out as a TurnError.
"""

from __future__ import annotations

import logging
from typing import Any

import engineio
import socketio
from engineio import base_client
from engineio.packet import Packet as EnginePacket
from socketio import packet as kinds

from connectors.errors import BrokenTransport
from connectors.reference.socketio.engine_socket import EngineSocket
from connectors.reference.socketio.messages import Owner
from connectors.reference.socketio.polling_socket import PollingSocket
from connectors.socketio.base import disconnected
from connectors.socketio.packets import (
    BoundedPacket,
    document,
    event_document,
    refused,
)

_silent = logging.getLogger("connectors.socketio")  # the library's own would write to stderr
_silent.addHandler(logging.NullHandler())
_silent.propagate = False


def _heard(*_: Any) -> None:
    """The library requires a callback for an acknowledgement; we handle it earlier (`_handle_ack`)."""


class Engine(engineio.Client):
    def start_background_task(self, target: Any, *args: Any, **kwargs: Any) -> None:
        """The library's two loops are not used; a message is handled immediately, in order."""
        if target not in {self._write_loop, self._read_loop_websocket}:
            target(*args, **kwargs)

    def pump(self) -> None:
        """Take one message. Raises TurnError, or Dry."""
        self._receive_packet(EnginePacket(encoded_packet=self.ws.recv()))
        self.flush()

    def flush(self) -> None:
        """Send the client's pending messages."""
        while not self.queue.empty():
            packet = self.queue.get_nowait()
            self.ws.send(packet.encode())

    def forget(self) -> None:
        """The client is done with: the library keeps a list of all."""
        if self in base_client.connected_clients:
            base_client.connected_clients.remove(self)
        self._reset()


class SocketIoClient(socketio.Client):
    """One namespace of one connection. Not to be used again once it failed."""

    def __init__(self, ws: EngineSocket | PollingSocket, owner: Owner) -> None:
        super().__init__(
            reconnection=False,
            logger=_silent,
            engineio_logger=_silent,
            serializer=BoundedPacket,
            handle_sigint=False,
            timestamp_requests=False,
            websocket_extra_options={"class_": lambda **_: ws},
        )
        self._ws = ws
        self._owner = owner

    def _engineio_client_class(self) -> type[Engine]:
        return Engine

    def open(self, url: str, path: str, headers: dict[str, str], auth: Any) -> None:
        """Upgrade, read the open packet and send CONNECT. Raises TurnError, or Dry if the upgrade was refused."""
        try:
            self.connect(
                url,
                headers=headers,
                auth=auth,
                transports=["websocket"],
                namespaces=[self._owner.namespace],
                socketio_path=path,
                wait=False,
            )
        except socketio.exceptions.ConnectionError as exc:
            raise self._ws.failure or BrokenTransport("socketio_protocol", str(exc)) from exc
        self._ws.find_out()
        self.eio.flush()

    def emit_asking(self, event: str, args: list[Any]) -> int:
        """Emit an event with an acknowledgement. Returns its id."""
        namespace = self._owner.namespace
        known = self.callbacks.get(namespace, {})
        for old in [key for key in known if key]:
            del known[old]  # of a turn that is over; at 0 is the library's counter
        self.emit(event, tuple(args), namespace=namespace, callback=_heard)
        ack_id: int = max(self.callbacks[namespace])
        return ack_id

    @property
    def sent_bytes(self) -> int:
        return self._ws.sent_bytes

    @property
    def joined(self) -> bool:
        """Whether CONNECT was answered."""
        return self._owner.namespace in self.namespaces

    def shut(self, *, polite: bool) -> None:
        """End the connection; `polite`: notify the target."""
        self.eio.forget()
        if polite and self._ws.connected:
            self._ws.send_close()

    # --- the library's own calls, as packets come ------------------------------------------------------------------

    def _handle_event(self, namespace: str | None, id: int | None, data: list[Any]) -> None:
        if (namespace or "/") != self._owner.namespace:
            return
        if id is not None:
            self._owner.count_reply()
            self._send_packet(self.packet_class(kinds.ACK, namespace=namespace, id=id, data=[]))
        self._owner.on_event(event_document(data))

    def _handle_ack(self, namespace: str | None, id: int, data: list[Any]) -> None:
        if (namespace or "/") == self._owner.namespace:
            self._owner.on_ack(id, document("ack", data))

    def _handle_error(self, namespace: str | None, data: Any) -> None:
        if (namespace or "/") == self._owner.namespace:
            raise refused(data)

    def _handle_disconnect(self, namespace: str | None) -> None:
        if (namespace or "/") != self._owner.namespace:
            return
        if not self.joined:
            raise BrokenTransport("socketio_refused", "the target disconnected the namespace")
        raise disconnected("disconnected the namespace")
