"""The reference lane's connector for Socket.IO v4, on python-socketio's Client over `websocket-client`."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any, Final

from connectors.errors import TimedOut, TooLarge, TurnError
from connectors.mapping.request import RenderedRequest
from connectors.reference.socketio.client import SocketIoClient
from connectors.reference.socketio.engine_socket import EngineSocket, EngineWatch
from connectors.reference.socketio.polling_socket import PollingSocket
from connectors.reference.transport.deadlines import GraceOver
from connectors.reference.websocket.lasting import ReferenceLasting, every
from connectors.reference.websocket.socket import Dry, WatchedSocket, keep
from connectors.security.guard import AllowPrivate
from connectors.socketio.base import SocketIoBase, lost_between_turns, silent
from connectors.socketio.opening import Opened
from connectors.socketio.packets import is_event
from connectors.target import CompiledTarget
from connectors.timeline import Timeline

DRAIN_S: Final = 0.1
"""Maximum time to read unsolicited messages at once: a target may send them without end."""
KEEP_S: Final = 1.0
"""Minimum frequency of checks for pings between turns: four times within the time that a target waits for the pong."""


class SocketIoConnector(SocketIoBase, ReferenceLasting):
    """Blocks; use one connector in one thread at a time. A separate thread answers pings between two turns."""

    _watch: EngineWatch

    def __init__(self, target: CompiledTarget, *, allow_private: AllowPrivate = True) -> None:
        super().__init__(target, allow_private=allow_private)
        self._watch = EngineWatch(target.endpoint, allow_private=allow_private)
        self._lock = threading.RLock()
        """Lock for reading and writing the connection."""
        self._sock: WatchedSocket | PollingSocket | None = None
        self._client: SocketIoClient | None = None
        self._opened: Opened | None = None
        self._joined = self._asked = False
        self._over = threading.Event()
        self._lost: TurnError | None = None
        self._awaited: str | None = None
        self._timeline: Timeline | None = None
        self._taken = 0
        self._ack_id: int | None = None

    @property
    def ready(self) -> bool:
        with self._lock:
            self._drain()
            return self._joined and self.fresh

    def begin(self, session: Mapping[str, Any]) -> None:
        self.disconnect()
        super().begin(session)
        self._lost = None

    def connect(self) -> None:
        with self._lock:
            if self._joined:
                self.do_handshake()  # the handshake's values have expired, the connection has not
                return
            lost, self._lost = self._lost, None
            self._leave()
            if lost is not None and not self._resumes:
                raise lost
            self.do_handshake()
            self._watch.phase = "upgrade"
            try:
                self._join()
            except TurnError:
                self._leave()
                raise
            self._watch.phase = "idle"

    def _join(self) -> None:
        """Upgrade, read the open packet, connect the namespace, wait for the event that signals readiness."""
        self._replies = 0
        self._awaited = self.target.spec.socketio.ready_event
        self.expect_greeting()
        client, ws, sock = self._open()
        while not client.joined:
            client.eio.pump()
        if (hello := self.hello()) is not None:
            client.emit(hello[0], tuple(hello[1:]), namespace=self.namespace)
            client.eio.flush()
        while self._awaited is not None:
            client.eio.pump()
        self.add_step("socketio", time.monotonic_ns() - ws.upgraded_ns)
        self.round_trip_ns = self.measured_round_trip_ns()
        self._watch.phase = "idle"
        self.keep_alive(sock)
        if self.eio == 3 and ws.opened is not None:
            sock.beats.append(every(ws.opened.interval_ms / 1e3, ws.send_ping))
        self.wait_for_greeting(self._take_one)
        self._opened = opened = ws.opened
        self._joined = True
        if opened is not None:
            self._over = threading.Event()
            every_s = max(min(KEEP_S, self.keep_s, opened.timeout_ms / 4000), 0.01)
            threading.Thread(
                target=keep, args=(self._over, every_s, self._lock, self._drain), name="pings", daemon=True
            ).start()

    def _open(self) -> tuple[SocketIoClient, EngineSocket | PollingSocket, WatchedSocket | PollingSocket]:
        """Connect and send CONNECT. Raises TurnError."""
        path, query, headers = self.address()
        url = f"ws://{self.target.endpoint.host_header}/?{query}"
        if self.target.spec.socketio.transport == "polling":
            polling = PollingSocket(self._watch, self.target, self, allow_private=self.allow_private)
            self._sock = polling
            client = self._dial(polling, url, path, headers)
            self._add_steps(polling.handshake_ns)
            return client, polling, polling
        self._sock = sock = WatchedSocket(self.target.endpoint, self._watch)
        self._add_steps(self._watch.handshake_ns)
        ws = EngineSocket(sock, self._watch, self.target, self)
        began_ns = time.monotonic_ns()
        try:
            client = self._dial(ws, url, path, headers)
        except Dry:
            sock.answer.refuse(self.timeline(0), socketio=True)
            raise
        finally:
            self.keep_cookies(f"{path}?{query}", sock.answer.set_cookies)
        self.add_step("upgrade", ws.upgraded_ns - began_ns)
        return client, ws, sock

    def _dial(
        self, ws: EngineSocket | PollingSocket, url: str, path: str, headers: tuple[tuple[str, str], ...]
    ) -> SocketIoClient:
        """Raises TurnError, or Dry if a WebSocket is refused."""
        self._client = client = SocketIoClient(ws, self)
        client.open(url, path, dict(headers), self.auth())
        return client

    def _add_steps(self, spent_ns: Mapping[str, int]) -> None:
        for name, ns in spent_ns.items():
            self.add_step(name, ns)

    def measured_round_trip_ns(self) -> int:
        return 0 if self._sock is None else self._sock.round_trip_ns

    def _take_one(self, left_s: float) -> None:
        """One packet that belongs to no turn. Raises TimeoutError, or TurnError."""
        client = self._client
        if client is None:
            raise RuntimeError("no connection")
        try:
            with self._watch.only_within(left_s):
                client.eio.pump()
        except TimedOut as exc:
            raise TimeoutError from exc

    # --- a turn -------------------------------------------------------------------------------------------------

    def send_message(self, request: RenderedRequest, timeline: Timeline) -> None:
        with self._lock:
            client = self._client
            if client is None or not self._joined:
                raise RuntimeError("send_message before connect")
            timeline.handshake_ns, self.handshake_ns = self.handshake_ns, None
            if not self.target.renders_late:
                self.arguments(request)  # raises before anything is sent
            self._watch.begin(timeline)
            self._watch.phase = "turn"
            try:
                self.around(request, timeline, self._ask)
                self._asked = True
            except TurnError:
                self._leave()
                raise
            finally:
                self._timeline = self._ack_id = None
                self._watch.phase = "idle"

    def _ask(self, request: RenderedRequest, timeline: Timeline) -> None:
        client = self._client
        if client is None:
            raise self._lost or RuntimeError("send_message before connect")
        self._replies = self._taken = 0
        self._timeline = timeline
        self._emit(client, request.event, self.arguments(request))
        while timeline.done_ns is None:
            try:
                client.eio.pump()
            except GraceOver:
                timeline.look(time.monotonic_ns())
        self._timeline = None

    @property
    def can_write(self) -> bool:
        return self._client is not None and self._client.joined

    def write_message(self, request: RenderedRequest) -> int:
        client = self._client
        if client is None:
            return 0  # it was lost, which is said elsewhere
        before = client.sent_bytes
        client.emit(request.event, tuple(self.arguments(request)), namespace=self.namespace)
        client.eio.flush()
        return client.sent_bytes - before

    def _emit(self, client: SocketIoClient, event: str, args: list[Any]) -> None:
        if self.target.spec.socketio.ack:
            self._ack_id = client.emit_asking(event, args)
        else:
            client.emit(event, tuple(args), namespace=self.namespace)
        client.eio.flush()

    def on_event(self, seen: bytes) -> None:
        if self.has_replied(seen):
            return
        if self._feed(seen):
            return
        if self._awaited is None:
            self.idle_event(seen, self._watch.last_ns)
            return
        self.before_ready(seen, self._watch.last_ns)
        if is_event(seen, self._awaited):
            self._awaited = None

    def on_ack(self, ack_id: int, seen: bytes) -> None:
        if ack_id == self._ack_id and self._feed(seen):
            self._ack_id = None
        else:
            self.idle_event(seen, self._watch.last_ns)

    def _feed(self, seen: bytes) -> bool:
        """Whether the turn in flight receives messages."""
        timeline = self._timeline
        if timeline is None or timeline.done_ns is not None:
            return False
        limit = self.target.spec.limits.body_bytes
        self._taken += len(seen)
        if self._taken > limit:
            raise TooLarge("body_too_large", f"the messages of one turn have more than {limit} bytes")
        self._watch.answered()
        timeline.event(self._watch.last_ns, seen)
        return True

    # --- between two turns ----------------------------------------------------------------------------------------

    def _drain(self) -> None:
        """Read what arrived since the last turn: messages that belong to no turn, or the connection's end."""
        self._watch.idle_until = time.monotonic() + DRAIN_S
        try:
            while self._joined and self._client is not None:
                self._client.eio.pump()
        except Dry:
            if self._opened is not None and time.monotonic_ns() - self._watch.last_ns > self._opened.silence_ns:
                self._lose(silent(self._opened))
        except TurnError as exc:
            self._lose(exc)

    def _lose(self, why: TurnError) -> None:
        # an unused connection was not lost between turns: the target's message says why
        self._lost = lost_between_turns(why) if self._asked else why
        self._leave()

    def disconnect(self) -> None:
        with self._lock:
            self.say_goodbye()
            self._leave()

    def _leave(self) -> None:
        with self._lock:
            self._over.set()
            if self._client is not None:
                self._client.shut(polite=self._watch.phase == "idle")
            if self._sock is not None:
                self._sock.close()
            self._client = self._sock = self._opened = None
            self._joined = self._asked = False
