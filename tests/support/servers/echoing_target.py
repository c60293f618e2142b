"""`python -m tests.support.servers.echoing_target`: a chatbot that says back whatever it was sent, in every way it can.

One line of JSON on stdout has the addresses `http`, `ws` (Socket.IO lies there too, under /socket.io/) and `grpc`. Each
answer to a turn is another of `WAYS`: as the answer, in an error, as a key, in a broken header, in no JSON at all.
Each handshake step gets its request back as the token that it asks for, and every seventh is refused with it.
"""

from __future__ import annotations

import asyncio
import html
import itertools
import json
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import quote

import grpc
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

HOST = "127.0.0.1"
Head = tuple[str, dict[str, str]]


def http(status: str, body: bytes, *more: str, kind: str = "application/json") -> bytes:
    head = "\r\n".join([f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {len(body)}", *more, "", ""])
    return head.encode("utf-8", "replace") + body


def jsoned(value: object) -> bytes:
    return json.dumps(value).encode()


def streamed(said: str) -> bytes:
    """In pieces of seven characters: no secret is whole in any of them."""
    pieces = [said[at : at + 7] for at in range(0, len(said), 7)]
    events = b"".join(b"data: " + jsoned({"delta": piece}) + b"\n\n" for piece in pieces)
    return http("200 OK", events + b"data: [DONE]\n\n", kind="text/event-stream")


WAYS: list[Callable[[str], bytes]] = [
    lambda said: http("200 OK", jsoned({"response": said})),
    lambda said: http("200 OK", jsoned({"response": "yes", "error": {"message": said}})),
    lambda said: http("200 OK", jsoned({"error": said[-140:]})),
    lambda said: http("200 OK", jsoned({said: 1, "other": said})),
    lambda said: http("200 OK", said.encode(), kind="text/plain"),
    lambda said: http("200 OK", f"<p>{html.escape(said)}</p>".encode(), kind="text/html"),
    lambda said: http("400 Bad Request", jsoned({"error": {"message": said}})),
    lambda said: http("403 Forbidden", said.encode(), kind="text/plain"),
    lambda said: http("500 Oops", jsoned({"detail": quote(said)})),
    lambda said: http("302 Found", b"", f"Location: /elsewhere?{quote(said, safe='')}"),
    lambda said: http("302 Found", b"", f"Location: http://{quote(said[-60:], safe='')}.invalid/"),
    lambda said: http("200 OK", jsoned({"response": "ok"}), "Content-Encoding: " + said.replace("\r\n", " ")[-50:]),
    lambda said: b"HTTP/1.1 " + said.replace("\r\n", " ")[-80:].encode() + b"\r\n\r\n",
    lambda said: said.encode() + b"\r\n\r\n",
    streamed,
]
_ways = itertools.cycle(WAYS)
_steps = itertools.count(1)
_kept: list[grpc.aio.Server] = []


async def serve_http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("utf-8", "replace")
            fields = dict(line.split(": ", 1) for line in head.lower().split("\r\n")[1:] if ": " in line)
            body = (await reader.readexactly(int(fields.get("content-length", 0)))).decode("utf-8", "replace")
            if "/token" in head.partition("\r\n")[0]:
                refused = next(_steps) % 7 == 0
                status = "401 Unauthorized" if refused else "200 OK"
                values = " ".join(value for value in fields.values() if value.isascii())
                writer.write(http(status, jsoned({"token": values, "error": head + body, "session_id": "s1"})))
            else:
                writer.write(next(_ways)(head + body))
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def serve_ws(connection: ServerConnection) -> None:
    request = connection.request
    assert request is not None
    head = f"{request.path}\n{request.headers}"
    talk = socketio if request.path.startswith("/socket.io/") else plain
    with suppress(ConnectionClosed):
        await talk(connection, head)


async def plain(connection: ServerConnection, head: str) -> None:
    answers: list[Callable[[str], list[str]]] = [
        lambda said: [json.dumps({"delta": said}), json.dumps({"done": True, "response": said})],
        lambda said: [json.dumps({"error": {"message": said}})],
        lambda said: [said],
        lambda said: [json.dumps({said: 1, "done": True})],
    ]
    ways = itertools.cycle(answers)
    for _ in range(next(_steps) % 4):
        next(ways)
    async for message in connection:
        for answer in next(ways)(f"{head}{message!r}"):
            await connection.send(answer)
        if next(_steps) % 3 == 0:
            await connection.close(4000, (f"{message!r}")[-100:])


async def socketio(connection: ServerConnection, head: str) -> None:
    """As much of Engine.IO and Socket.IO as an echo needs."""
    opened = {"sid": "e1", "upgrades": [], "pingInterval": 25000, "pingTimeout": 20000, "maxPayload": 1 << 20}
    await connection.send("0" + json.dumps(opened))
    said = head
    async for message in connection:
        text = str(message)
        said += text
        if text.startswith("40") and next(_steps) % 3 == 0:
            await connection.send("44" + json.dumps({"message": said, "data": {"said": said}}))
        elif text.startswith("40"):
            await connection.send('40{"sid":"s1"}')
        elif text.startswith("42"):
            event = ["delta", {"text": said}] if next(_steps) % 2 else ["error", {"message": said, "code": said}]
            await connection.send("42" + json.dumps(event))
            await connection.send("42" + json.dumps(["done", {"response": said}]))


async def ask(request: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
    """A message with one text as field 1, both ways; every third call fails with the text."""
    said = f"{list(context.invocation_metadata() or ())} {request.decode('utf-8', 'replace')}"
    if next(_steps) % 3 == 0:
        await context.abort(grpc.StatusCode.INTERNAL, said.encode("ascii", "replace").decode())
    data, size = said.encode(), b""
    left = len(data)
    while left > 127:
        size, left = size + bytes([left & 127 | 128]), left >> 7
    return b"\x0a" + size + bytes([left]) + data


async def start_grpc() -> int:
    """Its port."""
    server = grpc.aio.server()
    handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(ask)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("echo.Chat", {"Ask": handler}),))
    port = server.add_insecure_port(f"{HOST}:0")
    await server.start()
    _kept.append(server)
    return port


async def main() -> None:
    plain_server = await asyncio.start_server(serve_http, HOST, 0)
    async with serve(serve_ws, HOST, 0) as server:
        ports = [next(iter(found.sockets)).getsockname()[1] for found in (plain_server, server)]
        urls = {"http": ports[0], "ws": ports[1], "grpc": await start_grpc()}
        print(json.dumps({scheme: f"{scheme}://{HOST}:{port}" for scheme, port in urls.items()}), flush=True)
        await plain_server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
