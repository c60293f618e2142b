"""Records the frames of a test message with what the mapping found in each.

A `FrameRecorder` attaches itself to a connector's own Timeline: it changes the timeline's class for one that notes each
call before it goes on, so that the path which thousands of sessions take stays as it is.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, NoReturn

import orjson

from connectors.content.formats import makes_text
from connectors.errors import TurnError
from connectors.security.redact import Redactor
from connectors.timeline import Timeline
from connectors.timeline.named import NamedTimeline
from connectors.timeline.state import NOTHING_CAME
from plain_text.visible import visible
from targets.learning.recorded.exchange import leaves
from targets.learning.saying import LEAST, score_of

FRAMES_LIMIT = 200
"""Maximum number of frames that are kept; further ones are only counted."""
FRAME_CHARS = 2000


@dataclass
class Frame:
    """One event, frame or whole answer; `name` if the stream names its events. `gave`: what the mapping found in it;
    empty: it did not match."""

    at_ms: float
    size: int
    data: str
    name: str = ""
    decoded: str | None = None
    gave: list[str] = field(default_factory=list)
    note: str = ""


@dataclass
class FrameRecorder:
    """The frames of one turn. `redact` is applied to everything that is kept, `mask` to what the timeline gets: no
    mapping can look into a secret that a target repeats."""

    redact: Redactor
    mask: Redactor = field(default_factory=Redactor)
    frames: list[Frame] = field(default_factory=list)
    left_out: int = 0
    unmatched: int = 0
    unread: int = 0
    _missed: list[_Miss] = field(default_factory=list)
    _said: set[int] = field(default_factory=set)
    """The answers of a turn, by number, in which the mapping found what was said."""

    def attach(self, timeline: Timeline) -> None:
        """Record what `timeline` receives from now on."""
        timeline.__class__ = _recording_timeline(type(timeline), self)
        if (decode := timeline._decode) is not None and self.mask:
            timeline._decode = lambda data: self.masked(decode(data))

    def masked(self, data: bytes) -> bytes:
        if not self.mask:
            return data
        text = data.decode(errors="surrogateescape")
        found = self.mask(text)
        return data if found is text else found.encode(errors="surrogateescape")

    def show(self, data: bytes) -> str:
        text = self.redact.cut(data.decode(errors="backslashreplace"), FRAME_CHARS + 1)
        more = "..." if len(text) > FRAME_CHARS else ""
        return visible(text[:FRAME_CHARS]) + more

    def note(self, timeline: Timeline, ns: int, data: bytes, tell: Callable[[], None], beside: str = "") -> None:
        """Pass the frame to the timeline by `tell`, and record what changed. `beside`: what the frame is if it is not
        part of the answer and need not match."""
        frame = Frame(round((ns - (timeline.sent_ns or ns)) / 1e6, 3), len(data), self.show(data))
        if isinstance(timeline, NamedTimeline):
            frame.name = visible(self.redact(timeline.event_name))
        plain = self._decoded(timeline, frame, data)
        before = _state(timeline)
        missed, timeline._last_without_text = timeline._last_without_text, NOTHING_CAME
        if len(self.frames) < FRAMES_LIMIT:
            self.frames.append(frame)
        else:
            self.left_out += 1
        try:
            tell()
        except TurnError as exc:
            frame.gave.append("error")
            frame.note = exc.code
            raise
        after = _state(timeline)
        frame.gave += [name for name in after if after[name] != before[name]]
        if not _SAYING.isdisjoint(frame.gave):
            self._said.add(_answer_of(timeline))
        if beside:
            frame.note = beside
            frame.gave = frame.gave or ["ignored"]
        elif not frame.gave:
            self._nothing(timeline, frame, plain)
        if timeline._last_without_text is NOTHING_CAME:
            timeline._last_without_text = missed

    def _nothing(self, timeline: Timeline, frame: Frame, plain: bytes) -> None:
        frame.note = _why_nothing(timeline, plain)
        if frame.note in _NOT_MATCHED:
            scored = _texts(plain)
            telling = scored is None or any(score >= 0 for _, score in scored)
            texts = [text for text, score in scored or () if " " in text.strip() and score >= LEAST]
            self._missed.append(_Miss(frame, texts, telling, _answer_of(timeline)))
        else:
            frame.gave.append("ignored")

    def settle(self, text: str, failure: TurnError | None) -> None:
        """The turn is over. An answer needs no more than some of its frames: vendors also send what says how it comes
        about. In an answer that said nothing, and failed for want of it, others may be the ones to map."""
        missed, self._missed = self._missed, []
        for miss in missed:
            if failure is not None and miss.answer not in self._said and _may_be_wanted(failure.code, miss):
                self.unmatched += 1
                continue
            miss.frame.gave = ["passed over"]
            if failure is None and any(one not in text for one in miss.texts):
                self.unread += 1
                miss.frame.note = UNREAD

    def _decoded(self, timeline: Timeline, frame: Frame, data: bytes) -> bytes:
        if timeline._decode is None:
            return data
        try:
            plain = timeline.decoded(data)
        except TurnError:
            return data  # the timeline will report it
        if not makes_text(timeline._reader()):
            frame.decoded = self.show(plain)
        return plain


NO_MATCH = "nothing at the mapped paths"
OTHER_KIND = "of a kind that is not listed"
UNREAD = "a text that is no part of the answer"
_NOT_MATCHED = frozenset({NO_MATCH, OTHER_KIND})
_SAYING = frozenset({"text", "reasoning", "tool call"})
_NOT_FOUND = frozenset({"answer_unmatched", "answer_empty"})
_NOT_ENDED = frozenset(
    {"stream_incomplete", "first_byte_timeout", "idle_timeout", "total_timeout", "connection_closed", "ws_closed_1000"}
)
"""How a turn may end because its answer was not found. All other failures have a reason of their own."""


class _Miss(NamedTuple):
    """A frame in which the mapping found nothing. `texts`: what is said in it; `telling`: whether anything may be, if
    it is no more than a syllable; `answer`: the number of its answer."""

    frame: Frame
    texts: list[str]
    telling: bool
    answer: int


def _may_be_wanted(code: str, miss: _Miss) -> bool:
    """Whether the mapping should have found something in it."""
    return code in _NOT_FOUND or (code in _NOT_ENDED and miss.telling)


def _answer_of(timeline: Timeline) -> int:
    """The number of the answer that is coming: where results of tools are sent back, a turn has several."""
    return len(timeline.tools.rounds) if timeline.tools is not None else 0


def _why_nothing(timeline: Timeline, data: bytes) -> str:
    response = timeline.response
    if not data or data in response.ignored_data:
        return "keeps the connection alive"
    if isinstance(timeline, NamedTimeline) and response.named(timeline.event_name) is None:
        return OTHER_KIND
    message = timeline._last_without_text
    if message is NOTHING_CAME:
        return "an empty text"
    if not response.plain and timeline._part_of(message) is None:
        return "to be ignored" if response.ignores(message) else OTHER_KIND
    return NO_MATCH if response.unlisted(message) is None else OTHER_KIND  # rules of every frame found nothing in it


def _texts(plain: bytes) -> list[tuple[str, float]] | None:
    """The texts in a frame, and how much each looks like one of a chatbot; None: it is not JSON."""
    try:
        document = orjson.loads(plain)
    except orjson.JSONDecodeError:
        return None
    return [(text, score_of(path, text)) for path, text in leaves(document, 500) if isinstance(text, str)]


def _state(timeline: Timeline) -> dict[str, Any]:
    return {
        "text": (len(timeline.text), timeline.chunks),
        "reasoning": timeline.reasoning_chars,
        "usage": (timeline.tokens_in, timeline.tokens_out),
        "tool call": timeline.tools_seen,
        "saved": dict(timeline.saved or {}),
        "stamp": len(timeline.arrival_errors),
        "done": timeline.done_ns is not None,
    }


def _recording_timeline(kind: type[Timeline], recorder: FrameRecorder) -> type[Timeline]:
    class Recording(kind):  # type: ignore[misc, valid-type]  # whichever of ours the connector has chosen
        __slots__ = ()  # the same layout, otherwise the class of an existing timeline could not be changed

        def event(self, ns: int, data: bytes) -> None:
            recorder.note(self, ns, data, lambda: kind.event(self, ns, recorder.masked(data)))

        def answer(self, ns: int, data: bytes) -> None:
            recorder.note(self, ns, data, lambda: kind.answer(self, ns, recorder.masked(data)))

        def late(self, data: bytes) -> None:
            recorder.note(
                self, time.monotonic_ns(), data, lambda: kind.late(self, recorder.masked(data)), "after the end mark"
            )

        def aside(self, data: bytes) -> None:
            said = "the answer to what was posted"
            recorder.note(self, time.monotonic_ns(), data, lambda: kind.aside(self, recorder.masked(data)), said)

        def refused(self, status: int, data: bytes) -> NoReturn:
            recorder.note(self, time.monotonic_ns(), data, lambda: kind.refused(self, status, recorder.masked(data)))
            raise AssertionError  # refused raises

    return Recording
