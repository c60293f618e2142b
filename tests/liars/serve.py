"""One server for all bots and protocols, in a thread with a loop of its own. The header `x-bot` chooses the bot."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, suppress
from types import TracebackType
from typing import Any, NamedTuple

import grpc
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from tests.hostile import frames
from tests.liars.chat import Book, Bot, Chat, Gone
from tests.liars.protocol_chats import (
    DirectLineChat,
    EventChat,
    LinesChat,
    RpcChat,
    SocketChat,
    SseChat,
    StandingChat,
    StandingSocketChat,
    WholeChat,
)
from tests.support.servers.grpc_target import ASK

HOST = "127.0.0.1"
START_S = 30.0
QUIET = logging.getLogger("tests.liars")
QUIET.setLevel(logging.ERROR)  # that connections end early is what the tests are for
SOCKETIO_OPEN = {"sid": "e1", "upgrades": [], "pingInterval": 25000, "pingTimeout": 20000, "maxPayload": 1 << 20}


class Conduct(NamedTuple):
    """What a bot does with each question, and when a conversation begins."""

    speak: Bot
    greet: Bot | None = None


class LiarServer:
    """`urls` by protocol, `books` by bot. Use in a `with`."""

    def __init__(self, bots: Mapping[str, Conduct]) -> None:
        self._bots = bots
        self._stop = asyncio.Event()
        self.books = {name: Book(self._stop) for name in bots}
        self.urls: dict[str, str] = {}
        self._standing: dict[str, StandingChat | StandingSocketChat] = {}
        self._posts = 0
        self._ready = threading.Event()
        self._failed: list[BaseException] = []
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="liars", daemon=True)
        self._loop: asyncio.AbstractEventLoop

    def __enter__(self) -> LiarServer:
        self._thread.start()
        assert self._ready.wait(START_S)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(START_S)
        assert not self._thread.is_alive()
        assert not self._failed, f"a bot of the tests is wrong: {self._failed}"

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        async with AsyncExitStack() as stack:
            http = await asyncio.start_server(self._http, HOST, 0)
            socket = await stack.enter_async_context(serve(self._socket, HOST, 0, close_timeout=1, logger=QUIET))
            rpc = grpc.aio.server()
            handler: Any = grpc.stream_stream_rpc_method_handler(
                self._converse, request_deserializer=ASK.FromString, response_serializer=None
            )
            rpc.add_generic_rpc_handlers(
                (grpc.method_handlers_generic_handler("tokenburn.mock.v1.Chat", {"Converse": handler}),)
            )
            ports = {
                "http": http.sockets[0].getsockname()[1],
                "ws": next(iter(socket.sockets)).getsockname()[1],
                "grpc": rpc.add_insecure_port(f"{HOST}:0"),
            }
            await rpc.start()
            for protocol, scheme in SCHEMES.items():
                self.urls[protocol] = f"{scheme}://{HOST}:{ports[scheme]}"
            self.urls["socketio"] = f"http://{HOST}:{ports['ws']}"
            for protocol in ("http", "sse", "ndjson", "split", "split-websocket", "directline"):
                self.urls[protocol] += f"/{protocol}"
            self._ready.set()
            await self._stop.wait()
            http.close()
            await rpc.stop(None)

    async def _speak(self, chat: Chat, name: str, said: Mapping[str, Any]) -> None:
        chat.id = said.get("id")
        try:
            await chat.ask(self._bots[name].speak, said["message"])
        except (Gone, asyncio.CancelledError, grpc.aio.AbortError):
            raise
        except BaseException as exc:
            self._failed.append(exc)
            raise Gone from exc

    async def _greet(self, chat: Chat, name: str) -> None:
        if (greet := self._bots[name].greet) is not None:
            await greet(chat)

    # --- HTTP: whole, streamed, split ---------------------------------------------------------------------------

    async def _http(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, OSError, Gone):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                lines = head.split("\r\n")
                method, path, _ = lines[0].split(" ", 2)
                fields = {key.lower(): value for line in lines[1:] if line for key, _, value in [line.partition(": ")]}
                body = await reader.readexactly(int(fields.get("content-length", 0)))
                await self._request(reader, writer, method, path, fields, body)
        writer.close()

    async def _request(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        method: str,
        path: str,
        fields: Mapping[str, str],
        body: bytes,
    ) -> None:
        name = fields["x-bot"]
        kind = path.split("/")[1]
        if kind in {"split", "split-websocket"}:
            await self._split(reader, writer, method, name, path.split("/")[2], body, fields)
            return
        if kind == "directline":
            await self._direct_line(reader, writer, method, name, path, body, fields)
            return
        made = {"http": WholeChat, "sse": SseChat, "ndjson": LinesChat}[kind]
        chat = made(self.books[name], writer=writer)
        await self._speak(chat, name, json.loads(body))
        if not chat.ended:
            await chat.close()

    async def _split(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        method: str,
        name: str,
        session: str,
        body: bytes,
        fields: Mapping[str, str],
    ) -> None:
        if method == "GET":
            chat: StandingChat | StandingSocketChat
            if "sec-websocket-key" in fields:
                chat = StandingSocketChat(self.books[name], writer=writer)
                await chat.write(_upgraded(fields))
            else:
                chat = StandingChat(self.books[name], writer=writer)
                await chat.head("Transfer-Encoding: chunked")
            self._standing[session] = chat
            await self._greet(chat, name)
            await reader.read()  # until the client leaves
            raise Gone
        chat = self._standing[session]
        await _post_answered(writer, {})
        with suppress(Gone):  # the standing stream's end is not the POST's
            await self._speak(chat, name, json.loads(body))

    async def _direct_line(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        method: str,
        name: str,
        path: str,
        body: bytes,
        fields: Mapping[str, str],
    ) -> None:
        self._posts += 1
        if method == "GET":
            chat = self._standing[path.split("/")[3]] = DirectLineChat(self.books[name], writer=writer)
            await chat.write(_upgraded(fields))
            await self._greet(chat, name)
            await reader.read()
            raise Gone
        if path.endswith("/activities"):
            talk = self._standing[path.split("/")[3]]
            assert isinstance(talk, DirectLineChat)
            talk.asked_id = f"a{self._posts}"
            await _post_answered(writer, {"id": talk.asked_id})
            with suppress(Gone):
                await self._speak(talk, name, {"message": json.loads(body)["text"]})
        else:
            made = f"c{self._posts}"
            await _post_answered(
                writer, {"conversationId": made, "token": "t", "streamUrl": f"ws://x/{made}/stream?t=t"}
            )

    # --- WebSocket and Socket.IO --------------------------------------------------------------------------------

    async def _socket(self, connection: ServerConnection) -> None:
        request = connection.request
        assert request is not None
        name = request.headers["x-bot"]
        talk = self._events if request.path.startswith("/socket.io/") else self._frames
        with suppress(Gone, ConnectionClosed):
            await talk(connection, name)

    async def _frames(self, connection: ServerConnection, name: str) -> None:
        chat = SocketChat(self.books[name], connection=connection)
        await self._greet(chat, name)
        async for message in connection:
            await self._speak(chat, name, json.loads(message))

    async def _events(self, connection: ServerConnection, name: str) -> None:
        chat = EventChat(self.books[name], connection=connection)
        await connection.send("0" + json.dumps(SOCKETIO_OPEN))
        async for message in connection:
            text = str(message)
            if text.startswith("40"):
                await connection.send('40{"sid":"s1"}')
                await self._greet(chat, name)
            elif text.startswith("42"):
                await self._speak(chat, name, json.loads(text[2:])[1])

    # --- gRPC ---------------------------------------------------------------------------------------------------

    async def _converse(self, requests: AsyncIterator[Any], context: Any) -> None:
        name = str(dict(context.invocation_metadata())["x-bot"])
        chat = RpcChat(self.books[name], context=_Encoded(context))
        with suppress(Gone):
            await self._greet(chat, name)
            async for request in requests:
                await self._speak(chat, name, {"message": request.message})


def _upgraded(fields: Mapping[str, str]) -> bytes:
    return frames.accepted(f"sec-websocket-key: {fields['sec-websocket-key']}".encode().replace(b"sec-", b"Sec-", 1))


async def _post_answered(writer: asyncio.StreamWriter, said: dict[str, Any]) -> None:
    body = json.dumps(said).encode()
    head = f"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    await writer.drain()


class _Encoded:
    """A call's context that takes messages: no generated code serialises for it."""

    def __init__(self, context: Any) -> None:
        self._context = context
        self.abort = context.abort

    async def write(self, message: Any) -> None:
        await self._context.write(message.SerializeToString())


SCHEMES = {
    **dict.fromkeys(("http", "sse", "ndjson", "split", "split-websocket", "directline"), "http"),
    "websocket": "ws",
    "grpc": "grpc",
}
