"""Matches messages on a persistent connection to questions by their id. No I/O."""

from __future__ import annotations

from typing import Any, Protocol

import orjson

from connectors.errors import BadAnswer, BadRequest
from connectors.mapping.answers.paths import compile_path
from connectors.spec import ReplyToSpec, TargetSpec
from connectors.timeline.base import Timeline

LOOK_AGAIN_NS = 10_000_000
"""Interval at which held messages are checked for their id."""


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
    """Whether a late or unrequested message cannot be confused with an answer. `text_kinds`: the kinds that have text,
    None if kinds do not tell."""
    if spec.reply_to is not None and spec.reply_to.missing == "skip":
        return True
    return spec.protocol == "socketio" and spec.socketio.ack and text_kinds == frozenset({"ack"})


class TurnOwner(Protocol):
    """Who asked: it knows the id that the answer repeats (None: not yet), and takes what answers another question."""

    reply_id: Any

    @property
    def reply_to(self) -> ReplyTo | None: ...

    def idle_event(self, data: bytes, ns: int | None = None) -> None: ...

    def look_at(self, data: bytes, ns: int) -> None: ...


class ReplyTimeline(Timeline):
    """Takes only messages with the turn's id (`owner.reply_id`); until the id is known, it holds messages back."""

    owner: TurnOwner
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
        # Messages of other turns, or possibly of them, are not the first byte of this answer.
        self.first_byte_ns = self._own_began_ns

    def lacking(self) -> str:
        if self._own_began_ns is not None or not self._without_id:
            return super().lacking()
        return f"; messages without text, or without an id that says what they answer (reply_to): {self._without_id}"

    def aside(self, data: bytes) -> None:
        super().aside(data)
        reply_to = self.owner.reply_to
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
        reply_to = self.owner.reply_to
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
