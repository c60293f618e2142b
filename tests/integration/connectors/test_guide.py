"""The connector of docs/adding-a-connector.md works as it stands there."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest

from connectors.base import BaseConnector
from connectors.errors import TurnError
from connectors.spec import TargetSpec
from connectors.target import CompiledTarget
from connectors.timeline import Timeline
from tests.hostile.server import HostileServer, Peer
from tests.integration.connectors.lanes import context

GUIDE = Path(__file__).parents[3] / "docs" / "adding-a-connector.md"


@pytest.fixture(scope="module")
def line_connector() -> type[BaseConnector]:
    code = re.search(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    assert code is not None
    names: dict[str, Any] = {}
    exec(code[1], names)
    found: type[BaseConnector] = names["LineConnector"]
    assert issubclass(found, BaseConnector)
    return found


def say(kind: type[BaseConnector], url: str, turns: int = 1) -> list[Timeline]:
    spec = TargetSpec.model_validate(
        {
            "name": "line",
            "protocol": "line",
            "url": url,
            "request": {"body": {"say": "{{ message }}"}},
            "response": {"text": "said"},
            "timeouts": {"connect": 0.5, "total": 0.5},
            "limits": {"body_bytes": 100_000},
        }
    )
    connector = kind(CompiledTarget(spec))
    timelines = []
    try:
        for _ in range(turns):
            timelines.append(connector.timeline(time.monotonic_ns()))
            if not connector.ready:
                connector.connect()
            connector.send_message(connector.render(context()), timelines[-1])
    finally:
        connector.disconnect()
    return timelines


def test_it_holds_a_conversation_on_one_connection(line_connector: type[BaseConnector]) -> None:
    def echo(peer: Peer) -> None:
        with peer.sock.makefile("rb") as lines:
            for line in lines:
                peer.send(line.replace(b"say", b"said"))

    with HostileServer(echo) as server:
        assert [line.text for line in say(line_connector, server.url, 3)] == ["hello"] * 3
        assert server.connections == 1


@pytest.mark.parametrize(
    ("script", "code"),
    [
        (lambda peer: peer.pause(0.05), "connection_closed"),
        (lambda peer: peer.drip(b"x" * 1000, 0.05), "total_timeout"),
        (lambda peer: peer.send_forever(b"x" * 1000), "body_too_large"),
        (lambda peer: peer.send(b"no json\n"), "json_invalid"),
    ],
)
def test_it_maps_what_goes_wrong(line_connector: type[BaseConnector], script: Any, code: str) -> None:
    with HostileServer(script) as server, pytest.raises(TurnError) as caught:
        say(line_connector, server.url)
    assert caught.value.code == code
