"""What the library of the reference lane gets to see of HTTP/2: whole frames, no flood, and no farewell that leaves the
answer its time."""

from __future__ import annotations

import struct
from typing import Final

from h2.settings import SettingCodes

from connectors.errors import TurnError
from connectors.http.http2_flood import FloodLimit, begins, overlong, padded
from connectors.http.http2_format import (
    ACK,
    DATA,
    END_STREAM,
    FRAME_BYTES,
    FRAME_HEAD_BYTES,
    GOAWAY,
    GOAWAY_HEAD,
    HEAD,
    PADDED,
    RST_STREAM,
    SETTINGS,
    STREAM_BITS,
)

_SETTING: Final = struct.Struct(">HI")


class FrameFilter:
    """`stream`: the one that is being answered. `is_leaving`: the target has said that it takes no more requests, and
    may still answer this one. The library takes that for the end, so it does not get it. `allowed`: streams at a time,
    None before the target's settings."""

    def __init__(self, header_limit: int) -> None:
        self.stream = 0
        self.is_leaving = False
        self.allowed: int | None = None
        self._flood = FloodLimit(header_limit)
        self._rest = b""
        self._begun = False
        self._failure: TurnError | None = None

    def allows_none(self) -> bool:
        """No stream at all."""
        return self.allowed == 0

    def feed(self, ns: int, data: bytes) -> bytes:
        """The frames that are whole with `data`. Raises TurnError: for a frame behind others in the next call, or by
        `check`, so that the library sees first what came first."""
        self.check()
        data = self._rest + data
        if not self._begun and not begins(data):
            self._rest = data
            return b""
        self._begun = True
        given = bytearray()
        try:
            self._pass_on(ns, data, given)
        except TurnError as exc:
            if not given:
                raise
            self._failure = exc
        return bytes(given)

    def check(self) -> None:
        """Raises TurnError if what came last breaks the rules."""
        if self._failure is not None:
            raise self._failure

    def _pass_on(self, ns: int, data: bytes, given: bytearray) -> None:
        at = answered = 0
        while len(data) - at >= FRAME_HEAD_BYTES:
            high, low, kind, flags, number = HEAD.unpack_from(data, at)
            size = high << 8 | low
            if size > FRAME_BYTES:
                raise overlong(size)
            body = at + FRAME_HEAD_BYTES
            after = body + size
            if after > len(data):
                break
            if kind == DATA and number == self.stream:
                first, last = padded(data, body, after) if flags & PADDED else (body, after)
                if first < last or flags & END_STREAM:
                    answered += last - first + FRAME_HEAD_BYTES
            elif kind == RST_STREAM and number == self.stream:
                answered += after - at  # it ends the turn
            elif kind == SETTINGS and not flags & ACK:
                self._learn(data[body:after])
            self._flood.follow_block(kind, flags, after - at)
            if not self._is_farewell(kind, data[body:after]):
                given += data[at:after]
            at = after
        self._rest = data[at:]
        self._flood.count(ns, at - answered, answered)

    def _learn(self, settings: bytes) -> None:
        if self.allowed is None:
            self.allowed = STREAM_BITS
        for at in range(0, len(settings) - _SETTING.size + 1, _SETTING.size):
            name, value = _SETTING.unpack_from(settings, at)
            if name == SettingCodes.MAX_CONCURRENT_STREAMS:
                self.allowed = value

    def _is_farewell(self, kind: int, payload: bytes) -> bool:
        if kind != GOAWAY or self._flood.in_block or len(payload) < GOAWAY_HEAD.size:
            return False
        last, code = GOAWAY_HEAD.unpack_from(payload)
        if code or last & STREAM_BITS < self.stream:
            return False
        self.is_leaving = True
        return True
