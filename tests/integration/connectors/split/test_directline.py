"""Direct Line: activities are posted, and the bot's arrive on a receive-only WebSocket. Both lanes, real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from connectors.registry import Lane
from connectors.spec import TargetSpec, build_target_spec
from targets.probe import probe
from tests.integration.connectors.lanes import LANES, ROOMY, TIMEOUTS, Client

BASE = "/v3/directline"
KEY = "dl-secret"
lanes = pytest.mark.parametrize("lane", LANES)


class Bot:
    """Echoes: first the user's own activity, as Direct Line does, then typing, then what it says."""

    def __init__(self) -> None:
        self.streams: dict[str, WebSocket] = {}
        self.authorised: list[str] = []
        self.taken = 0
        self.app = Starlette(
            routes=[
                Route(f"{BASE}/conversations", self.begin, methods=["POST"]),
                Route(f"{BASE}/conversations/{{id}}/activities", self.take, methods=["POST"]),
                WebSocketRoute(f"{BASE}/conversations/{{id}}/stream", self.stream),
            ]
        )

    async def begin(self, request: Request) -> JSONResponse:
        self.authorised.append(request.headers.get("authorization", ""))
        name = f"c{len(self.authorised)}"
        url = f"wss://elsewhere.example{BASE}/conversations/{name}/stream?watermark=-&t=tok-{name}"
        return JSONResponse({"conversationId": name, "token": f"tok-{name}", "expires_in": 1800, "streamUrl": url}, 201)

    async def stream(self, socket: WebSocket) -> None:
        name = socket.path_params["id"]
        if socket.query_params.get("t") != f"tok-{name}":
            await socket.close()
            return
        await socket.accept()
        self.streams[name] = socket
        with contextlib.suppress(WebSocketDisconnect):
            await socket.send_text("")
            await socket.receive_text()

    async def take(self, request: Request) -> JSONResponse:
        name, said = request.path_params["id"], await request.json()
        if said["text"] == "refuse":
            return JSONResponse({"error": {"code": "BadArgument", "message": "not that"}}, 400)
        self.taken += 1
        own = f"{name}|{self.taken:07}"
        stream = self.streams[name]
        await stream.send_json({"activities": [said], "watermark": "1"})
        if said["text"] == "hang up":
            await stream.close(1011)
        elif said["text"] != "silence":
            await stream.send_json({"activities": [{"type": "typing", "from": {"id": "bot"}}]})
            answer = {"type": "message", "from": {"id": "bot"}, "text": f"you said {said['text']}", "replyToId": own}
            await stream.send_json({"activities": [answer], "watermark": "2"})
        await asyncio.sleep(0.02)  # the answer is there before the post's own, as it mostly is
        return JSONResponse({"id": own})


@pytest.fixture
def served() -> Iterator[tuple[Bot, str]]:
    bot = Bot()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(bot.app, log_level="error", lifespan="off", timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        yield bot, f"http://127.0.0.1:{listener.getsockname()[1]}{BASE}"
        server.should_exit = True
        thread.join(10)
        assert not thread.is_alive()


def target(url: str, timeouts: dict[str, float] = ROOMY) -> TargetSpec:
    return build_target_spec(
        name="t", url=url, preset="directline", secrets={"direct_line": KEY}, overrides={"timeouts": timeouts}
    )


@lanes
def test_turns_of_a_conversation_are_posted_and_answered_on_its_stream(lane: Lane, served: tuple[Bot, str]) -> None:
    bot, url = served
    with Client(lane, target(url)) as client:
        turns = client.say_all(["one", "two", "three"])
        assert [(t.code, t.text) for t in turns] == [(None, f"you said {word}") for word in ("one", "two", "three")]
        assert client.connector.saved["watermark"] == "2"
        steps = set(turns[0].timeline.handshake_ns or {})
        assert steps >= {"conversation", "resolve", "connect", "upgrade"}
        client.connector.begin({"id": "another"})
        assert client.say("four").text == "you said four"
    assert bot.authorised == [f"Bearer {KEY}"] * 2


@lanes
@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("refuse", {"http_400"}),
        ("hang up", {"ws_closed_1011"}),
        ("silence", {"first_byte_timeout", "idle_timeout"}),  # whether the post's own answer came last
    ],
)
def test_what_goes_wrong_costs_one_turn_its_code(
    lane: Lane, text: str, codes: set[str], served: tuple[Bot, str]
) -> None:
    with Client(lane, target(served[1], TIMEOUTS if text == "silence" else ROOMY)) as client:
        turn = client.say(text)
        assert turn.code in codes
        assert turn.late_s < TIMEOUTS["total"] + 10
        assert client.say("again").text == "you said again"


@lanes
def test_a_probe_shows_the_posts_own_answer_beside_the_streams(lane: Lane, served: tuple[Bot, str]) -> None:
    found = probe(target(served[1]), ["one"], lane=lane)
    assert found.ok
    notes = {frame.note: frame.data for frame in found.turns[0].frames}
    assert notes["the answer to what was posted"] == '{"id":"c1|0000001"}'
    assert found.known["token"] == "***"
