"""A Socket.IO server of python-socketio on uvicorn, in a thread: Talksy's shape in "/", and a login beside it."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import socketio
import uvicorn

WORDS = ("four ", "words ", "of ", "answer")
TEXT = "".join(WORDS)
USAGE = {"input_tokens": 7, "output_tokens": 4}
START_S = 10.0


class ChatServer:
    """`auths`: what each connection showed; `logins`: bodies of /auth/login; `heard`: every event, with its data.

    A message "leave" is answered, and the client then disconnected; "sound" comes with attachments in between.
    """

    def __init__(self, ping_s: tuple[int, int] = (25, 20)) -> None:
        self.auths: list[Any] = []
        self.logins: list[Any] = []
        self.heard: list[tuple[str, Any]] = []
        self._sio = socketio.AsyncServer(async_mode="asgi", ping_interval=ping_s[0], ping_timeout=ping_s[1])
        for name, handler in (
            ("connect", self._connect),
            ("hello", self._hello),
            ("user_message", self._message),
            ("user_message_stream", self._stream),
        ):
            self._sio.on(name, handler)
        self._listener = socket.create_server(("127.0.0.1", 0))
        app = socketio.ASGIApp(self._sio, other_asgi_app=self._http)
        config = uvicorn.Config(app, log_level="warning", ws="websockets-sansio", lifespan="off")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._listener]})

    def forget(self) -> None:
        """A new test begins."""
        for noted in (self.auths, self.logins, self.heard):
            noted.clear()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    @contextmanager
    def running(self) -> Iterator[ChatServer]:
        self._thread.start()
        try:
            yield self
        finally:
            self._server.should_exit = True
            self._thread.join(START_S)
            assert not self._thread.is_alive()

    async def _connect(self, sid: str, environ: dict[str, Any], auth: Any) -> None:
        self.auths.append(auth)
        if isinstance(auth, dict) and auth.get("token") == "spent":
            raise socketio.exceptions.ConnectionRefusedError("the token is spent")
        await self._sio.emit("SESSION_CREATED", {"sessionId": f"s-{len(self.auths)}", "expiresAt": 0}, to=sid)

    async def _hello(self, sid: str, *args: Any) -> None:
        self.heard.append(("hello", list(args)))
        await self._sio.emit("welcome", {"room": "r1"}, to=sid)

    async def _message(self, sid: str, data: Any) -> None:
        self.heard.append(("user_message", data))
        await self._sio.emit("rate_limit", {"remaining": 3, "text": "not the answer"}, to=sid)
        if data["text"] == "fail":
            await self._sio.emit("error", {"code": "AI_DOWN", "message": "no provider"}, to=sid)
            return
        await self._sio.emit("assistant_response", {"text": TEXT, "timestamp": 0, "usage": USAGE}, to=sid)
        if data["text"] == "leave":
            await self._sio.disconnect(sid)

    async def _stream(self, sid: str, data: Any) -> None:
        self.heard.append(("user_message_stream", data))
        await self._sio.emit("stream_start", {"sessionId": sid}, to=sid)
        for index, word in enumerate(WORDS):
            await self._sio.emit("stream_chunk", {"content": word, "index": index}, to=sid)
            if data["text"] == "sound":
                await self._sio.emit("sound", {"pieces": [b"one", b"two"]}, to=sid)
            await asyncio.sleep(0)
        await self._sio.emit("stream_end", {"sessionId": sid, "usage": USAGE}, to=sid)

    async def _http(self, scope: Any, receive: Any, send: Any) -> None:
        body = (await receive())["body"]
        self.logins.append(json.loads(body or "null"))
        answer = json.dumps({"accessToken": f"jwt-{len(self.logins)}", "refreshToken": "r"}).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]
        await send({"type": "http.response.start", "status": 201, "headers": headers})
        await send({"type": "http.response.body", "body": answer})
