"""Packets of Socket.IO: what a mapping sees of them, and that nothing that a target sends costs more than an error."""

from __future__ import annotations

import base64
import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from socketio import packet as kinds
from socketio.packet import Packet

from connectors.errors import BadAnswer, BadRequest, BrokenTransport, TooLarge, TurnError
from connectors.mapping.request import RenderedRequest
from connectors.socketio import packets
from connectors.socketio.opening import read_open
from connectors.socketio.packets import BoundedPacket
from connectors.spec import build_target_spec
from connectors.target import CompiledTarget
from connectors.wire.socketio.connector import SocketIoConnector

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
NAMES = st.text(min_size=1, max_size=20)


def connector(**overrides: Any) -> SocketIoConnector:
    spec = build_target_spec(name="t", url="http://127.0.0.1:1/base", preset="generic-socketio", overrides=overrides)
    made = SocketIoConnector(CompiledTarget(spec))
    made.begin({"id": "s"})
    return made


def code(made: pytest.ExceptionInfo[TurnError]) -> str:
    return made.value.code


# --- events ------------------------------------------------------------------------------------------------------


@given(NAMES, st.lists(JSON, max_size=3))
def test_the_quick_way_and_the_class_give_the_same_document(name: str, args: list[Any]) -> None:
    text = Packet(kinds.EVENT, data=[name, *args]).encode()
    by_class = BoundedPacket(encoded_packet=text)
    seen = packets.event_document(by_class.data)

    quick = packets.quick_document(text[1:].encode())
    assert orjson.loads(quick) == orjson.loads(seen)
    assert packets.is_event(quick, name)
    assert orjson.loads(seen) == {"event": name, "data": args[0] if args else None, "args": args}
    assert packets.is_event(seen, name)
    assert not packets.is_event(seen, name + "x")


@given(NAMES, st.lists(JSON, max_size=3), st.sampled_from(["/", "/generic"]), st.none() | st.integers(1, 10**6))
def test_what_we_write_is_what_the_library_reads(
    name: str, args: list[Any], namespace: str, number: int | None
) -> None:
    text = BoundedPacket(kinds.EVENT, [name, *args], namespace, number, binary=False).encode()
    read = Packet(encoded_packet=text)

    assert (read.packet_type, read.data, read.namespace or "/", read.id) == (
        kinds.EVENT,
        [name, *args],
        namespace,
        number,
    )


@given(
    st.text(max_size=40) | st.from_regex(r"[0-9]{1,3}-?(/[a-z]*,)?[0-9]{0,3}[\[\]{}\",a-z0-9]{0,30}", fullmatch=True)
)
def test_no_text_makes_a_packet_fail_with_anything_but_a_turn_error(text: str) -> None:
    try:
        packets.check_engine(f"4{text}")
        BoundedPacket(encoded_packet=text)
    except TurnError as exc:
        assert exc.code in {"socketio_protocol", "json_invalid", "message_too_large", "message_too_deep"}


@pytest.mark.parametrize("payload", [b'{"a":1}', b"[]", b"[1]", b"7", b"null"])
def test_an_event_without_a_name_breaks_the_protocol(payload: bytes) -> None:
    with pytest.raises(BrokenTransport) as quick:
        packets.quick_document(payload)
    with pytest.raises(BrokenTransport) as by_class:
        BoundedPacket(encoded_packet=f"2{payload.decode() if payload != b'7' else '[7]'}")
    assert code(quick) == code(by_class) == "socketio_protocol"


@pytest.mark.parametrize(
    ("payload", "same"),
    [
        (b'["a",{"x":1}]', True),
        (b'["a", {"x": 1, "x": 2}]', True),
        (b' ["a",1]', False),
        (b'["a",1] ', False),
        (b'["\\u0061",1]', False),
        (b'["a",1,2]', False),
        (b'["a", "%b"]' % (b"x" * packets.SHORT), False),
        (b'["a",NaN]', False),
    ],
)
def test_a_short_event_stays_as_it_came(payload: bytes, same: bool) -> None:
    made = packets.quick_document(payload)

    event, data = payload[1:-1].split(b",", 1)
    assert (made == b'{"event":%b,"data":%b,"args":[%b]}' % (event, data, data)) is same
    by_class = BoundedPacket(encoded_packet=f"2{payload.decode().strip()}")
    assert orjson.loads(made) == orjson.loads(packets.event_document(by_class.data))


@pytest.mark.parametrize(
    ("depth", "expected"), [(100, None), (247, None), (300, "message_too_deep"), (5000, "message_too_deep")]
)
def test_a_nesting_too_deep_is_named(depth: int, expected: str | None) -> None:
    payload = b'["a",' + b"[" * depth + b"]" * depth + b"]"
    if expected is None:
        assert orjson.loads(packets.quick_document(payload))["event"] == "a"
        return
    with pytest.raises(TooLarge) as made:
        packets.quick_document(payload)
    assert code(made) == expected


def test_bytes_that_are_not_unicode_are_named() -> None:
    with pytest.raises(BrokenTransport) as made:
        packets.quick_document(b'["a","\xff"]')
    assert code(made) == "utf8_invalid"


# --- attachments -------------------------------------------------------------------------------------------------


def test_attachments_leave_their_size_where_they_belong() -> None:
    placed = [{"_placeholder": True, "num": 1}, {"deep": [{"_placeholder": True, "num": 0}]}]
    packet = BoundedPacket(encoded_packet=f"52-{json.dumps(['sound', *placed])}")

    assert packet.attachment_count == 2
    assert not packet.add_attachment(b"abc")
    assert packet.add_attachment(b"x" * 100_000)
    assert packet.data == ["sound", {"_binary": 100_000}, {"deep": [{"_binary": 3}]}]


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ("565-", "message_too_large"),
        ("51000000-", "message_too_large"),
        ("51000000000000-", "message_too_large"),
        (f"5{'9' * 5000}-", "socketio_protocol"),
        ("5", "socketio_protocol"),
        ("5x-", "socketio_protocol"),
        ("5-", "socketio_protocol"),
        ("5\u0663-", "socketio_protocol"),
    ],
)
def test_a_number_of_attachments_is_judged_before_anything_is_made_of_it(head: str, expected: str) -> None:
    with pytest.raises(TurnError) as made:
        BoundedPacket(encoded_packet=f'{head}["a"]')
    assert code(made) == expected


def test_as_many_attachments_as_are_allowed_are_taken() -> None:
    packet = BoundedPacket(encoded_packet=f'5{packets.MOST_ATTACHMENTS}-["a"]')
    assert [packet.add_attachment(b"x") for _ in range(packets.MOST_ATTACHMENTS)] == [False] * 63 + [True]


def test_a_binary_packet_without_attachments_is_whole() -> None:
    assert BoundedPacket(encoded_packet='50-["a"]').packet_type == kinds.EVENT
    assert BoundedPacket(encoded_packet='60-7["a"]').packet_type == kinds.ACK


@pytest.mark.parametrize("number", [-1, 1, "0", None, [0]])
def test_a_placeholder_of_no_attachment_breaks_the_protocol(number: object) -> None:
    packet = BoundedPacket(encoded_packet=f'51-["a",{json.dumps({"_placeholder": True, "num": number})}]')
    with pytest.raises(BrokenTransport) as made:
        packet.add_attachment(b"x")
    assert code(made) == "socketio_protocol"


# --- the opening -------------------------------------------------------------------------------------------------


def test_the_open_packet_says_when_a_target_is_to_be_given_up() -> None:
    opened = read_open('0{"sid":"e1","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1}')
    assert opened.silence_ns == 45_000_000_000
    assert read_open(opened.text()) == opened


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"sid": ""},
        {"sid": 7},
        {"pingInterval": 0},
        {"pingInterval": -5},
        {"pingInterval": None},
        {"pingInterval": "25000"},
        {"pingInterval": True},
        {"pingInterval": 2**31},
        {"pingTimeout": -1},
        {"pingTimeout": [1]},
    ],
    ids=str,
)
def test_an_open_packet_with_silly_values_is_refused(said: dict[str, Any]) -> None:
    whole = {"sid": "e1", "pingInterval": 25000, "pingTimeout": 20000, **said} if said else {}
    with pytest.raises(BrokenTransport) as made:
        read_open(f"0{json.dumps(whole)}")
    assert code(made) == "socketio_protocol"


@pytest.mark.parametrize("first", ["", "1", "40", "0[]", "07", b"0{}"])
def test_anything_else_is_no_open_packet(first: str | bytes) -> None:
    with pytest.raises(TurnError) as made:
        read_open(first)
    assert code(made) == "socketio_protocol"


# --- requests ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "expected"),
    [(b"", []), (b"null", []), (b'{"a":1}', [{"a": 1}]), (b'"x"', ["x"]), (b"[1,[2]]", [1, [2]]), (b"[]", [])],
)
def test_a_body_that_is_a_list_has_several_arguments(body: bytes, expected: list[Any]) -> None:
    request = RenderedRequest("POST", "", (), body, "chat")
    assert packets.arguments(request, packed=False) == expected


def test_what_codecs_packed_is_one_text() -> None:
    request = RenderedRequest("POST", "", (), b"U2FsdGVk", "chat")
    assert packets.arguments(request, packed=True) == ["U2FsdGVk"]
    with pytest.raises(BadRequest, match="not text"):
        packets.arguments(request._replace(body=b"\x1f\x8b\xff"), packed=True)


def test_an_event_without_a_name_is_not_sent() -> None:
    with pytest.raises(BadRequest, match=r"request\.event"):
        packets.arguments(RenderedRequest("POST", "", (), b"{}"), packed=False)


def test_the_upgrade_keeps_the_targets_own_path_and_query() -> None:
    made = connector(socketio={"path": "/ws/socket.io"}, request={"path": "?room={{ session.id }}"})
    assert made.address() == ("/base/ws/socket.io/", "room=s", ())


def test_codecs_undo_the_first_argument_alone() -> None:
    made = connector(codec={"response": [{"name": "base64"}]})
    packed = base64.b64encode(b'{"text":"hello"}').decode()

    seen = made._decode(packets.document("delta", [packed, 7]))
    assert orjson.loads(seen) == {"event": "delta", "data": {"text": "hello"}, "args": [{"text": "hello"}, 7]}
    plain = packets.document("delta", [{"text": "as it is"}])
    assert made._decode(plain) == plain
    with pytest.raises(BadAnswer) as garbled:
        made._decode(packets.document("delta", [base64.b64encode(b"{").decode()]))
    assert code(garbled) == "json_invalid"


def test_a_flood_of_pings_is_not_answered_for_ever() -> None:
    made = connector()
    for _ in range(packets.MOST_REPLIES):
        made.count_reply()
    with pytest.raises(BrokenTransport) as over:
        made.count_reply()
    assert code(over) == "socketio_protocol"
