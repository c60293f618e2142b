"""A connection that is fed by hand, and frames to feed it with."""

from __future__ import annotations

from typing import NamedTuple

from websockets.client import ClientProtocol
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

from connectors.errors import TurnError
from connectors.wire.transport.stream import Receiver
from connectors.wire.websocket.connection import WsConnection
from connectors.wire.websocket.upgrade import URI

LIMIT = 1000
DEFLATE = (False, False, 15, 15)


class HandFed:
    """Stands where the socket does."""

    def __init__(self) -> None:
        self.open = True
        self.written = b""
        self.receiver: Receiver

    def hand_over(self, receiver: Receiver) -> None:
        self.receiver = receiver

    def write(self, data: bytes) -> None:
        assert self.open
        self.written += data

    def close(self) -> None:
        self.open = False


class Heard:
    """Keeps what a WebSocket reports: messages as (ns, data, is text)."""

    def __init__(self) -> None:
        self.messages: list[tuple[int, bytes, bool]] = []
        self.begun: list[int] = []
        self.size = 0
        self.lost: list[str] = []

    def bytes_read(self, _ns: int, size: int) -> None:
        self.size += size

    def answer_begun(self, ns: int) -> None:
        self.begun.append(ns)

    def message(self, ns: int, data: bytes) -> None:
        self._keep(ns, data, True)

    def binary(self, ns: int, data: bytes) -> None:
        self._keep(ns, data, False)

    def _keep(self, ns: int, data: bytes, is_text: bool) -> None:
        assert not self.lost
        self.messages.append((ns, data, is_text))

    def connection_lost(self, _ns: int, error: TurnError) -> None:
        self.lost.append(error.code)


class Wire(NamedTuple):
    stream: HandFed
    heard: Heard
    connection: WsConnection

    def hear(self, *pieces: bytes) -> Heard:
        """Deliver `pieces` at the times 1, 2, 3, ... for as long as the connection is open."""
        for ns, data in enumerate(pieces, 1):
            if self.stream.open:
                self.stream.receiver.data_received(ns, data)
        return self.heard

    def said(self) -> list[Frame]:
        """What the client wrote, as a server understands it."""
        server = ServerProtocol(state=OPEN)
        server.extensions = list(self.connection._protocol.extensions and [PerMessageDeflate(*DEFLATE)])
        server.receive_data(self.stream.written)
        assert server.parser_exc is None
        return [event for event in server.events_received() if isinstance(event, Frame)]


def wire(limit: int = LIMIT, *, deflate: bool = False) -> Wire:
    protocol = ClientProtocol(URI, state=OPEN, max_size=(limit, None))
    protocol.extensions = [PerMessageDeflate(*DEFLATE)] if deflate else []
    stream, heard = HandFed(), Heard()
    return Wire(stream, heard, WsConnection(stream, protocol, heard, limit, 0))  # type: ignore[arg-type] # stands in


def frame(data: bytes, opcode: Opcode = Opcode.TEXT, *, fin: bool = True) -> bytes:
    return Frame(opcode, data, fin).serialize(mask=False)


def close(code: int, reason: bytes = b"") -> bytes:
    return frame(code.to_bytes(2, "big") + reason, Opcode.CLOSE)
