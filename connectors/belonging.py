"""Which question a message answers, on a connection that lasts for a conversation: greetings, ids, and quiet. No I/O.

Both lanes use it: a `Greeting` takes what comes before the first question, a `ReplyTimeline` only what repeats its
turn's id, and a `QuietTimeline` all messages until none has come for a while.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import orjson

from connectors.errors import BadAnswer, BadRequest, TimedOut, TurnError
from connectors.named import NamedTimeline
from connectors.paths import compile_path, condition_test
from connectors.spec import GreetingSpec, ReplyToSpec, TargetSpec
from connectors.timeline import Timeline

if TYPE_CHECKING:
    from connectors.base import BaseConnector
    from connectors.mapping import CompiledTarget

LOOK_AGAIN_NS = 10_000_000
"""How long held messages wait until somebody looks whether the id has come."""


def carries_text(timeline: Timeline) -> bool:
    """Whether what was read could be taken for an answer, or a part of one."""
    return timeline.first_content_ns is not None or timeline.reasoning_chars > 0


class Greeting:
    """A GreetingSpec that is being waited for. `over`: all of it came."""

    def __init__(self, spec: GreetingSpec) -> None:
        self.spec = spec
        self.over = False
        self.failure: TurnError | None = None
        self.saved: dict[str, Any] = {}
        self._left = spec.count or 1
        self._is_last = None if spec.until is None else condition_test(spec.until, "greeting.until")
        self._message: Timeline | None = None

    def take(self, ns: int, data: bytes, new_timeline: Callable[[], Timeline]) -> None:
        """One message. Raises TurnError if it says that something went wrong."""
        message = self._message if self._message is not None else new_timeline()
        plain = message.decoded(data)
        is_last = self._is_last is not None and self._is_last(plain)
        try:
            message.event(ns, data)
        except BadAnswer as exc:
            if exc.code == "target_error":
                raise
        self.saved.update(message.saved or {})
        if self._is_last is not None:
            self.over = self.over or is_last
            return
        self._message = message
        if message.done_ns is not None:
            self._message = None
            self._left -= carries_text(message)
            self.over = self._left <= 0

    def missed(self) -> TimedOut:
        """It did not come in time."""
        spec = self.spec
        what = "the message that is greeting.until" if spec.until is not None else f"{spec.count or 1} greeting(s)"
        advice = "correct `greeting`, or set greeting.required to false if the target does not always greet"
        return TimedOut("connect_timeout", f"{what} did not come within {spec.within_s:g} s", advice)


class ReplyTo:
    """A ReplyToSpec with its paths compiled."""

    def __init__(self, spec: ReplyToSpec) -> None:
        self.spec = spec
        self.takes_without = spec.missing == "take"
        self.answered = compile_path(spec.response, "reply_to.response")
        self._asked = None if spec.request is None else compile_path(spec.request, "reply_to.request")
        self._acked = None if spec.ack is None else compile_path(spec.ack, "reply_to.ack")

    def asked(self, body: bytes) -> Any:
        """The id in a request's body; None: the answer to the POST has it. Raises BadRequest."""
        if self._asked is None:
            return None
        try:
            found = self._asked(orjson.loads(body))
        except orjson.JSONDecodeError:
            found = None
        if found is None:
            raise BadRequest("request_invalid", f"reply_to.request: the body has nothing at {self.spec.request!r}")
        return found

    def acked(self, body: bytes) -> Any:
        """The id in the answer to the POST. Raises BadAnswer."""
        try:
            found = None if self._acked is None else self._acked(orjson.loads(body))
        except orjson.JSONDecodeError:
            found = None
        if found is None:
            raise BadAnswer("answer_unmatched", f"the answer to the POST has no id at {self.spec.ack!r} (reply_to.ack)")
        return found


def correlates(spec: TargetSpec, text_kinds: frozenset[str] | None) -> bool:
    """Whether a late or unasked message cannot be taken for the answer to another question. `text_kinds`: the kinds
    that have text, None if kinds do not tell."""
    if spec.reply_to is not None and spec.reply_to.missing == "skip":
        return True
    return spec.protocol == "socketio" and spec.socketio.ack and text_kinds == frozenset({"ack"})


class ReplyTimeline(Timeline):
    """Takes only what repeats the turn's id (`owner.reply_id`); until that is known, holds what comes."""

    owner: BaseConnector
    event_name: str

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._held: list[tuple[int, str | None, bytes]] = []
        self._own_began_ns: int | None = None
        self._without_id = 0

    def event(self, ns: int, data: bytes) -> None:
        name: str | None = getattr(self, "event_name", None)
        if self.owner.reply_id is None:
            self._held.append((ns, name, data))
        else:
            self._judge(ns, data)
        # What is another turn's is no first byte of this one's answer, nor is what may be.
        self.first_byte_ns = self._own_began_ns

    def lacking(self) -> str:
        if self._own_began_ns is not None or not self._without_id:
            return super().lacking()
        return f"; messages without text, or without an id that says what they answer (reply_to): {self._without_id}"

    def aside(self, data: bytes) -> None:
        super().aside(data)
        reply_to = self.owner.target.reply_to
        if reply_to is not None and reply_to.spec.ack is not None:
            self.owner.reply_id = reply_to.acked(data)

    def look(self, ns: int) -> None:
        if self.owner.reply_id is not None:
            held, self._held = self._held, []
            for at_ns, name, data in held:
                if self.done_ns is not None and not self.quiet_ns:
                    self.owner.idle_event(data, at_ns)
                    continue
                if name is not None:
                    self.event_name = name
                self.event(at_ns, data)
        super().look(ns)

    def look_at_ns(self, now_ns: int) -> int | None:
        return now_ns + LOOK_AGAIN_NS if self._held else super().look_at_ns(now_ns)

    def _judge(self, ns: int, data: bytes) -> None:
        plain = self.decoded(data)
        reply_to = self.owner.target.reply_to
        try:
            found = None if reply_to is None else reply_to.answered(orjson.loads(plain))
        except orjson.JSONDecodeError:
            self._take(ns, plain)  # which says what is wrong with it, or knows it literally
            return
        if found is None and reply_to is not None and not reply_to.takes_without:
            self._without_id += 1
            self.owner.look_at(data, ns)
        elif found is not None and str(found) != str(self.owner.reply_id):
            self.owner.idle_event(data, ns)
        else:
            self._take(ns, plain)

    def _take(self, ns: int, plain: bytes) -> None:
        if self._own_began_ns is None:
            self._own_began_ns = ns
        decode, self._decode = self._decode, None
        try:
            super().event(ns, plain)
        finally:
            self._decode = decode


class QuietTimeline(Timeline):
    """Ends when no text and no end mark came for `quiet_ns`. Where the mapping has an end mark, quiet begins at one."""

    def __init__(self, *args: Any, quiet_ns: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs | {"one_frame": False})
        self.quiet_ns = quiet_ns
        self._quiet_from_ns: int | None = None
        self._between = False

    def event(self, ns: int, data: bytes) -> None:
        last_ns = self.last_content_ns
        before = self._text.tell() if last_ns is not None else 0
        if self._between and last_ns is not None:
            has_new = self._another_message(ns, data, last_ns)
        else:
            super().event(ns, data)
            has_new = self.last_content_ns is not None and self._text.tell() > before
        if has_new:
            self._between = False
            self._quiet_from_ns = None if self.meaning.needs_done else ns
        if self.done_ns is not None or (has_new and not self.meaning.needs_done):
            self._quiet_from_ns = ns
            self._between = True
        self.done_ns = None

    def _another_message(self, ns: int, data: bytes, last_ns: int) -> bool:
        """Read an event behind a message that is complete: the next one is read like the first, and put on a line of
        its own. Whether it has text."""
        text, first_ns, gaps, room = self._text, self.first_content_ns, self.gaps_ns, self._room
        self.last_content_ns = None
        try:
            super().event(ns, data)
        finally:
            new = self._text.getvalue() if self.last_content_ns is not None else ""
            self._text, self.first_content_ns, self.gaps_ns = text, first_ns, gaps
            self._room = room - len(new)
            if self.last_content_ns is None:
                self.last_content_ns = last_ns
        if new:
            text.write(f"\n{new}")
            gaps.append(ns - last_ns)
        return bool(new)

    def look(self, ns: int) -> None:
        super().look(ns)
        if self._quiet_from_ns is not None and ns >= self._quiet_from_ns + self.quiet_ns:
            self.end(self._quiet_from_ns)

    def look_at_ns(self, now_ns: int) -> int | None:
        due_ns = super().look_at_ns(now_ns)
        if self._quiet_from_ns is None:
            return due_ns
        quiet_ns = self._quiet_from_ns + self.quiet_ns
        return quiet_ns if due_ns is None else min(due_ns, quiet_ns)

    def end(self, ns: int) -> None:
        self.done_ns = ns
        super().end(ns)


class _NamedQuiet(QuietTimeline, NamedTimeline):
    pass


class _NamedReply(ReplyTimeline, NamedTimeline):
    pass


class _ReplyQuiet(ReplyTimeline, QuietTimeline):
    pass


class _NamedReplyQuiet(ReplyTimeline, QuietTimeline, NamedTimeline):
    pass


def timeline_class(target: CompiledTarget) -> Callable[..., Timeline]:
    """What reads a target's turns."""
    named, reply, quiet_ms = target.meaning.by_name, target.reply_to is not None, target.spec.response.quiet_ms
    if quiet_ms is None:
        if reply:
            return _NamedReply if named else ReplyTimeline
        return NamedTimeline if named else Timeline
    if reply:
        kind: type[QuietTimeline] = _NamedReplyQuiet if named else _ReplyQuiet
    else:
        kind = _NamedQuiet if named else QuietTimeline
    return lambda *args, **kwargs: kind(*args, quiet_ns=int(quiet_ms * 1e6), **kwargs)
