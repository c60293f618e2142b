"""Files of the site that only its own account can read: database, ledgers, logs, keys, locks and the broker's data."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from functools import cache
from pathlib import Path

OTHERS = 0o077
OURS = ("ledgers", "logs", "logs/*", "valkey", "valkey/*", "*.key", "*.sqlite3*", "up.lock", "up.url")
"""What earlier versions made in TOKENBURN_VAR_DIR. Other entries may belong to somebody else and stay as they are."""


@cache
def keep_private() -> int:
    """From now on this process and its children make files and folders for this account alone. Returns the umask that
    it was started with, for files that a user asked for."""
    return os.umask(OTHERS)


def write_as_user(path: Path, data: bytes) -> None:
    """A result of a command: a new file gets the modes that the user's umask gives it. Raises OSError."""
    is_new = not path.exists()
    path.write_bytes(data)
    if is_new:
        path.chmod(0o666 & ~keep_private())


def narrow(var_dir: Path, database: Path | None) -> list[str]:
    """Take what exists from other accounts. Returns one line for each file that could not be narrowed."""
    return [line for path in _existing(var_dir, database) if (line := _narrow(path))]


def _existing(var_dir: Path, database: Path | None) -> Iterator[Path]:
    for pattern in OURS:
        yield from var_dir.glob(pattern)
    if database is not None and database.parent != var_dir:
        yield from database.parent.glob(f"{database.name}*")


def _narrow(path: Path) -> str:
    try:
        found = path.lstat()
        mode = stat.S_IMODE(found.st_mode)
        if not mode & OTHERS or not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
            return ""
        path.chmod(mode & ~OTHERS)
    except FileNotFoundError:
        return ""
    except OSError as exc:
        return f"{path} can be read by other accounts ({exc.strerror}): as its owner run `chmod go-rwx {path}`"
    return ""
