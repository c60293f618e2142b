"""An error after an answer's end mark: both lanes wait for it as long as for usage."""

from __future__ import annotations

import time

import pytest

from connectors.registry import Lane
from tests.hostile import sse
from tests.hostile.server import HostileServer, Peer
from tests.hostile.table import CHUNKED, LAST_CHUNK, Protocol, chunk, head
from tests.integration.connectors.content.test_late_usage import ANSWERS, USAGES, patient
from tests.integration.connectors.lanes import LANES, ROOMY, Client, Turn, make_spec

__all__ = ["patient"]

lanes = pytest.mark.parametrize("lane", LANES)
NDJSON_HEAD = head("Content-Type: application/x-ndjson", CHUNKED)
TOLD: dict[Protocol, bytes] = {
    "sse": sse.STREAM_HEAD + b"".join(map(chunk, (*sse.PIECES, sse.USAGE, sse.DONE))),
    "ndjson": NDJSON_HEAD
    + chunk(b'{"delta":"four words of answer","usage":{"output_tokens":4}}\n')
    + chunk(b'{"done":true}\n'),
}
"""Complete answers: no turn waits after them."""
ERRORS: list[tuple[Protocol, bytes, str]] = [
    ("sse", b'event: error\ndata: {"error":{"message":"GPU lost"}}\n\n', "GPU lost"),
    ("sse", b'data: {"error":{"message":"out of memory"}}\n\n', "out of memory"),
    ("sse", b"event: error\n\n", "without data"),
    ("sse", b'data: {"detail":"Internal Server Error"}\n\n', "Internal Server Error"),
    ("ndjson", b'{"status":"failed","reason":"oom"}\n', "oom"),
    ("ndjson", b'{"error":"upstream is gone"}\n', "upstream is gone"),
]
errors = pytest.mark.parametrize(("protocol", "said", "what"), ERRORS)


def turns(
    lane: Lane, protocol: Protocol, answer: bytes, late: bytes, after_s: float = 0.0, **told: object
) -> list[Turn]:
    """Two turns: the first ends with `late`, the second is a good one."""

    def script(peer: Peer) -> None:
        peer.read_request()
        if first.pop("one", None) is None:
            peer.send(answer + USAGES[protocol] + LAST_CHUNK)
        elif after_s:
            peer.send(answer)
            time.sleep(after_s)
            peer.send(late + LAST_CHUNK)
        else:
            peer.send(answer + late + LAST_CHUNK)
        script(peer)

    first = {"one": True}
    with (
        HostileServer(script) as server,
        Client(lane, make_spec(protocol, server.url, timeouts=ROOMY, **told)) as client,
    ):
        return client.say_all(["one", "two"])


@lanes
@errors
def test_an_error_in_the_read_of_the_end_mark_fails_the_turn(
    lane: Lane, protocol: Protocol, said: bytes, what: str
) -> None:
    first, second = turns(lane, protocol, TOLD[protocol], chunk(said))
    assert (first.code, second.code) == ("target_error", None)
    assert first.error is not None and what in first.error.detail


@pytest.mark.usefixtures("patient")
@lanes
@errors
def test_an_error_that_comes_while_usage_is_waited_for_fails_the_turn(
    lane: Lane, protocol: Protocol, said: bytes, what: str
) -> None:
    first, second = turns(lane, protocol, ANSWERS[protocol], chunk(said), 0.005)
    assert (first.code, second.code) == ("target_error", None)
    assert first.error is not None and what in first.error.detail


@lanes
def test_a_last_line_goes_without_its_end(lane: Lane) -> None:
    first, _ = turns(lane, "ndjson", TOLD["ndjson"], chunk(b'{"error":{"message":"cut"}}'))
    assert first.code == "target_error"


@lanes
@pytest.mark.parametrize(
    ("protocol", "late"),
    [
        ("sse", b"event: close\ndata: {}\n\n"),
        ("sse", b'data: {"error":null,"code":0,"status":"ok"}\n\n'),
        ("sse", b'data: {"choices":[{"delta":{"content":"an error: {}"}}]}\n\n'),
        ("sse", b"data: [DONE]\n\n"),
        ("ndjson", b'{"delta":"late"}\n{"type":"pong"}\n'),
        ("ndjson", b"{no document\n"),
    ],
)
def test_what_says_of_no_error_behind_the_end_mark_counts_for_nothing(
    lane: Lane, protocol: Protocol, late: bytes
) -> None:
    first, second = turns(lane, protocol, TOLD[protocol], chunk(late))
    assert [(turn.code, turn.text) for turn in (first, second)] == [(None, sse.TEXT)] * 2


@lanes
def test_a_mapping_that_looks_for_no_well_known_errors_takes_none(lane: Lane) -> None:
    late = chunk(b'event: error\ndata: {"fault":"GPU lost"}\n\n')
    first, _ = turns(lane, "sse", TOLD["sse"], late, response={"known_errors": False})
    assert first.code is None
