"""Reads files that somebody named: only ordinary ones of limited size, judged by the descriptor that is then read."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

_UNREAL: Final = ("/proc", "/sys", "/dev")
"""Their files look ordinary and are made when they are read."""


class FileError(OSError):
    """A file cannot be used; the message says why."""


def open_ordinary(path: str | Path, most_bytes: int) -> int:
    """A descriptor of an ordinary file. Never waits, as opening a pipe would. Raises FileError."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except (OSError, ValueError) as exc:  # ValueError: a null in the path
        raise FileError(getattr(exc, "strerror", None) or "is not a path") from exc
    found = os.fstat(fd)
    if stat.S_ISREG(found.st_mode) and found.st_size <= most_bytes and found.st_dev not in _unreal_devices():
        return fd
    os.close(fd)
    raise FileError(f"is not an ordinary file of at most {most_bytes:,} bytes")


def read_ordinary(path: str | Path, most_bytes: int) -> bytes:
    """Its content. Raises FileError."""
    fd = open_ordinary(path, most_bytes)
    with os.fdopen(fd, "rb") as file:
        try:
            data = file.read(most_bytes + 1)
        except OSError as exc:
            raise FileError(exc.strerror or "cannot be read") from exc
    if len(data) > most_bytes:
        raise FileError(f"has more than {most_bytes:,} bytes")
    return data


def _unreal_devices() -> set[int]:
    devices = set()
    for path in _UNREAL:
        with suppress(OSError):
            devices.add(Path(path).stat().st_dev)
    return devices - {Path("/").stat().st_dev}  # where it is no file system of its own
