"""One `up` per directory."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tokenburn_site.local.errors import LocalServiceError


@contextmanager
def only_one(path: Path) -> Iterator[bool]:
    """Hold the lock; true if the last holder was killed, so that its services may need a moment to end.

    The kernel frees the lock with its holder, however that ends. Raises LocalServiceError if another process holds it.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            pid = os.read(fd, 20).decode() or "unknown"
            message = f"already running here (process {pid}): stop it, or set TOKENBURN_VAR_DIR to another directory"
            raise LocalServiceError("already_up", message) from exc
        was_killed = bool(os.read(fd, 20))
        os.truncate(fd, 0)
        os.pwrite(fd, str(os.getpid()).encode(), 0)
        yield was_killed
        os.truncate(fd, 0)
    finally:
        os.close(fd)
