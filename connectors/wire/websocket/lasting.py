"""Messages of the load lane beside the turns' own, on a connection that lasts."""

from __future__ import annotations

import asyncio
import time
from abc import abstractmethod
from collections.abc import Awaitable, Callable

from connectors.errors import TurnError
from connectors.lasting.connector import LastingConnector
from connectors.mapping.messages import Message
from connectors.mapping.request import RenderedRequest
from connectors.timeline import Timeline
from connectors.websocket.records import Records
from connectors.wire.base import WireConnector
from connectors.wire.transport.clock import not_before

Take = Callable[[int, bytes], object]
"""Takes a message of the target that arrived at some time."""

Exchange = Callable[[RenderedRequest, Timeline], Awaitable[None]]


class WireLasting(LastingConnector, WireConnector):
    """A subclass calls `keep_alive` when its connection is ready, and `rest` when it is given up."""

    _beat: asyncio.TimerHandle | None = None
    _about: Timeline | None = None
    """The turn whose messages are sent before its own."""

    @abstractmethod
    def connection_lost(self, ns: int, error: TurnError) -> None:
        """It has ended, or cannot be used any more."""

    @abstractmethod
    def _drop(self) -> None:
        """Close it."""

    def say_in_turn(self, message: Message) -> int:
        timeline = self._about
        if timeline is None:
            return super().say_in_turn(message)
        if timeline.sent_ns is None:
            timeline.sent(not_before(timeline.planned_ns), 0)
        timeline.bytes_out += (size := super().say_in_turn(message))
        return size

    async def around(self, request: RenderedRequest, timeline: Timeline, exchange: Exchange) -> None:
        """`exchange`, with what precedes and follows a turn's own message. Raises TurnError."""
        self.begin_turn()
        if self.results is not None:
            for result in self.results:
                timeline.bytes_out += self.write_message(result)
            await exchange(request, timeline)
            self.say_after(timeline)
            return
        if (dialogue := self.target.new_before(self.say_in_turn)) is not None:
            self._about = timeline
            try:
                await self.hold(dialogue)
            finally:
                self._about = None
        await exchange(self.rendered_late(request), timeline)
        self.say_after(timeline)

    def write_early(self, request: RenderedRequest) -> int:
        """`write_message` of a reply to what came together with the upgrade's answer, before there was a connection to
        write to."""

        def write() -> None:
            if self.can_write:
                self.write_message(request)

        asyncio.get_running_loop().call_soon(write)
        return 0

    def replying(self, take: Take) -> Take:
        """`take`, of all messages that are not replied to automatically."""
        if not self.target.auto_replies:
            return take

        def taken(ns: int, data: bytes) -> None:
            try:
                if self.has_replied(data):
                    return
            except TurnError as exc:
                self._lose(ns, exc)
                return
            take(ns, data)

        return taken

    def reading(self, take: Take) -> Take:
        """`replying`, of each record of a message, if there are any."""
        take = self.replying(take)
        separator = self.target.spec.websocket.separator
        if not separator:
            return take
        records = Records(separator, self.target.spec.limits.event_bytes)

        def taken(ns: int, data: bytes) -> None:
            try:
                found = records.feed(data)
            except TurnError as exc:
                self._lose(ns, exc)
                return
            for record in found:
                take(ns, record)

        return taken

    def keep_alive(self) -> None:
        """From now on, until `rest`."""
        spec = self.target.spec.keep_alive
        if spec is not None:
            self._beat = asyncio.get_running_loop().call_later(spec.every_s, self._send_beat)

    def _send_beat(self) -> None:
        message = self.target.keep_alive
        if message is None:
            return
        try:
            self.say(message)
        except TurnError as exc:
            self._lose(time.monotonic_ns(), exc)
        else:
            self.keep_alive()

    def _lose(self, ns: int, error: TurnError) -> None:
        self.connection_lost(ns, error)
        self._drop()

    def rest(self) -> None:
        """No more beats."""
        if self._beat is not None:
            self._beat.cancel()
            self._beat = None
