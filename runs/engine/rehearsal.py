"""Short conversations with a local listener before an engine reports `ready`, to warm up the code.

Code that runs for the first time is several times slower: modules are loaded, memory is mapped, the interpreter has not
adapted itself yet. Without a rehearsal the first message of each user pays for it and leaves late. Nothing of this
reaches the target or the ledger, and no figure counts it.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import re
import socket
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from connectors.content.styles import FRAMES_TYPE
from connectors.http.aws_frames import encode_message
from connectors.spec import build_target_spec
from connectors.wire.transport.addresses import ROTA
from connectors.wire.transport.clock import arrival_clock
from metrics.end_codes import EndCode
from runs.engine.core.shard_spec import ShardSpec, WeightedScenario
from runs.engine.recording.ledger import Ledger
from runs.engine.shard import Shard
from runs.load.profile import ClosedLoad
from scenarios.definition.spec import ScenarioSpec

USERS: Final = 8
CONVERSATIONS: Final = 24
"""The interpreter specializes a function after about ten calls."""
LIMIT_S: Final = 2.0
READ_BYTES: Final = 65536
_KEY: Final = re.compile(rb"(?i)sec-websocket-key:\s*(\S+)")
_WEBSOCKET_ID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3
_SCENARIO: Final = {"name": "rehearsal", "steps": [{"do": "say", "text": "How are you, {{ session.number }}?"}]}


class Part(NamedTuple):
    """The listener's answers: each message on a connection gets the next one, and the last one is repeated."""

    preset: str
    answers: Sequence[bytes]
    stream: bool = False


def _http(kind: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode("ascii") + body


def _frame(text: bytes) -> bytes:
    return bytes((0x81, len(text))) + text


_UPGRADE: Final = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %b\r\n\r\n"
)
_PIECES: Final = (b'{"delta":"I am "}', b'{"delta":"well."}')
_END: Final = b'{"response":"I am well.","done":true}'
_EVENTS: Final = b"".join(b"data: %b\n\n" % piece for piece in (*_PIECES, b"[DONE]"))
_MESSAGES: Final = b"".join(
    encode_message([(":event-type", name)], data)
    for name, data in (
        ("contentBlockDelta", b'{"delta":{"text":"I am "}}'),
        ("contentBlockDelta", b'{"delta":{"text":"well."}}'),
        ("metadata", b'{"usage":{"inputTokens":3,"outputTokens":3}}'),
    )
)
_SSE: Final = Part("generic-json", (_http("text/event-stream", _EVENTS),), stream=True)
_JOIN: Final = (
    _UPGRADE + _frame(b'0{"sid":"r","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}'),
    _frame(b'40/generic,{"sid":"r"}'),
)
PARTS: Final = {
    "http": Part("generic-json", (_http("application/json", _END),)),
    "sse": _SSE,
    "ndjson": Part("generic-ndjson", (_http("application/x-ndjson", b"\n".join((*_PIECES, _END, b""))),)),
    "text": Part("generic-text", (_http("text/plain", b"I am well."),), stream=True),
    "aws-eventstream": Part("bedrock-converse", (_http(FRAMES_TYPE, _MESSAGES),), stream=True),
    "split": _SSE,  # the same connections and parsers
    "websocket": Part("generic-websocket", (_UPGRADE, b"".join(map(_frame, (*_PIECES, _END))))),
    "socketio": Part("generic-socketio", (*_JOIN, _frame(b'43/generic,1[{"response":"I am well."}]'))),
    "grpc": Part("generic-grpc", (), stream=True),  # what it plays is in `runs.engine.rehearsed_calls`
}
"""By protocol."""


async def rehearse(spec: ShardSpec) -> None:
    """Hold a few conversations over the protocol of `spec`; over HTTP, if it is a user's own. Takes some tens of
    milliseconds, LIMIT_S at most. A machine on which it cannot be held has a slower start."""
    part = PARTS.get(spec.target.protocol, PARTS["http"])
    with contextlib.suppress(OSError):
        await _hold(spec, part)
        # Host names are looked up in a thread.
        await asyncio.get_running_loop().run_in_executor(None, socket.getaddrinfo, "127.0.0.1", 0)
    ROTA.forget()
    arrival_clock().forget()


async def _hold(spec: ShardSpec, part: Part) -> None:
    """Raises OSError."""
    async with await asyncio.start_server(_listener(part), "127.0.0.1", 0) as server:
        url = f"{_scheme(part)}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        with tempfile.TemporaryDirectory(prefix="token-burn-rehearsal-") as folder:
            shard = Shard(_order(spec, part, url))
            shard.late_listener = None
            if part.preset == "generic-grpc":
                _know_method(shard)
            ledger = Ledger(Path(folder) / "ledger", _ignore)
            limit = asyncio.get_running_loop().call_later(LIMIT_S, shard.end, EndCode.STOPPED, "rehearsed", 0.0)
            try:
                await shard.run(time.monotonic_ns(), ledger)
            finally:
                limit.cancel()
                ledger.close()


def _order(spec: ShardSpec, part: Part, url: str) -> ShardSpec:
    return spec.model_copy(
        update={
            "index": 0,
            "of": 1,
            "target": build_target_spec(name="rehearsal", url=url, preset=part.preset, stream=part.stream),
            "scenarios": (WeightedScenario(scenario=ScenarioSpec.model_validate(_SCENARIO)),),
            "load": ClosedLoad(users=USERS, conversations=CONVERSATIONS),
            "allow_private": True,
        }
    )


def _scheme(part: Part) -> str:
    return {"generic-websocket": "ws", "generic-grpc": "grpc"}.get(part.preset, "http")


def _ignore(_: OSError) -> None: ...


def _listener(part: Part) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    if part.preset == "generic-grpc":
        from runs.engine import rehearsed_calls  # which loads gRPC's library

        return rehearsed_calls.serve
    return _Listener(part.answers).serve


def _know_method(shard: Shard) -> None:
    """As if the target had been asked for it."""
    from connectors.grpc.methods import keep_method
    from runs.engine.rehearsed_calls import method_files

    keep_method(shard.target.original, method_files(shard.target.spec.grpc.method))


class _Listener:
    def __init__(self, answers: Sequence[bytes]) -> None:
        self._answers = answers

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        place = 0
        with contextlib.suppress(OSError):
            while asked := await reader.read(READ_BYTES):
                answer = self._answers[min(place, len(self._answers) - 1)]
                if key := _KEY.search(asked):
                    answer = answer.replace(b"%b", _accepted(key[1]))
                writer.write(answer)
                place += 1
        writer.close()


def _accepted(key: bytes) -> bytes:
    return base64.b64encode(hashlib.sha1(key + _WEBSOCKET_ID, usedforsecurity=False).digest())
