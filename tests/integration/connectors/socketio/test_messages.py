"""Socket.IO byte by byte, on both lanes: what goes over the wire, and what is made of whatever comes."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from random import Random
from typing import Any

import pytest

from connectors.registry import Lane
from tests.hostile import socketio as script
from tests.hostile.frames import BINARY, accepted, frame, read_message, wait
from tests.hostile.server import HostileServer, Peer
from tests.integration.connectors.lanes import LANES, Client, make_spec, one_turn
from tests.integration.connectors.socketio.talking import lanes, said
from tests.support.servers.socketio_server import TEXT, WORDS

# --- over the wire -----------------------------------------------------------------------------------------------


def test_both_lanes_say_the_same_bytes() -> None:
    found: dict[str, list[Any]] = {}
    for lane in LANES:
        heard: list[Any] = []

        def listen(peer: Peer, heard: list[Any] = heard) -> None:
            head = peer.read_request()
            heard.append(head.split(b"\r\n")[0])
            peer.send(accepted(head) + script.OPENED)
            heard.append(read_message(peer))
            peer.send(script.CONNECTED)
            for number in range(2):
                heard.append(read_message(peer))
                peer.send(script.packet(f'42{script.NAMESPACE},{number}["noise"]') + script.packet("2probe"))
                heard.extend(read_message(peer) for _ in range(2))
                peer.send(script.ANSWER)

        with HostileServer(listen) as server:
            ours = {"auth": {"token": "{{ secret.token }}"}, "path": "/ws/socket.io", "ack": True}
            spec = make_spec("socketio", f"{server.url}/base?room=7", socketio=ours, secrets={"token": "mine"})
            with Client(lane, spec) as client:
                first = client.say("gr\u00fc\u00df dich")
                second = client.say("two")
        assert [(t.code, t.text) for t in (first, second)] == [(None, TEXT)] * 2
        found[lane] = heard

    assert found["load"] == found["reference"]
    assert found["load"] == [
        b"GET /base/ws/socket.io/?room=7&transport=websocket&EIO=4 HTTP/1.1",
        b'40/generic,{"token":"mine"}',
        '42/generic,1["chat",{"message":"gr\u00fc\u00df dich","session":"s","history":[]}]'.encode(),
        b"43/generic,0[]",
        b"3probe",
        b'42/generic,2["chat",{"message":"two","session":"s","history":[]}]',
        b"43/generic,1[]",
        b"3probe",
    ]


@lanes
def test_codecs_pack_the_argument_and_nothing_around_it(lane: Lane) -> None:
    heard: list[bytes] = []

    def packed(value: object) -> str:
        return b64encode(json.dumps(value).encode()).decode()

    def speak(peer: Peer) -> None:
        script._opened(peer)
        peer.send(script.CONNECTED)
        heard.append(read_message(peer))
        for word in WORDS:
            peer.send(script.event("delta", packed({"text": word})))
        peer.send(script.event("done", packed(script.LAST)))
        peer.hold()

    codec = {"request": [{"name": "base64"}], "response": [{"name": "base64"}]}
    with HostileServer(speak) as server:
        spec = make_spec("socketio", server.url, codec=codec, socketio={"ack": False})
        turn = one_turn(lane, spec)
    assert said([turn]) == [(None, TEXT, 4, 7, 4)]
    name, argument = json.loads(heard[0].removeprefix(b"42/generic,"))
    assert name == "chat"
    assert json.loads(b64decode(argument))["message"] == "hello"


@lanes
def test_an_acknowledgement_of_an_earlier_turn_answers_no_later_one(lane: Lane) -> None:
    def late(peer: Peer) -> None:
        number = script._asked(peer)
        peer.send(script.ANSWER)
        read_message(peer)
        peer.send(script.acknowledged(number, {"response": "of the first turn"}))
        wait(peer, 0.05)
        peer.send(script.ANSWER)
        peer.hold()

    with HostileServer(late) as server, Client(lane, make_spec("socketio", server.url)) as client:
        turns = client.say_all(["one", "two"])
    assert [(t.code, t.text) for t in turns] == [(None, TEXT)] * 2


SCRAPS = (
    *("0", "1", "2", "3", "4", "5", "6", "7", "9", "b", "42", "43", "44", "40", "41", "451-", "452-", "450-", "461-"),
    *(
        "/generic,",
        "/other,",
        "/",
        ",",
        "-",
        "[",
        "]",
        "{",
        "}",
        ":",
        "?",
        "null",
        "NaN",
        "1e999",
        " ",
        "\x00",
        "9" * 101,
    ),
    *('["delta"', '["done"', '"text"', '{"text":"x"}', '["delta",{"text":"x"}]', '["noise"]', "[]", '{"sid":"a"}'),
    *('{"_placeholder":true,"num":0}', '{"_placeholder":true,"num":5}', '"\\ud800"', "\u0663", "\u00b2"),
)
HEADS = ("", "", "42/generic,", "42", "43/generic,", "451-/generic,", "44/generic,", "41/generic,", "2", "4", "461-")


@pytest.mark.parametrize("seed", range(40))
def test_both_lanes_make_the_same_of_whatever_is_said(seed: int) -> None:
    rng = Random(seed)
    said = rng.choice(HEADS) + "".join(rng.choices(SCRAPS, k=rng.randrange(6)))
    attached = frame(b"bin", BINARY) * rng.choice((0, 0, 0, 1, 2))

    def talk(peer: Peer) -> None:
        script._asked(peer)
        peer.send(script.packet(said) + attached + script.ANSWER)
        peer.hold()

    with HostileServer(talk) as server:
        turns = [one_turn(lane, make_spec("socketio", server.url)) for lane in LANES]
    assert turns[0].code == turns[1].code, said
    assert {t.text for t in turns} == {TEXT} or turns[0].code is not None


@lanes
def test_an_address_that_may_not_be_dialled_is_not(lane: Lane) -> None:
    with HostileServer(script.good) as server:
        turn = one_turn(lane, make_spec("socketio", server.url), allow_private=False)
        assert (turn.code, server.connections) == ("address_blocked", 0)
