"""A finished turn as a line of the ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from connectors.content.tool_calls import NAME_CHARS, NO_NAME, STEP, ToolCalls
from connectors.errors import LostPatience, TurnError
from connectors.security.redact import Redactor
from connectors.spec import TargetSpec
from connectors.template_text import naming
from connectors.timeline import Timeline
from runs.engine.recording.ledger import Line
from runs.load.tokens import tokens_of, with_rounds
from scenarios.render.walk import SayAction

Log = Sequence[Mapping[str, Any]]
"""Messages, each with `role` and `content`."""
CALLS_RECORDED = 32
_names_history = naming("messages", "history")


class TurnRecord:
    """A turn in progress; at its end `TurnLines` writes its line."""

    __slots__ = ("attachments", "ended_ns", "failure", "id", "message", "number", "session", "slot", "text", "timeline")

    def __init__(self, timeline: Timeline, session: int, action: SayAction) -> None:
        """`session`: the id of the conversation in the ledger."""
        self.timeline = timeline
        self.session = session
        self.message, self.number, self.attachments = action
        self.id = -1
        """Until the request is sent, or the turn is over."""
        self.slot: int | None = None
        """Of the table of turns in flight."""
        self.failure: TurnError | None = None
        self.text: str | None = None
        """The answer, where it is complete; else what there is of it is in the timeline."""
        self.ended_ns = 0
        """When the turn ended (monotonic): at its answer's end, if it is a good one and has an end."""


class TurnLines:
    """Makes the lines of one engine's turns. Times become ns since `t0_ns` (monotonic).

    `redact` takes the target's secrets out of every text: a target may send back what it was sent. With
    `counts_history` each request carries the conversation, and an estimate of tokens counts it.
    """

    def __init__(self, redact: Redactor, record_chars: int, *, counts_history: bool, t0_ns: int) -> None:
        self._redact = redact
        self._record_chars = record_chars
        self._counts_history = counts_history
        self._t0_ns = t0_ns

    def line(self, turn: TurnRecord, log: Log) -> Line:
        """`log` is the conversation as it is by now."""
        timeline, failure, t0_ns = turn.timeline, turn.failure, self._t0_ns
        redact, most = self._redact, self._record_chars
        message, gaps_ns = turn.message, timeline.gaps_ns
        text = timeline.text if turn.text is None else turn.text
        left = failure is not None and isinstance(failure, LostPatience) and timeline.sent_ns is not None
        chars = sent_chars(message, log) if log and self._counts_history else len(message)
        tokens_in, tokens_out, reasoning, source = tokens_of(timeline, chars, text, left)
        line: Line = {
            "k": "turn", "id": turn.id, "s": turn.session, "n": turn.number, "out": "ok", "code": None, "detail": None,
            "planned": timeline.planned_ns - t0_ns,
            "sent": None if timeline.sent_ns is None else timeline.sent_ns - t0_ns,
            "fb": None if timeline.first_byte_ns is None else timeline.first_byte_ns - t0_ns,
            "fc": None if timeline.first_chunk_ns is None else timeline.first_chunk_ns - t0_ns,
            "ft": None if timeline.first_content_ns is None else timeline.first_content_ns - t0_ns,
            "lc": None if timeline.last_content_ns is None else timeline.last_content_ns - t0_ns,
            "done": turn.ended_ns - t0_ns,
            "hs": timeline.handshake_ns,
            "chunks": len(gaps_ns) + 1 if gaps_ns else 0 if timeline.first_content_ns is None else 1,
            "in": timeline.bytes_in, "outb": timeline.bytes_out, "ti": tokens_in, "to": tokens_out, "ts": source,
            "icl": [gap // 1000 for gap in gaps_ns] if gaps_ns else None,
            "err": list(timeline.arrival_errors) if timeline.arrival_errors else None,
            "msg": redact.cut(message, most) if most else None,
            "ans": redact.cut(text, most) if most else None,
        }  # fmt: skip
        if turn.attachments and most:
            line["msg"] += redact.cut("".join(f"\n[{attachment.told}]" for attachment in turn.attachments), most)
        if timeline.finish is not None:
            word = redact.word  # as in `Timeline.event`
            line["fin"] = word(timeline.finish)
        if failure is not None or reasoning is not None or timeline.kind != "text":
            self._add_rare(line, turn, reasoning)
        if timeline.tools is not None:
            self._add_calls(line, timeline, timeline.tools)
            last = tokens_in, tokens_out, reasoning, source
            line["ti"], line["to"], _, line["ts"] = with_rounds(last, timeline.tools.rounds, chars)
        return line

    def _add_rare(self, line: Line, turn: TurnRecord, reasoning: int | None) -> None:
        """What most lines do not have."""
        kind, failure = turn.timeline.kind, turn.failure
        if failure is not None:
            line.update(out=failure.outcome, code=failure.code, detail=self._redact.error(failure.told))
        if reasoning is not None:
            line["tr"] = reasoning
        if kind != "text" and kind is not None:
            line["kind"] = kind

    def _add_calls(self, line: Line, timeline: Timeline, tools: ToolCalls) -> None:
        """Which tools were called how often, and what the first calls said: all together as much as an answer."""
        names = timeline.response.tool_names
        calls = tools.calls
        if timeline.sent_ns is not None:
            line["hs"] = {**(timeline.handshake_ns or {}), f"{STEP}call": max(tools.first_ns - timeline.sent_ns, 0)}
        line["tools"] = dict(Counter(self._redact(names.of(call)) for call in calls))
        left, said = self._record_chars, []
        for call in calls[:CALLS_RECORDED]:
            text = self._redact.cut(call.arguments, left)
            said.append([self._redact.cut(call.name or NO_NAME, NAME_CHARS), text])
            if (left := left - len(text)) <= 0:
                break
        if self._record_chars:
            line["calls"] = said


def names_history(target: TargetSpec) -> bool:
    """Whether what is sent in a turn may name what was said before its message."""
    return "history" in target.sent_in_turns()


def sends_history(target: TargetSpec) -> bool:
    """Whether each turn carries the conversation so far: its tokens are paid for again with every turn."""
    return _names_history(target.sent_in_turns())


def sent_chars(message: str, log: Log | None) -> int:
    """Characters of a request's message, and of the `log` that went with it: the conversation, to which the answer may
    have been added since, or from which the message may have been taken."""
    if not log or (len(log) == 2 and log[0]["role"] == "user"):  # a conversation's first message, and its answer
        return len(message)
    chars = 0
    for said in log:  # a generator for two texts costs a hundredth of a plain turn
        chars += len(said["content"])
    last = log[-1]
    if last["role"] == "assistant":
        return chars - len(last["content"])
    return chars if last["role"] == "user" else chars + len(message)
