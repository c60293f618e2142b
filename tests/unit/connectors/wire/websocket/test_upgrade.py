"""The load lane's upgrade to WebSocket: heads in pieces, too long ones, and refusals."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import BadRequest, TurnError
from connectors.mapping.request import RenderedRequest
from connectors.websocket.upgrade import UpgradeAnswer, upgrade_headers
from tests.unit.connectors.wire.websocket.hand_fed import LIMIT

# --- the upgrade ------------------------------------------------------------------------------------------------

HEAD = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"


@given(cuts=st.sets(st.integers(1, len(HEAD) + 4), max_size=5))
def test_the_head_of_an_upgrade_ends_where_it_ends_however_it_is_split(cuts: set[int]) -> None:
    stream = HEAD + b"frame"
    answer = UpgradeAnswer(len(HEAD))
    done = [answer.feed(stream[a:b]) for a, b in pairwise([0, *sorted(cuts), len(stream)])]
    assert (answer.status, answer.head, answer.rest) == (101, HEAD, b"frame")
    assert done == sorted(done)


def test_a_head_that_is_too_long_is_refused_whole_or_not() -> None:
    for data in (HEAD, HEAD[:-1]):
        with pytest.raises(TurnError, match="header_too_large"):
            UpgradeAnswer(len(HEAD) - 1).feed(data)


@pytest.mark.parametrize(
    "data", [b"HTTP/2 101\r\n\r\n", b"\x15\x03\x01\x00\x02\x02", b"HTTP/1.1 099 x\r\n\r\n", b"HTTP/1.1 ok\r\n\r\n"]
)
def test_what_is_no_http_is_no_answer(data: bytes) -> None:
    with pytest.raises(TurnError, match="upgrade_malformed"):
        UpgradeAnswer(LIMIT).feed(data)


def test_a_refusal_waits_for_as_much_of_its_reason_as_is_kept() -> None:
    answer = UpgradeAnswer(LIMIT)
    assert not answer.feed(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 6\r\n\r\n")
    assert not answer.feed(b"no ")
    assert answer.feed(b"way")
    assert (answer.status, answer.rest) == (403, b"no way")
    endless = UpgradeAnswer(LIMIT)
    assert endless.feed(b"HTTP/1.1 500 Oops\r\nContent-Length: 99999999999999999999999\r\n\r\n" + b"x" * 10_000)
    assert len(endless.rest) == 4096


def test_a_mapping_may_not_name_the_headers_of_the_upgrade_itself() -> None:
    own = (("Authorization", "Bearer x"), ("host", "other.example"))
    assert upgrade_headers(RenderedRequest("GET", "/ws", own, b""), "host:1") == [("User-Agent", "token-burn"), *own]
    for name in ("Sec-WebSocket-Key", "Connection", "upgrade", "sec-websocket-protocol"):
        with pytest.raises(BadRequest, match=name.lower()):
            upgrade_headers(RenderedRequest("GET", "/ws", ((name, "x"),), b""), "host:1")
