"""Finds local runs whose command was killed, immediately instead of when their leases expire.

The command of a local run holds a lock on a file named after the run, from before the run is in the database until it
is over. The kernel frees the lock with the process, however that ends: a run that goes on beside a file that nobody
locks has lost its command. Unlike a process id, a lock is right in containers and after a reboot. The file also holds
the host's name, so that a shared directory whose locks are not shared ends nobody's run.
"""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import UUID

from django.conf import settings

from metrics.end_codes import EndCode
from runs.db_clock import DATABASE_AWAY, DbNow
from runs.lifecycle.transitions import RUN_ACTIVE, SHARD_HELD
from runs.models import Run, Shard
from runs.workers.leases import COMMAND_KILLED, REAPER, SUSPECT_S, fail_start, host_name

logger = logging.getLogger(__name__)
_held: set[UUID] = set()
"""Runs of which this process is the command."""


@contextmanager
def commanded(uid: UUID) -> Iterator[None]:
    """Context in which this process is the command of the local run `uid`, visible to others. May be nested. If the run
    is not over at the end, the lock is kept until this process ends; then the run is an orphan."""
    if uid in _held:
        yield
        return
    fd = _lock(uid)
    _held.add(uid)
    try:
        yield
    finally:
        _held.discard(uid)
        with suppress(*DATABASE_AWAY):
            if fd is not None and not Run.objects.filter(uid=uid, status__in=RUN_ACTIVE).exists():
                _path(uid).unlink(missing_ok=True)
                os.close(fd)


def forsake_orphans() -> list[int]:
    """End the leases of orphans on this host, so that the reaper stores and ends them now. Returns their run ids."""
    found = []
    for path in sorted(_directory().glob("[0-9a-f]" * 32)):
        if _is_locked(path):
            continue
        run = Run.objects.filter(uid=path.name).only("pk", "status").first()
        if run is None:
            continue  # of another database, perhaps
        if run.status in RUN_ACTIVE:
            found.append(run.pk)
            _forsake(run)
        else:
            path.unlink(missing_ok=True)
    return found


def _forsake(run: Run) -> None:
    failed = fail_start(run.pk, f"{COMMAND_KILLED} before the start", EndCode.COMMAND_KILLED)
    held = Shard.objects.filter(run=run, status__in=SHARD_HELD, host=host_name())
    held = held.exclude(owner__startswith=f"{REAPER} ")  # another process stores it already
    if failed or held.exclude(end_code=EndCode.COMMAND_KILLED).exists():
        logger.warning("orphan_found: the command of run %s was killed", run.pk)
    expired = {"lease_until": DbNow(-1.0), "suspect_since": DbNow(-SUSPECT_S - 1.0)}
    held.update(**expired, end_code=EndCode.COMMAND_KILLED, reason=COMMAND_KILLED)


def _lock(uid: UUID) -> int | None:
    """The descriptor that holds the lock; None where files cannot be locked: then only leases detect a dead command."""
    _directory().mkdir(parents=True, exist_ok=True)
    path = _path(uid)
    new = path.with_name(f".{path.name}.{os.getpid()}")  # so that it never exists without its lock
    fd = os.open(new, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(fd, host_name().encode())
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as exc:
        logger.warning("orphans_unseen: %s cannot be locked: %s", path, exc)
        new.unlink(missing_ok=True)
        os.close(fd)
        return None
    new.rename(path)
    return fd


def _is_locked(path: Path) -> bool:
    """Whether its command is alive; also True where that cannot be known."""
    try:
        fd = os.open(path, os.O_RDWR)
    except OSError:
        return True
    try:
        if os.read(fd, 1024).decode("utf-8", "replace") != host_name():
            return True
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(fd)
    return False


def _directory() -> Path:
    return Path(settings.LEDGER_DIR) / "commands"


def _path(uid: UUID) -> Path:
    return _directory() / uid.hex
