"""A chat of each protocol: what a bot says, in that protocol's bytes."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

import grpc
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from tests.hostile import frames
from tests.liars.chat import Chat, Gone
from tests.support.servers.grpc_target import PIECE


@dataclass
class HttpChat(Chat):
    """One answer over HTTP. The head leaves with the first piece; `headers` and `status` may be changed until then."""

    writer: asyncio.StreamWriter = field(kw_only=True)
    headers: list[str] = field(default_factory=list)
    status: str = "200 OK"
    content_type: str = "application/json"
    begun: bool = False
    ended: bool = False

    async def write(self, data: bytes) -> None:
        if self.writer.is_closing():
            raise Gone
        try:
            self.writer.write(data)
            await self.writer.drain()
        except OSError as exc:
            raise Gone from exc

    async def head(self, *more: str) -> None:
        if not self.begun:
            self.begun = True
            lines = [f"HTTP/1.1 {self.status}", f"Content-Type: {self.content_type}", *self.headers, *more, "", ""]
            await self.write("\r\n".join(lines).encode("latin-1"))

    async def close(self, *, hard: bool = False) -> None:
        if hard:
            self.writer.transport.abort()
        self.writer.close()
        raise Gone


@dataclass
class WholeChat(HttpChat):
    """The answer as one JSON object."""

    said: str = ""

    async def piece(self, text: str) -> None:
        self.said += text

    async def finish(self, text: str = "") -> None:
        await self.frame({"response": self.said})

    async def frame(self, message: dict[str, Any]) -> None:
        await self.raw(json.dumps(message).encode())

    async def raw(self, data: bytes) -> None:
        await self.head(f"Content-Length: {len(data)}")
        await self.write(data)
        self.ended = True

    async def part(self, data: bytes, of: int) -> None:
        """The first bytes of a body that is said to be `of` bytes long."""
        await self.head(f"Content-Length: {of}")
        await self.write(data)


@dataclass
class ChunkedChat(HttpChat):
    """The answer piece by piece in a chunked body."""

    async def chunk(self, data: bytes) -> None:
        await self.head("Transfer-Encoding: chunked")
        await self.write(b"%x\r\n%b\r\n" % (len(data), data))

    async def end_body(self) -> None:
        await self.head("Transfer-Encoding: chunked")
        await self.write(b"0\r\n\r\n")
        self.ended = True

    async def piece(self, text: str) -> None:
        await self.frame({"delta": text})


@dataclass
class SseChat(ChunkedChat):
    content_type: str = "text/event-stream"

    async def frame(self, message: dict[str, Any]) -> None:
        await self.raw(json.dumps(message).encode())

    async def raw(self, data: bytes) -> None:
        await self.chunk(b"data: " + data + b"\n\n")

    async def finish(self, text: str = "") -> None:
        await self.raw(b"[DONE]")
        await self.end_body()


@dataclass
class LinesChat(ChunkedChat):
    content_type: str = "application/x-ndjson"

    async def frame(self, message: dict[str, Any]) -> None:
        await self.raw(json.dumps(message).encode())

    async def raw(self, data: bytes) -> None:
        await self.chunk(data + b"\n")

    async def finish(self, text: str = "") -> None:
        await self.frame({"response": text, "done": True} if text else {"done": True})
        await self.end_body()


@dataclass
class StandingChat(SseChat):
    """The split style's standing stream: it goes on from answer to answer."""

    async def finish(self, text: str = "") -> None:
        await self.frame({"response": text, "done": True} if text else {"done": True})


@dataclass
class StandingSocketChat(HttpChat):
    """The split style's standing stream as a WebSocket, its frames written by hand on the HTTP server's port."""

    async def piece(self, text: str) -> None:
        await self.frame({"delta": text})

    async def finish(self, text: str = "") -> None:
        await self.frame({"response": text, "done": True} if text else {"done": True})

    async def frame(self, message: dict[str, Any]) -> None:
        await self.raw(json.dumps(message).encode())

    async def raw(self, data: bytes) -> None:
        await self.write(frames.frame(data))


@dataclass
class DirectLineChat(StandingSocketChat):
    """An answer is one activity, which says what it replies to."""

    said: str = ""
    asked_id: str = ""

    async def piece(self, text: str) -> None:
        self.said += text

    async def finish(self, text: str = "") -> None:
        said, self.said = self.said, ""
        await self.activity(said, self.asked_id)

    async def activity(self, text: str | None, reply_to: str | None, *, sender: str = "bot") -> None:
        made = {"type": "message", "from": {"id": sender}, "text": text, "replyToId": reply_to}
        await self.frame({"activities": [{key: value for key, value in made.items() if value is not None}]})


@dataclass
class SocketChat(Chat):
    """JSON messages over a WebSocket."""

    connection: ServerConnection = field(kw_only=True)

    async def send(self, data: str | bytes) -> None:
        try:
            await self.connection.send(data)
        except ConnectionClosed as exc:
            raise Gone from exc

    async def piece(self, text: str) -> None:
        await self.frame({"delta": text})

    async def finish(self, text: str = "") -> None:
        await self.frame({"response": text, "done": True} if text else {"done": True})

    async def frame(self, message: dict[str, Any]) -> None:
        await self.send(json.dumps(message))

    async def raw(self, data: bytes) -> None:
        await self.send(data.decode())

    async def close(self, *, hard: bool = False) -> None:
        if hard:
            self.connection.transport.abort()
        await self.connection.close()
        raise Gone


@dataclass
class EventChat(SocketChat):
    """Socket.IO: the key `event` of a frame is its event's name."""

    async def piece(self, text: str) -> None:
        await self.frame({"event": "delta", "text": text})

    async def finish(self, text: str = "") -> None:
        await self.frame({"event": "done", "response": text} if text else {"event": "done"})

    async def frame(self, message: dict[str, Any]) -> None:
        data = dict(message)
        name = data.pop("event", "delta")
        await self.send("42" + json.dumps([name, data]))


@dataclass
class RpcChat(Chat):
    """A bidirectional stream of gRPC; frames are fields of its message."""

    context: Any = field(kw_only=True)

    async def piece(self, text: str) -> None:
        await self.frame({"delta": text})

    async def finish(self, text: str = "") -> None:
        await self.frame({"response": text, "done": True} if text else {"done": True})

    async def frame(self, message: dict[str, Any]) -> None:
        try:
            await self.context.write(PIECE(**message))
        except grpc.aio.AbortError:
            raise
        except Exception as exc:
            raise Gone from exc

    async def close(self, *, hard: bool = False) -> None:
        if hard:
            await self.context.abort(grpc.StatusCode.UNAVAILABLE, "gone")
        raise Gone
