"""A finished turn as a line of the ledger."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from connectors.errors import LostPatience, TurnError
from connectors.redact import Redactor
from connectors.spec import TargetSpec
from connectors.timeline import Timeline
from runs.engine.ledger import Line
from runs.engine.tokens import tokens_of

Log = Sequence[Mapping[str, str]]
"""Messages, each with `role` and `content`."""
_HISTORY = re.compile(r"\{\{[^}]*\b(messages|history)\b")


def turn_line(  # noqa: PLR0913 - one line of the ledger has these parts
    timeline: Timeline,
    *,
    turn: int,
    session: int,
    number: int,
    t0_ns: int,
    ended_ns: int,
    failure: TurnError | None,
    message: str,
    text: str,
    record_chars: int,
    redact: Redactor,
    log: Log | None = None,
) -> Line:
    """Times become ns since the shard's start. `ended_ns` (monotonic) stands in where the answer has no end.

    `log` is the conversation as it is by now, if each request carries it: an estimate of tokens counts it.
    `redact` takes the target's secrets out of every text: a target may send back what it was sent.
    """
    left = failure is not None and isinstance(failure, LostPatience) and timeline.sent_ns is not None
    chars = len(message) if log is None else sent_chars(message, log)
    tokens_in, tokens_out, reasoning, source = tokens_of(timeline, chars, text, worked=left)
    done_ns = timeline.done_ns if failure is None and timeline.done_ns is not None else ended_ns
    line: Line = {
        "k": "turn",
        "id": turn,
        "s": session,
        "n": number,
        "out": "ok",
        "code": None,
        "detail": None,
        "planned": timeline.planned_ns - t0_ns,
        "sent": None if timeline.sent_ns is None else timeline.sent_ns - t0_ns,
        "fb": None if timeline.first_byte_ns is None else timeline.first_byte_ns - t0_ns,
        "fc": None if timeline.first_chunk_ns is None else timeline.first_chunk_ns - t0_ns,
        "ft": None if timeline.first_content_ns is None else timeline.first_content_ns - t0_ns,
        "lc": None if timeline.last_content_ns is None else timeline.last_content_ns - t0_ns,
        "done": done_ns - t0_ns,
        "hs": timeline.handshake_ns,
        "chunks": 0 if timeline.first_content_ns is None else len(timeline.gaps_ns) + 1,
        "in": timeline.bytes_in,
        "outb": timeline.bytes_out,
        "ti": tokens_in,
        "to": tokens_out,
        "ts": source,
        "icl": [gap // 1000 for gap in timeline.gaps_ns] if timeline.gaps_ns else None,
        "err": list(timeline.arrival_errors) if timeline.arrival_errors else None,
        "msg": redact.cut(message, record_chars) if record_chars else None,
        "ans": redact.cut(text, record_chars) if record_chars else None,
    }
    if failure is not None:
        line.update(out=failure.outcome, code=failure.code, detail=redact.error(failure.told))
    if reasoning is not None:
        line["tr"] = reasoning
    if (kind := timeline.kind) != "text" and kind is not None:
        line["kind"] = kind
    if timeline.finish is not None:
        line["fin"] = redact.word(timeline.finish)
    return line


def names_history(target: TargetSpec) -> bool:
    """Whether a request may name what was said before its message."""
    return "history" in json.dumps(target.frozen_dict()["request"])


def sends_history(target: TargetSpec) -> bool:
    """Whether each request carries the conversation so far: its tokens are paid for again with every turn."""
    return bool(_HISTORY.search(json.dumps(target.frozen_dict()["request"])))


def sent_chars(message: str, log: Log | None) -> int:
    """Characters of a request's message, and of the `log` that went with it: the conversation, to which the answer may
    have been added since, or from which the message may have been taken."""
    if not log:
        return len(message)
    chars = sum(len(said["content"]) for said in log)
    last = log[-1]
    if last["role"] == "assistant":
        return chars - len(last["content"])
    return chars if last["role"] == "user" else chars + len(message)
