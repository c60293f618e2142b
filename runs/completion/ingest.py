"""Stores a shard's ledger exactly once: rows, windows and byte offset in one transaction.

The offset moves by a conditional UPDATE that names the epoch and the old offset. Whoever lost the shard, or lost a
race, changes no row there, and then nothing of that batch is written.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import orjson
from django.db import transaction

from metrics.analysis.coverage import LEDGER_TAKEN
from metrics.end_codes import tail_code
from metrics.ingest.batch import Batch, parse
from metrics.storage import store
from runs.engine.recording.ledger import recover
from runs.lifecycle.transitions import SHARD_TERMINAL
from runs.load.groups import frozen_groups
from runs.load.profile import parse_load
from runs.models import Shard
from runs.workers.leases import renew_lease

CHUNK_BYTES = 4 << 20
RENEW_EVERY_S = 2.0


class LeaseLostError(Exception):
    """The shard has another holder, or another process moved its offset: nothing was written."""


class Tail(NamedTuple):
    """The last line of a finished ledger."""

    end_code: str
    """A code of `metrics.end_codes`; empty: unknown."""
    reason: str
    turns: int
    sessions: int


class LedgerIngest:
    """Stores one shard's ledger in batches and advances `shard.ledger_offset`."""

    def __init__(self, shard: Shard, path: Path | None = None) -> None:
        self.shard = shard
        self.path = path or Path(shard.ledger_path)
        self._previous: Mapping[int, str] | None = None
        self._unsure = False
        run = shard.run
        self._counted = parse_load(run.load).counted_ns
        self._groups = max(1, len(frozen_groups(run.scenario_specs, run.load, run.target_spec)))

    def step(self) -> Batch | None:
        """Store the next whole lines; None if there are none yet. Raises LeaseLostError."""
        if self._unsure:
            self._ask_offset()
        shard, offset = self.shard, self.shard.ledger_offset
        data = _read_lines(self.path, offset)
        if not data:
            return None
        if self._previous is None:
            self._previous = store.last_answers(shard.pk) if offset else {}
        batch = parse(data, shard.run_id, shard.pk, offset, self._previous, self._counted, self._groups)
        self._unsure = True
        with transaction.atomic():
            mine = Shard.objects.filter(pk=shard.pk, epoch=shard.epoch, ledger_offset=offset)
            if mine.update(ledger_offset=batch.end_offset) != 1:
                raise LeaseLostError(f"shard {shard.pk}, epoch {shard.epoch}, offset {offset}")
            store.write(batch)
        shard.ledger_offset, self._previous, self._unsure = batch.end_offset, batch.last_answers, False
        return batch

    def _ask_offset(self) -> None:
        """The connection broke during a commit: only the database knows whether that batch is stored."""
        mine = Shard.objects.filter(pk=self.shard.pk, epoch=self.shard.epoch)
        offset = mine.values_list("ledger_offset", flat=True).first()
        if offset is None:
            raise LeaseLostError(f"shard {self.shard.pk}, epoch {self.shard.epoch}")
        self.shard.ledger_offset, self._previous, self._unsure = offset, None, False

    def rest(self, on_batch: Callable[[Batch], None] = lambda _: None) -> Tail | None:
        """Complete the ledger of an engine that is gone and store all that is left; None if it never wrote one.

        Raises `runs.engine.recording.ledger.LedgerHeldError` while the engine lives, LeaseLostError, OSError.
        """
        if not self.path.exists():
            return None
        if self.path.stat().st_size < self.shard.ledger_offset:
            raise OSError(errno.ESPIPE, "it is shorter than what is stored of it", str(self.path))
        if read_tail(self.path) is None:
            recover(self.path)
        renewed = time.monotonic()
        while (batch := self.step()) is not None:
            on_batch(batch)
            if self.shard.status not in SHARD_TERMINAL and time.monotonic() - renewed > RENEW_EVERY_S:
                if not renew_lease(self.shard):
                    raise LeaseLostError(f"shard {self.shard.pk}, epoch {self.shard.epoch}")
                renewed = time.monotonic()
        return read_tail(self.path)


def ledger_gone(shard: Shard) -> str:
    """The reason of a shard whose ledger was removed while it was written."""
    return f"{LEDGER_TAKEN}: {shard.ledger_path} no longer exists: turns that were not stored yet are lost"


def unstored(run_id: int, exc: Exception) -> str:
    """Why a shard ended before its ledger was stored, and what to do."""
    why = exc.strerror if isinstance(exc, OSError) else f"{type(exc).__name__}: {exc}"
    return f"its ledger could not be stored ({why}): fix that, then run `manage.py ingest {run_id}`"


def read_tail(path: Path) -> Tail | None:
    """The ledger's tail line; None if it does not end with one, or does not exist."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - 4096))
            end = file.read()
    except FileNotFoundError:
        return None
    last = end.rstrip(b"\n").rpartition(b"\n")[2]
    if not end.endswith(b"\n") or not last.startswith(b'{"k":"tail"'):
        return None
    line = orjson.loads(last)
    return Tail(tail_code(line), line["reason"], line["turns"], line["sessions"])


def _read_lines(path: Path, offset: int) -> bytes:
    """Whole lines from `offset` on, about CHUNK_BYTES of them, more only if one line is longer."""
    size = CHUNK_BYTES
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return b""
    with file:
        while True:
            file.seek(offset)
            data = file.read(size)
            end = data.rfind(b"\n") + 1
            if end or len(data) < size:
                return data[:end]
            size *= 2
