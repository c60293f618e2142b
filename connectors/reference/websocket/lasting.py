"""Messages of the reference lane beside the turns' own, on a connection that lasts."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable
from typing import Final, Protocol

from connectors.lasting.connector import LastingConnector
from connectors.mapping.messages import Message
from connectors.mapping.request import RenderedRequest
from connectors.reference.base import ReferenceConnector
from connectors.reference.websocket.socket import MessageWatch
from connectors.timeline import Timeline

KEEP_S: Final = 0.5
"""Interval at which pings are read while no question is open."""


def every(seconds: float, send: Callable[[], None]) -> Callable[[], float]:
    """What `WatchedSocket.beats` holds."""
    due_s = time.monotonic() + seconds

    def beat() -> float:
        nonlocal due_s
        if (left_s := due_s - time.monotonic()) > 0:
            return left_s
        due_s = time.monotonic() + seconds
        send()
        return seconds

    return beat


class Beating(Protocol):
    beats: list[Callable[[], float]]
    """See `WatchedSocket`."""


Exchange = Callable[[RenderedRequest, Timeline], None]


class ReferenceLasting(LastingConnector, ReferenceConnector):
    """`_watch` is that of the connection's socket. A subclass calls `keep_alive` when there is one."""

    _watch: MessageWatch

    @abstractmethod
    def _take_one(self, left_s: float) -> None:
        """Read one message that belongs to no turn. Raises TimeoutError, or TurnError."""

    def say(self, message: Message) -> None:
        phase, self._watch.phase = self._watch.phase, "idle"  # no part of the turn in flight
        try:
            super().say(message)
        finally:
            self._watch.phase = phase

    def around(self, request: RenderedRequest, timeline: Timeline, exchange: Exchange) -> None:
        """`exchange`, with what precedes and follows a turn's own message. Raises TurnError."""
        self.begin_turn()
        if self.results is not None:
            for result in self.results:
                timeline.bytes_out += self.write_message(result)
            self._watch.sent_aside()
        elif (dialogue := self.target.new_before(self.say_in_turn)) is not None:
            self.hold(dialogue, self._take_one)
            self._watch.sent_aside()
        exchange(self.rendered_late(request) if self.results is None else request, timeline)
        self._watch.phase = "idle"  # no time limit is running any more
        self.say_after(timeline)

    def keep_alive(self, sock: Beating) -> None:
        """From now on, as long as the socket is used."""
        spec, message = self.target.spec.keep_alive, self.target.keep_alive
        if spec is None or message is None:
            return
        sock.beats.append(every(spec.every_s, lambda: self.say(message)))

    @property
    def keep_s(self) -> float:
        """How often the connection is looked after between two turns."""
        spec = self.target.spec.keep_alive
        return KEEP_S if spec is None else min(KEEP_S, spec.every_s / 4)
