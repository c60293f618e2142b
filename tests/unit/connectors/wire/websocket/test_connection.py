"""The load lane's WebSocket: the same messages from any split of the same bytes, whatever frames carry them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import accumulate, pairwise
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame, Opcode

from connectors.errors import TurnError
from connectors.mapping.answers.response import ResponseMapping
from connectors.spec import Limits, ResponseSpec, Timeouts
from connectors.timeline import Timeline
from connectors.wire.turn import Turn
from tests.unit.connectors.wire.websocket.hand_fed import DEFLATE, LIMIT, close, frame, wire


class Sent(NamedTuple):
    """A message as a server sends it: in `pieces`, perhaps packed, a ping or pong before each piece but the first."""

    pieces: tuple[bytes, ...]
    is_text: bool
    packed: bool
    between: Opcode


sizes = st.one_of(st.integers(0, 300), st.sampled_from([125, 126, 127, 65_535, 65_536]))
messages = st.lists(
    st.builds(
        Sent,
        st.lists(sizes.map(lambda n: b"ab\xc3\xa9"[:1] * n), min_size=1, max_size=4).map(tuple),
        st.booleans(),
        st.booleans(),
        st.sampled_from([Opcode.PING, Opcode.PONG]),
    ),
    max_size=6,
)


def encoded(sent: list[Sent]) -> list[bytes]:
    """The bytes of each message, by the library's own server side."""
    packer = PerMessageDeflate(*DEFLATE)
    wholes = []
    for message in sent:
        data = b""
        for at, piece in enumerate(message.pieces):
            kind = Opcode.CONT if at else Opcode.TEXT if message.is_text else Opcode.BINARY
            data += frame(b"?", message.between) if at else b""
            one = Frame(kind, piece, at == len(message.pieces) - 1)
            data += one.serialize(mask=False, extensions=[packer] if message.packed else [])
        wholes.append(data)
    return wholes


@given(sent=messages, data=st.data())
def test_any_split_gives_the_same_messages_each_at_the_time_of_its_last_byte(
    sent: list[Sent], data: st.DataObject
) -> None:
    wholes = encoded(sent)
    ends = list(accumulate(map(len, wholes)))
    stream = b"".join(wholes)
    cuts = sorted(data.draw(st.sets(st.integers(1, max(1, len(stream) - 1)), max_size=12)))
    pieces = [stream[a:b] for a, b in pairwise([0, *cuts, len(stream)]) if stream[a:b]]
    reads = list(accumulate(map(len, pieces)))
    at_ns = [next(ns for ns, upto in enumerate(reads, 1) if upto >= end) for end in ends]

    heard = wire(1 << 20, deflate=True).hear(*pieces)

    expected = [(ns, b"".join(s.pieces), s.is_text) for ns, s in zip(at_ns, sent, strict=True)]
    assert heard.messages == expected
    assert heard.lost == []
    assert heard.size == len(stream)


def test_the_pings_of_one_read_have_one_answer_the_last_ones() -> None:
    one = wire()
    one.hear(frame(b"first", Opcode.PING) + frame(b"") + frame(b"last", Opcode.PING), frame(b"next", Opcode.PING))
    assert [(f.opcode, f.data) for f in one.said()] == [(Opcode.PONG, b"last"), (Opcode.PONG, b"next")]


@pytest.mark.parametrize("deflate", [False, True])
@pytest.mark.parametrize("binary", [False, True])
def test_what_is_sent_is_masked_and_says_its_kind(deflate: bool, binary: bool) -> None:
    one = wire(deflate=deflate)
    assert one.connection.send(b'{"a": "\xc3\xa9"}', binary=binary) == len(one.stream.written)
    assert one.stream.written[1] & 0x80
    kind = Opcode.BINARY if binary else Opcode.TEXT
    assert [(f.opcode, bytes(f.data)) for f in one.said()] == [(kind, b'{"a": "\xc3\xa9"}')]


def packed(data: bytes, pieces: int = 1) -> bytes:
    packer = PerMessageDeflate(*DEFLATE)
    size = -(-len(data) // pieces)
    parts = [data[at : at + size] for at in range(0, len(data), size)]
    kinds = [Opcode.TEXT] + [Opcode.CONT] * (len(parts) - 1)
    whole = [Frame(kind, part, part is parts[-1]) for kind, part in zip(kinds, parts, strict=True)]
    return b"".join(f.serialize(mask=False, extensions=[packer]) for f in whole)


def in_pieces(data: bytes) -> bytes:
    """The beginning, two frames in the middle, the end."""
    a, b, c = 1, len(data) // 2, len(data) - 1
    beginning, end = frame(data[:a], fin=False), frame(data[c:], Opcode.CONT)
    return beginning + frame(data[a:b], Opcode.CONT, fin=False) + frame(data[b:c], Opcode.CONT, fin=False) + end


FORMS: dict[str, Callable[[bytes], bytes]] = {
    "whole": frame,
    "in pieces": in_pieces,
    "packed": packed,
    "packed in pieces": lambda data: packed(data, 4),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_message_may_have_as_many_bytes_as_the_limit_and_not_one_more(form: str) -> None:
    heard = wire(deflate=True).hear(FORMS[form](b"x" * LIMIT))
    assert ([len(data) for _, data, _ in heard.messages], heard.lost) == ([LIMIT], [])
    heard = wire(deflate=True).hear(FORMS[form](b"x" * (LIMIT + 1)) + frame(b"more"))
    assert (heard.messages, heard.lost) == ([], ["message_too_large"])


def test_a_length_that_is_too_large_is_refused_before_its_bytes_come() -> None:
    one = wire()
    assert one.hear(b"\x82\x7e" + (LIMIT + 1).to_bytes(2, "big")).lost == ["message_too_large"]
    assert not one.connection.open


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (close(1000, b"bye"), "ws_closed_1000"),
        (frame(b"", Opcode.CLOSE), "ws_closed_1005"),
        (close(4999), "ws_closed_4999"),
        (close(1006), "ws_protocol"),
        (close(1000, b"\xff"), "utf8_invalid"),
        (b"\x81\x80\0\0\0\0", "ws_protocol"),
        (b"\x80\0", "ws_protocol"),
        (b"\xc1\0", "ws_protocol"),
        (b"\x83\0", "ws_protocol"),
        (b"\x09\0", "ws_protocol"),
        (b"\x01\0\x81\0", "ws_protocol"),
        (b"\x01\0\x01\0", "ws_protocol"),
        (b"\x01\0" + close(1001), "ws_closed_1001"),
    ],
)
def test_after_an_end_nothing_more_is_heard(data: bytes, code: str) -> None:
    for pieces in ([frame(b"before") + data + frame(b"after")], [frame(b"before"), *(bytes([b]) for b in data)]):
        one = wire()
        heard = one.hear(*pieces, frame(b"later"))
        assert ([d for _, d, _ in heard.messages], heard.lost) == ([b"before"], [code])
        assert not one.stream.open
        with pytest.raises(TurnError):
            one.connection.send(b"too late")


def test_a_close_is_answered_and_our_own_says_goodbye_once() -> None:
    one = wire()
    one.hear(close(1001, b"restart"))
    assert [(f.opcode, bytes(f.data)[:2]) for f in one.said()] == [(Opcode.CLOSE, (1001).to_bytes(2, "big"))]
    two = wire()
    two.connection.close()
    two.connection.close()
    assert [(f.opcode, bytes(f.data)) for f in two.said()] == [(Opcode.CLOSE, (1000).to_bytes(2, "big"))]
    assert two.heard.lost == []


def test_the_first_part_of_a_message_is_reported_and_a_ping_is_not() -> None:
    ping = frame(b"still here", Opcode.PING)
    heard = wire().hear(ping, ping[:5], ping[5:] + frame(b"message")[:3], frame(b"message")[3:])
    assert (heard.begun, [ns for ns, _, _ in heard.messages]) == ([3], [4])


# --- the turn ---------------------------------------------------------------------------------------------------


def test_a_turn_takes_what_came_after_its_request_and_no_sign_of_life_for_its_first_byte() -> None:
    async def run() -> Timeline:
        turn = Turn(Limits(), Timeouts())
        timeline = Timeline(ResponseMapping(ResponseSpec.model_validate({"delta": "d", "done": {"path": "end"}})), 0)
        running = asyncio.ensure_future(turn.exchange(timeline, lambda: 17))
        turn.bytes_read(1, 9)
        assert not turn.message(1, b'{"d": "early"}')
        while timeline.sent_ns is None:
            await asyncio.sleep(0)
        turn.bytes_read(2, 3)
        turn.bytes_read(3, 4)
        turn.answer_begun(3)
        assert turn.message(5, b'{"d": "text"}')
        assert turn.message(6, b'{"end": 1}')
        assert not turn.message(6, b'{"d": "late"}')
        await running
        turn.close()
        return timeline

    line = asyncio.run(run())
    assert (line.text, line.bytes_in, line.bytes_out) == ("text", 7, 17)
    assert (line.first_byte_ns, line.first_content_ns, line.done_ns) == (3, 5, 6)
