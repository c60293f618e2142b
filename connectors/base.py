"""The contract of a connector. `docs/adding-a-connector.md` shows a complete example.

A connector carries one user's conversations. It gets a rendered request and a Timeline, writes the one, feeds the
other, and returns when the turn is complete. It raises TurnError for everything that can go wrong; whatever else
it raises is a bug. At most one turn is in flight. A connector may be asynchronous (the load lane) or synchronous
(the reference lane): the methods are the same, with or without `async`.

Its owner calls `begin` for each conversation, and for each turn `connect` if it is not `ready`, then `render`,
`timeline`, `send_message` and `finish_turn`.
"""

from __future__ import annotations

import time
import warnings
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, ClassVar

from connectors.errors import TurnError
from connectors.handshake.farewell import Parting
from connectors.mapping.messages import Message
from connectors.mapping.payload import Codecs
from connectors.mapping.request import RenderedRequest
from connectors.opaque.tokens import MARK_BYTES, Bound
from connectors.security.guard import AllowPrivate
from connectors.target import CompiledTarget
from connectors.timeline import Timeline
from connectors.timeline.greeting import Dialogue, Greeting, carries_text
from connectors.timeline.heads import saving_class
from connectors.timeline.kinds import timeline_class
from connectors.timeline.named import NamedTimeline
from connectors.timeline.replies import ReplyTimeline, ReplyTo


class BaseConnector(ABC):
    """`target` is shared by all connectors of a process; everything else belongs to this one."""

    persistent: ClassVar[bool] = False
    """Whether the transport persists across answers, so that its end cannot end an answer."""

    user_stamps: ClassVar[bool] = False
    """Whether a library reads the bytes, so that arrivals are stamped when it hands them over, not by the kernel."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "goes_on" in vars(cls):  # until release 1.0
            warnings.warn(f"{cls.__qualname__}: name it persistent instead of goes_on", FutureWarning, stacklevel=2)
            cls.persistent = vars(cls)["goes_on"]

    def __init__(self, target: CompiledTarget, *, allow_private: AllowPrivate = True) -> None:
        self.target = target
        self.allow_private = allow_private
        self.session: Mapping[str, Any] = {}
        self.saved: dict[str, Any] = {}
        self._codecs: Codecs | None = None
        self._codecs_made = False
        self._vault = target.endpoint.vault
        self.marker = target.endpoint.marker
        """What a message holds that must go through `Endpoint.release`."""
        self._as_rendered = not target.reads_requests and (self.opens_secrets or self._vault is None)
        # Read for every turn: a class's own attribute costs several times as much.
        self.handshake_ns: dict[str, int] | None = None
        """What the steps of connecting took, until the turn that follows takes it over."""
        self.unsolicited = 0
        """Those of the `unassigned` messages that have text or say an error: without an id that says whose it is, one
        may be taken for an answer."""
        self.round_trip_ns = 0
        """The shortest way to the target and back, by the kernel's own measurement; 0: not known."""
        self._idle_message_open = False
        kind = NamedTimeline if target.response.by_name else Timeline
        options: dict[str, Any] = {"decode": self._decode} if target.has_codecs else {}
        if not target.response.needs_done:
            options["one_frame"] = True
        self._new_message = partial(kind, target.response, 0, **options)
        if not self.persistent:
            options.pop("one_frame", None)
        reads_turns = timeline_class(
            named=target.response.by_name,
            by_id=target.reply_to is not None,
            quiet_ms=target.spec.response.quiet_ms,
        )
        if target.saving is not None:
            conceal = None if self._vault is None else self._vault.concealed
            reads_turns = partial(saving_class(named=target.response.by_name), saving=target.saving, conceal=conceal)
        self._new_timeline = partial(reads_turns, target.response, **options)  # without keywords, a fast call
        self.timeline: Callable[[int], Timeline] = (
            self._new_timeline if target.reply_to is None else self._correlated_timeline
        )
        """Makes the Timeline of the turn that follows; its argument is when that is planned for (monotonic ns)."""

    @classmethod  # noqa: B027 - few have anything to load
    def prepare(cls, target: CompiledTarget) -> None:
        """Load what all connections to `target` share, before a load begins. Nothing is dialled."""

    opens_secrets: ClassVar[bool] = False
    """Whether it puts the secrets into a request itself, where it writes its bytes (`Endpoint.release`)."""

    unassigned = 0
    """Messages of any kind that belong to no turn: they came while nothing was asked, or answer another question."""

    dialogue: Dialogue | None = None
    """What a connection is about before its next question: it waits for a greeting, or says hello."""

    turn_context: Mapping[str, Any] = {}
    """What templates saw when a turn was rendered last, if more is sent in it than one request."""

    reply_id: Any = None
    """What the answer to the turn in flight repeats; None: not known yet."""

    _unsolicited_told = 0

    @property
    def reply_to(self) -> ReplyTo | None:
        """How a message says which question it answers; None: it does not."""
        return self.target.reply_to

    @property
    def lasting(self) -> bool:
        """Whether one connection serves several turns, so that unsolicited text may arrive on it."""
        return self.persistent

    @property
    def ready(self) -> bool:
        """Whether a turn can be sent as things stand. If not, `connect` is called first."""
        return False

    @abstractmethod
    def connect(self) -> Awaitable[None] | None:
        """Prepare for a turn; replace an unusable connection. Raises ConnectFailed or TimedOut."""

    @abstractmethod
    def send_message(self, request: RenderedRequest, timeline: Timeline) -> Awaitable[None] | None:
        """Send one request and feed its complete answer into `timeline`. Raises TurnError."""

    def say_farewell(self) -> Awaitable[Parting | None] | Parting | None:
        """Ask what is asked at the end of a conversation, before `disconnect`. What goes wrong is in the result."""
        return None

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
        if self._as_rendered:
            return request
        if self.target.keeps_context:
            self.turn_context = context
        if (reply_to := self.target.reply_to) is not None:
            self.reply_id = reply_to.asked(request.body)
        if (codecs := self.codecs) is not None:
            request = request._replace(body=self._encoded(codecs, request))
        return request if self.opens_secrets else self.target.endpoint.released(request)

    def _encoded(self, codecs: Codecs, request: RenderedRequest) -> bytes:
        """Its body. What a codec packs cannot be looked through later, so it gets its secrets here."""
        body, endpoint = request.body, self.target.endpoint
        if MARK_BYTES not in body and not codecs.keys:
            return codecs.encode(body)
        endpoint.release_text(codecs.keys, request.headers)  # raises if what they pack may not go there
        return Bound(codecs.encode(endpoint.release(body, request.headers)))

    def _correlated_timeline(self, planned_ns: int) -> Timeline:
        made = self._new_timeline(planned_ns)
        if isinstance(made, ReplyTimeline):
            made.owner = self
        return made

    def message_timeline(self) -> Timeline:
        """For a message that belongs to no turn."""
        return self._new_message()

    def finish_turn(self, timeline: Timeline) -> None:
        """A turn is over: keep what its answer gave to save. Raises BadAnswer if it is not a good answer (see
        `Timeline.settle`); the connection is as good as before."""
        if timeline.kind != "text":
            timeline.settle()
        if timeline.saved is not None:
            self._keep(timeline.saved)
        if self._vault is not None:
            timeline._whole = self._vault.concealed(timeline._whole)  # it becomes part of the history
        self._idle_message_open = False
        if self.round_trip_ns and self._came_too_soon(timeline):
            self.unsolicited += 1

    def _came_too_soon(self, timeline: Timeline) -> bool:
        """Whether the text was on its way before the question can have arrived."""
        if timeline.sent_ns is None or timeline.first_content_ns is None:
            return False
        waited_ns = timeline.first_content_ns - timeline.sent_ns
        if waited_ns >= self.round_trip_ns:
            return False
        self.round_trip_ns = self.measured_round_trip_ns()  # each answer includes a measurement
        return waited_ns < self.round_trip_ns

    def measured_round_trip_ns(self) -> int:
        """What `round_trip_ns` is by now."""
        return 0

    def new_unsolicited(self) -> int:
        """How many came since this was asked the last time."""
        found, self._unsolicited_told = self.unsolicited - self._unsolicited_told, self.unsolicited
        return found

    def refresh(self, status: int) -> bool:
        """A turn was refused with `status`: whether it may go better after another handshake, which `connect` does."""
        return False

    def idle_event(self, data: bytes, ns: int | None = None) -> None:
        """A message that belongs to no turn, arrived at `ns`: it may carry something to save, and is counted. While a
        greeting is waited for, it is part of that."""
        ns = time.monotonic_ns() if ns is None else ns
        if self.dialogue is not None and self.dialogue.wait is not None and self.dialogue.waits:
            self._heard(self.dialogue, self.dialogue.wait, ns, data)
            return
        self.unassigned_event(data, ns)

    def unassigned_event(self, data: bytes, ns: int) -> None:
        """The same, of one that is no part of a greeting either: a conversation that is over still said it."""
        try:
            self.look_at(data, ns)
        except TurnError as exc:
            # Nobody asked, so it fails no turn. But an error may be the answer to a question, as a text may.
            self.unsolicited += exc.code == "target_error"

    def look_at(self, data: bytes, ns: int) -> None:
        """Count a message that belongs to no turn, and keep what it gives to save. Raises TurnError."""
        self.unassigned += 1
        message = self.message_timeline()
        message.event(ns, data)
        if has_text := carries_text(message):
            self.unsolicited += not self._idle_message_open
        going_on = has_text or self._idle_message_open
        self._idle_message_open = going_on and message.done_ns is None
        if message.saved is not None:
            self._keep(message.saved)

    def _heard(self, dialogue: Dialogue, wait: Greeting, ns: int, data: bytes) -> None:
        try:
            wait.take(ns, data, self.message_timeline)
            if wait.saved:
                self._keep(wait.saved)
            dialogue.advance()
        except TurnError as exc:
            dialogue.failure = exc
        if not dialogue.waits or dialogue.wait is not wait:
            self.dialogue_went_on()

    def dialogue_went_on(self) -> None:  # noqa: B027 - a lane that polls needs no notification
        """A wait is over, or failed: wake up whoever looks after it."""

    def _keep(self, saved: Mapping[str, Any]) -> None:
        """What a message gave to save, for templates, which see no secret that the target repeats in it."""
        self.saved.update(saved if self._vault is None else self._vault.concealed(saved))

    def add_step(self, name: str, ns: int) -> None:
        """A step of getting ready took `ns`."""
        self.handshake_ns = {**(self.handshake_ns or {}), name: ns}

    def _decode(self, data: bytes) -> bytes:
        codecs = self.codecs
        return data if codecs is None else codecs.decode(data)

    def say(self, message: Message) -> None:
        """Send a message that belongs to no turn. Raises TurnError."""
        raise TypeError(f"{type(self).__name__} has turns only")

    @property
    def codecs(self) -> Codecs | None:
        """The conversation's, made when first asked for. Raises BadRequest."""
        if not self._codecs_made and self.target.has_codecs:
            self._codecs = self.target.codecs({"session": self.session, "saved": self.saved})
            self._codecs_made = True
        return self._codecs
