"""The requests of a turn as a test message shows them, also those that send the results of tools back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from connectors.base import BaseConnector
from connectors.handshake_connector import HandshakeConnector
from connectors.mapping.request import RenderedRequest
from connectors.opaque.tokens import MARK_BYTES, TOKEN_BYTES
from connectors.security.redact import MASK, Redactor
from connectors.timeline import Timeline
from connectors.tools.rounds import ToolTalk
from plain_text.visible import visible
from targets.frame_recorder import FRAME_CHARS
from targets.probe_result import Request, RoundRequest, all_tokens

BODY_CHARS: Final = 10_000
MOST: Final = 30
"""Requests of a turn's later rounds that are shown."""


def shown_request(connector: BaseConnector, redact: Redactor, request: RenderedRequest, plain: bytes) -> Request:
    """Without secrets. `plain`: the body before codecs have packed it."""
    spec, codecs = connector.target.spec, connector.codecs
    scheme = spec.url.partition("://")[0]
    on_connection = connector.persistent and spec.standing is None
    sent = None
    if connector.target.has_codecs:
        packed = request.body
        if codecs is not None and MARK_BYTES in plain:  # what they make of it without its secrets
            packed = codecs.encode(TOKEN_BYTES.sub(MASK.encode(), plain))
        sent = visible(redact.cut(packed.decode(errors="backslashreplace"), FRAME_CHARS))
    return Request(
        method="" if on_connection else request.method,
        url=visible(redact(f"{scheme}://{connector.target.endpoint.host_header}{request.path}")),
        headers=[(name, visible(redact(value))) for name, value in request.headers],
        body=visible(_both_ends(redact(plain.decode(errors="backslashreplace")))),
        event=redact(request.event or spec.grpc.method),
        packed=sent,
    )


def _both_ends(text: str) -> str:
    """What was said last stands at the end of a body, and so do the results of tools."""
    half = BODY_CHARS // 2
    return text if len(text) <= BODY_CHARS else f"{text[:half]} ... {text[-half:]}"


@dataclass
class RoundRecorder:
    """What sends the results of tools back: the requests of a turn's rounds but the first."""

    connector: BaseConnector
    left_out: int = 0
    _taken: list[tuple[str, RenderedRequest, bytes]] = field(default_factory=list)
    _plain: list[bytes] = field(default_factory=list)
    """The bodies of the next request and of the messages before it, as they are before codecs pack them."""

    def attach(self) -> None:
        """Record what this connector sends from now on."""
        connector, talk = self.connector, _talk_of(self.connector)
        if talk is None or not isinstance(connector, HandshakeConnector):
            return
        render, pack, send = connector.render_results, connector.packed, talk.send

        def rendered(make: Callable[[RenderedRequest], RenderedRequest]) -> RenderedRequest:
            plain: list[bytes] = []

            def noted(own: RenderedRequest) -> RenderedRequest:
                made = make(own)
                plain.append(made.body)
                return made

            request = render(noted)
            self._plain = plain
            return request

        def packed(request: RenderedRequest) -> RenderedRequest:
            self._plain.append(request.body)
            return pack(request)

        def sent(request: RenderedRequest, timeline: Timeline) -> Awaitable[None] | None:
            if connector.results is not None and timeline.tools is not None:  # not the first round
                self._note(1 + len(timeline.tools.rounds), request, connector.results)
            return send(request, timeline)

        connector.render_results = rendered  # type: ignore[method-assign] # of this one connector
        connector.packed = packed  # type: ignore[method-assign] # of this one connector
        talk.send = sent

    def _note(self, number: int, request: RenderedRequest, results: Sequence[RenderedRequest]) -> None:
        named = [*((f"{number} result", result) for result in results), (str(number), request)]
        plain = [*self._plain[1:], self._plain[0]]
        for (name, one), body in zip(named, plain, strict=True):
            if len(self._taken) < MOST:
                self._taken.append((name, one, body))
            else:
                self.left_out += 1

    def shown(self, redact: Redactor) -> list[RoundRequest]:
        """What was recorded since the last call, without secrets."""
        taken, self._taken, self.left_out = self._taken, [], 0
        return [RoundRequest(name, shown_request(self.connector, redact, one, body)) for name, one, body in taken]


def _talk_of(connector: BaseConnector) -> ToolTalk | None:
    return connector.tool_talk if isinstance(connector, HandshakeConnector) else None


def round_notes(connector: BaseConnector, timeline: Timeline) -> Iterator[str]:
    """What there is to say about the rounds of a turn."""
    tools, talk = timeline.tools, _talk_of(connector)
    if tools is None or talk is None or not tools.rounds:
        return
    new, reply = tools.calls[tools.new :], talk.reply
    if len(tools.rounds) >= reply.rounds and new and reply.knows(new):
        left = "wait for the next message" if reply.waits else "are not sent"
        yield (
            f"tool_rounds: all {reply.rounds} are used up, and the last answer calls tools again: the results {left};"
            " raise tool_rounds, or see in the requests whether the model can read the results"
        )
    known = [(one.input, one.output) for one in tools.rounds if one.input is not None or one.output is not None]
    if known and all_tokens(timeline) == (None, None):
        told = f"{sum(one or 0 for one, _ in known)} in, {sum(one or 0 for _, one in known)} out"
        yield f"tokens: {len(known)} of {1 + len(tools.rounds)} answers reported theirs: {told}"
