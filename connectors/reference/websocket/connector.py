"""The reference lane's connector for WebSocket, on `websocket-client`."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Mapping
from typing import Any, Final

from websocket import ABNF

from connectors.errors import TimedOut, TooLarge, TurnError
from connectors.mapping.request import RenderedRequest
from connectors.reference.transport.deadlines import GraceOver
from connectors.reference.websocket.client import WsClient
from connectors.reference.websocket.lasting import ReferenceLasting
from connectors.reference.websocket.socket import Dry, MessageWatch, WatchedSocket, keep
from connectors.security.guard import AllowPrivate
from connectors.target import CompiledTarget
from connectors.timeline import Timeline
from connectors.websocket.failures import lost_between_turns
from connectors.websocket.records import Records

DRAIN_S: Final = 0.1
"""Maximum time to read unsolicited messages before a turn."""


class WebSocketConnector(ReferenceLasting):
    """One WebSocket for a whole conversation. Blocks; use one connector in one thread at a time. A separate thread
    answers pings between two turns."""

    persistent = True
    opens_secrets = True

    def __init__(self, target: CompiledTarget, *, allow_private: AllowPrivate = True) -> None:
        super().__init__(target, allow_private=allow_private)
        self._watch = MessageWatch(target.endpoint, allow_private=allow_private)
        self._client: WsClient | None = None
        self._sock: WatchedSocket | None = None
        self._lost: TurnError | None = None
        self._asked = False
        self._records: Records | None = None
        self._waiting: deque[bytes] = deque()
        """Records that came with others and are not read yet."""
        self._lock = threading.RLock()
        """Lock for reading and writing the connection."""
        self._over = threading.Event()

    @property
    def ready(self) -> bool:
        with self._lock:
            self._drain()
            return self._client is not None

    def begin(self, session: Mapping[str, Any]) -> None:
        self.disconnect()  # the upgrade names the session, and the target may hold the conversation by its connection
        super().begin(session)
        self._lost = None

    def connect(self) -> None:
        with self._lock:
            self._connect()

    def _connect(self) -> None:
        lost, self._lost = self._lost, None
        self._leave()
        if lost is not None and self.target.spec.websocket.reconnect == "fail":
            raise lost
        self.do_handshake()
        request = self._with_cookies(self.target.render_connection({"session": self.session, "saved": self.saved}))
        self._watch.phase = "upgrade"
        self._asked = False
        separator = self.target.spec.websocket.separator
        self._records = Records(separator, self.target.spec.limits.event_bytes) if separator else None
        self._waiting.clear()
        self._sock = WatchedSocket(self.target.endpoint, self._watch)
        try:
            self._upgrade(self._sock, request)
            self.keep_alive(self._sock)
            self.round_trip_ns = self.measured_round_trip_ns()
            self.expect_greeting()
            self.wait_for_greeting(self._take_one)
        except TurnError:
            self._leave()
            raise
        self._over = threading.Event()
        threading.Thread(
            target=keep, args=(self._over, self.keep_s, self._lock, self._drain), name="pings", daemon=True
        ).start()

    def measured_round_trip_ns(self) -> int:
        return 0 if self._sock is None else self._sock.round_trip_ns

    def _take_one(self, left_s: float) -> None:
        """One message that belongs to no turn. Raises TimeoutError, or TurnError."""
        client = self._client
        if client is None:
            raise RuntimeError("no connection")
        try:
            with self._watch.only_within(left_s):
                data = self._next(client)
        except TimedOut as exc:
            raise TimeoutError from exc
        self.idle_event(data, self._watch.last_ns)

    def _upgrade(self, sock: WatchedSocket, request: RenderedRequest) -> None:
        spec = self.target.spec
        client = WsClient(sock, self._watch, spec.limits.event_bytes)
        for name, ns in self._watch.handshake_ns.items():
            self.add_step(name, ns)
        began_ns = time.monotonic_ns()
        self.upgraded_by = request.headers
        ours = spec.websocket
        try:
            client.upgrade(request, self.target.endpoint, ours.subprotocols, compression=ours.compression)
        except Dry:
            sock.answer.refuse(self.timeline(0), socketio=False)
        finally:
            self.keep_cookies(request.path, sock.answer.set_cookies)
        self.add_step("upgrade", time.monotonic_ns() - began_ns)
        self._watch.phase = "idle"
        self._client = client

    def send_message(self, request: RenderedRequest, timeline: Timeline) -> None:
        with self._lock:
            self._send(request, timeline)

    def _send(self, request: RenderedRequest, timeline: Timeline) -> None:
        self._drain()
        if self._client is None and self._lost is not None and self._asked:
            self.connect()  # raises the loss, unless the target's sessions outlive their connections
        self._begun(timeline)
        try:
            self.around(request, timeline, self._ask)
        except TurnError:
            self._leave()
            raise
        finally:
            self._watch.phase = "idle"
        self._asked = True

    def _ask(self, request: RenderedRequest, timeline: Timeline) -> None:
        self.write_message(request)
        if self._client is not None:
            self._read_answer(self._client, timeline)

    @property
    def can_write(self) -> bool:
        return self._client is not None

    def write_message(self, request: RenderedRequest) -> int:
        if self._client is None:
            return 0  # it was lost, which is said elsewhere
        opcode = ABNF.OPCODE_BINARY if self.target.spec.websocket.binary else ABNF.OPCODE_TEXT
        return self._client.send(self.framed(request.body), opcode)

    def _next(self, client: WsClient) -> bytes:
        """The next message that is not replied to automatically. Raises TurnError, or Dry."""
        while self.has_replied(data := self._record(client)):
            pass
        return data

    def _record(self, client: WsClient) -> bytes:
        """The next message, or record of one."""
        if self._records is None:
            return client.read()
        while not self._waiting:
            self._waiting.extend(self._records.feed(client.read()))
        return self._waiting.popleft()

    def _begun(self, timeline: Timeline) -> WsClient:
        """The connection, its time limits begun. Raises TurnError if it was lost."""
        client = self._client
        timeline.handshake_ns, self.handshake_ns = self.handshake_ns, None
        if client is None:
            lost, self._lost = self._lost, None
            raise lost or RuntimeError("send_message before connect")
        self._watch.begin(timeline)
        self._watch.phase = "turn"
        return client

    def _read_answer(self, client: WsClient, timeline: Timeline) -> None:
        limit = self.target.spec.limits.body_bytes
        size = 0
        while timeline.done_ns is None:
            try:
                data = self._next(client)
            except GraceOver:
                timeline.look(time.monotonic_ns())
                continue
            size += len(data)
            if size > limit:
                raise TooLarge("body_too_large", f"the messages of one turn have more than {limit} bytes")
            timeline.event(self._watch.last_ns, data)

    def _drain(self) -> None:
        """Read what arrived since the last turn: messages that belong to no turn, or the connection's end."""
        self._watch.idle_until = time.monotonic() + DRAIN_S
        try:
            while self._client is not None:
                self.idle_event(self._next(self._client), self._watch.last_ns)
        except Dry:
            return
        except TurnError as exc:
            self._lost = lost_between_turns(exc) if self._asked else exc
            self._close()

    def disconnect(self) -> None:
        with self._lock:
            self.say_goodbye()
            self._leave()

    def _leave(self) -> None:
        with self._lock:
            if self._client is not None and self._client.connected:
                self._client.send_close()
            self._close()

    def _close(self) -> None:
        self._over.set()
        if self._sock is not None:
            self._sock.close()
        self._client = self._sock = None
