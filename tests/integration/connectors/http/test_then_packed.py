"""Turns of several requests over codecs and HTTP/2, and ended between two of them."""

from __future__ import annotations

import asyncio
import time
from base64 import b64decode, b64encode
from typing import Any

from connectors.registry import Lane
from tests.hostile.table import whole
from tests.integration.connectors.http.over_http2 import Served
from tests.integration.connectors.http.test_then import ASKED, DIALECTS, HTTP2, POLL, POLLED, lanes
from tests.integration.connectors.lanes import Client, make_spec, one_turn, say
from tests.integration.connectors.scripted import says, scripted
from tests.support.servers.agents import Jobs
from tests.support.servers.http2_server import Asked
from tests.support.servers.recording_target import Seen


@lanes
def test_bodies_of_all_parts_are_packed_and_their_answers_unpacked(lane: Lane) -> None:
    packed = {"request": [{"name": "base64"}], "response": [{"name": "base64"}]}
    answers = [b64encode(b'{"job": "7"}'), b64encode(b'{"text": "unpacked"}')]
    spec: dict[str, Any] = {**POLLED, "then": [POLL | {"method": "POST", "body": {"job": "{{ saved.job }}"}}]}
    with scripted(lambda asked: whole(answers[asked.path != "/ask"])) as bot:
        turn = one_turn(lane, make_spec("http", bot.url, **spec, codec=packed, response={"text": "text"}))
        assert (turn.code, turn.text) == (None, "unpacked"), turn.error
        assert b64decode(bot.requests[1].body) == b'{"job":"7"}'
        assert bot.server.connections == 1


def test_the_parts_of_a_turn_go_over_http2() -> None:
    jobs = Jobs()

    def answer(asked: Asked) -> None:
        said = jobs(Seen(asked.header(":method"), asked.header(":path"), [], asked.body))
        headers = [
            ("content-type", "application/json"),
            *((name.lower(), value.decode()) for name, value in said.headers),
        ]
        asked.answer(said.body, *dict(headers).items(), status=said.status)

    with (
        Served(answer) as served,
        Client("load", DIALECTS["job-streams"].spec(served.server.url, http=HTTP2)) as client,
    ):
        turns = client.say_all(["one", "two"])
        assert [turn.code for turn in turns] == [None, None], turns[0].error
        assert [turn.text for turn in turns] == [text for texts in jobs.told.values() for text in texts]
        assert served.server.connections == 1


def test_a_turn_that_is_ended_between_its_requests_sends_none_after_that() -> None:
    async def end_early(client: Client) -> str:
        task = asyncio.create_task(say(client.connector, "hello"))
        while len(bot.requests) < 3:
            await asyncio.sleep(0.01)
        task.cancel()
        return (await task).code or ""

    spec = make_spec("http", "http://127.0.0.1:1", **{**POLLED, "then": [POLL | {"within_s": 60, "every_s": 0.1}]})
    with scripted(lambda asked: ASKED if asked.method == "POST" else says({"state": "running"})) as bot:
        spec = spec.model_copy(update={"url": bot.url})
        with Client("load", spec) as client:
            assert asyncio.run(end_early(client)) == "stopped"
        asked = len(bot.requests)
        time.sleep(0.25)
        assert len(bot.requests) == asked
