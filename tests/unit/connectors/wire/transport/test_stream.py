"""A stamped stream over a pair of sockets, in the loop of the engine."""

from __future__ import annotations

import asyncio
import socket

import uvloop

from connectors.wire.transport.clock import arrival_clock
from connectors.wire.transport.stream import StampedStream


class Heard:
    def __init__(self, size: int) -> None:
        self.data = b""
        self.size = size
        self.whole = asyncio.get_running_loop().create_future()

    def data_received(self, _ns: int, data: bytes) -> None:
        self.data += data
        if len(self.data) >= self.size and not self.whole.done():
            self.whole.set_result(None)

    def stream_closed(self, _ns: int, error: OSError | None) -> None:
        raise AssertionError(error)


def test_what_was_said_before_the_start_comes_before_what_can_be_read_by_then() -> None:
    async def main() -> bytes:
        near, far = socket.socketpair()
        near.setblocking(False)
        with far:
            stream, heard = StampedStream(asyncio.get_running_loop(), arrival_clock(), near), Heard(6)
            stream.early = b"one"
            far.sendall(b"two")
            await asyncio.sleep(0)
            stream.start(heard)
            await asyncio.wait_for(heard.whole, 10)
            stream.close()
        return heard.data

    assert uvloop.run(main()) == b"onetwo"
