"""HTTP/2 in the load lane: compression of repeated headers, users woken one at a time, stream limits."""

from __future__ import annotations

import asyncio

import pytest
from hpack import Decoder

from connectors.errors import ClosedUnsent
from connectors.wire.http.http2.compression import MOST_BLOCKS, RepeatingEncoder
from connectors.wire.http.http2.limit import StreamLimit
from connectors.wire.http.http2.wakes import Wakes

Headers = list[tuple[bytes, bytes]]


def request(size: int, **more: str) -> Headers:
    own = [(name.encode(), value.encode()) for name, value in more.items()]
    return [(b":method", b"POST"), (b":path", b"/v1"), *own, (b"content-length", b"%d" % size)]


def test_every_block_means_what_was_encoded() -> None:
    encoder, decoder = RepeatingEncoder(), Decoder()
    asked = [request(1), request(2), request(1), request(3, key="a"), request(4, key="a"), request(5, key="b")]
    asked += [request(6, key="a"), request(7), [(b":method", b"GET"), (b"accept", b"*/*")], request(8, key="b")]
    asked += [request(i, key=f"{i % 7}" * 200, trace=f"{i}") for i in range(3 * MOST_BLOCKS)]
    blocks = []
    for headers in asked:
        blocks.append(encoder.encode(headers))
        assert [(bytes(n), bytes(v)) for n, v in decoder.decode(blocks[-1], raw=True)] == headers
    assert len(blocks[2]) < len(blocks[0])
    assert len(encoder._blocks) <= MOST_BLOCKS


def test_headers_that_no_table_holds_are_not_all_remembered() -> None:
    encoder = RepeatingEncoder()
    encoder.header_table_size = 0
    encoder.encode(request(1))
    for number in range(2 * MOST_BLOCKS):
        encoder.encode(request(1, trace=f"{number}"))
    assert 0 < len(encoder._blocks) <= MOST_BLOCKS


def test_a_table_that_the_target_makes_smaller_is_followed() -> None:
    encoder, decoder = RepeatingEncoder(), Decoder()
    for size in (4096, 100, 0, 4096):
        encoder.header_table_size = decoder.max_allowed_table_size = size
        for number in range(3):
            headers = request(number, key="k" * 50)
            assert [(bytes(n), bytes(v)) for n, v in decoder.decode(encoder.encode(headers), raw=True)] == headers


def test_what_a_smaller_table_has_lost_is_not_referred_to() -> None:
    encoder, decoder = RepeatingEncoder(), Decoder()
    known = [(b":method", b"GET"), (b":path", b"/"), (b"accept-encoding", b"gzip, deflate")]
    last = [request(1, key="a"), [*request(2, key="a")[:-1], (b"key", b"a")]]
    for headers in (*last, *last, *last):
        decoder.decode(encoder.encode(headers))
    encoder.header_table_size = 0
    for headers in (known, *last, known):  # the first one adds nothing to the table
        assert decoder.decode(encoder.encode(headers), raw=True) == headers


def test_users_are_woken_one_in_each_turn_of_the_loop() -> None:
    async def main() -> list[int]:
        loop = asyncio.get_running_loop()
        wakes, turns = Wakes(loop), [loop.create_future() for _ in range(4)]
        turns[2].cancel()
        done = []
        for turn in turns:
            if not turn.done():
                wakes.wake(turn)
        for _ in range(5):
            done.append(sum(turn.done() and not turn.cancelled() for turn in turns))
            await asyncio.sleep(0)
        wakes.wake(again := loop.create_future())
        assert again.done()  # nobody else is woken in this turn
        return done

    assert asyncio.run(main()) == [1, 2, 3, 3, 3]


def test_streams_are_given_in_turn_and_no_cancelled_wait_loses_one() -> None:
    async def main() -> None:
        limit = StreamLimit()
        limit.allowed = limit.active = 1
        waits = [asyncio.create_task(limit.wait()) for _ in range(4)]
        await asyncio.sleep(0)
        waits[0].cancel()
        limit.give_back()
        waits[1].cancel()  # it has the stream, and does not know yet
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert [wait.done() for wait in waits] == [True, True, True, False]
        assert limit.active == 1
        limit.drop()
        with pytest.raises(ClosedUnsent):
            await waits[3]

    asyncio.run(main())
