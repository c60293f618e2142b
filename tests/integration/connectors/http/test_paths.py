"""A value in a path or query arrives as it was written, in both lanes, wherever a request has one."""

from __future__ import annotations

from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from connectors.registry import Lane
from tests.hostile.server import HostileServer
from tests.hostile.websocket import good
from tests.integration.connectors.lanes import LANES, ROOMY, Client, make_spec
from tests.integration.connectors.scripted import asked, says, scripted

MESSAGE = "Wie geht's? #1/2 & ü+%20 = 100 %; \U0001f44b"


def arrived(path: str) -> tuple[str, str]:
    """The last part of the path and the query's `q`, as a server reads them."""
    parts = urlsplit(path)
    assert not parts.fragment
    return unquote(parts.path.rpartition("/")[2]), parse_qs(parts.query, keep_blank_values=True)["q"][0]


@pytest.mark.parametrize("lane", LANES)
def test_a_message_in_a_path_arrives_whole(lane: Lane) -> None:
    with scripted(lambda request: says({"choices": [{"message": {"content": request.path}}]})) as bot:
        here = {"name": "here", "method": "GET", "url": "/h/{{ session.data }}?q={{ session.data }}"}
        there = {"name": "there", "method": "GET", "url": f"{bot.url}/{{{{ session.data }}}}?q={{{{ session.data }}}}"}
        request = {"path": "/ask/{{ message }}?q={{ message }}"}
        spec = make_spec("http", bot.url, request=request, handshake={"steps": [here, there]}, timeouts=ROOMY)
        with Client(lane, spec) as client:
            client.connector.begin({"id": "s", "data": MESSAGE})
            turn = client.say(MESSAGE)
        assert turn.code is None, turn.error
        assert [arrived(request.path) for request in bot.requests] == [(MESSAGE, MESSAGE)] * 3


@pytest.mark.parametrize("lane", LANES)
def test_a_value_in_the_path_of_an_upgrade_arrives_whole(lane: Lane) -> None:
    with HostileServer(good) as server:
        request = {"path": "/ws/{{ session.id }}?q={{ session.id }}"}
        with Client(lane, make_spec("websocket", server.url, request=request)) as client:
            client.connector.begin({"id": MESSAGE})
            assert client.say().code is None
        assert arrived(asked(server.requests[0]).path) == (MESSAGE, MESSAGE)
