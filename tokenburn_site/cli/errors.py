"""Exit codes of `burn`, and the two errors that end it without a result."""

from __future__ import annotations

from typing import ClassVar

EXIT_DONE = 0
EXIT_THRESHOLD = 1
EXIT_USAGE = 2
EXIT_FAILED = 3
EXIT_INTERRUPTED = 130


class BurnError(Exception):
    """One line for stderr: what is wrong, and what to do."""

    exit_code: ClassVar[int]

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


class BadUsage(BurnError):
    """The command line requests something impossible. Nothing was sent or recorded."""

    exit_code = EXIT_USAGE


class CannotRun(BurnError):
    """The request was valid, but the target or this machine prevents the run."""

    exit_code = EXIT_FAILED
