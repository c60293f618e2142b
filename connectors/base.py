"""The contract of a connector, on one screen. `docs/adding-a-connector.md` shows a whole one.

A connector carries one user's conversations. It gets a rendered request and a Timeline, writes the one, feeds the
other, and returns when the turn is complete. It raises TurnError for everything that can go wrong; whatever else
it raises is a bug. At most one turn is in flight. A connector may be asynchronous (the load lane) or synchronous
(the reference lane): the methods are the same, with or without `async`.

Its owner calls `begin` for each conversation, and for each turn `connect` if it is not `ready`, then `render`,
`timeline`, `send_message` and `took`.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Mapping
from functools import partial
from typing import Any, ClassVar

from connectors.errors import TurnError
from connectors.guard import AllowPrivate
from connectors.mapping import CompiledTarget, RenderedRequest
from connectors.named import NamedTimeline
from connectors.payload import Codecs
from connectors.timeline import Timeline


class BaseConnector(ABC):
    """`target` is shared by all connectors of a process; everything else belongs to this one."""

    goes_on: ClassVar[bool] = False
    """Whether the transport goes on from answer to answer, so that its end cannot be an answer's."""

    user_stamps: ClassVar[bool] = False
    """Whether a library reads the bytes, so that arrivals are stamped when it hands them over, not by the kernel."""

    def __init__(self, target: CompiledTarget, *, allow_private: AllowPrivate = True) -> None:
        self.target = target
        self.allow_private = allow_private
        self.session: Mapping[str, Any] = {}
        self.saved: dict[str, Any] = {}
        self._codecs: Codecs | None = None
        self._codecs_made = False
        self._new_timeline = partial(
            NamedTimeline if target.meaning.by_name else Timeline,
            target.meaning,
            decode=self._decode if target.has_codecs else None,
            one_frame=self.goes_on and not target.meaning.needs_done,
        )

    handshake_ns: dict[str, int] | None = None
    """What the steps of connecting took, until the turn that follows takes it over."""
    stray = 0
    """Messages that came while nothing was asked."""

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

    def begin(self, session: Mapping[str, Any]) -> None:
        """A new conversation: nothing that an old one saved is known to it. `session` is what templates see."""
        self.session = session
        self.saved = {}
        self._codecs_made = False

    def render(self, context: dict[str, Any]) -> RenderedRequest:
        """The request of a turn; `context` as `CompiledTarget.render` takes it, without session and saved, which
        are added to it.

        Raises BadRequest.
        """
        context["session"] = self.session
        context["saved"] = self.saved
        request = self.target.render(context)
        if not self.target.has_codecs:
            return request
        codecs = self.codecs
        return request if codecs is None else request._replace(body=codecs.encode(request.body))

    def timeline(self, planned_ns: int) -> Timeline:
        """For the turn that follows; planned for `planned_ns` (monotonic)."""
        return self._new_timeline(planned_ns)

    def took(self, timeline: Timeline) -> None:
        """A turn is over: keep what its answer gave to save. Raises BadAnswer if it is not a good answer (see
        `Timeline.settle`); the connection is as good as before."""
        timeline.settle()
        self._save_values(timeline)

    def _save_values(self, timeline: Timeline) -> None:
        if timeline.saved is not None:
            self.saved.update(timeline.saved)

    def refresh(self, status: int) -> bool:
        """A turn was refused with `status`: whether it may go better after another handshake, which `connect` does."""
        return False

    def idle_event(self, data: bytes) -> None:
        """A message that belongs to no turn: it may carry something to save, and is counted."""
        self.stray += 1
        timeline = self.timeline(0)
        try:
            timeline.event(time.monotonic_ns(), data)
        except TurnError:
            return  # nobody asked: what it says wrong is no turn's failure
        self._save_values(timeline)

    def add_step(self, name: str, ns: int) -> None:
        """A step of getting ready took `ns`."""
        self.handshake_ns = {**(self.handshake_ns or {}), name: ns}

    def _decode(self, data: bytes) -> bytes:
        codecs = self.codecs
        return data if codecs is None else codecs.decode(data)

    @property
    def codecs(self) -> Codecs | None:
        """The conversation's, made when first asked for. Raises BadRequest."""
        if not self._codecs_made and self.target.has_codecs:
            self._codecs = self.target.codecs({"session": self.session, "saved": self.saved})
            self._codecs_made = True
        return self._codecs
