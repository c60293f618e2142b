"""The POST of the split protocol, whose answer only acknowledges the message. Used by both lanes."""

from __future__ import annotations

from connectors.spec import Timeouts
from connectors.timeline.base import Timeline

POST_GRACE_S = 1.0
"""How long the reference lane waits for the POST's answer after the stream's answer is complete."""
STREAM_LIFE_S = 1_000_000.0
"""How long a standing stream may stay silent between turns: nothing else limits it."""


class AckTimeline(Timeline):
    """Of a POST whose turn is `of`: the turn is sent when the POST is."""

    __slots__ = ("body", "of")

    def __init__(self, of: Timeline) -> None:
        super().__init__(of.response, of.planned_ns)
        self.of = of
        self.body = b""

    def sent(self, ns: int, size: int) -> None:
        super().sent(ns, size)
        self.of.sent_ns = self.sent_ns  # of the first one, if it is sent again
        self.of.bytes_out += size

    def answer(self, ns: int, data: bytes) -> None:
        self.body = data
        self.done_ns = ns

    def refused(self, status: int, data: bytes) -> None:
        """`judge` says what it means."""
        self.status = status
        self.body = data
        self.done_ns = self.planned_ns

    def judge(self) -> None:
        """Process the POST's whole answer. Raises Refused, or BadAnswer if it contains an error."""
        of = self.of
        of.bytes_in += self.bytes_in
        of.status = self.status
        if not 200 <= self.status < 300:
            of.refused(self.status, self.body)
        of.aside(self.body)


def post_timeouts(timeouts: Timeouts) -> Timeouts:
    """Timeouts of the POST, whose answer may arrive after the stream's; only the stream can be late."""
    return timeouts.model_copy(update={"first_byte": timeouts.total, "idle": timeouts.total})
