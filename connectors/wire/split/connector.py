"""The load lane's connector for the split style: messages are sent by POST, and answered on a standing event stream."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Protocol

from connectors.content.styles import WHOLE
from connectors.errors import ClosedUnsent, ReusedClosed, TimedOut, TooLarge, TurnError
from connectors.http.signing import request_encoder
from connectors.mapping.request import RenderedRequest
from connectors.security.guard import AllowPrivate
from connectors.target import CompiledTarget
from connectors.timeline import Timeline
from connectors.timeline.acks import AckTimeline, post_timeouts
from connectors.timeline.named import NamedTimeline, named_data
from connectors.waits import BODY_WAIT, BODY_WAIT_S, note_resend
from connectors.wire.base import WireConnector
from connectors.wire.http.connection import HttpConnection
from connectors.wire.http.event_stream import EventStream
from connectors.wire.turn import Turn, new_turn


class Standing(Protocol):
    """What answers, for as long as the conversation lasts."""

    @property
    def open(self) -> bool: ...

    def close(self) -> None: ...


class SplitConnector(WireConnector):
    """Two connections: the standing stream's lasts for the conversation, the other is for the POSTs."""

    persistent = True
    opens_secrets = True

    def __init__(self, target: CompiledTarget, *, allow_private: AllowPrivate = True) -> None:
        super().__init__(target, allow_private=allow_private)
        self._standing: Standing | None = None
        self._post: HttpConnection | None = None
        self._posting: asyncio.Future[None] | None = None
        self._turn: Turn | None = None
        self._timeline: Timeline | None = None
        self._lost: TurnError | None = None
        self._name = ""
        self._idle_bytes = 0

    @property
    def ready(self) -> bool:
        return self._standing is not None and self._standing.open and self.fresh

    def begin(self, session: Mapping[str, Any]) -> None:
        super().begin(session)
        self._drop()  # the standing stream is the old conversation's
        self._lost = None

    async def connect(self) -> None:
        self._drop()
        self._lost = None
        await self.do_handshake()
        spec = self.target.spec
        context = {"session": self.session, "saved": self.saved}
        request = self._with_cookies(self.target.render_connection(context)._replace(method="GET"))
        self._turn = new_turn(spec)
        self._idle_bytes = 0
        self.expect_greeting()
        stream = await self.dial()
        self._standing = standing = EventStream(stream, self, spec.limits)
        try:
            began_ns = time.monotonic_ns()
            standing.ask(request, self.target.endpoint)
            async with asyncio.timeout(spec.timeouts.first_byte):
                await standing.opened
            self.add_step("standing", time.monotonic_ns() - began_ns)
            await self._dial_post()
            await self.wait_for_greeting()
        except TimeoutError as exc:
            self._drop()
            limit_s = spec.timeouts.first_byte
            raise TimedOut("first_byte_timeout", f"no answer to the standing stream within {limit_s:g} s") from exc
        except BaseException:
            self._drop()
            raise

    async def _dial_post(self) -> HttpConnection:
        endpoint = self.target.endpoint
        stream, timeouts = await self.dial(), post_timeouts(endpoint.timeouts)
        self._post = post = HttpConnection(stream, endpoint.limits, timeouts, request_encoder(endpoint, WHOLE))
        return post

    async def send_message(self, request: RenderedRequest, timeline: Timeline) -> None:
        if self._post is None:
            lost, self._lost = self._lost, None
            raise lost or RuntimeError("send_message before connect")
        try:
            await self._end_posting()
            if not self._post.usable:
                await self._dial_post()
            timeline.handshake_ns, self.handshake_ns = self.handshake_ns, None
            try:
                await self._exchange(request, timeline, self._post)
            except ClosedUnsent:
                timeline.sent_ns = None  # a kept connection that the target closed at this moment
                await self._dial_post()
                await self._exchange(request, timeline, self._post)
        except BaseException:
            self._drop()
            self._lost = None
            raise

    async def _exchange(self, request: RenderedRequest, timeline: Timeline, post: HttpConnection) -> None:
        if self._lost is not None:
            raise self._lost  # lost since the check of `ready`: the answer could not arrive
        turn = self._turn
        if turn is None:
            raise RuntimeError("send_message before connect")
        ack = AckTimeline(timeline)
        posting = self._posting = asyncio.ensure_future(self._ask(post, request, ack))

        def posted(done: asyncio.Future[None]) -> None:
            if done.cancelled():
                return
            try:
                done.result()
                ack.judge()
                turn.look()
            except TurnError as exc:
                turn.fail(exc)

        posting.add_done_callback(posted)
        self._timeline = timeline
        try:
            await turn.exchange(timeline, _nothing_here)
        except BaseException:
            if self._standing is not None:
                self._standing.close()  # the rest of a failed answer belongs to no later turn
            await _cancelled(posting)
            raise
        finally:
            self._timeline = None
            self._idle_bytes = 0

    async def _ask(self, post: HttpConnection, request: RenderedRequest, ack: AckTimeline) -> None:
        """The POST and its answer, which may arrive after the stream's answer is complete."""
        try:
            await post.exchange(self._with_cookies(request), ack)
        except ReusedClosed:
            if not self.target.spec.request.idempotent:
                raise
            steps = self.handshake_ns
            again = await self._dial_post()
            self.handshake_ns = steps  # the new connection is part of the wait for the answer
            note_resend(ack.of, ack.sent_ns)
            await again.exchange(self._with_cookies(request), ack)
        finally:
            self.keep_cookies(request.path, post.answer.set_cookies)

    async def _end_posting(self) -> None:
        """The previous POST may not be answered yet: this message waits briefly, then that POST is abandoned."""
        posting = self._posting
        if posting is None or posting.done():
            return
        began_ns = time.monotonic_ns()
        await asyncio.wait([posting], timeout=BODY_WAIT_S)
        self._waited(BODY_WAIT, began_ns)
        await _cancelled(posting)

    async def disconnect(self) -> None:
        self._drop()

    def _drop(self) -> None:
        if self._posting is not None:
            self._posting.cancel()
            self._posting = None
        for part in (self._turn, self._standing, self._post):
            if part is not None:
                part.close()
        self._turn = self._standing = self._post = None

    # --- the standing stream's calls ------------------------------------------------------------------------------

    def bytes_read(self, ns: int, size: int) -> None:
        if self._turn is not None:
            self._turn.bytes_read(ns, size)
        if self._timeline is None:
            self._idle_bytes += size

    def heard(self, ns: int, name: str, data: bytes) -> None:
        self._name = name
        said = data if self._timeline is None else named_data(self._timeline, name, data)
        if self._turn is not None and self._turn.message(ns, said):
            return
        if self._idle_bytes > (limit := self.target.spec.limits.body_bytes):
            raise TooLarge("body_too_large", f"more than {limit} bytes between two turns")
        self.idle_event(data, ns)

    def message_timeline(self) -> Timeline:
        made = super().message_timeline()
        if isinstance(made, NamedTimeline):
            made.event_name = self._name
        return made

    def lost(self, error: TurnError) -> None:
        if self.greeting_failed(error):
            return
        self._lost = error
        if self._turn is not None:
            self._turn.fail(error)


async def _cancelled(task: asyncio.Future[None]) -> None:
    if not task.done():
        task.cancel()
        await asyncio.wait([task])


def _nothing_here() -> int:
    """What a turn writes is the POST's, on its own connection."""
    return 0
