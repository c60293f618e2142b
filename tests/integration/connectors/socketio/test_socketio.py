"""Socket.IO on both lanes: against a server of python-socketio, and what goes over the wire byte by byte."""

from __future__ import annotations

import json
import threading

import pytest

from connectors.registry import Lane
from tests.hostile import socketio as script
from tests.hostile.frames import CLOSE, frame, read_message, upgrade
from tests.hostile.server import HostileServer, Peer
from tests.integration.connectors.lanes import ROOMY, Client, make_spec, one_turn
from tests.integration.connectors.socketio.talking import lanes, said, talksy
from tests.support.servers.socketio_server import TEXT, ChatServer

# --- Talksy's preset ---------------------------------------------------------------------------------------------


@lanes
@pytest.mark.parametrize(("stream", "event", "chunks"), [(True, "user_message_stream", 4), (False, "user_message", 1)])
def test_talksy_answers_piece_by_piece_and_whole(
    chat: ChatServer, lane: Lane, stream: bool, event: str, chunks: int
) -> None:
    with Client(lane, talksy(chat.url, stream=stream)) as client:
        turns = client.say_all(["one", "two", "three"])
        saved = dict(client.connector.saved)

    assert said(turns) == [(None, TEXT, chunks, 7, 4)] * 3
    assert chat.heard == [(event, {"text": text}) for text in ("one", "two", "three")]
    assert saved == {"session_id": "s-1"}, "what the event that says that all is ready brings is saved"
    assert chat.auths == [None]
    steps = [list(t.timeline.handshake_ns or {}) for t in turns]
    assert steps == [["resolve", "connect", "upgrade", "socketio"], [], []]


@lanes
def test_an_error_event_is_the_targets_error(chat: ChatServer, lane: Lane) -> None:
    turn = one_turn(lane, talksy(chat.url, stream=False, request={"body": {"text": "fail"}}))
    assert turn.error is not None
    assert (turn.code, turn.error.detail) == ("target_error", "no provider")


@lanes
def test_it_logs_in_once_for_all_conversations_and_shows_the_token(chat: ChatServer, lane: Lane) -> None:
    with Client(lane, talksy(chat.url, secrets={"email": "e@x.org", "password": "p"})) as client:
        turns = client.say_all(["one"])
        client.connector.begin({"id": "another"})
        turns += client.say_all(["two"])

    assert said(turns) == [(None, TEXT, 4, 7, 4)] * 2
    assert chat.logins == [{"email": "e@x.org", "password": "p"}]
    assert chat.auths == [{"token": "jwt-1"}] * 2
    assert ["login" in (t.timeline.handshake_ns or {}) for t in turns] == [True, False]


@lanes
def test_a_token_that_is_given_needs_no_login(chat: ChatServer, lane: Lane) -> None:
    turn = one_turn(lane, talksy(chat.url, secrets={"token": "mine"}))
    assert (turn.code, chat.logins, chat.auths) == (None, [], [{"token": "mine"}])


@lanes
def test_a_token_that_is_refused_says_so(chat: ChatServer, lane: Lane) -> None:
    turn = one_turn(lane, talksy(chat.url, secrets={"token": "spent"}))
    assert turn.error is not None
    assert (turn.code, turn.error.detail) == ("socketio_refused", "the token is spent")


@lanes
def test_what_expires_is_renewed_over_the_standing_connection(chat: ChatServer, lane: Lane) -> None:
    step = {"name": "login", "url": "/auth/login", "save": {"token": "accessToken"}, "expires_s": 0.05}
    with Client(lane, talksy(chat.url, handshake={"steps": [step]})) as client:
        first = client.say()
        client.idle(0.1)
        second = client.say()
    assert (first.code, second.code, len(chat.logins), len(chat.auths)) == (None, None, 2, 1)


@lanes
def test_attachments_do_not_disturb_the_text(chat: ChatServer, lane: Lane) -> None:
    assert said([one_turn(lane, talksy(chat.url, request={"body": {"text": "sound"}}))]) == [(None, TEXT, 4, 7, 4)]


@lanes
def test_a_first_event_is_emitted_before_the_one_that_says_that_all_is_ready(chat: ChatServer, lane: Lane) -> None:
    ours = {"hello": {"event": "hello", "body": None}, "ready_event": "welcome"}
    kinds = {"welcome": {"save": {"room": "data.room"}}}
    with Client(lane, talksy(chat.url, socketio=ours, response={"kinds": kinds})) as client:
        turn = client.say()
        saved = dict(client.connector.saved)
    assert (turn.code, turn.text) == (None, TEXT)
    assert saved == {"session_id": "s-1", "room": "r1"}
    assert chat.heard == [("hello", []), ("user_message_stream", {"text": "hello"})]


@lanes
def test_the_event_that_says_that_all_is_ready_must_come(chat: ChatServer, lane: Lane) -> None:
    short = ROOMY | {"connect": 0.3}
    turn = one_turn(lane, talksy(chat.url, socketio={"ready_event": "never"}, timeouts=short))
    assert turn.code == "connect_timeout"


@lanes
def test_each_conversation_has_a_connection_of_its_own(chat: ChatServer, lane: Lane) -> None:
    with Client(lane, talksy(chat.url)) as client:
        client.say()
        client.connector.begin({"id": "another"})
        client.say()
        assert client.connector.saved == {"session_id": "s-2"}
    assert len(chat.auths) == 2


# --- between two turns -------------------------------------------------------------------------------------------


@lanes
def test_pings_between_turns_are_answered(lane: Lane) -> None:
    with ChatServer(ping_s=(1, 1)).running() as chat, Client(lane, talksy(chat.url)) as client:
        first = client.say()
        client.idle(2.5)  # a client that does not answer is disconnected after two seconds
        second = client.say()
        assert said([first, second]) == [(None, TEXT, 4, 7, 4)] * 2
        assert len(chat.auths) == 1


@lanes
@pytest.mark.parametrize(("reconnect", "code"), [("fail", "connection_closed"), ("resume", None)])
def test_a_connection_that_is_lost_between_turns(chat: ChatServer, lane: Lane, reconnect: str, code: str) -> None:
    spec = talksy(chat.url, stream=False, socketio={"reconnect": reconnect})
    with Client(lane, spec) as client:
        first = client.say("leave")
        client.idle(0.2)
        second, third = client.say("two"), client.say("three")
        saved = dict(client.connector.saved)

    assert (first.code, second.code, third.code) == (None, code, None)
    assert len(chat.auths) == 2
    assert saved == {"session_id": "s-2"}
    if code is not None:
        assert second.error is not None
        assert "socketio.reconnect" in second.error.advice
        assert second.timeline.sent_ns is None


@lanes
@pytest.mark.parametrize("pause_s", [0.0, 0.1])
@pytest.mark.parametrize(("reconnect", "code"), [("fail", "connection_closed"), ("resume", None)])
def test_a_close_behind_an_answer_is_the_next_turns(
    lane: Lane, reconnect: str, code: str | None, pause_s: float
) -> None:
    def leaves(peer: Peer) -> None:
        script._asked(peer)
        peer.send(script.ANSWER + frame((1001).to_bytes(2, "big"), CLOSE))
        peer.hold()

    with HostileServer(leaves) as server:
        spec = make_spec("socketio", server.url, socketio={"reconnect": reconnect})
        with Client(lane, spec) as client:
            first = client.say()
            client.idle(pause_s)
            second = client.say()
        assert (first.code, second.code) == (None, code)
        assert server.connections == (1 if code else 2)


@lanes
def test_a_connection_that_was_never_used_says_why_it_was_closed(lane: Lane) -> None:
    def leaves(peer: Peer) -> None:
        script._opened(peer)
        peer.send(script.CONNECTED + frame((1013).to_bytes(2, "big") + b"try again later", CLOSE))
        peer.hold()

    with HostileServer(leaves) as server:
        turn = one_turn(lane, make_spec("socketio", server.url))
        assert (turn.code, server.connections) == ("ws_closed_1013", 1)


@lanes
@pytest.mark.parametrize(("reconnect", "code"), [("fail", "connection_closed"), ("resume", None)])
def test_a_target_that_forgets_to_ping_is_given_up(lane: Lane, reconnect: str, code: str | None) -> None:
    def silent(peer: Peer) -> None:
        upgrade(peer)
        opening = script.OPENING | {"pingInterval": 100, "pingTimeout": 50}
        peer.send(script.packet("0" + json.dumps(opening)))
        read_message(peer)
        peer.send(script.CONNECTED)
        while True:
            read_message(peer)
            peer.send(script.ANSWER)

    with HostileServer(silent) as server:
        spec = make_spec("socketio", server.url, socketio={"reconnect": reconnect})
        with Client(lane, spec) as client:
            first, second = client.say_all(["one", "two"])
            client.idle(0.4)
            third = client.say()
        assert (first.code, second.code, third.code) == (None, None, code)
        assert server.connections == (1 if code else 2)


@lanes
def test_unrequested_messages_are_counted_and_their_values_saved(lane: Lane) -> None:
    def chatty(peer: Peer) -> None:
        script._asked(peer)
        peer.send(script.ANSWER + script.event("delta", {"text": "too late"}) + script.event("news", {"id": 7}))
        read_message(peer)
        peer.send(script.ANSWER)
        peer.hold()

    kinds = {"news": {"save": {"news": "data.id"}}}
    with (
        HostileServer(chatty) as server,
        Client(lane, make_spec("socketio", server.url, response={"kinds": kinds})) as client,
    ):
        first = client.say()
        client.idle(0.1)
        second = client.say()
        assert (client.connector.unassigned, client.connector.saved) == (2, {"news": 7})
    assert [(t.code, t.text) for t in (first, second)] == [(None, TEXT)] * 2


def test_the_reference_lane_leaves_no_thread_behind(chat: ChatServer) -> None:
    before = set(threading.enumerate())
    with Client("reference", talksy(chat.url)) as client:
        client.say()
        assert [t.name for t in set(threading.enumerate()) - before] == ["pings"]
        keeper = next(t for t in threading.enumerate() if t not in before)
    keeper.join(5)
    assert not keeper.is_alive()
