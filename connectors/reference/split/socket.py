"""The reference lane's connector for the split protocol with a WebSocket that only receives."""

from __future__ import annotations

import threading
import time

from connectors.errors import TurnError
from connectors.mapping.request import RenderedRequest
from connectors.reference.split.connector import post_exchange
from connectors.reference.websocket.connector import WebSocketConnector
from connectors.security.guard import AllowPrivate
from connectors.target import CompiledTarget
from connectors.timeline import Timeline
from connectors.timeline.acks import POST_GRACE_S, AckTimeline


class SplitSocketConnector(WebSocketConnector):
    """A thread posts, while this one reads the WebSocket."""

    def __init__(self, target: CompiledTarget, *, allow_private: AllowPrivate = True) -> None:
        super().__init__(target, allow_private=allow_private)
        self._post = post_exchange(target, allow_private)

    def connect(self) -> None:
        super().connect()
        if not self._post.ready:
            self._post.connect()

    def _send(self, request: RenderedRequest, timeline: Timeline) -> None:
        ack = AckTimeline(timeline)
        failures: list[TurnError] = []

        def ask() -> None:
            try:
                if not self._post.ready:
                    self._post.connect()
                self._post.send(request, ack, self.cookies)
                ack.judge()
            except TurnError as exc:
                failures.append(exc)
                self._watch.shut()  # stop waiting: the message was not accepted

        self.begin_turn()
        posting = threading.Thread(target=ask, name="split", daemon=True)
        self._drain()
        client = self._begun(timeline)
        self._watch._sent_ns = self._watch.last_ns = time.monotonic_ns()  # what is sent is the other thread's
        try:
            posting.start()
            self._read_answer(client, timeline)
        except TurnError:
            posting.join(POST_GRACE_S)
            self._leave()
            if failures:
                raise failures[0] from None
            raise
        finally:
            self._watch.phase = "idle"
            posting.join(POST_GRACE_S)  # its response may come after the answer
            if posting.is_alive():
                self._post.shut()
        self._asked = True

    def _leave(self) -> None:
        super()._leave()
        self._post.close()
