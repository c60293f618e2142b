"""Counts what the server has received and sent, as a reference for a tool's own figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from typing import Any


@dataclass(slots=True)
class Stats:
    """`chat_requests == answers + errors of chat requests + aborted + in_flight`, at any time.

    `answers` were written to the end; `aborted` were not, because the client left. `chunks` are stream events with
    text, `events` all stream events including `[DONE]`. Tokens are those whose chunk or answer was written.
    `attachments` are images, sounds and files in messages of the OpenAI dialect, those of the history included.
    `sessions` are connections that outlive a turn (WebSocket, Socket.IO, standing streams, Converse calls of gRPC).
    """

    requests: int = 0
    chat_requests: int = 0
    answers: int = 0
    errors: int = 0
    aborted: int = 0
    in_flight: int = 0
    max_in_flight: int = 0
    attachments: int = 0
    attachment_bytes: int = 0
    sessions: int = 0
    open_sessions: int = 0
    chunks: int = 0
    events: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    by_status: Counter[int] = field(default_factory=Counter)

    def as_dict(self) -> dict[str, Any]:
        figures = {each.name: getattr(self, each.name) for each in fields(self)}
        return figures | {"by_status": {str(status): number for status, number in sorted(self.by_status.items())}}

    def count_attachments(self, sizes: Sequence[int]) -> None:
        self.attachments += len(sizes)
        self.attachment_bytes += sum(sizes)

    def chat_begins(self) -> None:
        self.chat_requests += 1
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)

    def chat_ends(self, *, answered: bool, failed: bool) -> None:
        """Call it exactly once per `chat_begins`. A chat that ended neither way was aborted."""
        self.in_flight -= 1
        self.answers += answered
        self.aborted += not answered and not failed

    def count_status(self, status: int) -> None:
        self.by_status[status] += 1
        self.errors += status >= 400

    @contextmanager
    def session(self) -> Iterator[None]:
        """Around a connection."""
        self.sessions += 1
        self.open_sessions += 1
        try:
            yield
        finally:
            self.open_sessions -= 1

    def reset(self) -> None:
        """Reset to zero; requests in flight stay in flight and count as received; sessions likewise."""
        fresh = Stats(self.in_flight, self.in_flight, in_flight=self.in_flight, max_in_flight=self.in_flight)
        fresh.sessions = fresh.open_sessions = self.open_sessions
        for each in fields(self):
            setattr(self, each.name, getattr(fresh, each.name))
