"""`websocket-client` with limits, permessage-deflate and rejection of invalid frames."""

from __future__ import annotations

import zlib
from typing import Any, Final

import websocket
from websocket import ABNF, _handshake
from websocket._abnf import continuous_frame, frame_buffer

from connectors.errors import BrokenTransport, TooLarge, TurnError
from connectors.http.endpoint import Endpoint
from connectors.mapping.request import RenderedRequest
from connectors.reference.websocket.socket import MessageWatch, WatchedSocket
from connectors.request_parts import encoded_head
from connectors.websocket.upgrade import upgrade_headers

CONTROL_BIT: Final = 0x08
CONTROL_BYTES: Final = 125
END_OF_BLOCK: Final = b"\x00\x00\xff\xff"
"""The bytes that a sender omits at the end of a compressed message (RFC 7692, 7.2.1)."""
OFFER: Final = "permessage-deflate; client_max_window_bits"


class _Frames(frame_buffer):
    """Splits the received bytes into frames, each checked as soon as its header is complete."""

    def __init__(self, client: WsClient, limit: int) -> None:
        super().__init__(client._recv, skip_utf8_validation=True)
        self._client = client
        self._limit = limit
        self._taken = 0  # of the message that is being put together, unpacked
        self._packed = False
        self.inflate: Any = None  # zlib's decompressor, if packing was agreed on
        self.fresh_inflate = False

    def recv_header(self) -> None:
        super().recv_header()
        header: Any = self.header  # there is one now
        fin, rsv1, rsv2, rsv3, opcode, masked, length = header
        if masked:
            raise BrokenTransport("ws_protocol", "a frame of the target is masked")
        if opcode & CONTROL_BIT:
            if not fin or length > CONTROL_BYTES:
                raise BrokenTransport("ws_protocol", "a control frame is in pieces or too long")
            return
        self._client.watch.answer_begun()
        if opcode in {ABNF.OPCODE_TEXT, ABNF.OPCODE_BINARY} and self.inflate is not None:
            self._packed = bool(rsv1)
            self.header = (fin, 0, rsv2, rsv3, opcode, masked, length)  # the client knows no bit that is set

    def recv_length(self) -> None:
        super().recv_length()
        opcode = self.header[4] if self.header else 0
        if (self.length or 0) > self._limit - (0 if opcode & CONTROL_BIT else self._taken):
            raise self.too_large()

    def recv_frame(self) -> ABNF:
        frame = super().recv_frame()
        if not frame.opcode & CONTROL_BIT:
            if self._packed:
                frame.data = self._unpacked(frame)
            self._taken = 0 if frame.fin else self._taken + len(frame.data)
        return frame

    def _unpacked(self, frame: ABNF) -> bytes:
        if self.fresh_inflate and frame.opcode != ABNF.OPCODE_CONT:
            self.inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        room = self._limit - self._taken
        packed = bytes(frame.data) + (END_OF_BLOCK if frame.fin else b"")  # type: ignore[arg-type] # it is bytes: read
        try:
            data: bytes = self.inflate.decompress(packed, room + 1)
        except zlib.error as exc:
            raise BrokenTransport("ws_protocol", f"a compressed message is invalid: {exc}") from exc
        if len(data) > room:
            raise self.too_large()
        return data

    def too_large(self) -> TooLarge:
        return TooLarge("message_too_large", f"one message has more than {self._limit} bytes")


class _Fragments(continuous_frame):
    def add(self, frame: ABNF) -> None:
        """Grows in place: a message in many small pieces must not cost the square of their number."""
        if not self.cont_data and not frame.fin:
            frame.data = bytearray(frame.data)  # type: ignore[arg-type,assignment] # bytes, whatever it is declared as
        super().add(frame)


class WsClient(websocket.WebSocket):
    """One connection of `websocket-client`, over a WatchedSocket."""

    def __init__(self, sock: WatchedSocket, watch: MessageWatch, limit: int) -> None:
        super().__init__(skip_utf8_validation=True)  # the Timeline judges the text, in both lanes
        self.sock = sock  # type: ignore[assignment] # all that the client calls of it is there
        self.watch = watch
        self.frames = self.frame_buffer = _Frames(self, limit)
        self.cont_frame = _Fragments(fire_cont_frame=False, skip_utf8_validation=True)
        self._ping: bytes | None = None
        sock.before_read = self._answer_ping

    def upgrade(
        self, request: RenderedRequest, endpoint: Endpoint, subprotocols: list[str], *, compression: bool
    ) -> None:
        """Raises TurnError, or Dry when the answer is not a 101."""
        request = endpoint.released(request)
        pairs = upgrade_headers(request, endpoint.host_header)
        encoded_head(f"GET {request.path} HTTP/1.1", pairs)  # the library checks nothing
        headers = [f"{name}: {value}" for name, value in pairs]
        if compression:
            headers.append(f"Sec-WebSocket-Extensions: {OFFER}")
        _handshake.CookieJar.jar.clear()  # the library's jar is global: a session must not get the cookies of another
        try:
            self.handshake_response = _handshake.handshake(
                self.sock,  # type: ignore[arg-type] # as above
                "ws://target/",
                "target",
                80,
                request.path,
                header=headers,
                suppress_host=True,
                suppress_origin=True,
                subprotocols=subprotocols,
            )
            self._agree(subprotocols, compression)
        except websocket.WebSocketException as exc:
            raise BrokenTransport("upgrade_malformed", str(exc)) from exc
        self.connected = True

    def _agree(self, subprotocols: list[str], compression: bool) -> None:
        """What the target chose of our offers."""
        headers: dict[str, str] = self.headers
        if "sec-websocket-protocol" in headers and not subprotocols:
            raise BrokenTransport("upgrade_malformed", "the target chose a subprotocol that was not offered")
        chosen = headers.get("sec-websocket-extensions")
        if chosen is None:
            return
        name, *options = (part.strip() for part in chosen.split(";"))
        if not compression or name != "permessage-deflate" or "," in chosen:
            raise BrokenTransport("upgrade_malformed", f"the target chose the extension {chosen[:80]!r}")
        self.frames.inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        self.frames.fresh_inflate = "server_no_context_takeover" in options

    def read(self) -> bytes:
        """The next whole message. Raises TurnError, or Dry."""
        try:
            opcode, frame = self.recv_data_frame()
        except websocket.WebSocketException as exc:
            raise BrokenTransport("ws_protocol", str(exc)) from exc
        if opcode == ABNF.OPCODE_CLOSE:
            raise _closed(bytes(frame.data))
        return bytes(frame.data)

    def pong(self, payload: str | bytes = b"") -> None:
        """One answer to all pings of a read (RFC 6455, 5.5.3), before the next."""
        self._ping = payload.encode() if isinstance(payload, str) else payload

    def _answer_ping(self) -> None:
        if self._ping is not None and self.connected:
            payload, self._ping = self._ping, None
            self.send(payload, ABNF.OPCODE_PONG)

    def send_close(self, *args: Any, **kwargs: Any) -> None:
        """Sends a close frame; it does not matter if the other side is gone."""
        try:
            super().send_close(*args, **kwargs)
        except (TurnError, websocket.WebSocketException):
            self.connected = False


def _closed(data: bytes) -> BrokenTransport:
    """Code and reason of a close frame."""
    try:
        reason = data[2:].decode()
    except UnicodeDecodeError as exc:
        return _not_unicode(exc)
    code = int.from_bytes(data[:2], "big") if data else 1005
    return BrokenTransport(f"ws_closed_{code}", f"the target closed{': ' if reason else ''}{reason}")


def _not_unicode(exc: UnicodeDecodeError) -> BrokenTransport:
    failure = BrokenTransport("utf8_invalid", "the reason of a close frame is not UTF-8")
    failure.__cause__ = exc
    return failure
