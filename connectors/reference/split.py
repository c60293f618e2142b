"""The reference lane's connector for the split style: a thread listens to the standing stream, another one posts."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from itertools import chain
from typing import Any, NamedTuple

import requests

from connectors.acks import POST_GRACE_S, STREAM_LIFE_S, AckTimeline, post_timeouts
from connectors.errors import BrokenTransport, TimedOut, TooLarge, TurnError
from connectors.guard import AllowPrivate
from connectors.mapping import CompiledTarget, RenderedRequest
from connectors.named import NamedTimeline, named_data
from connectors.reference.http import HttpConnector
from connectors.reference.shake import ReferenceConnector
from connectors.reference.sse import SseConnector
from connectors.reference.watch import GraceOver
from connectors.shaking import RESEND
from connectors.spec import HandshakeSpec, Limits, Timeouts
from connectors.timeline import Timeline
from connectors.wire.standing import looks_like_events, refused_standing, stream_over, unfit


class Heard(NamedTuple):
    """An event, or with `call` the end of the POST: what is to be done about it."""

    ns: int
    name: str
    data: bytes
    call: Callable[[], None] | None = None


class Inbox:
    """What the threads have for the turn. `read_ns` and `read_bytes`: of the standing stream."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._waiting: deque[Heard] = deque()
        self._size = 0
        self._changed = threading.Condition()
        self.opened = False
        self.end: TurnError | None = None
        self.read_ns = 0
        self.read_bytes = 0

    def put(self, heard: Heard) -> None:
        with self._changed:
            self._size += len(heard.data)
            if self._size > self._limit:
                raise TooLarge("body_too_large", f"more than {self._limit} bytes of events wait")
            self._waiting.append(heard)
            self._changed.notify()

    def set(self, *, end: TurnError | None = None) -> None:
        """The stream is open, or at its end."""
        with self._changed:
            self.opened = self.opened or end is None
            self.end = self.end or end
            self._changed.notify()

    def take(self, timeout_s: float) -> Heard | None:
        """The next; None if there is none in time. Raises TurnError at the stream's end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self.end is not None, timeout_s)
            if self._waiting:
                self._size -= len(self._waiting[0].data)
                return self._waiting.popleft()
            if self.end is not None:
                raise self.end
            return None

    def wait_opened(self, limit_s: float) -> None:
        """Until the target has accepted. Raises TurnError: what it said instead, or TimedOut."""
        with self._changed:
            self._changed.wait_for(lambda: self.opened or self.end is not None, limit_s)
            if self.opened:
                return
            raise self.end or TimedOut("first_byte_timeout", f"no answer to the standing stream within {limit_s:g} s")


class FeedTimeline(NamedTimeline):
    """Stands for a turn that lasts as long as the stream; hands everything to `inbox`."""

    __slots__ = ("inbox",)
    inbox: Inbox

    def received(self, ns: int, size: int) -> None:
        super().received(ns, size)
        self.inbox.read_ns = ns
        self.inbox.read_bytes += size

    def event(self, ns: int, data: bytes) -> None:
        self.inbox.put(Heard(ns, self.event_name, data))

    def answer(self, ns: int, data: bytes) -> None:
        raise stream_over()

    def end(self, ns: int) -> None:
        raise stream_over()


class StandingConnector(SseConnector):
    """Reads one stream in a thread of its own."""

    def _read(self, response: requests.Response, timeline: Timeline) -> None:
        status = response.status_code
        if 200 <= status < 300:
            headers = {name.lower(): value for name, value in response.headers.items()}
            if (error := unfit(headers)) is not None:
                raise error
            if isinstance(timeline, FeedTimeline):
                timeline.inbox.set()
            pieces = self._pieces(response)
            first = b""
            for piece in pieces:
                first += piece
                if looks_like_events(headers, first):
                    break
            self._begun = chain((first,), pieces)
            self._read_stream(response, timeline)
            return
        body = b""
        with contextlib.suppress(TurnError):
            for piece in self._pieces(response):
                body += piece
                if len(body) > 4096:
                    break
        raise refused_standing(status, body[:4096])

    def listen(self, request: RenderedRequest, inbox: Inbox) -> None:
        """The thread. Whatever ends the stream is the inbox's end."""
        timeline = FeedTimeline(self.target.meaning, 0)
        timeline.inbox = inbox
        try:
            self.send_message(request, timeline)
        except TurnError as exc:
            inbox.set(end=_closed() if exc.code == "body_truncated" else exc)
        except GraceOver:
            inbox.set(end=stream_over())

    def shut(self) -> None:
        self._watch.shut()


class PostConnector(HttpConnector):
    def shut(self) -> None:
        self._watch.shut()


def _closed() -> TurnError:
    return BrokenTransport("connection_closed", "the target closed the standing stream's connection")


class SplitConnector(ReferenceConnector):
    """Two connections: the standing stream's lasts as long as the conversation, the other is for the POSTs."""

    goes_on = True

    def __init__(self, target: CompiledTarget, *, allow_private: AllowPrivate = True) -> None:
        super().__init__(target, allow_private=allow_private)
        spec = target.spec
        timeouts, limits = spec.timeouts, spec.limits
        life = Timeouts(
            connect=timeouts.connect, first_byte=timeouts.first_byte, idle=STREAM_LIFE_S, total=STREAM_LIFE_S
        )
        endless = Limits(header_bytes=limits.header_bytes, body_bytes=1 << 60, event_bytes=limits.event_bytes)
        bare = spec.model_copy(update={"handshake": HandshakeSpec(), "timeouts": life, "limits": endless})
        self._stream_target = CompiledTarget(bare)
        self._post_target = CompiledTarget(
            spec.model_copy(update={"handshake": HandshakeSpec(), "timeouts": post_timeouts(timeouts)})
        )
        self._stream: StandingConnector | None = None
        self._post: PostConnector | None = None
        self._threads: list[threading.Thread] = []
        self._inbox = Inbox(limits.body_bytes)
        self._name = ""

    @property
    def ready(self) -> bool:
        if self._stream is None or not self.fresh:
            return False
        self._drain()
        return self._inbox.end is None

    def begin(self, session: Mapping[str, Any]) -> None:
        super().begin(session)
        self.disconnect()  # the standing stream is the old conversation's

    def connect(self) -> None:
        self.disconnect()
        self.shake()
        context = {"session": self.session, "saved": self.saved}
        request = self._with_cookies(self.target.render_connection(context)._replace(method="GET"))
        stream = self._stream = StandingConnector(self._stream_target, allow_private=self.allow_private)
        stream.cookies = self.cookies
        inbox = self._inbox = Inbox(self.target.spec.limits.body_bytes)
        try:
            stream.connect()
            self._take_steps(stream)
            began_ns = time.monotonic_ns()
            self._run(stream.listen, request, inbox)
            inbox.wait_opened(self.target.spec.timeouts.first_byte)
            self.add_step("standing", time.monotonic_ns() - began_ns)
            self._post = PostConnector(self._post_target, allow_private=self.allow_private)
            self._post.cookies = self.cookies
            self._post.connect()
            self.greeting = self.target.new_greeting()
            self.wait_for_greeting(self._take_one)
        except BaseException:
            self.disconnect()
            raise

    def _take_one(self, left_s: float) -> None:
        """One event that belongs to no turn. Raises TimeoutError, or TurnError."""
        heard = self._inbox.take(left_s)
        if heard is None:
            raise TimeoutError
        if heard.call is None:
            self._name = heard.name
            self.idle_event(heard.data, heard.ns)

    def _take_steps(self, of: HttpConnector) -> None:
        steps, of.handshake_ns = of.handshake_ns, None
        for name, ns in (steps or {}).items():
            self.add_step(name, ns)

    def _run(self, work: Callable[..., None], *args: Any) -> threading.Thread:
        thread = threading.Thread(target=work, args=args, name="split", daemon=True)
        self._threads = [t for t in self._threads if t.is_alive()] + [thread]
        thread.start()
        return thread

    def send_message(self, request: RenderedRequest, timeline: Timeline) -> None:
        if self._post is None:
            raise RuntimeError("send_message before connect")
        try:
            self._drain()
            if not self._post.ready:
                self._post.connect()
            timeline.handshake_ns, self.handshake_ns = self.handshake_ns, None
            ack = AckTimeline(timeline)
            posting = self._run(self._ask, self._post, request, ack)
            self._listen(timeline, ack)
            posting.join(POST_GRACE_S)  # it may be answered when all is said
            if posting.is_alive():
                self._post.shut()
                posting.join(POST_GRACE_S)
            if ack.handshake_ns and RESEND in ack.handshake_ns:
                timeline.handshake_ns = {**(timeline.handshake_ns or {}), RESEND: ack.handshake_ns[RESEND]}
        except BaseException:
            self.disconnect()
            raise

    def _ask(self, post: PostConnector, request: RenderedRequest, ack: AckTimeline) -> None:
        """The POST's thread."""
        failure: TurnError | None = None
        try:
            post.send_message(request, ack)
        except TurnError as exc:
            failure = exc

        def judge() -> None:
            if failure is not None:
                raise failure
            ack.judge()

        self._inbox.put(Heard(time.monotonic_ns(), "", b"", judge))

    def _listen(self, timeline: Timeline, ack: AckTimeline) -> None:
        """To the end of the answer."""
        began_ns = self._inbox.read_ns = time.monotonic_ns()
        bytes_before = self._inbox.read_bytes
        size = 0
        limit = self.target.spec.limits.body_bytes
        while True:
            due_ns, code = self._deadline(timeline, began_ns)
            if (left_ns := due_ns - time.monotonic_ns()) <= 0:
                seconds: float = getattr(self.target.spec.timeouts, code.removesuffix("_timeout"))
                came = f"{self._inbox.read_bytes - bytes_before} bytes had come{timeline.lacking()}"
                raise TimedOut(code, f"{seconds:g} s passed; {came}")
            now_ns = time.monotonic_ns()
            look_ns = timeline.look_at_ns(now_ns)
            look_s = 0.1 if look_ns is None else max(look_ns - now_ns, 0) / 1e9
            heard = self._inbox.take(min(left_ns / 1e9, look_s, 0.1))
            if look_ns is not None:
                timeline.look(time.monotonic_ns())
                if timeline.done_ns is not None and heard is None:
                    break
            size += len(heard.data) if heard is not None else 0
            if max(size, self._inbox.read_bytes - bytes_before) > limit:
                raise TooLarge("body_too_large", f"more than {limit} bytes in one turn")
            if heard is None:
                continue
            if heard.call is not None:
                heard.call()
                timeline.look(time.monotonic_ns())
                if timeline.done_ns is not None:
                    break
                continue
            self._name = heard.name
            if timeline.first_byte_ns is None:
                timeline.first_byte_ns = heard.ns
            timeline.event(heard.ns, named_data(timeline, heard.name, heard.data))
            if timeline.done_ns is not None:
                timeline.end(heard.ns)
                break
        timeline.bytes_in += self._inbox.read_bytes - bytes_before

    def _deadline(self, timeline: Timeline, began_ns: int) -> tuple[int, str]:
        timeouts = self.target.spec.timeouts
        sent_ns = timeline.sent_ns or began_ns
        total = (sent_ns + int(timeouts.total * 1e9), "total_timeout")
        if timeline.first_byte_ns is None:
            return min(total, (sent_ns + int(timeouts.first_byte * 1e9), "first_byte_timeout"))
        return min(total, (self._inbox.read_ns + int(timeouts.idle * 1e9), "idle_timeout"))

    def _drain(self) -> None:
        """What came while nothing was asked."""
        with contextlib.suppress(TurnError):  # the stream's end: `ready` says so
            while (heard := self._inbox.take(0)) is not None:
                if heard.call is None:
                    self._name = heard.name
                    self.idle_event(heard.data, heard.ns)

    def message_timeline(self) -> Timeline:
        made = super().message_timeline()
        if isinstance(made, NamedTimeline):
            made.event_name = self._name
        return made

    def disconnect(self) -> None:
        for part in (self._stream, self._post):
            if part is not None:
                part.shut()
        for thread in self._threads:
            thread.join(5)
        for part in (self._stream, self._post):
            if part is not None:
                part.disconnect()
        self._threads = []
        self._stream = self._post = None
