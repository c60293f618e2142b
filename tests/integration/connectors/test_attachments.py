"""Attachments through real sockets: both lanes send the same bytes, over each version of HTTP and as forms."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import orjson
import pytest

from attachments.attachment import Attachment
from attachments.generated import generated
from connectors.mapping.forms import BOUNDARY
from connectors.spec import TargetSpec
from targets.probe import probe
from tests.integration.connectors.http.over_http2 import Served
from tests.integration.connectors.lanes import LANES, ROOMY, Client, context, make_spec, wait
from tests.integration.connectors.scripted import Asked, says, scripted

IMAGE, SOUND = generated("png", 2_000_000, "a"), generated("wav", 50_001, "a")
ANSWER = {"choices": [{"message": {"content": "A cat."}, "finish_reason": "stop"}]}
FORM = {"encoding": "multipart", "body": {"question": "{{ message }}", "files": "{{ attachments }}", "messages": None}}


def over_http1() -> AbstractContextManager[Any]:
    return scripted(lambda _: says(ANSWER))


def over_http2() -> AbstractContextManager[Any]:
    return Served(lambda asked: asked.answer(orjson.dumps(ANSWER)))


def bodies(server: Any) -> list[bytes]:
    found = server.seen.asked if isinstance(server, Served) else server.requests
    return [asked.body for asked in found]


def attach(client: Client, *attached: Attachment) -> tuple[str, int]:
    """The answer to one turn with attachments, and the bytes that it sent."""

    async def turn() -> None:
        connector = client.connector
        seen = context("Look")
        seen["messages"][0]["attachments"] = attached
        connector.target.attach(seen, attached)
        timeline = connector.timeline(time.monotonic_ns())
        await wait(connector.connect())
        await wait(connector.send_message(connector.render(seen), timeline))
        connector.finish_turn(timeline)
        done.append((timeline.text, timeline.bytes_out))

    done: list[tuple[str, int]] = []
    client.run(turn())
    return done[0]


@pytest.mark.parametrize(
    ("served", "over"),
    [
        (over_http1, {}),
        (over_http1, {"request": FORM}),
        (over_http2, {"http": {"version": "2"}}),
    ],
    ids=["json", "form", "http2"],
)
def test_both_lanes_send_the_same_bytes(served: Callable[[], Any], over: dict[str, Any]) -> None:
    with served() as server:
        spec: TargetSpec = make_spec("http", f"{server.url}/v1", timeouts=ROOMY, **over)
        for lane in LANES:
            with Client(lane, spec) as client:
                text, sent = attach(client, IMAGE, SOUND)
            assert text == "A cat."
            assert sent > len(bodies(server)[-1]) > IMAGE.size + SOUND.size
        first, second = bodies(server)
    assert first == second
    if "request" in over:
        parts = first.split(f"--{BOUNDARY}\r\n".encode())
        assert [IMAGE.data in part for part in parts].count(True) == 1
        assert [SOUND.data in part for part in parts].count(True) == 1
    else:
        [message] = orjson.loads(first)["messages"]
        assert message["content"][1] == {"type": "image_url", "image_url": {"url": IMAGE["data_url"]}}
        assert message["content"][2]["input_audio"] == {"data": SOUND["base64"], "format": "wav"}


def test_a_probe_sends_them_with_its_first_message() -> None:
    with scripted(lambda _: says(ANSWER)) as server:
        for lane in LANES:
            spec = make_spec("http", server.url, timeouts=ROOMY)
            assert probe(spec, ["Look", "And?"], attached=[IMAGE, SOUND], lane=lane).ok
        for turn in server.requests:
            first, *later = turn.json["messages"]
            assert [part["type"] for part in first["content"]] == ["text", "image_url", "input_audio"]
            assert later in ([], [{"role": "assistant", "content": "A cat."}, {"role": "user", "content": "And?"}])
        assert len(server.requests) == 4


def test_results_of_tools_go_with_attachments_and_stay_behind_them() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "zoom", "arguments": "{}"}}
    calls = {"choices": [{"message": {"content": None, "tool_calls": [call]}, "finish_reason": "tool_calls"}]}

    def answer(asked: Asked) -> bytes:
        return says(calls if asked.json["messages"][-1]["role"] == "user" else ANSWER)

    for lane in LANES:
        with scripted(answer) as server:
            spec = make_spec("http", server.url, timeouts=ROOMY, tool_results={"zoom": "A cat."})
            assert probe(spec, ["Look", "And?"], attached=[IMAGE], lane=lane).ok
            roles = [[message["role"] for message in asked.json["messages"]] for asked in server.requests]
            first = server.requests[0].json["messages"][0]
            assert all(asked.json["messages"][0] == first for asked in server.requests)
        turn = ["user", "assistant", "tool"]
        assert roles == [turn[:1], turn, [*turn, "assistant", "user"], [*turn, "assistant", *turn]]


def test_a_file_is_uploaded_and_named_by_its_id() -> None:
    over = {
        "request": {**FORM, "path": "/files", "save": {"file_id": "id"}},
        "then": [{"name": "ask", "method": "POST", "url": "/ask", "body": {"file": "{{ saved.file_id }}"}}],
    }
    with scripted(lambda asked: says(ANSWER if asked.path.endswith("/ask") else {"id": "file-7"})) as server:
        for lane in LANES:
            with Client(lane, make_spec("http", server.url, timeouts=ROOMY, **over)) as client:
                assert attach(client, IMAGE)[0] == "A cat."
        upload, ask = server.requests[:2]
        assert IMAGE.data in upload.body and ask.json == {"file": "file-7"}
        assert len(server.requests) == 4
