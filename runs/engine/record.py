"""A finished turn as a line of the ledger."""

from __future__ import annotations

from connectors.errors import LostPatience, Outcome, TurnError
from connectors.redact import Redactor
from connectors.timeline import Timeline
from runs.engine.ledger import Line

CHARS_PER_TOKEN = 4
"""A rule of thumb for English and most tokenizers; only used where the target reports no usage, and said so."""


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
) -> Line:
    """Times become ns since the shard's start. `ended_ns` (monotonic) stands in where the answer has no end.

    `redact` takes the target's secrets out of every text: a target may send back what it was sent.
    """
    tokens_in, tokens_out, source = _tokens(timeline, message, text)
    if source == "none" and isinstance(failure, LostPatience) and timeline.sent_ns is not None:
        # The target had work of it all the same.
        tokens_in = estimate(len(message)) if tokens_in is None else tokens_in
        tokens_out, source = estimate(timeline.reasoning_chars), "estimate"
    outcome: Outcome = "ok" if failure is None else failure.outcome
    done_ns = timeline.done_ns if failure is None and timeline.done_ns is not None else ended_ns
    return {
        "k": "turn",
        "id": turn,
        "s": session,
        "n": number,
        "out": outcome,
        "code": None if failure is None else failure.code,
        "detail": None if failure is None else redact.error(failure.detail),
        "planned": timeline.planned_ns - t0_ns,
        "sent": None if timeline.sent_ns is None else timeline.sent_ns - t0_ns,
        "fb": None if timeline.first_byte_ns is None else timeline.first_byte_ns - t0_ns,
        "fc": None if timeline.first_chunk_ns is None else timeline.first_chunk_ns - t0_ns,
        "ft": None if timeline.first_content_ns is None else timeline.first_content_ns - t0_ns,
        "lc": None if timeline.last_content_ns is None else timeline.last_content_ns - t0_ns,
        "done": done_ns - t0_ns,
        "hs": timeline.handshake_ns,
        "chunks": timeline.chunks,
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


def _tokens(timeline: Timeline, message: str, text: str) -> tuple[int | None, int | None, str]:
    """(input, output, source): the target's own counts, else an estimate of what is missing, else nothing."""
    if timeline.tokens_out is not None:
        return timeline.tokens_in, timeline.tokens_out, "usage"
    if not text:
        return timeline.tokens_in, None, "none"
    tokens_in = timeline.tokens_in if timeline.tokens_in is not None else estimate(len(message))
    return tokens_in, estimate(len(text) + timeline.reasoning_chars), "estimate"


def estimate(chars: int) -> int:
    """Tokens of a text of `chars` characters, rounded up."""
    return -(-chars // CHARS_PER_TOKEN)
