"""WebSocket of the load lane: whole messages with the kernel's time of arrival, over a stamped stream.

The protocol is that of the sans-IO `websockets`. Only the cutting into frames is our own: a whole text or binary frame
without extensions is handed on as it is, which is nearly every frame of a token stream; pings are answered once a
read; the middle of a message in pieces is only kept. A flood of these must not keep a loop busy for long. Each other
frame goes to the library whole, so that it never holds half of one.
"""

from __future__ import annotations

from typing import Final, Protocol, cast

from websockets.client import ClientProtocol
from websockets.exceptions import PayloadTooBig
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN

from connectors.errors import BrokenTransport, TooLarge, TurnError
from connectors.network.failures import stream_failure
from connectors.wire.transport.stream import StampedStream

TEXT_FRAME: Final = 0x81
BINARY_FRAME: Final = 0x82
"""Both are whole messages."""
MIDDLE_FRAME: Final = 0x00
PING_FRAME: Final = 0x89
PING_AND_PONG: Final = frozenset({PING_FRAME, 0x8A})
OPCODE_BITS: Final = 0x0F
CONTROL_BIT: Final = 0x08
PACKED_BIT: Final = 0x40
SHORT: Final = 126
"""The first payload length that does not fit into a header of two bytes."""
LONG: Final = 127


class WsReceiver(Protocol):
    """Receives the events of a WebSocket. All calls come from the event loop; `connection_lost` comes once and last.
    A connection reads what to call when it is made."""

    def bytes_read(self, ns: int, size: int) -> None:
        """A read of `size` bytes, before anything that it brought."""

    def answer_begun(self, ns: int) -> None:
        """The first part of a message arrived at `ns`, without its end."""

    def message(self, ns: int, data: bytes) -> object:
        """A whole text message; the read that completed it came at `ns`. It is not checked to be UTF-8: whoever decodes
        its JSON does that anyway."""

    def binary(self, ns: int, data: bytes) -> object:
        """A whole binary message."""

    def connection_lost(self, ns: int, error: TurnError) -> None:
        """The target closed (ws_closed_<code>, connection_closed), or violated the protocol."""


class WsConnection:
    """One WebSocket, upgraded: `connectors.wire.websocket.upgrade` makes it. It can `send` while it is `open`.

    It was opened at `opened_ns`, and its last bytes came at `read_ns`. At most `limit` bytes of one message are kept,
    inflated size included (message_too_large). A failure closes the connection; `close` itself is not reported back.
    """

    __slots__ = (
        "_binary",
        "_bytes_read",
        "_fragments",
        "_limit",
        "_message",
        "_need",
        "_packed",
        "_ping",
        "_protocol",
        "_receiver",
        "_stream",
        "_tail",
        "_text",
        "open",
        "opened_ns",
        "read_ns",
    )

    def __init__(
        self, stream: StampedStream, protocol: ClientProtocol, receiver: WsReceiver, limit: int, opened_ns: int
    ) -> None:
        self._stream = stream
        self._protocol = protocol
        self._receiver = receiver
        self._bytes_read = receiver.bytes_read
        self._message = receiver.message
        self._binary = receiver.binary
        self._limit = limit
        self.opened_ns = self.read_ns = opened_ns
        self._tail = bytearray()  # a frame that has begun
        self._need = 0  # how long `_tail` must be before it is worth another look
        self._fragments: bytearray | None = None  # the message that has begun
        self._text = True
        self._packed = False
        self._ping: bytes | None = None
        self.open = True
        stream.hand_over(self)

    @property
    def subprotocol(self) -> str | None:
        """The one that the target chose."""
        return self._protocol.subprotocol

    @property
    def round_trip_ns(self) -> int:
        """The shortest round trip measured by the kernel, 0 if unknown."""
        return self._stream.round_trip_ns

    def send(self, data: bytes, *, binary: bool = False) -> int:
        """Send one message. Returns its bytes on the wire."""
        if self._protocol.state is not OPEN or not self.open:
            raise BrokenTransport("connection_closed", "the connection was closed before the message was sent")
        if binary:
            self._protocol.send_binary(data)
        else:
            self._protocol.send_text(data)
        return self._flush()

    def close(self, code: int = 1000) -> None:
        """Say goodbye and close, without waiting for the target to do the same. Safe to call more than once."""
        if self.open and self._protocol.state is OPEN:
            self._protocol.send_close(code)
            self._flush()
        self.open = False
        self._stream.close()

    def _flush(self) -> int:
        data = b"".join(self._protocol.data_to_send())
        if data:
            self._stream.write(data)
        return len(data)

    # --- the stream's calls -----------------------------------------------------------------------------------

    def data_received(self, ns: int, data: bytes) -> None:
        """The hot path: it runs for every token."""
        bytes_read, message = self._bytes_read, self._message  # as in `Timeline.event`
        self.read_ns = ns
        bytes_read(ns, len(data))
        if self._tail:
            self._tail += data
            if len(self._tail) < self._need:
                return
            data = bytes(self._tail)
            self._tail.clear()
        at, size, stream = 0, len(data), self._stream
        while size - at >= 2 and stream.open:
            first, length = data[at], data[at + 1]
            begin = at + 2
            if length >= SHORT:
                if length > LONG:
                    self._fail(ns, BrokenTransport("ws_protocol", "a frame of the target is masked"))
                    break
                begin += 2 if length == SHORT else 8
                if begin > size:
                    break
                length = int.from_bytes(data[at + 2 : begin], "big")
            if length > self._limit:
                self._fail(ns, self._too_large())
                break
            end = begin + length
            if end > size:
                break
            if first == TEXT_FRAME and self._fragments is None:
                message(ns, data[begin:end])
            else:
                self._other_frame(ns, data[at:begin], data[begin:end])
            at = end
        if stream.open:
            if self._ping is not None:
                self._pong()
            if at < size:
                self._keep(ns, data[at:])

    def stream_closed(self, ns: int, error: OSError | None) -> None:
        failure: TurnError
        if error is not None:
            failure = stream_failure(error)
        else:
            failure = BrokenTransport("connection_closed", "the target closed without a close frame")
        if self.open:
            self.open = False
            self._receiver.connection_lost(ns, failure)

    # --- what is rare -------------------------------------------------------------------------------------------

    def _other_frame(self, ns: int, head: bytes, data: bytes) -> None:
        """Any but a whole text message."""
        first = head[0]
        if first == BINARY_FRAME and self._fragments is None:
            self._binary(ns, data)
        elif first in PING_AND_PONG and len(data) < SHORT:
            if first == PING_FRAME:
                self._ping = data
        elif first == MIDDLE_FRAME and self._fragments is not None and not self._packed:
            self._fragments += data
            if len(self._fragments) > self._limit:
                self._fail(ns, self._too_large())
        else:
            self._library(ns, head + data)

    def _keep(self, ns: int, data: bytes) -> None:
        """The beginning of an incomplete frame."""
        self._tail += data
        self._need = 2
        if len(data) >= 2:
            if not data[0] & CONTROL_BIT:
                self._receiver.answer_begun(ns)
            extra = {SHORT: 2, LONG: 8}.get(data[1], 0)
            self._need += extra
            if len(data) >= self._need:
                self._need += int.from_bytes(data[2 : 2 + extra], "big") if extra else data[1]

    def _pong(self) -> None:
        """One answer to all pings of a read (RFC 6455, 5.5.3): a flood of them is not doubled."""
        if self._ping is not None and self._protocol.state is OPEN:
            self._protocol.send_pong(self._ping)
            self._flush()
        self._ping = None

    def _library(self, ns: int, frame: bytes) -> None:
        """Whatever is not a plain whole message: the library checks, inflates, and answers it."""
        protocol = self._protocol
        if frame[0] & OPCODE_BITS:
            self._packed = bool(frame[0] & PACKED_BIT)
        protocol.receive_data(frame)
        for event in protocol.events_received():
            self._frame(ns, cast(Frame, event))
        if (close := protocol.close_rcvd) is not None:
            why = f": {close.reason}" if close.reason else ""
            self._fail(ns, BrokenTransport(f"ws_closed_{int(close.code)}", f"the target closed{why}"))
        elif (error := protocol.parser_exc) is not None:
            self._fail(ns, self._translated(error))

    def _frame(self, ns: int, frame: Frame) -> None:
        if frame.opcode is Opcode.CONT:
            if self._fragments is None:
                return  # the library let none pass that has no beginning
            self._fragments += frame.data
            if len(self._fragments) > self._limit:  # the library does not know the pieces in the middle
                self._fail(ns, self._too_large())
            elif frame.fin:
                data, self._fragments = bytes(self._fragments), None
                self._whole(ns, data)
        elif frame.opcode is Opcode.TEXT or frame.opcode is Opcode.BINARY:
            self._text = frame.opcode is Opcode.TEXT
            if frame.fin:
                self._whole(ns, bytes(frame.data))
            else:
                self._fragments = bytearray(frame.data)
                self._receiver.answer_begun(ns)

    def _whole(self, ns: int, data: bytes) -> None:
        if self._text:
            self._message(ns, data)
        else:
            self._binary(ns, data)

    def _translated(self, error: Exception) -> TurnError:
        if isinstance(error, PayloadTooBig):
            return self._too_large()
        if isinstance(error, UnicodeDecodeError):
            return BrokenTransport("utf8_invalid", "the reason of a close frame is not UTF-8")
        return BrokenTransport("ws_protocol", str(error) or type(error).__name__)

    def _too_large(self) -> TooLarge:
        return TooLarge("message_too_large", f"one message has more than {self._limit} bytes")

    def _fail(self, ns: int, error: TurnError) -> None:
        if not self.open:
            return
        self._flush()
        self.close(1009 if isinstance(error, TooLarge) else 1002)
        self._receiver.connection_lost(ns, error)
