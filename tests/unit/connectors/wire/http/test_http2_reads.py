"""What an HTTP/2 connection of the load lane reads: one piece in a turn of the loop, and frames however split."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from h2.connection import H2Connection

from connectors.errors import TurnError
from connectors.http.http2_format import DATA, END_STREAM, HEAD, PADDED
from connectors.spec import Limits
from connectors.wire.http.http2.connection import Http2Connection
from connectors.wire.http.http2.frames import WINDOW, FrameReader
from connectors.wire.http.http2.pieces import MOST_WAITING, PIECE_BYTES, Pieces
from connectors.wire.transport.stream import READ_BYTES

SETTINGS = HEAD.pack(0, 0, 4, 0, 0)


def frame(data: bytes, flags: int = 0, stream: int = 1, kind: int = DATA) -> bytes:
    return HEAD.pack(len(data) >> 8, len(data) & 255, kind, flags, stream) + data


def test_each_piece_has_a_turn_of_the_loop_which_reads_in_between() -> None:
    async def main() -> list[list[str]]:
        done: list[str] = []
        pieces = Pieces(asyncio.get_running_loop())
        seen = []
        for what in ("a", "b", "c"):
            pieces.put(lambda _ns, what: done.append(what), 1, what)
        for turn in range(5):
            seen.append(done.copy())
            if turn == 2:
                pieces.put(lambda _ns, what: done.append(what), 1, "d")  # what was read meanwhile
            await asyncio.sleep(0)
        pieces.put(lambda _ns, what: done.append(what), 1, "e")
        await asyncio.sleep(0)
        return [*seen, done]

    a, b, c, d, e = "abcde"
    assert asyncio.run(main()) == [[], [a], [a, b], [a, b, c], [a, b, c, d], [a, b, c, d, e]]


def test_few_pieces_wait_and_one_that_fails_holds_up_no_other() -> None:
    async def main() -> None:
        done: list[Any] = []
        pieces = Pieces(asyncio.get_running_loop())

        def take(ns: int, what: Any) -> None:
            done.append(what)
            if what == 3:
                raise RuntimeError("the fourth")

        failures: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context["exception"]))
        for number in range(2 * MOST_WAITING):
            pieces.put(take, 1, number)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert len(done) >= MOST_WAITING
        while len(done) < 2 * MOST_WAITING:
            await asyncio.sleep(0)
        assert done == list(range(2 * MOST_WAITING))
        assert [str(failure) for failure in failures] == ["the fourth"]

    asyncio.run(main())


class Reading:
    """A FrameReader with one open stream, and what it does."""

    def __init__(self) -> None:
        self.pieces: list[tuple[bytes, int]] = []
        self.failures: list[TurnError] = []
        self.replies = self.ends = 0
        self.alive = True
        h2 = H2Connection()
        h2.initiate_connection()
        self.stream: Any = SimpleNamespace(id=1, is_plain=True, piece=self._piece, length=None, last_at=0)
        streams: dict[int, Any] = {1: self.stream}
        self.frames = FrameReader(h2, streams, self, Limits())
        h2.send_headers(1, [(":method", "GET"), (":path", "/"), (":scheme", "http"), (":authority", "a")])
        self.frames.receive(1, SETTINGS)
        self.replies = 0

    def _piece(self, _ns: int, data: bytes, size: int) -> None:
        self.pieces.append((bytes(data), size))

    def event(self, ns: int, event: Any) -> bool:
        return False

    def ended(self, ns: int, stream: Any) -> None:
        self.ends += 1

    def going_away(self, last_stream: int, code: int, said: bytes) -> None: ...

    def reply(self) -> None:
        self.replies += 1

    def fail(self, failure: TurnError) -> None:
        self.failures.append(failure)
        self.alive = False


EVENTS = [b"data: %d\n\n" % number * (number % 3 + 1) for number in range(20)]
SENT = b"".join(map(frame, EVENTS)) + frame(b"\x03padded\0\0\0", PADDED) + frame(b"\0" + bytes(0), PADDED) + frame(b"")


@pytest.mark.parametrize("size", [1, 2, 9, 10, 50, PIECE_BYTES, len(SENT)])
def test_frames_give_the_same_pieces_however_they_are_read(size: int) -> None:
    reading = Reading()
    for at in range(0, len(SENT), size):
        reading.frames.receive(2, SENT[at : at + size])
    assert [data for data, _ in reading.pieces] == [*EVENTS, b"padded", b"", b""]
    assert sum(count for _, count in reading.pieces) == len(SENT)
    assert reading.frames.consumed == len(SENT) - 9 * len(reading.pieces)
    assert not reading.failures
    assert reading.frames.read_ns == 2


def test_a_read_that_is_one_event_is_not_looked_at_further() -> None:
    reading = Reading()
    reading.frames.receive(2, frame(EVENTS[0]))  # makes up for the settings
    reading.replies = 0
    for event in EVENTS[1:]:
        reading.frames.receive(2, frame(event))
    assert [data for data, _ in reading.pieces] == EVENTS
    assert reading.replies == 0
    reading.frames.consumed = WINDOW // 2
    reading.frames.receive(2, frame(b"data: wide\n\n"))  # the target's window is to be opened again
    assert reading.replies == 1


def test_what_a_frame_lacks_is_known() -> None:
    reading = Reading()
    whole = frame(b"x" * 5000)
    reading.frames.receive(2, whole[:8])
    assert reading.frames.lacking == 0
    reading.frames.receive(2, whole[8:500])
    assert reading.frames.lacking == len(whole) - 500
    reading.frames.receive(2, whole[500:])
    assert reading.frames.lacking == 0
    assert reading.pieces == [(b"x" * 5000, 5009)]


@pytest.mark.parametrize("flags", [0, END_STREAM, PADDED])
def test_frames_within_a_block_of_headers_and_of_closed_streams_go_to_the_library(flags: int) -> None:
    reading = Reading()
    reading.frames.receive(2, frame(b"\x88", 0, 1, kind=1))  # HEADERS whose block goes on
    reading.frames.receive(2, frame(b"\0ata", flags))
    assert reading.pieces == []
    assert [failure.code for failure in reading.failures] == ["http_malformed"]


@pytest.mark.parametrize(
    ("places", "is_tls", "asked"),
    [(1, False, [("most", READ_BYTES)]), (2, False, ["alone", ("most", 512)]), (2, True, ["alone", ("most", 4096)])],
)
def test_connections_that_are_shared_are_read_in_pieces_and_alone(places: int, is_tls: bool, asked: list[Any]) -> None:
    async def main() -> list[Any]:
        calls: list[Any] = []
        stream: Any = SimpleNamespace(
            is_tls=is_tls,
            open=True,
            is_behind=False,
            read_alone=lambda: calls.append("alone"),
            read_at_most=lambda size: calls.append(("most", size)),
            start=lambda _: None,
            write=lambda _: None,
            close=lambda: None,
        )
        connection = Http2Connection(Limits(), places)
        starting = asyncio.ensure_future(connection.start(stream))
        await asyncio.sleep(0)
        assert calls == asked
        connection.data_received(1, SETTINGS + frame(b"x" * 9000)[:500])
        await starting
        own = calls[-1][1]
        connection.close()
        return [own]

    lacking = 9009 - 500
    assert asyncio.run(main()) == [max(lacking, asked[-1][1])]
