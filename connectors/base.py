"""The contract of a connector, on one screen. `docs/adding-a-connector.md` shows a whole one.

A connector carries one user's conversation. It gets a rendered request and a Timeline, writes the one, feeds the
other, and returns when the turn is complete. It raises TurnError for everything that can go wrong; whatever else
it raises is a bug. At most one turn is in flight. A connector may be asynchronous (the load lane) or synchronous
(the reference lane): the methods are the same, with or without `async`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable

from connectors.mapping import CompiledTarget, RenderedRequest
from connectors.timeline import Timeline


class BaseConnector(ABC):
    """`target` is shared by all connectors of a process; everything else belongs to this one."""

    def __init__(self, target: CompiledTarget, *, allow_private: bool = True) -> None:
        self.target = target
        self.allow_private = allow_private

    handshake_ns: dict[str, int] | None = None
    """What the steps of connecting took, until the turn that follows takes it over."""

    @property
    def ready(self) -> bool:
        """Whether a turn can be sent as things stand. If not, `connect` is called first."""
        return False

    @abstractmethod
    def connect(self) -> Awaitable[None] | None:
        """Get ready for a turn, anew if an old connection is of no more use. Raises ConnectFailed or TimedOut."""

    @abstractmethod
    def send_message(self, request: RenderedRequest, timeline: Timeline) -> Awaitable[None] | None:
        """Send one request and feed its answer into `timeline`, to its end. Raises TurnError."""

    @abstractmethod
    def disconnect(self) -> Awaitable[None] | None:
        """Close. Safe to call at any time, more than once."""
