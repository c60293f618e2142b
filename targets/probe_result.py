"""What a test message showed: requests, frames, times and errors of one conversation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from connectors.content.usage import believable
from connectors.registry import Lane
from connectors.timeline import Timeline
from plain_text.visible import visible
from targets.frame_recorder import Frame


@dataclass
class Request:
    """The request of a turn; `method` empty: a message on a connection that `url` and `headers` have opened. `body` is
    the input of the codecs, `packed` their output."""

    method: str
    url: str
    headers: list[tuple[str, str]]
    body: str
    event: str = ""
    packed: str | None = None


@dataclass
class HandshakeStep:
    """A request before the conversation, or one of a turn's several, and its answer; `status` None: none came."""

    name: str
    request: Request
    status: int | None = None
    answer: str = ""


@dataclass
class RoundRequest:
    """What sent the results of tools back. `name`: the number of the round, and what it is if it is not its request."""

    name: str
    request: Request


@dataclass
class Failure:
    code: str
    detail: str
    advice: str


@dataclass
class Turn:
    """One message and its answer. Times in ms: of the connection steps, and from the request's first byte on. `sent`:
    whether the request was sent; otherwise it is shown as it would have been."""

    message: str
    sent: bool = False
    handshake_ms: dict[str, float] = field(default_factory=dict)
    steps: list[HandshakeStep] = field(default_factory=list)
    steps_left_out: int = 0
    parts: list[HandshakeStep] = field(default_factory=list)
    """The requests of a turn that has several; the answer to the last one is in its frames."""
    parts_left_out: int = 0
    rounds: list[RoundRequest] = field(default_factory=list)
    """The requests with the results of tools; their answers are in the frames."""
    rounds_left_out: int = 0
    request: Request | None = None
    frames: list[Frame] = field(default_factory=list)
    frames_left_out: int = 0
    unmatched: int = 0
    """Frames of a turn without an answer in which the mapping found nothing."""
    unread: int = 0
    """Frames of an answered turn that hold a text which is no part of the answer."""
    text: str = ""
    text_chars: int = 0
    tool_calls: list[str] = field(default_factory=list)
    """Name and arguments of each."""
    reasoning_chars: int = 0
    chunks: int = 0
    tokens_in: int | None = None
    tokens_out: int | None = None
    bytes_in: int = 0
    bytes_out: int = 0
    times_ms: dict[str, float] = field(default_factory=dict)
    saved: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    """Remarks on what a run would doubt or correct in this answer."""
    error: Failure | None = None


@dataclass
class Probe:
    """One conversation on one lane. `known`: saved values at the end, without those of a handshake. `unassigned`:
    messages that belong to no turn, of which `unassigned_frames` are the first; `unsolicited`: those with text."""

    target: str
    protocol: str
    url: str
    lane: Lane
    turns: list[Turn] = field(default_factory=list)
    goodbye: list[HandshakeStep] = field(default_factory=list)
    """The requests at the end, and how long each took."""
    goodbye_ms: dict[str, float] = field(default_factory=dict)
    goodbye_error: Failure | None = None
    known: dict[str, Any] = field(default_factory=dict)
    unassigned: int = 0
    unassigned_frames: list[str] = field(default_factory=list)
    unsolicited: int = 0

    @property
    def ok(self) -> bool:
        return bool(self.turns) and self.turns[-1].error is None

    def as_dict(self) -> dict[str, Any]:
        """As JSON shows it. `stray` and `stray_frames` are earlier names, kept until 1.0."""
        found = {"ok": self.ok, **asdict(self)}
        return found | {"stray": found["unassigned"], "stray_frames": found["unassigned_frames"]}


def type_notes(found: Mapping[str, int]) -> Iterator[str]:
    for kind in found:
        yield f"content_type_wrong: its content type is {visible(kind)}, but it was read by its content"


def usage_notes(timeline: Timeline, turn: Turn) -> Iterator[str]:
    """As a run judges it (`usage_not_believed`): only the output, because a request contains more than its message."""
    told, chars = timeline.told, turn.text_chars + turn.reasoning_chars
    if told.unreadable:
        yield "usage_not_believed: the target's usage is not a number"
    elif told.output is not None and not believable(told.output, chars):
        yield f"usage_not_believed: {told.output} tokens cannot be those of {chars} characters"
    elif told.input == 0:
        yield "usage_not_believed: 0 tokens are not plausible for the request"


def times_of(timeline: Timeline) -> dict[str, float]:
    """Times from the request's first byte on, as far as the turn got."""
    sent_ns = timeline.sent_ns
    if sent_ns is None:
        return {}
    moments = {
        "first_byte": timeline.first_byte_ns,
        "first_chunk": timeline.first_chunk_ns,
        "first_text": timeline.first_content_ns,
        "last_text": timeline.last_content_ns,
        "done": timeline.done_ns,
    }
    return {name: ms(ns - sent_ns) for name, ns in moments.items() if ns is not None}


def ms(ns: int) -> float:
    return round(ns / 1e6, 3)


def all_tokens(timeline: Timeline) -> tuple[int | None, int | None]:
    """Of the input and the output, with those of the answers before the last; None where one of them is not known."""
    told_in, told_out = [timeline.tokens_in], [timeline.tokens_out]
    for ended in timeline.tools.rounds if timeline.tools is not None else ():
        told_in.append(ended.input)
        told_out.append(ended.output)
    return _sum(told_in), _sum(told_out)


def _sum(told: list[int | None]) -> int | None:
    known = [tokens for tokens in told if tokens is not None]
    return sum(known) if len(known) == len(told) else None
