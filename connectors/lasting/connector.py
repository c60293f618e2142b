"""Base of connectors whose connection carries messages beside the turns' own, shared by both lanes."""

from __future__ import annotations

from abc import abstractmethod
from contextlib import suppress
from typing import Any, Final

from connectors.errors import BadRequest, BrokenTransport, TooLarge, TurnError
from connectors.handshake_connector import HandshakeConnector
from connectors.mapping.expressions import Context
from connectors.mapping.messages import Message
from connectors.mapping.request import RenderedRequest
from connectors.security.guard import AllowPrivate
from connectors.target import CompiledTarget
from connectors.timeline import Timeline

MOST_REPLIES: Final = 1000
"""Automatic replies in one turn, or between two. A target that wants more would fill memory with what it does not
read."""


class LastingConnector(HandshakeConnector):
    """`hello`, `before`, `after`, `auto_replies`, `keep_alive` and `goodbye` of a target."""

    upgraded_by: tuple[tuple[str, str], ...] = ()
    """Headers of the upgrade."""

    _replied = 0

    def __init__(self, target: CompiledTarget, *, allow_private: AllowPrivate = True) -> None:
        super().__init__(target, allow_private=allow_private)
        self._separator = target.spec.websocket.separator.encode()
        if target.renders_late:
            self.render = self._render_early  # type: ignore[method-assign] # a call more would cost every other target

    def _render_early(self, context: dict[str, Any]) -> RenderedRequest:
        """The request as far as it is known: it may use what the messages before it bring (`rendered_late`)."""
        self.turn_context = context
        try:
            return super().render(context)
        except BadRequest:
            return RenderedRequest("GET", "/", (), b"")

    def rendered_late(self, request: RenderedRequest) -> RenderedRequest:
        """`request`, after the messages before it. Raises BadRequest."""
        return super().render(dict(self.turn_context)) if self.target.renders_late else request

    @property
    @abstractmethod
    def can_write(self) -> bool:
        """Whether there is a connection that carries messages."""

    @abstractmethod
    def write_message(self, request: RenderedRequest) -> int:
        """Send its body, and for Socket.IO its event. Returns the number of bytes. Raises TurnError."""

    def framed(self, body: bytes) -> bytes:
        """What is sent of a message's body over a WebSocket, with its secrets in clear. Raises BadRequest."""
        if self.marker is not None and self.marker in body:
            body = self.target.endpoint.release(body, self.upgraded_by)
        return body + self._separator if self._separator else body

    def say(self, message: Message) -> None:
        """Send a message that belongs to no turn. Raises TurnError."""
        self._write(message, {"session": self.session, "saved": self.saved})

    def say_in_turn(self, message: Message) -> int:
        """Send one that belongs to the turn that was rendered last. Returns its bytes on the wire. Raises TurnError."""
        return self._write(message, self.turn_context)

    def _write(self, message: Message, context: Context) -> int:
        request = self.target.render_message(message, context)._replace(headers=self.upgraded_by)
        if self.target.spec.codec.request and (codecs := self.codecs) is not None:
            request = request._replace(body=self._encoded(codecs, request))
        return self.write_message(request)

    def say_after(self, timeline: Timeline) -> None:
        """What follows an answer. Raises BadRequest; a connection that is lost by now is the next turn's matter."""
        if not self.target.after:
            return
        if timeline.saved is not None:
            self._keep(timeline.saved)
        for message in self.target.after:
            with suppress(BrokenTransport):
                timeline.bytes_out += self.say_in_turn(message)

    def say_goodbye(self) -> None:
        """Before the end of a connection, if there is one."""
        if not (self.target.goodbye and self.can_write):
            return
        with suppress(TurnError):
            for message in self.target.goodbye:
                self.say(message)

    def has_replied(self, data: bytes) -> bool:
        """Whether a message of the target is one that is replied to automatically, which is done. Raises TurnError."""
        if not self.target.auto_replies:
            return False
        try:
            plain = self._decode(data)
        except TurnError:
            return False  # whoever reads it says what is wrong with it
        for reply in self.target.auto_replies:
            if reply.wanted(plain) or (plain is not data and reply.wanted(data)):
                self._replied += 1
                if self._replied > MOST_REPLIES:
                    raise TooLarge("body_too_large", f"over {MOST_REPLIES} messages for auto_replies in one turn")
                self._keep(reply.saved(plain))
                self.say(reply.message)
                return True
        return False

    def begin_turn(self) -> None:
        """Replies are counted anew."""
        self._replied = 0
