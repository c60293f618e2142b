"""What the recorder writes is what `probe --learn` reads: exchanges over HTTP, and conversations over WebSockets."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connectors.registry import Lane
from targets.learning.learn import learn
from tests.hostile.frames import accepted, frame, read_frame
from tests.hostile.server import HostileServer, Peer
from tests.hostile.table import whole
from tests.integration.connectors.lanes import Client, make_spec
from tests.support.servers.recorder import HOST, Recorder


def serve(peer: Peer) -> None:
    while request := peer.read_request():
        if b"Upgrade" in request:
            peer.send(accepted(request))
            read_frame(peer)
            peer.send(frame(b'{"delta": "It is "}') + frame(b'{"delta": "open.", "done": true}'))
            peer.hold()
        peer.send(whole(b'{"choices": [{"message": {"content": "It is open."}}]}', "Content-Type: application/json"))


@pytest.mark.parametrize("lane", ["load", "reference"])
@pytest.mark.parametrize(("protocol", "preset"), [("http", "openai-chat"), ("websocket", "generic-websocket")])
def test_what_was_said_through_it_is_learned(lane: Lane, protocol: str, preset: str) -> None:
    with HostileServer(serve) as target:
        recorder = Recorder(int(target.url.rpartition(":")[2].partition("/")[0]))
        with recorder.server as between:
            url = between.url.replace("http", "ws") if protocol == "websocket" else between.url
            with Client(lane, make_spec(protocol, url)) as client:
                assert client.say("Is it open today?").text == "It is open."
            har: dict[str, Any] = recorder.har()
    assert f"http://{HOST}/" in json.dumps(har)
    made = learn([json.dumps(har)])
    assert (made.preset, made.message) == (preset, "Is it open today?")
    assert made.reading is not None
    assert made.reading.text == "It is open."
