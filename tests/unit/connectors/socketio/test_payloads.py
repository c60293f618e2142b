"""Bodies of long polling."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import TurnError
from connectors.socketio.payloads import Piece, joined, pieces, version_of

LIMIT = 1000
PACKETS = st.lists(
    st.text(st.characters(codec="utf-8", exclude_characters="\x1e"), min_size=1).filter(lambda text: text[0] != "b"),
    min_size=1,
    max_size=5,
)


@given(PACKETS, st.sampled_from([3, 4]))
def test_packets_come_back_as_they_were_said(packets: list[str], eio: int) -> None:
    said = [packet.encode() for packet in packets]
    assert pieces(joined(said, eio), eio, LIMIT) == [Piece(packet) for packet in said]


@given(st.binary(max_size=200), st.sampled_from([3, 4]))
def test_a_body_is_read_or_refused(body: bytes, eio: int) -> None:
    try:
        found = pieces(body, eio, LIMIT)
    except TurnError:
        return
    assert sum(len(piece.data) for piece in found) <= 3 * len(body) + 1


@pytest.mark.parametrize(
    ("body", "eio", "found"),
    [
        (b'0{"sid":"x"}', 4, [Piece(b'0{"sid":"x"}')]),
        (
            '12:0{"sid":"x"}2:406:4\U0001f600\U0001f600x'.encode(),
            3,
            [b'0{"sid":"x"}', b"40", "4\U0001f600\U0001f600x".encode()],
        ),
        (b"451-[]\x1ebAAE=", 4, [Piece(b"451-[]"), Piece(b"\x00\x01", binary=True)]),
        (b"6:451-[]6:b4AAE=", 3, [Piece(b"451-[]"), Piece(b"\x04\x00\x01", binary=True)]),
    ],
)
def test_what_servers_say_is_read(body: bytes, eio: int, found: list[Piece | bytes]) -> None:
    assert version_of(body) == (3 if body.startswith(b"12:") else 4)
    assert pieces(body, eio, LIMIT) == [piece if isinstance(piece, Piece) else Piece(piece) for piece in found]


@pytest.mark.parametrize("eio", [3, 4])
def test_an_empty_body_is_a_packet_that_says_nothing(eio: int) -> None:
    assert pieces(b"", eio, LIMIT) == [Piece(b"")]
