"""The engine's stdin and stdout: one JSON object per line. `docs/engine.md` describes them."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from typing import Any

import orjson

STDIN, STDOUT = 0, 1
Command = dict[str, Any]


class Control:
    """Reads lines from stdin as they come. `on_command` gets each; `on_eof` is called once when the pipe closes."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._buffer = bytearray()
        self._waiting: list[Command] = []
        self._on_command: Callable[[Command], None] = self._waiting.append
        self._on_eof: Callable[[], None] = self._note_eof
        self._eof = False
        self.heard_ns = time.monotonic_ns()
        """When the supervisor last sent something (monotonic)."""
        os.set_blocking(STDIN, False)
        loop.add_reader(STDIN, self.read)

    def listen(self, on_command: Callable[[Command], None], on_eof: Callable[[], None]) -> None:
        """From now on `on_command` and `on_eof` receive what arrives, starting with what arrived before this call."""
        self._on_command = on_command
        self._on_eof = on_eof
        early, self._waiting = self._waiting, []
        for command in early:
            on_command(command)
        if self._eof:
            on_eof()

    def _note_eof(self) -> None:
        self._eof = True

    def read(self) -> None:
        """Read what has arrived. Called when data arrives; call it before judging the supervisor's silence."""
        if self._eof:
            return
        try:
            data = os.read(STDIN, 1 << 20)
        except (BlockingIOError, InterruptedError):
            return
        if not data:
            self._loop.remove_reader(STDIN)
            self._eof = True
            self._on_eof()
            return
        self.heard_ns = time.monotonic_ns()
        self._buffer += data
        *lines, rest = self._buffer.split(b"\n")
        self._buffer = bytearray(rest)
        for line in lines:
            if line:
                self._on_command(orjson.loads(line))


def say(event: Command) -> None:
    """Write one line to stdout. Errors are ignored: if the supervisor is gone, stdin shows it."""
    data = orjson.dumps(event, option=orjson.OPT_APPEND_NEWLINE)
    try:
        while data:
            data = data[os.write(STDOUT, data) :]
    except BrokenPipeError:
        return
