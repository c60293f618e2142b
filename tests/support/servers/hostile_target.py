"""A chatbot that attacks whoever reads its answers: control sequences, direction marks, forged lines and markup in
texts, errors, finish reasons, models, close reasons, statuses and header values."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import grpc
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

HOST = "127.0.0.1"
FORGED = "burn: FORGED"
HOSTILE = (
    f"\x1b]0;owned\x07\x1b[2J\x9b31m\u202egpj\u2066\u200b\u2028\r\n{FORGED}\n@everyone https://evil.example |a| [x](y)"
)
CLOSE = "\x1b[2J\u202eclosed\nburn: FORGED"
OPEN = {"sid": "e1", "upgrades": [], "pingInterval": 25000, "pingTimeout": 20000, "maxPayload": 1 << 20}


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _http(status: str, body: str, *more: str) -> bytes:
    data = body.encode()
    head = [f"HTTP/1.1 {status}", "Content-Type: application/json", f"Content-Length: {len(data)}", *more, "", ""]
    return "\r\n".join(head).encode() + data


def _answers() -> Iterator[bytes]:
    yield from itertools.cycle(
        [
            _http("200 OK", _json({"response": HOSTILE, "finish_reason": HOSTILE, "model": HOSTILE})),
            _http("500 Oops", _json({"error": HOSTILE, "error_code": HOSTILE})),
            _http("200 OK", _json({"errors": [HOSTILE]})),
            _http("403 \u202e\x9b2J", HOSTILE),
            _http("302 Found", "", "Location: http://\u202e\x1b[2J.invalid/"),
            _http("200 OK", "{}", "Content-Encoding: \u202e\x1b[2J"),
        ]
    )


class _Server:
    def __init__(self) -> None:
        self._answers = _answers()
        self._turns = itertools.count()

    async def http(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while head := (await reader.readuntil(b"\r\n\r\n")).decode().lower():
                size = head.partition("content-length: ")[2].partition("\r\n")[0]
                await reader.readexactly(int(size or 0))
                writer.write(next(self._answers))
                await writer.drain()
        writer.close()

    async def socket(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        talk = self._socketio if connection.request.path.startswith("/socket.io/") else self._plain
        with suppress(ConnectionClosed):
            await talk(connection)

    async def _plain(self, connection: ServerConnection) -> None:
        async for _ in connection:
            way = next(self._turns) % 3
            if way == 0:
                await connection.send(_json({"response": HOSTILE, "done": True, "finish_reason": HOSTILE}))
            elif way == 1:
                await connection.send(_json({"error": HOSTILE}))
            else:
                await connection.close(4000, CLOSE)

    async def _socketio(self, connection: ServerConnection) -> None:
        await connection.send("0" + json.dumps(OPEN))
        async for message in connection:
            if str(message).startswith("40"):
                await connection.send('40/generic,{"sid":"s1"}')
            elif not str(message).startswith("42"):
                continue
            elif next(self._turns) % 2:
                await connection.send("42/generic," + _json(["error", HOSTILE]))
            else:
                await connection.send("42/generic," + _json([HOSTILE, {"text": HOSTILE}]))
                ack = re.sub(r"\D", "", str(message).partition("[")[0].removeprefix("42/generic,"))
                await connection.send(f"43/generic,{ack}" + _json([{"response": HOSTILE, "finish_reason": HOSTILE}]))

    async def ask(self, _: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        if next(self._turns) % 2:
            await context.abort(grpc.StatusCode.INTERNAL, HOSTILE)
        data = HOSTILE.encode()
        return b"\x0a" + bytes([len(data) & 127 | 128, len(data) >> 7]) + data


@contextmanager
def hostile_target() -> Iterator[dict[str, str]]:
    """Addresses by kind: http, ws (Socket.IO too) and grpc."""
    found: dict[str, str] = {}
    ready, loop = threading.Event(), asyncio.new_event_loop()
    over = asyncio.Event()

    async def run() -> None:
        server, rpc = _Server(), grpc.aio.server()
        ask: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(server.ask)
        rpc.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("echo.Chat", {"Ask": ask}),))
        plain = await asyncio.start_server(server.http, HOST, 0)
        async with plain, serve(server.socket, HOST, 0) as sockets:
            port = next(iter(sockets.sockets)).getsockname()[1]
            found["http"] = f"http://{HOST}:{plain.sockets[0].getsockname()[1]}/chat"
            found["ws"], found["socketio"] = f"ws://{HOST}:{port}", f"http://{HOST}:{port}"
            found["grpc"] = f"grpc://{HOST}:{rpc.add_insecure_port(f'{HOST}:0')}"
            await rpc.start()
            ready.set()
            await over.wait()
            await rpc.stop(0)

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()), name="hostile target")
    thread.start()
    try:
        assert ready.wait(10)
        yield found
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(10)
        loop.close()
