"""What happens between turns and before the first: keep-alive, deadlines with long time limits, refused addresses."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from connectors.registry import Lane
from tests.hostile import http, sse
from tests.hostile.server import HostileServer, Peer
from tests.hostile.table import JSON_TYPE, Protocol, chunk, head, whole
from tests.integration.connectors.lanes import LANES, Client, make_spec, one_turn

lanes = pytest.mark.parametrize("lane", LANES)
protocols = pytest.mark.parametrize("protocol", ["http", "sse"])
GOOD = {"http": http.good, "sse": sse.good}
LONG = {"connect": 30, "first_byte": 30, "idle": 30, "total": 30}


def good_answer(protocol: Protocol) -> bytes:
    if protocol == "http":
        return whole(http.GOOD)
    events = (*sse.PIECES, sse.DONE)
    return sse.STREAM_HEAD + b"".join(chunk(event) for event in events) + b"0\r\n\r\n"


def wait_until_not_ready(client: Client) -> None:
    """Until the lane has seen that its connection is of no more use."""
    until = time.monotonic() + 30
    while client.connector.ready and time.monotonic() < until:
        client.idle(0.005)
    assert not client.connector.ready


@lanes
@protocols
def test_turns_of_one_user_share_a_connection(lane: Lane, protocol: Protocol) -> None:
    with HostileServer(GOOD[protocol]) as server, Client(lane, make_spec(protocol, server.url)) as client:
        turns = client.say_all(["one", "two", "three"])
        assert [(t.code, t.text) for t in turns] == [(None, http.TEXT)] * 3
        assert (server.connections, len(server.requests)) == (1, 3)
    steps = [set(t.timeline.handshake_ns or {}) - {"body_wait"} for t in turns]  # a busy machine ends a body late
    assert steps == [{"resolve", "connect"}, set(), set()]


@lanes
@protocols
def test_a_connection_closed_between_turns_is_opened_anew_and_nothing_sent_twice(
    lane: Lane, protocol: Protocol
) -> None:
    def one_answer(peer: Peer) -> None:
        peer.read_request()
        peer.send(good_answer(protocol))

    with HostileServer(one_answer) as server, Client(lane, make_spec(protocol, server.url)) as client:
        for number in range(1, 4):
            assert client.say().code is None
            wait_until_not_ready(client)
            assert (server.connections, len(server.requests)) == (number, number)


@lanes
@protocols
def test_connection_close_is_heeded(lane: Lane, protocol: Protocol) -> None:
    def says_close(peer: Peer) -> None:
        peer.read_request()
        peer.send(good_answer(protocol).replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
        peer.hold()  # and does not close: the client has to

    with HostileServer(says_close) as server, Client(lane, make_spec(protocol, server.url)) as client:
        assert [t.code for t in client.say_all(["one", "two"])] == [None, None]
        assert (server.connections, len(server.requests)) == (2, 2)


@lanes
def test_bytes_between_turns_end_the_connection_and_never_answer_the_next_turn(lane: Lane) -> None:
    said = threading.Event()

    def talks_on(peer: Peer) -> None:
        peer.read_request()
        peer.send(whole(http.GOOD))
        said.wait(10)
        peer.send(whole(http.GOOD.replace(b"four", b"five")))
        peer.hold()

    with HostileServer(talks_on) as server, Client(lane, make_spec("http", server.url)) as client:
        assert client.say().text == http.TEXT
        said.set()
        wait_until_not_ready(client)
        assert client.say().text == http.TEXT
        assert (server.connections, len(server.requests)) == (2, 2)


@lanes
@pytest.mark.parametrize("answer", [whole(http.GOOD) + b"rubbish", whole(http.GOOD) + whole(b'{"choices":"x"}')])
def test_extra_bytes_with_an_answer_do_not_reach_the_next_turn(lane: Lane, answer: bytes) -> None:
    def says_too_much(peer: Peer) -> None:
        while True:
            peer.read_request()
            peer.send(answer)

    with HostileServer(says_too_much) as server, Client(lane, make_spec("http", server.url)) as client:
        assert [(t.code, t.text) for t in client.say_all(["one", "two"])] == [(None, http.TEXT)] * 2
        assert (server.connections, len(server.requests)) == (2, 2)


@lanes
@protocols
def test_after_a_failed_turn_the_next_one_has_a_new_connection(lane: Lane, protocol: Protocol) -> None:
    def fails_once(peer: Peer) -> None:
        peer.read_request()
        if server.connections == 1:
            peer.hold()
        peer.send(good_answer(protocol))
        peer.hold()

    with HostileServer(fails_once) as server:
        spec = make_spec(protocol, server.url, timeouts=LONG | {"first_byte": 0.5})
        with Client(lane, spec) as client:
            assert [t.code for t in client.say_all(["one", "two"])] == ["first_byte_timeout", None]
        assert (server.connections, len(server.requests)) == (2, 2)


@lanes
def test_a_close_that_crosses_the_request_is_an_error_and_not_a_second_request(lane: Lane) -> None:
    def closes_on_the_second(peer: Peer) -> None:
        peer.read_request()
        peer.send(whole(http.GOOD))
        peer.read_request()

    with HostileServer(closes_on_the_second) as server, Client(lane, make_spec("http", server.url)) as client:
        assert [t.code for t in client.say_all(["one", "two"])] == [None, "connection_reused_closed"]
        assert (server.connections, len(server.requests)) == (1, 2)


# --- deadlines: each is kept when all the others are far away ----------------------------------------------------


def half_an_answer(peer: Peer) -> None:
    peer.read_request()
    peer.send(head(JSON_TYPE, "Content-Length: 1000") + b"{")
    peer.hold()


def silence(peer: Peer) -> None:
    peer.read_request()
    peer.hold()


def late_half_an_answer(peer: Peer) -> None:
    """The first byte comes when a timer of the idle time, set at the start, has run out already."""
    peer.read_request()
    peer.pause(0.5)
    peer.send(head(JSON_TYPE, "Content-Length: 1000") + b"{")
    peer.hold()


def drip(peer: Peer) -> None:
    peer.read_request()
    peer.drip(head(JSON_TYPE, "Content-Length: 1000") + b" " * 1000, 0.05)


@lanes
@pytest.mark.parametrize(
    ("name", "script"),
    [("idle", half_an_answer), ("idle", late_half_an_answer), ("first_byte", silence), ("total", drip)],
)
def test_each_deadline_is_kept_though_the_others_are_far(lane: Lane, name: str, script: object) -> None:
    assert callable(script)
    with HostileServer(script) as server:
        turn = one_turn(lane, make_spec("http", server.url, timeouts=LONG | {name: 0.3}))
    assert turn.code == f"{name}_timeout"
    assert 0.29 < turn.late_s < 10


@lanes
def test_a_deadline_of_a_later_turn_is_kept_though_the_first_one_had_set_its_timer(lane: Lane) -> None:
    def answers_once(peer: Peer) -> None:
        peer.read_request()
        peer.send(whole(http.GOOD))
        peer.read_request()
        peer.hold()

    spec_timeouts = LONG | {"first_byte": 0.4}
    with (
        HostileServer(answers_once) as server,
        Client(lane, make_spec("http", server.url, timeouts=spec_timeouts)) as client,
    ):
        first, second = client.say_all(["one", "two"])
    assert (first.code, second.code) == (None, "first_byte_timeout")
    assert 0.39 < second.late_s < 10


# --- connecting ---------------------------------------------------------------------------------------------------


@lanes
@protocols
def test_nobody_listens(lane: Lane, protocol: Protocol) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    turn = one_turn(lane, make_spec(protocol, f"http://127.0.0.1:{port}"))
    assert turn.error is not None
    assert (turn.code, bool(turn.error.advice)) == ("connect_refused", True)
    assert turn.timeline.sent_ns is None, "what was never sent has no send time"


@lanes
def test_a_full_backlog_is_a_connect_timeout(lane: Lane) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        with socket.create_connection(server.getsockname()):  # fills the queue: further SYNs are dropped
            url = f"http://127.0.0.1:{server.getsockname()[1]}"
            turn = one_turn(lane, make_spec("http", url, timeouts=LONG | {"connect": 0.5}))
    assert turn.code == "connect_timeout"
    assert turn.timeline.sent_ns is None


@lanes
@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://no-such-host.invalid", "dns_failed"),
        ("http://169.254.169.254", "address_blocked"),
        ("http://[::ffff:169.254.169.254]", "address_blocked"),
        ("http://0:8000", "address_blocked"),
    ],
)
def test_an_address_that_is_not_dialled(lane: Lane, url: str, code: str) -> None:
    turn = one_turn(lane, make_spec("http", url))
    assert turn.error is not None
    assert (turn.code, bool(turn.error.advice)) == (code, True)


@lanes
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433"])
def test_private_addresses_are_not_dialled_without_leave(lane: Lane, host: str) -> None:
    with HostileServer(http.good) as server:
        spec = make_spec("http", f"http://{host}:{server.port}")
        assert one_turn(lane, spec, allow_private=False).code == "address_blocked"
        assert server.connections == 0
        assert one_turn(lane, spec).code is None


@lanes
def test_proxies_of_the_environment_are_not_used(lane: Lane, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://169.254.169.254:3128")
    with HostileServer(http.good) as server:
        assert one_turn(lane, make_spec("http", server.url)).code is None


@lanes
def test_the_request_is_what_the_mapping_says(lane: Lane) -> None:
    with HostileServer(http.good) as server:
        spec = make_spec(
            "http", f"{server.url}/base", request={"headers": {"X-Own": "gr\u00fc\u00df", "accept": "x/y"}}
        )
        assert one_turn(lane, spec).code is None
        request_head, _, body = server.requests[0].partition(b"\r\n\r\n")
    lines = request_head.split(b"\r\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines[1:])}
    assert lines[0] == b"POST /base/chat/completions HTTP/1.1"
    assert headers[b"host"] == f"127.0.0.1:{server.port}".encode()
    assert headers[b"x-own"] == "gr\u00fc\u00df".encode("latin-1")
    assert headers[b"accept"] == b"x/y"
    assert headers[b"content-type"] == b"application/json"
    assert headers[b"content-length"] == str(len(body)).encode()
    assert b'"content":"hello"' in body


@lanes
def test_a_request_larger_than_any_buffer_arrives_whole(lane: Lane) -> None:
    """And one that the target stops reading ends at its deadline."""
    text = "context " * 500_000

    def reads_nothing(peer: Peer) -> None:
        peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        server.stopping.wait(10)

    with HostileServer(http.good) as server:
        with Client(lane, make_spec("http", server.url, timeouts=LONG)) as client:
            assert client.say(text).code is None
        assert text.encode() in server.requests[0]
    short = LONG | {"first_byte": 0.5}
    with HostileServer(reads_nothing) as server, Client(lane, make_spec("http", server.url, timeouts=short)) as client:
        turn = client.say(text * 8)
    assert turn.code == "first_byte_timeout"
    assert turn.late_s < 8
