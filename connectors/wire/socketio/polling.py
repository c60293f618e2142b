"""Engine.IO by long polling on the load lane: a GET that the target answers when it has something to say, again and
again, and a POST for what we say, each on a connection of its own. It looks like a `WsConnection` to its receiver."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

from connectors.errors import BrokenTransport, TurnError
from connectors.http.cookies import with_cookies
from connectors.mapping.request import RenderedRequest
from connectors.socketio.base import SocketIoBase
from connectors.socketio.opening import read_open
from connectors.socketio.packets import CLOSE, text_of
from connectors.socketio.payloads import EmptyPolls, joined, pieces, version_of
from connectors.timeline.polls import PollTimeline, poll_timeouts
from connectors.wire.http.connection import HttpConnection
from connectors.wire.http.exchange import HttpExchange
from connectors.wire.websocket.connection import WsReceiver


class PollingConnection:
    """A session of Engine.IO. It was asked for at `opened_ns`, and its last bytes came at `read_ns`."""

    round_trip_ns = 0

    def __init__(self, connector: SocketIoBase, receiver: WsReceiver) -> None:
        target = connector.target
        endpoint, limits = target.endpoint, target.spec.limits
        allow = connector.allow_private
        waiting = replace(endpoint, timeouts=poll_timeouts(endpoint.timeouts))
        self._connector = connector
        self._cookies = connector.cookies
        self._receiver = receiver
        self._limit = limits.event_bytes
        self._polls = HttpExchange(waiting, allow_private=allow, idempotent=True)
        self._posts = HttpExchange(waiting, allow_private=allow)
        self._loop = asyncio.get_running_loop()
        self._sid = ""
        self._eio = 4
        self._empty = EmptyPolls()
        self._unsent: list[bytes] = []
        self._polling: asyncio.Task[None] | None = None
        self._post_task: asyncio.Task[None] | None = None
        self._posting = False
        self.open = False
        self.opened_ns = self.read_ns = time.monotonic_ns()

    async def start(self) -> None:
        """Ask for a session, and begin to poll. Raises TurnError; nothing is open then."""
        connector = self._connector
        try:
            await self._polls.connect(connector.add_step)
            self.opened_ns = time.monotonic_ns()
            timeline = await self._asked(self._polls, connector.polled("GET"))
            self._eio = connector.eio or version_of(timeline.body)
            found = pieces(timeline.body, self._eio, self._limit)
            opened = read_open(text_of(found[0].data))
            if connector.eio is None:
                connector.found(self._eio)
            self._sid = opened.sid
            await self._posts.connect()
        except BaseException:
            self._shut()
            raise
        self.open = True
        for piece in found:
            self._hand_on(timeline.answered_ns, *piece)
        self._polling = asyncio.ensure_future(self._guarded(self._poll))

    async def _asked(self, exchange: HttpExchange, request: RenderedRequest) -> PollTimeline:
        timeline = PollTimeline(self._connector.target.response, time.monotonic_ns())
        await exchange.send(request, timeline, self._cookies)
        return timeline

    async def _guarded(self, work: Callable[[], Awaitable[None]]) -> None:
        """What goes wrong is the receiver's, unless the session was closed by us."""
        try:
            await work()
        except TurnError as exc:
            if self.open:
                self._shut()
                self._receiver.connection_lost(time.monotonic_ns(), exc)

    async def _poll(self) -> None:
        while self.open:
            if not self._polls.usable:
                await self._polls.connect()
            timeline = await self._asked(self._polls, self._connector.polled("GET", self._sid))
            ns = self.read_ns = timeline.answered_ns
            self._receiver.bytes_read(ns, timeline.bytes_in)
            found = pieces(timeline.body, self._eio, self._limit)
            self._empty.look_at(found)
            for piece in found:
                self._hand_on(ns, *piece)

    def _hand_on(self, ns: int, data: bytes, binary: bool) -> None:
        if not self.open:
            return
        if binary:
            self._receiver.binary(ns, data)
        elif data:
            self._receiver.message(ns, data)

    def send(self, data: bytes, *, binary: bool = False) -> int:
        """Send one packet. Returns its bytes, without those of the request that carries it."""
        if not self.open or binary:
            raise BrokenTransport("connection_closed", "the connection was closed before the message was sent")
        self._unsent.append(data)
        if not self._posting:
            self._posting = True
            self._post_task = asyncio.ensure_future(self._guarded(self._post))
        return len(data)

    async def _post(self) -> None:
        """All that waits, one request after the other."""
        try:
            while self._unsent:
                body, self._unsent = joined(self._unsent, self._eio), []
                if not self._posts.usable:
                    await self._posts.connect()
                await self._asked(self._posts, self._connector.polled("POST", self._sid, body))
        finally:
            self._posting = False
            if not self.open:
                self._posts.close()

    def close(self, _code: int = 1000) -> None:
        """Say goodbye and close, without waiting for an answer. Safe to call more than once."""
        if not self.open:
            return
        if self._posting:
            self._unsent.append(CLOSE.encode())  # behind what is being sent, which then closes its connection
            self._stop(self._polling)
            self.open = False
            self._polls.close()
            return
        connection = self._posts.connection
        if isinstance(connection, HttpConnection) and connection.usable:
            said = self._connector.polled("POST", self._sid, joined([CLOSE.encode()], self._eio))
            connection.leave(with_cookies(said, self._connector.target.endpoint, self._cookies))
        self._shut()

    def _shut(self) -> None:
        self.open = False
        self._unsent = []
        for task in (self._polling, self._post_task):
            self._stop(task)
        for exchange in (self._polls, self._posts):
            exchange.close()

    def _stop(self, task: asyncio.Task[None] | None) -> None:
        if task is not None and task is not asyncio.current_task(self._loop):
            task.cancel()
