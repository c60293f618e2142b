"""HTTP/2: how connections end, and what the target has not processed."""

from __future__ import annotations

import struct
import threading
import time

import pytest

from connectors.registry import Lane
from tests.hostile.http2 import answers, nonsense
from tests.hostile.http2.answers import ANSWER, EVENTS, OK, asked, hold
from tests.hostile.http2.frames import (
    DATA,
    END_STREAM,
    HEADERS,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    Http2Peer,
    frame,
    headers,
)
from tests.hostile.server import HostileServer, Peer, Script
from tests.hostile.sse import TEXT
from tests.integration.connectors.http.over_http2 import (
    REFUSED_STREAM,
    Served,
    at_once,
    events,
    spec,
    steps,
    users,
)
from tests.integration.connectors.lanes import LANES, ROOMY, Client, make_spec, one_turn
from tests.support.servers.http2_server import Answer, Asked

MAX_CONCURRENT_STREAMS = 3
lanes = pytest.mark.parametrize("lane", LANES)


def refusing(times: int) -> Answer:
    def answer(asked: Asked) -> None:
        if asked.number <= times:
            asked.refuse(REFUSED_STREAM)
        else:
            events(asked)

    return answer


def leaving(last_stream: int) -> Answer:
    """Says that it processed no stream behind that one, and goes."""

    def answer(asked: Asked) -> None:
        if asked.number > 1:
            events(asked)
            return
        asked.server.go_away(last_stream)

    return answer


@pytest.mark.parametrize(
    ("answer", "code", "sent", "connections"),
    [
        (refusing(1), None, 2, 1),
        (refusing(9), "http2_refused_stream", 3, 1),
        (leaving(0), None, 2, 2),
    ],
    ids=["refused_once", "refused_always", "gone"],
)
@lanes
def test_what_was_not_processed_is_sent_again(
    answer: Answer, code: str | None, sent: int, connections: int, lane: Lane
) -> None:
    with Served(answer) as served:
        turn = one_turn(lane, spec(served.url))
    assert (turn.code, len(served.seen.asked)) == (code, sent), turn.error
    assert lane == "reference" or served.server.connections == connections
    assert "resend" in steps(turn)


@lanes
def test_what_may_have_been_processed_is_not_sent_again(lane: Lane) -> None:
    def answer(asked: Asked) -> None:
        asked.server.go_away(asked.stream)
        asked.server.peer.reset()

    with Served(answer) as served:
        turn = one_turn(lane, spec(served.url))
    ends = {"connection_closed", "connection_reset", "http2_no_error"}  # whatever came before the reset was seen
    assert turn.code in ends and len(served.seen.asked) == 1, turn.error


@lanes
def test_a_connection_that_was_closed_between_two_turns_is_replaced(lane: Lane) -> None:
    def answer(asked: Asked) -> None:
        events(asked)
        asked.server.go_away()

    with Served(answer) as served, Client(lane, spec(served.url)) as client:
        codes = []
        for _ in range(3):
            codes.append(client.say().code)
            client.idle(0.05)
    assert codes == [None] * 3
    assert served.server.connections == 3


@lanes
def test_a_connection_on_which_nothing_comes_any_more_is_given_up(lane: Lane) -> None:
    def script(peer: Peer) -> None:
        http2, stream = asked(peer)
        peer.send(headers(stream, OK, EVENTS) + frame(DATA, END_STREAM, stream, ANSWER))
        while server.connections > 1:
            http2.read_frame()
        peer.hold()

    with HostileServer(script) as server:
        target = make_spec("http2", server.url, timeouts=ROOMY | {"first_byte": 0.5})
        with Client(lane, target) as client:
            turns = client.say_all(["one", "two", "three"])
    assert [turn.code for turn in turns] == [None, "first_byte_timeout", None]


@lanes
def test_a_kept_connection_that_is_closed_at_the_next_request_was_found_idle(lane: Lane) -> None:
    def script(peer: Peer) -> None:
        http2, stream = asked(peer)
        peer.send(headers(stream, OK, EVENTS) + frame(DATA, END_STREAM, stream, ANSWER))
        http2.read_request()

    with HostileServer(script) as server, Client(lane, make_spec("http2", server.url)) as client:
        turns = client.say_all(["one", "two"])
    assert [turn.code for turn in turns] == [None, "connection_reused_closed"], turns[1].error


def test_a_body_that_goes_on_behind_its_answer_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.wire.http.http2.user.REST_S", 0.05)
    over = threading.Event()

    def script(peer: Peer) -> None:
        http2, stream = asked(peer)
        peer.send(headers(stream, OK, EVENTS) + frame(DATA, 0, stream, ANSWER))
        while http2.read_frame().kind != RST_STREAM:
            pass
        over.set()

    with HostileServer(script) as server, Client("load", make_spec("http2", server.url)) as client:
        assert client.say().code is None
        client.idle(0.2)
        assert over.wait(30)


def test_whoever_comes_while_a_connection_is_made_waits_for_it() -> None:
    def script(peer: Peer) -> None:
        time.sleep(0.1)
        answers.good(peer)

    with HostileServer(script) as server:
        turns = users(2, spec(server.url), at_once)
    assert [turn.code for turn in turns] == [None, None]
    assert server.connections == 1
    first, second = (steps(turn) for turn in turns)
    assert "stream_wait" not in first
    assert second["stream_wait"] > 50_000_000


def test_a_request_ends_where_its_answer_came_before_the_rest_of_it() -> None:
    def script(peer: Peer) -> None:
        http2 = Http2Peer(peer)
        http2.shake()
        while (found := http2.read_frame()).kind != HEADERS:
            pass
        peer.send(headers(found.stream, OK, EVENTS) + frame(DATA, END_STREAM, found.stream, ANSWER))
        while http2.read_frame().kind != RST_STREAM:
            pass
        peer.send(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 60_000)))
        second = http2.read_request()
        peer.send(headers(second, OK, EVENTS) + frame(DATA, END_STREAM, second, ANSWER))
        hold(http2)

    with HostileServer(script) as server, Client("load", make_spec("http2", server.url)) as client:
        turns = client.say_all(["more than a window " * 10_000, "two"])
    assert [(turn.code, turn.text) for turn in turns] == [(None, TEXT)] * 2, turns[1].error


@pytest.mark.parametrize(("pieces", "code"), [(10, None), (40, "http_malformed")])
def test_what_was_on_its_way_when_a_stream_was_cancelled_is_no_flood(pieces: int, code: str | None) -> None:
    def script(peer: Peer) -> None:
        http2, first = asked(peer)
        peer.send(headers(first, OK, EVENTS) + frame(DATA, 0, first, ANSWER))  # whole, but for its end
        second = http2.read_request()
        peer.send(frame(DATA, 0, first, bytes(16_000)) * pieces)
        peer.send(headers(second, OK, EVENTS) + frame(DATA, END_STREAM, second, ANSWER))
        hold(http2)

    with HostileServer(script) as server, Client("load", make_spec("http2", server.url)) as client:
        turns = client.say_all(["one", "two"])
    assert [turn.code for turn in turns] == [None, code], turns[1].error


@lanes
@pytest.mark.parametrize(
    ("script", "code", "told"),
    [
        (nonsense.TWO_STATUSES, "http_malformed", "the status b'500, 200'"),
        (nonsense.UNKNOWN_STREAM, "http_malformed", "stream 21, which was never opened"),
        (answers.http2_no_stream_is_allowed, "total_timeout", "within 0.3 s: the target allows 0"),
    ],
)
def test_what_is_wrong_is_told_in_words(lane: Lane, script: Script, code: str, told: str) -> None:
    with HostileServer(script) as server:
        turn = one_turn(lane, make_spec("http2", server.url, timeouts=ROOMY | {"total": 0.3, "idle": 0.2}))
    assert (turn.code, told in turn.error.told if turn.error else None) == (code, True), turn.error
    assert turn.late_s < 10


@lanes
def test_a_message_waits_for_the_first_stream_that_is_allowed(lane: Lane) -> None:
    def script(peer: Peer) -> None:
        http2 = Http2Peer(peer)
        peer.send(frame(SETTINGS, 0, 0, struct.pack(">HI", MAX_CONCURRENT_STREAMS, 0)))
        time.sleep(0.1)
        peer.send(frame(SETTINGS, 0, 0, struct.pack(">HI", MAX_CONCURRENT_STREAMS, 1)))
        http2.shake()
        stream = http2.read_request()
        peer.send(headers(stream, OK, EVENTS) + frame(DATA, END_STREAM, stream, ANSWER))
        hold(http2)

    with HostileServer(script) as server:
        turn = one_turn(lane, make_spec("http2", server.url))
    assert (turn.code, turn.text) == (None, TEXT), turn.error
    assert steps(turn)["stream_wait"] >= 50_000_000
