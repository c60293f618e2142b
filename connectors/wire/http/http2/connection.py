"""An HTTP/2 connection of the load lane, which users share: h2 (hyper-h2) over a stamped stream."""

from __future__ import annotations

import asyncio
from typing import Final

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    Event,
    RemoteSettingsChanged,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    WindowUpdated,
)
from h2.exceptions import NoAvailableStreamIDError
from h2.settings import SettingCodes, Settings
from hyperframe.frame import WindowUpdateFrame

from connectors.errors import BrokenTransport, ClosedUnsent, NotProcessed, TurnError
from connectors.http.http2_codes import goaway_failure, unavailable
from connectors.http.http2_flood import malformed
from connectors.http.http2_format import FRAME_BYTES
from connectors.network.failures import stream_failure
from connectors.spec import Limits
from connectors.wire.http.http2.compression import RepeatingEncoder
from connectors.wire.http.http2.frames import WINDOW, FrameReader, same
from connectors.wire.http.http2.limit import StreamLimit
from connectors.wire.http.http2.pieces import PIECE_BYTES, pieces
from connectors.wire.http.http2.stream import Http2Stream
from connectors.wire.transport.stream import READ_BYTES, StampedStream

LARGEST_WINDOW: Final = (1 << 31) - 1
TABLE_BYTES: Final = 4096
"""Of header compression, as much as we keep for a target, whatever it allows."""
RECORDS_BYTES: Final = 4096
"""Of a read over TLS, which does not show how much of a record is missing."""
ENDS: Final = frozenset({"connection_closed", "connection_reset", "http2_no_error"})
"""How a connection may end whose target does nothing wrong."""


class Http2Connection:
    """`open`: new streams may begin; `alive`: the socket is. `users` share it, `reserved` of whom are about to send.
    `limit`: of the streams, the target's. `served`: answers so far. `opening` is done when the target has shown its
    settings."""

    def __init__(self, limits: Limits, places: int) -> None:
        """`places`: how many streams at a time we want on it."""
        self.places = places
        self.users: set[object] = set()
        self.reserved = self.served = 0
        self.limit = StreamLimit()
        self.open = self.alive = True
        self.is_tls = False
        self.opening: asyncio.Task[dict[str, int]] | None = None
        self._header_limit = limits.header_bytes
        self._h2 = new_h2(limits)
        self._streams: dict[int, Http2Stream] = {}
        self._frames = FrameReader(self._h2, self._streams, self, limits)
        self._pieces = pieces()
        self._piece_bytes = READ_BYTES
        self._stream: StampedStream | None = None
        self._blocked: dict[int, Http2Stream] = {}
        """Those whose request's body waits for the target's windows."""
        self._settings: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._goaway: TurnError | None = None
        self._broken: TurnError | None = None
        self._unread = 0

    @property
    def has_room(self) -> bool:
        """Whether one more may send."""
        return self.open and self.reserved + self.limit.active < self.places

    async def start(self, stream: StampedStream) -> None:
        """Greet the target on `stream` and wait for its settings. Raises TurnError."""
        self._stream, self.is_tls = stream, stream.is_tls
        self._h2.initiate_connection()
        self._h2.increment_flow_control_window(WINDOW - self._h2.inbound_flow_control_window)
        if self.places > 1:
            self._piece_bytes = RECORDS_BYTES if stream.is_tls else PIECE_BYTES
            stream.read_alone()
        stream.read_at_most(self._piece_bytes)
        stream.start(self)
        self._flush()
        await self._settings

    def close(self) -> None:
        """Nobody uses it any longer."""
        self.open = False
        if self.opening is not None and not self.users:
            self.opening.cancel()
        elif not self._settings.done():
            self._settings.set_exception(unavailable("it said goodbye before it had shown its settings"))
        if self.alive and self._stream is not None:
            self._h2.close_connection()
            self._flush()
            self._stream.close()
        self.alive = False

    # --- streams --------------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Raises ClosedUnsent if a request is to be sent on another connection, and what was wrong with this one if
        another would be no better."""
        if self.open:
            return
        if self._broken is not None and self._broken.code not in ENDS:
            raise same(self._broken)
        raise ClosedUnsent

    def begin(self, stream: Http2Stream, headers: list[tuple[bytes, bytes]], body: bytes) -> bytes:
        """What opens the stream: to be written at once. Raises ClosedUnsent."""
        self.check()
        try:
            stream.id = self._h2.get_next_available_stream_id()
        except NoAvailableStreamIDError as exc:
            self.open = False
            raise ClosedUnsent from exc
        self._h2.send_headers(stream.id, headers, end_stream=not body)
        self._streams[stream.id] = stream
        if body:
            stream.unsent = memoryview(body)
            self._send_body(stream)
        return self._h2.data_to_send()

    def write(self, data: bytes) -> None:
        if self._stream is not None:
            self._stream.write(data)

    def _send_body(self, stream: Http2Stream) -> None:
        """As much as the target's windows allow."""
        h2, unsent = self._h2, stream.unsent
        while unsent:
            room = min(h2.local_flow_control_window(stream.id), h2.max_outbound_frame_size)
            if room <= 0:
                self._blocked[stream.id] = stream
                break
            piece, unsent = unsent[:room], unsent[room:]
            h2.send_data(stream.id, bytes(piece), end_stream=not unsent)
        else:
            self._blocked.pop(stream.id, None)
        stream.unsent = unsent

    def cancel(self, stream: Http2Stream) -> None:
        """Nobody wants the rest of it: it is reset, and no other stream is touched."""
        if self.alive and stream.id in self._streams:
            self._h2.reset_stream(stream.id, ErrorCodes.CANCEL)
            self._flush()
            self._frames.late = 0
        stream.close()

    def forget(self, stream: Http2Stream) -> None:
        self._streams.pop(stream.id, None)
        self._blocked.pop(stream.id, None)
        if stream.holds:
            stream.holds = False
            self.limit.give_back()
        if self._goaway is not None and not self._streams:
            self.close()

    # --- what comes -----------------------------------------------------------------------------------------------

    @property
    def read_ns(self) -> int:
        """When something came last."""
        return self._frames.read_ns

    def data_received(self, ns: int, data: bytes) -> None:
        self._pieces.put(self._frames.receive, ns, data)

    def stream_closed(self, ns: int, error: OSError | None) -> None:
        self._pieces.put(self._closed, ns, error)

    def reply(self) -> None:
        if self._stream is not None:  # more of a frame is read at once: it has one stamp anyway
            self._stream.read_at_most(max(self._frames.lacking, self._piece_bytes))
        self._flush(replies=True)

    def _flush(self, *, replies: bool = False) -> None:
        """Send what h2 has to say, and open the connection's window again. Raises TurnError if what we reply is never
        read."""
        stream, frames = self._stream, self._frames
        if stream is None or not stream.open:
            return
        data = self._h2.data_to_send()
        if frames.consumed > WINDOW // 2:
            data += WindowUpdateFrame(0, window_increment=frames.consumed).serialize()
            frames.consumed = 0
        if not data:
            return
        self._unread = self._unread + len(data) if replies and stream.is_behind else 0
        if self._unread > self._header_limit:
            raise malformed(f"it sends what is to be answered, and leaves {self._unread} bytes of answers unread")
        stream.write(data)

    def event(self, ns: int, event: Event) -> bool:
        """What h2 found. Returns whether it is part of an awaited answer."""
        number: int | None = getattr(event, "stream_id", None)
        stream = self._streams.get(number or 0)
        if isinstance(event, RemoteSettingsChanged):
            self._learn(event)
        elif isinstance(event, WindowUpdated):
            self._send_blocked()
        elif stream is None:
            return False
        elif isinstance(event, ResponseReceived):
            stream.headers(ns, event.headers)
            return True
        elif isinstance(event, StreamEnded):
            self.ended(ns, stream)
            return True
        elif isinstance(event, StreamReset):
            stream.reset(int(event.error_code))
        return False

    def ended(self, ns: int, stream: Http2Stream) -> None:
        self.served += 1
        if stream.unsent:  # the target has answered without the rest of the request
            self._h2.reset_stream(stream.id, ErrorCodes.CANCEL)
        stream.end(ns)

    def _learn(self, event: RemoteSettingsChanged) -> None:
        """The target's settings."""
        self.limit.allowed = self._h2.remote_settings.max_concurrent_streams
        if SettingCodes.HEADER_TABLE_SIZE in event.changed_settings:
            self._h2.encoder.header_table_size = min(self._h2.remote_settings.header_table_size, TABLE_BYTES)
        if not self._settings.done():
            self._settings.set_result(None)
        self.limit.admit()
        self._send_blocked()

    def _send_blocked(self) -> None:
        for stream in list(self._blocked.values()):
            self._send_body(stream)

    def going_away(self, last_stream: int, code: int, said: bytes) -> None:
        """No new streams; those up to `last_stream` may still be answered."""
        self.open = False
        self._goaway = goaway_failure(code, said)
        for stream in [stream for number, stream in self._streams.items() if number > last_stream]:
            stream.lost(NotProcessed(f"the target left the request unread ({self._goaway.detail})"))
        self.limit.drop()
        if not self._streams:
            self.close()

    def _closed(self, _ns: int, error: OSError | None) -> None:
        if not self.alive:
            return  # what came before has ended it
        self.alive = False
        if self._goaway is not None and self._goaway.code != "http2_no_error":
            self.fail(self._goaway)
        elif error is not None:
            self.fail(stream_failure(error))
        else:
            self.fail(BrokenTransport("connection_closed", "the target closed before its answer was whole"))

    def fail(self, failure: TurnError) -> None:
        """The connection is over, and with it everything on it."""
        self.open = False
        self._broken = failure
        if not self._settings.done():
            early = failure.code in {"connection_closed", "http_malformed"}
            self._settings.set_exception(unavailable(failure.detail) if early else failure)
        if self.alive and self._stream is not None:
            self._stream.write(self._h2.data_to_send())  # h2's own GOAWAY
            self._stream.close()
        self.alive = False
        for stream in list(self._streams.values()):
            stream.lost(same(failure))
        self.limit.drop()


def new_h2(limits: Limits) -> H2Connection:
    """`limits` bound what the target may make us keep."""
    h2 = H2Connection(
        H2Configuration(
            header_encoding=None,
            validate_outbound_headers=False,
            normalize_outbound_headers=False,
            validate_inbound_headers=False,  # of one answer, but a violation would end the connection of all
            normalize_inbound_headers=False,
        )
    )
    h2.local_settings = Settings(
        client=True,
        initial_values={
            SettingCodes.ENABLE_PUSH: 0,
            SettingCodes.INITIAL_WINDOW_SIZE: WINDOW if limits.body_bytes <= WINDOW else LARGEST_WINDOW,
            SettingCodes.MAX_FRAME_SIZE: FRAME_BYTES,
            SettingCodes.HEADER_TABLE_SIZE: TABLE_BYTES,
            SettingCodes.MAX_HEADER_LIST_SIZE: limits.header_bytes,
        },
    )
    h2.encoder = RepeatingEncoder()
    h2.decoder.max_header_list_size = limits.header_bytes
    return h2
