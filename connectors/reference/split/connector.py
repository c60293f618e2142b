"""The reference lane's connector for the split protocol: one thread reads the standing stream, another posts."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from connectors.deadlines import next_deadline, timed_out
from connectors.errors import TooLarge, TurnError
from connectors.mapping.request import RenderedRequest
from connectors.reference.base import ReferenceConnector
from connectors.reference.http.exchange import HttpExchange
from connectors.reference.split.inbox import Heard, Inbox
from connectors.reference.split.standing import FeedTimeline, StandingExchange
from connectors.security.guard import AllowPrivate
from connectors.spec import Limits, Timeouts
from connectors.target import CompiledTarget
from connectors.timeline import Timeline
from connectors.timeline.acks import POST_GRACE_S, STREAM_LIFE_S, AckTimeline, post_timeouts
from connectors.timeline.named import NamedTimeline, named_data
from connectors.waits import RESEND


def post_exchange(target: CompiledTarget, allow_private: AllowPrivate) -> HttpExchange:
    """What carries the POSTs of a split style."""
    endpoint = replace(target.endpoint, timeouts=post_timeouts(target.spec.timeouts))
    return HttpExchange(endpoint, allow_private=allow_private, idempotent=target.spec.request.idempotent)


class SplitConnector(ReferenceConnector):
    """Two connections: the standing stream's lasts for the conversation, the other is for the POSTs."""

    persistent = True
    opens_secrets = True

    def __init__(self, target: CompiledTarget, *, allow_private: AllowPrivate = True) -> None:
        super().__init__(target, allow_private=allow_private)
        timeouts, limits = target.spec.timeouts, target.spec.limits
        life = Timeouts(
            connect=timeouts.connect, first_byte=timeouts.first_byte, idle=STREAM_LIFE_S, total=STREAM_LIFE_S
        )
        endless = Limits(header_bytes=limits.header_bytes, body_bytes=1 << 60, event_bytes=limits.event_bytes)
        self._stream_endpoint = replace(target.endpoint, timeouts=life, limits=endless)
        self._stream: StandingExchange | None = None
        self._post: HttpExchange | None = None
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
        self.do_handshake()
        context = {"session": self.session, "saved": self.saved}
        request = self._with_cookies(self.target.render_connection(context)._replace(method="GET"))
        secrets = (lambda: self.target.secrets) if self.target.spec.follow_redirects else None
        stream = self._stream = StandingExchange(
            self._stream_endpoint, allow_private=self.allow_private, secrets=secrets
        )
        inbox = self._inbox = Inbox(self.target.spec.limits.body_bytes)
        try:
            for name, ns in stream.connect().items():
                self.add_step(name, ns)
            began_ns = time.monotonic_ns()
            self._run(stream.listen, request, FeedTimeline(self.target.response, inbox), self.cookies)
            inbox.wait_opened(self.target.spec.timeouts.first_byte)
            self.add_step("standing", time.monotonic_ns() - began_ns)
            self._post = post_exchange(self.target, self.allow_private)
            self._post.connect()
            self.expect_greeting()
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
            posting.join(POST_GRACE_S)  # its response may come after the answer
            if posting.is_alive():
                self._post.shut()
                posting.join(POST_GRACE_S)
            if ack.handshake_ns and RESEND in ack.handshake_ns:
                timeline.handshake_ns = {**(timeline.handshake_ns or {}), RESEND: ack.handshake_ns[RESEND]}
        except BaseException:
            self.disconnect()
            raise

    def _ask(self, post: HttpExchange, request: RenderedRequest, ack: AckTimeline) -> None:
        """The POST's thread."""
        failure: TurnError | None = None
        try:
            post.send(request, ack, self.cookies)
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
                came = self._inbox.read_bytes - bytes_before
                raise timed_out(code, self.target.spec.timeouts, came, timeline.lacking())
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
        sent_ns = timeline.sent_ns or began_ns
        last_ns = None if timeline.first_byte_ns is None else self._inbox.read_ns
        return next_deadline(self.target.spec.timeouts, began_ns=sent_ns, sent_ns=sent_ns, last_ns=last_ns)

    def _drain(self) -> None:
        """Process what arrived between turns."""
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
                part.close()
        self._threads = []
        self._stream = self._post = None
