"""Both lanes behind one blocking call, so that tests need not know how a lane is driven."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Awaitable, Coroutine, Sequence
from types import TracebackType
from typing import Any, NamedTuple

import uvloop

from connectors.base import BaseConnector
from connectors.errors import TurnError
from connectors.registry import Lane, connector_class
from connectors.security.guard import AllowPrivate
from connectors.spec import TargetSpec, build_target_spec, load_preset
from connectors.target import CompiledTarget
from connectors.timeline import Timeline
from tests.hostile.grpc import PROTO

LANES: tuple[Lane, ...] = ("load", "reference")
TIMEOUTS = {"connect": 1.0, "first_byte": 0.8, "idle": 0.7, "total": 1.6}
ROOMY = {"connect": 30.0, "first_byte": 30.0, "idle": 30.0, "total": 60.0}
"""Where none may be waited for: a lane that does not see what happened is too late, and a machine that stands still is
not taken for a silent target."""
LIMITS = {"header_bytes": 16 * 1024, "body_bytes": 256 * 1024, "event_bytes": 64 * 1024}


class Turn(NamedTuple):
    """What one turn came to. `code` None: it went well. `late_s`: from the request to the return of the call."""

    code: str | None
    error: TurnError | None
    text: str
    timeline: Timeline
    late_s: float


PRESETS = {
    "http": "openai-chat",
    "sse": "openai-chat",
    "grpc": "generic-grpc",
    "ndjson": "generic-ndjson",
    "text": "generic-text",
    "aws-eventstream": "bedrock-converse",
    "split": "generic-split",
    "split-websocket": "generic-split",
    "websocket": "generic-websocket",
    "socketio": "generic-socketio",
}
VARIANTS: dict[str, str] = {
    "then": "openai-chat",
    "polling": "generic-socketio",
    "signalr": "signalr",
    "stomp": "stomp",
}
"""Presets of targets that are asked otherwise than these."""
POLL = {"name": "poll", "url": "{{ saved.job }}", "until": {"path": "choices"}, "every_s": 0.05, "within_s": 60}
HTTP2 = {"http2": "openai-chat"}
STREAMED = frozenset({"sse", "text", "aws-eventstream", "grpc", "socketio", "http2", "polling", "signalr"})
"""Protocols whose preset is asked for its streamed form."""


def make_spec(protocol: str, url: str, **overrides: Any) -> TargetSpec:
    """A target of the protocol's usual shape, with small limits, and with times that a busy machine keeps to."""
    overrides = {"timeouts": ROOMY, "limits": LIMITS} | overrides
    if protocol == "socketio":
        overrides = {"socketio": {"ack": True}} | overrides  # an answer may end either way
    if protocol == "polling":
        overrides = {"socketio": {"ack": True, "transport": "polling"}} | overrides
    if protocol in {"signalr", "stomp"}:  # the greeting has a limit of its own
        first, *more = load_preset(protocol)["hello"]
        times: Any = overrides["timeouts"]
        overrides = {"hello": [first | {"within_s": times["connect"]}, *more]} | overrides
    if protocol == "http2":
        overrides = {"http": {"version": "2"}} | overrides
    if protocol == "then":
        overrides = {"request": {"save": {"job": {"header": "Location"}}}, "then": [POLL]} | overrides
    if protocol == "split-websocket":
        overrides = {"protocol": protocol} | overrides
    if protocol == "grpc":
        overrides = {"grpc": {"proto": PROTO}} | overrides  # a hostile server has no reflection
    preset = (PRESETS | HTTP2 | VARIANTS)[protocol]
    return build_target_spec(name="test", url=url, preset=preset, stream=protocol in STREAMED, overrides=overrides)


def context(text: str = "hello") -> dict[str, Any]:
    message = {"role": "user", "content": text}
    return {
        "message": text,
        "messages": [message],
        "history": [],
        "turn": 0,
        "vars": {},
    }


class Client:
    """One conversation on one lane: each call of `say` is a turn on the same connector. Use in a `with`."""

    def __init__(self, lane: Lane, spec: TargetSpec, *, allow_private: AllowPrivate = True) -> None:
        self.target = CompiledTarget(spec)
        self._runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        self._kind = connector_class(spec.protocol, lane)
        self._allow_private = allow_private

    def __enter__(self) -> Client:
        self._runner.__enter__()
        self.connector = self._kind(self.target, allow_private=self._allow_private)
        self.connector.begin({"id": "s"})
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._runner.run(wait(self.connector.disconnect()))
        self._runner.close()

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Something else on this conversation's loop."""
        self._runner.run(work)

    def say(self, text: str = "hello") -> Turn:
        return self._runner.run(say(self.connector, text))

    def say_with(self, context: dict[str, Any]) -> Turn:
        """A turn of which templates see that."""
        return self._runner.run(say(self.connector, context))

    def idle(self, seconds: float) -> None:
        """Let time pass; the load lane's loop runs meanwhile."""
        self._runner.run(asyncio.sleep(seconds))

    def say_all(self, texts: Sequence[str]) -> list[Turn]:
        """Turns without leaving the loop between them, each due when the answer before was over, as the engine drives a
        connector."""

        async def all_of_them() -> list[Turn]:
            turns: list[Turn] = []
            for text in texts:
                turns.append(await say(self.connector, text, turns[-1].timeline.done_ns if turns else None))
            return turns

        return self._runner.run(all_of_them())


async def wait(pending: Awaitable[None] | None) -> None:
    if pending is not None:
        await pending


async def say(connector: BaseConnector, text: str | dict[str, Any], planned_ns: int | None = None) -> Turn:
    """One turn with a message, or with what templates see, planned for now or `planned_ns`, connecting first if need
    be. Whatever else than TurnError is raised goes through and fails the test."""
    asked = context(text) if isinstance(text, str) else text
    began = time.monotonic()
    timeline = connector.timeline(planned_ns or time.monotonic_ns())
    error: TurnError | None = None
    try:
        if not connector.ready:
            await wait(connector.connect())
            began = time.monotonic()
        await wait(connector.send_message(connector.render(asked), timeline))
        connector.finish_turn(timeline)
    except TurnError as exc:
        error = exc
    late_s = time.monotonic() - began
    return Turn(error.code if error else None, error, timeline.text, timeline, late_s)


def one_turn(lane: Lane, spec: TargetSpec, **kwargs: Any) -> Turn:
    with Client(lane, spec, **kwargs) as client:
        return client.say()


def server_context(cert: Any) -> ssl.SSLContext:
    """The TLS context of a server that shows `cert` (a trustme leaf)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    cert.configure_cert(context)
    context.set_alpn_protocols(["h2", "http/1.1"])  # gRPC insists on the first, nobody else asks for it
    return context
