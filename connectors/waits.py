"""Waits that are handshake steps but belong to no protocol, by their names in ledgers."""

from __future__ import annotations

import time

from connectors.timeline import Timeline

BODY_WAIT = "body_wait"
"""The step of a message that waited for the previous body to end, to use the same connection."""
BODY_WAIT_S = 0.01
"""Maximum wait; then a new connection is used."""
TIMER_S = 0.001
"""The loop's timers count whole milliseconds, so a wait may end that much early: it is over then, not begun again."""
RESEND = "resend"
"""The step of a request that was sent once more, on a new connection: from the first sending to the second."""
MOST_TRIES = 3
"""How often a request is sent that no target has processed."""
REUSED_CLOSED_S = 1.0
"""A kept connection that ends later than this after sending, without a byte, was not closed for being idle."""
STREAM_WAIT = "stream_wait"
"""The step of a message that waited for a shared HTTP/2 connection to be made, or for a stream that the target allows.
"""
SHORTEST_WAIT_NS = 1_000_000
"""A shorter wait is no step: it would fill ledgers, and is no lateness that anybody judges."""
RUN_WAIT = "run_wait"
"""The step of a user who waited for steps per run that another user executed."""


def note_resend(timeline: Timeline, sent_ns: int | None) -> None:
    """The request of `timeline` is about to be sent again: what it took since `sent_ns`, the first time, is a step, and
    a new connection's own steps are part of it."""
    since_ns = time.monotonic_ns() - (sent_ns or 0)
    timeline.handshake_ns = {**(timeline.handshake_ns or {}), RESEND: since_ns}


def note_stream_wait(timeline: Timeline, waited_ns: int) -> None:
    """A message waited so long for a stream of HTTP/2."""
    if waited_ns >= SHORTEST_WAIT_NS:
        steps = timeline.handshake_ns or {}
        timeline.handshake_ns = {**steps, STREAM_WAIT: waited_ns + steps.get(STREAM_WAIT, 0)}
