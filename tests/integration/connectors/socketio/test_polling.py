"""Socket.IO by long polling, in both lanes."""

from __future__ import annotations

import json
import queue
import time
from collections.abc import Callable
from typing import Any

import pytest

from connectors.registry import Lane
from connectors.socketio.payloads import joined, pieces
from connectors.spec import TargetSpec
from tests.hostile.table import whole
from tests.integration.connectors.lanes import ROOMY, Client, make_spec, one_turn, wait
from tests.integration.connectors.scripted import Asked, scripted
from tests.integration.connectors.websocket.talking import lanes, said, wait_for

OPENING = {"upgrades": ["websocket"], "pingInterval": 25000, "pingTimeout": 20000}
HOLD_S = 0.3


def spec(url: str, **options: Any) -> TargetSpec:
    return make_spec("socketio", url, socketio={"transport": "polling", "ack": False} | options)


class Bot:
    """What a server of version `eio` does: it answers a question with what `answer` puts into the next poll."""

    def __init__(self, eio: int, answer: list[str]) -> None:
        self.eio = eio
        self.answer = answer
        self.heard: list[str] = []
        self.waiting: list[queue.Queue[list[str]]] = []
        """By session."""

    def __call__(self, asked: Asked) -> bytes:
        if "sid=" not in asked.path:
            self.waiting.append(queue.Queue())
            opening = OPENING | {"sid": f"s/{len(self.waiting)}?&"}
            first = ["0" + json.dumps(opening), *(["40"] if self.eio == 3 else [])]
            return self._says(first, "Set-Cookie: node=n7; Path=/")
        number, _, rest = asked.path.partition("sid=s%2F")[2].partition("%3F")
        assert rest == "%26"
        waiting = self.waiting[int(number) - 1]
        assert asked.headers["cookie"] == "node=n7"
        if asked.method == "GET":
            try:
                return self._says(waiting.get(timeout=HOLD_S))
            except queue.Empty:
                return self._says(["6"])
        for packet, _ in pieces(asked.body, self.eio, 10_000):
            text = packet.decode()
            self.heard.append(text)
            if text.startswith("40"):
                waiting.put(['40/generic,{"sid":"x"}' if self.eio == 4 else "40/generic"])
            elif text.startswith("42"):
                waiting.put(self.answer)
            elif text == "1":
                waiting.put(["6"])
        return whole(b"ok", "Content-Type: text/html")

    def _says(self, packets: list[str], *headers: str) -> bytes:
        body = joined([packet.encode() for packet in packets], self.eio)
        return whole(body, "Content-Type: text/plain; charset=UTF-8", *headers)


ANSWER = [
    "42/generic," + json.dumps(["delta", {"text": "\U0001f600 one "}], ensure_ascii=False),
    "2",
    '451-/generic,["delta",{"text":"two","raw":{"_placeholder":true,"num":0}}]',
]
LAST = '42/generic,["done",{}]'


@lanes
@pytest.mark.parametrize("eio", [3, 4])
def test_a_conversation_by_polls_and_posts(lane: Lane, eio: int) -> None:
    attachment = "bYnl0ZXM=" if eio == 4 else "b4Ynl0ZXM="
    bot = Bot(eio, [*(ANSWER if eio == 4 else [ANSWER[0], ANSWER[2]]), attachment, LAST])
    with scripted(bot) as server:
        with Client(lane, spec(server.url)) as client:
            turns = [client.say("hi"), client.say("again \U0001f600")]
            client.connector.begin({"id": "another"})
            turns.append(client.say("hi"))
            pongs = 3 if eio == 4 else 0
            wait_for(client, lambda: bot.heard.count("3") == pongs)
            assert client.connector.unsolicited == 0
            client.run(wait(client.connector.disconnect()))
            wait_for(client, lambda: bot.heard.count("1") == 2)  # each session is closed
        paths = [request.path for request in server.requests if "sid=" not in request.path]
    assert said(turns) == [(None, "\U0001f600 one two")] * 3, [turn.error for turn in turns]
    asked = [json.loads(text.partition(",")[2])[1]["message"] for text in bot.heard if text.startswith("42")]
    assert asked == ["hi", "again \U0001f600", "hi"]
    assert [f"EIO={eio}" in path for path in paths] == [eio == 4, True]
    assert all("transport=polling" in path for path in paths)


@lanes
def test_a_post_whose_connection_was_closed_after_the_one_before_has_another(lane: Lane) -> None:
    bot = Bot(4, [*ANSWER, "bYnl0ZXM=", LAST])

    def closing(asked: Asked) -> bytes:
        answer = bot(asked)
        return answer.replace(b"\r\n", b"\r\nConnection: close\r\n", 1) if asked.method == "POST" else answer

    with scripted(closing) as server, Client(lane, spec(server.url)) as client:
        turns = [client.say("hi"), client.say("again")]
    assert said(turns) == [(None, "\U0001f600 one two")] * 2, [turn.error for turn in turns]


def opened(body: bytes, after_s: float = 0, **kwargs: Any) -> Callable[[Asked], bytes]:
    """A server whose polls after opening have this body."""
    bot = Bot(4, [])

    def answer(asked: Asked) -> bytes:
        if asked.method == "GET" and "sid=" in asked.path:
            time.sleep(after_s)
            return whole(body, "Content-Type: text/plain", **kwargs)
        return bot(asked)

    return answer


def asked_first(body: bytes) -> Callable[[Asked], bytes]:
    return lambda _: whole(body, "Content-Type: text/plain")


@lanes
def test_a_server_of_version_2_that_opens_with_nothing_has_its_code(lane: Lane) -> None:
    with scripted(asked_first(b"")) as server:
        turn = one_turn(lane, spec(server.url, eio=3))
    assert turn.error is not None
    assert (turn.code, "open packet" in turn.error.detail) == ("socketio_protocol", True), turn.error


@lanes
@pytest.mark.parametrize(
    ("answer", "code", "told"),
    [
        (lambda _: whole(b'{"code":0}', status="400 Bad Request"), "http_400", ""),
        (asked_first(b"<html>"), "socketio_protocol", "open packet"),
        (asked_first(b""), "socketio_protocol", "open packet"),
        (asked_first(b'0{"sid":1}'), "socketio_protocol", "without a sid"),
        (asked_first(b'85:0{"sid":"x"'), "socketio_protocol", "ends before its last packet"),
        (asked_first(b"9999999999:0{"), "socketio_protocol", "ends before its last packet"),
        (asked_first(b'1:0{"sid"'), "socketio_protocol", ""),
        (opened(b"", status="400 Bad Request"), "http_400", ""),
        (opened(b"1"), "connection_closed", ""),
        (opened(b"nonsense"), "socketio_protocol", "Engine.IO"),
        (opened(b"b????"), "socketio_protocol", "base64"),
        (opened(b"4" + b"x" * 70_000), "message_too_large", "one packet"),
        (opened(b"6\x1e" * 200_000), "body_too_large", ""),
        (opened(b'44/generic,{"message":"no such user"}'), "socketio_refused", "no such user"),
        (opened(b"6"), "socketio_protocol", "say nothing"),
        (opened(b""), "socketio_protocol", "say nothing"),
        (opened(b"6", after_s=0.5), "connect_timeout", ""),
    ],
)
def test_what_a_server_does_wrong_has_its_code(
    lane: Lane, answer: Callable[[Asked], bytes], code: str, told: str
) -> None:
    limits = {"event_bytes": 65536, "body_bytes": 262144, "header_bytes": 16384, "answer_bytes": 131072}
    patience = ROOMY | ({"connect": 0.3} if code == "connect_timeout" else {})
    with scripted(answer) as server:
        target = make_spec(
            "socketio", server.url, socketio={"transport": "polling", "ack": False}, limits=limits, timeouts=patience
        )
        turn = one_turn(lane, target)
    assert turn.error is not None
    assert (turn.code, told in turn.error.detail) == (code, True), turn.error
