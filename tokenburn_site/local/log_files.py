"""Bounds the logs of the services of `manage.py up`, which strangers can fill by their requests.

By copying and truncating: services write to the file themselves, so that none of them depends on `up` to read a pipe.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

KEEP_LOGS = 3
"""Number of older files of a service: NAME.log.1 is the newest."""
PIECE = 1_000_000


def bound(path: Path, limit: int) -> None:
    """If the log is longer than `limit`, move its last `limit` bytes to an older file. Whoever writes has to append.
    A disk without room for them loses them: the log stays bounded all the same."""
    try:
        if path.stat().st_size <= limit:
            return
    except OSError:
        return
    with suppress(OSError):
        for number in range(KEEP_LOGS, 1, -1):
            with suppress(FileNotFoundError):
                _older(path, number - 1).replace(_older(path, number))
        _copy_end(path, _older(path, 1), limit)
    with suppress(OSError):
        os.truncate(path, 0)


def _older(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}")


def _copy_end(path: Path, to: Path, limit: int) -> None:
    with path.open("rb") as source, to.open("wb") as target:
        source.seek(max(0, os.fstat(source.fileno()).st_size - limit))
        left = limit
        while left and (piece := source.read(min(PIECE, left))):
            target.write(piece)
            left -= len(piece)
