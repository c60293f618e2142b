"""A socket as a file object for a stock client: each read ends at the next deadline and is timestamped."""

from __future__ import annotations

import io
import socket
from typing import Any, Final

from connectors.http.lenient import mended_line
from connectors.network.failures import stream_failure
from connectors.reference.transport.deadlines import DeadlineTracker

FIRST_BYTES: Final = 64


class WatchedReader(io.RawIOBase):
    """A socket as the raw file below the client's buffered one. Holds the socket open as `makefile` does."""

    def __init__(self, sock: socket.socket, watch: DeadlineTracker) -> None:
        self._sock = sock
        self._held = sock.makefile("rb", 0)
        self._watch = watch
        self.silent = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self.silent:
            return None
        watch = self._watch
        watch.check_section()
        try:
            self._sock.settimeout(watch.left_s())
            size = self._sock.recv_into(buffer)
        except TimeoutError as exc:
            raise watch.timed_out() from exc
        except OSError as exc:
            watch.judge_reused("reset")
            raise stream_failure(exc, watch.bytes_in, watch.unanswered_advice()) from exc
        watch.look_at(bytes(buffer[: min(size, FIRST_BYTES)]))
        watch.received(size)
        return size

    def close(self) -> None:
        self._held.close()
        super().close()


class WatchedFile(io.BufferedReader):
    """What the client reads from. Bytes left in it when an answer is whole belong to no answer."""

    def __init__(self, sock: socket.socket, watch: DeadlineTracker) -> None:
        self._reader = WatchedReader(sock, watch)
        self._watch = watch
        super().__init__(self._reader)

    def readline(self, size: int | None = -1, /) -> bytes:
        line = super().readline(size)
        return mended_line(line) if self._watch.section == "head" else line

    def close(self) -> None:
        if not self.closed:
            self._reader.silent = True
            self._watch.unread = bool(self.peek(1))
        super().close()
