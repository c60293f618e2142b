"""Allows one `up` per directory."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from django.conf import settings

from tokenburn_site.local.errors import LocalServiceError

UP_LOCK: Final = "up.lock"
"""In TOKENBURN_VAR_DIR."""
DEFAULT_SITE: Final = "http://127.0.0.1:8000"
"""The address of `manage.py up` without options."""


def note_site(path: Path, url: str) -> None:
    """Publish the site's address for `running_site` of other commands."""
    _site_file(path).write_text(url, encoding="utf-8")


def running_site(path: Path) -> str:
    """The address of the site whose `up` holds this lock; empty: there is none, or it is not up yet."""
    try:
        os.kill(int(path.read_text(encoding="ascii")), 0)  # not by trying the lock, which would interfere with an `up`
        return _site_file(path).read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""


def present_site() -> str:
    """The root of links to pages: the setting, or where `up` runs now; empty: it is not known."""
    return (settings.SITE_URL or running_site(Path(settings.VAR_DIR) / UP_LOCK)).rstrip("/")


def _site_file(path: Path) -> Path:
    return path.with_suffix(".url")


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
        _site_file(path).unlink(missing_ok=True)  # of a killed one
        os.pwrite(fd, str(os.getpid()).encode(), 0)
        yield was_killed
        _site_file(path).unlink(missing_ok=True)
        os.truncate(fd, 0)
    finally:
        os.close(fd)
