"""Where commands write for people: messages of `burn` on its console, and lines on stderr."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from plain_text.console import PlainConsole
from plain_text.visible import visible


def say(command: str, line: str) -> None:
    """One line on stderr, whatever `line` quotes."""
    sys.stderr.write(f"{command}: {visible(line)}\n")
    sys.stderr.flush()


@contextmanager
def own_messages() -> Iterator[None]:
    """The command tells these events itself, and needs no broker: only errors of these loggers are printed."""
    loggers = [logging.getLogger(f"runs.{name}") for name in ("live_stream", "completion.orphans", "completion.reaper")]
    levels = [one.level for one in loggers]
    try:
        for one in loggers:
            one.setLevel(logging.ERROR)
        yield
    finally:
        for one, level in zip(loggers, levels, strict=True):
            one.setLevel(level)


class PatientConsole(PlainConsole):
    """stdout, or stderr if stdout carries a result. If the reader goes away (`burn | head`), only the output ends, not
    the run."""

    def on_broken_pipe(self) -> None:
        """rich would end the process; in a supervising thread it would silently end only that thread."""
        self.quiet = True
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.file.fileno())  # buffered output must have somewhere to go at exit
        os.close(nowhere)
