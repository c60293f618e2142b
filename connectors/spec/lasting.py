"""Messages of ours beside the turns' own, on a connection that lasts for a conversation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Final, Self

from pydantic import AfterValidator, Field, model_validator

from connectors.request_parts import check_event
from connectors.spec.base import Frozen
from connectors.spec.response import Condition

if TYPE_CHECKING:
    from connectors.opaque.uses import Kind
    from connectors.spec.secret_places import SecretPlaces

FOR: Final = {
    "hello": frozenset({"websocket", "split-websocket", "socketio"}),
    "before": frozenset({"websocket", "socketio"}),
    "after": frozenset({"websocket", "socketio"}),
    "auto_replies": frozenset({"websocket", "split-websocket", "socketio"}),
    "goodbye": frozenset({"websocket", "split-websocket", "socketio"}),
    "keep_alive": frozenset({"websocket", "split-websocket", "socketio"}),
}
"""The protocols in which each of these fields has an effect."""


class MessageSpec(Frozen):
    """`body` is JSON, or a string that is sent as it is. `event` is Socket.IO's, whose argument `body` is."""

    event: Annotated[str, AfterValidator(check_event)] = ""
    body: Any = None

    @property
    def sends(self) -> bool:
        return bool(self.event) or self.body is not None


class WaitingSpec(MessageSpec):
    """A message after which the first one of the target that meets `until` is awaited for `within_s` seconds. Without
    `event` and `body` nothing is sent. `save`: variables and their paths in the message that met it."""

    until: Condition | None = None
    within_s: float = Field(10.0, gt=0)
    save: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _has_effect(self) -> Self:
        if not self.sends and self.until is None:
            raise ValueError("give a message (`body`, for Socket.IO `event`), or `until`, or both")
        if self.save and self.until is None:
            raise ValueError("`save` needs `until`: the condition of the message that has the values")
        return self


class SentSpec(MessageSpec):
    """A message that is sent without waiting for anything."""

    @model_validator(mode="after")
    def _has_effect(self) -> Self:
        if not self.sends:
            raise ValueError("give the message: `body`, or for Socket.IO `event`")
        return self


class KeepAliveSpec(SentSpec):
    """A message that is sent every `every_s` seconds, as long as the connection is open."""

    every_s: float = Field(ge=0.1)


class AutoReplySpec(SentSpec):
    """A message that is sent for each message of the target that meets `when`; nothing is read of that one but the
    values at the paths of `save`."""

    when: Condition
    save: dict[str, str] = Field(default_factory=dict)


class LastingSpec(Frozen):
    """On a connection that lasts, `hello` are messages after `greeting` and before the first turn, `before` and `after`
    those around each turn's own, and `goodbye` those before the end."""

    hello: list[WaitingSpec] = Field(default_factory=list, max_length=16)
    before: list[WaitingSpec] = Field(default_factory=list, max_length=16)
    after: list[SentSpec] = Field(default_factory=list, max_length=16)
    auto_replies: list[AutoReplySpec] = Field(default_factory=list, max_length=16)
    keep_alive: KeepAliveSpec | None = None
    goodbye: list[SentSpec] = Field(default_factory=list, max_length=16)

    def messages_beside(self) -> Iterator[tuple[str, str, MessageSpec]]:
        """Each with its field and its place."""
        for name in FOR:
            value = getattr(self, name)
            if isinstance(value, list):
                yield from ((name, f"{name}[{at}]", message) for at, message in enumerate(value))
            elif value is not None:
                yield name, name, value

    def check_lasting(self, protocol: str) -> None:
        """Raises ValueError naming a field that has no effect in the protocol."""
        for name, where, message in self.messages_beside():
            if protocol not in FOR[name]:
                known = ", ".join(sorted(FOR[name]))
                raise ValueError(f"{name} has no effect with protocol {protocol}: it is for {known}")
            if protocol == "socketio" and message.body is not None and not message.event:
                raise ValueError(f"{where}.event: Socket.IO emits events: name the one whose argument `body` is")
            if protocol != "socketio" and message.event:
                raise ValueError(f"{where}.event has no effect with protocol {protocol}: it is Socket.IO's")

    def lasting_secrets(self, places: SecretPlaces) -> set[Kind]:
        """What secrets are in the bodies of these messages, where they may stand. Raises ValueError naming the place of
        a wrong one."""
        kinds = set()
        for _, where, message in self.messages_beside():
            places.nowhere(message.event, f"{where}.event", "the name of an event")
            kinds.add(places.anywhere(message.body, f"{where}.body"))
        return kinds
