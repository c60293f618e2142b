"""python-socketio's Client on our WebSocket, with limits and without threads.

Its own loops are not started. Whoever owns the client calls `pump` for each message, so that every wait ends at a
deadline, packets are taken in their order, and what goes wrong comes out as a TurnError.
"""

from __future__ import annotations

import logging
import time
from typing import Any, Protocol

import engineio
import socketio
from engineio import base_client
from engineio.packet import Packet as EnginePacket
from socketio import packet as kinds
from websocket import ABNF

from connectors.errors import BrokenTransport, TurnError
from connectors.mapping.request import RenderedRequest
from connectors.reference.websocket.client import WsClient
from connectors.reference.websocket.socket import MessageWatch, WatchedSocket
from connectors.socketio.base import disconnected
from connectors.socketio.packets import (
    CLOSE,
    OPEN,
    PING,
    BoundedPacket,
    Opened,
    check_engine,
    document,
    event_document,
    protocol_error,
    read_open,
    refused,
    text_of,
)
from connectors.target import CompiledTarget

_silent = logging.getLogger("connectors.socketio")  # the library's own would write to stderr
_silent.addHandler(logging.NullHandler())
_silent.propagate = False


class Owner(Protocol):
    """Whose client it is. Each call may raise TurnError."""

    namespace: str

    def count_reply(self) -> None:
        """Before an answer to a ping, or an acknowledgement."""

    def released(self, packet: bytes) -> bytes:
        """A packet with its secrets in clear."""

    def on_event(self, seen: bytes) -> None:
        """An event of the namespace, as a mapping reads it."""

    def on_ack(self, ack_id: int, seen: bytes) -> None:
        """An acknowledgement in the namespace."""


class EngineWatch(MessageWatch):
    """Counts the first bytes of a message as an answer's only if its end did not come with them, because it could be a
    ping."""

    begun = False

    def answer_begun(self) -> None:
        self.begun = True

    def answered(self) -> None:
        """A whole message of the answer has arrived."""
        super().answer_begun()

    def more(self) -> None:
        """Called before a read, when the data so far is not sufficient."""
        if self.begun:
            super().answer_begun()


def _heard(*_: Any) -> None:
    """The library requires a callback for an acknowledgement; we handle it earlier (`_handle_ack`)."""


class EngineSocket(WsClient):
    """Stands in for a WebSocket of `websocket.create_connection` in engineio."""

    watch: EngineWatch

    def __init__(self, sock: WatchedSocket, watch: EngineWatch, target: CompiledTarget, owner: Owner) -> None:
        super().__init__(sock, watch, target.spec.limits.event_bytes)
        sock.before_read = self._before_read
        self._endpoint = target.endpoint
        self._owner = owner
        self._opcode = ABNF.OPCODE_TEXT
        self.opened: Opened | None = None
        self.upgraded_ns = 0
        self.sent_bytes = 0
        self.failure: TurnError | None = None

    def settimeout(self, timeout: float | None) -> None:
        """Time limits are the DeadlineTracker's."""

    def connect(self, url: str, **options: Any) -> None:
        """Upgrade. Raises TurnError, or Dry when the answer is not a 101."""
        path = url[url.index("/", len("wss://")) :]
        headers = tuple(options["header"].items())
        request = RenderedRequest("GET", path, headers, b"")
        self.upgrade(request, self._endpoint, [], compression=True)
        self.upgraded_ns = time.monotonic_ns()

    def send(self, payload: bytes | str, opcode: int = ABNF.OPCODE_TEXT) -> int:
        """A packet. Raises TurnError (kept in `failure`)."""
        if isinstance(payload, str):
            try:
                payload = self._owner.released(payload.encode()).decode()
            except TurnError as exc:
                self.failure = exc
                raise
        size = super().send(payload, opcode)
        self.sent_bytes += size
        return size

    def recv(self) -> str | bytes:
        """The next message, within limits. Raises TurnError (kept in `failure`), or Dry."""
        self.watch.begun = False
        try:
            data = self.read()
            message = text_of(data) if self._opcode == ABNF.OPCODE_TEXT else data
            return self._checked(message)
        except TurnError as exc:
            self.failure = exc
            raise

    def _checked(self, message: str | bytes) -> str | bytes:
        if self.opened is None:
            self.opened = read_open(message)
            return self.opened.text()
        if isinstance(message, str):
            check_engine(message)
            if message[0] == PING:
                self._owner.count_reply()
            elif message[0] == OPEN:
                raise protocol_error("a second open packet")
            elif message[0] == CLOSE:
                raise disconnected("closed the Engine.IO connection")
        return message

    def recv_data_frame(self, control_frame: bool = False) -> tuple[int, Any]:
        self._opcode, frame = super().recv_data_frame(control_frame)
        return self._opcode, frame

    def _before_read(self) -> None:
        self._answer_ping()
        self.watch.more()


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

    def __init__(self, ws: EngineSocket, owner: Owner) -> None:
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
