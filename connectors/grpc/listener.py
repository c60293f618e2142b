"""Protocol of the object that receives messages of a gRPC call while no turn is in flight."""

from __future__ import annotations

from typing import Protocol


class CallListener(Protocol):
    def is_current(self, call: object) -> bool:
        """Whether `call` belongs to the conversation, and not to an earlier one, which may still end or send
        messages."""

    def idle_event(self, data: bytes, ns: int | None = None) -> None:
        """A message that belongs to no turn."""

    def unassigned_event(self, data: bytes, ns: int) -> None:
        """The same, of a conversation that is over."""
