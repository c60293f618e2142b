"""A run's witness: its process, beside the first shard's engine, and what it says in the end.

What it measured is stored with the run and compared by the verdict; its turns are in no figure of the load.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any, Final

from metrics.ingest import parse
from metrics.report import witness_of
from metrics.totals import Aggregate
from metrics.windows import Span
from runs.engine.ledger import LedgerHeldError, recover
from runs.engine.spec import Load, ShardSpec, parse_load
from runs.engine_process import EngineProcess
from runs.models import Run, Shard

logger = logging.getLogger(__name__)
COMMAND: Final = (sys.executable, "-m", "runs.engine.witness")
SHORTEST_S: Final = 10.0
FEWEST_CONVERSATIONS: Final = 100


def worth_while(load: Load) -> bool:
    """Whether a witness could say anything: not in a run so short that it has but a handful of turns, nor beside users
    who leave when an answer is late, so that theirs are the quick ones alone."""
    if load.people.patience is not None:
        return False
    if load.duration_s is not None:
        return load.duration_s >= SHORTEST_S
    return load.conversations is not None and load.conversations >= FEWEST_CONVERSATIONS


class WitnessProcess:
    """No failure of the witness is one of the run: what goes wrong here is logged, and the run has no witness."""

    def __init__(self, run_id: int, spec: ShardSpec, orphan_s: float) -> None:
        self._run_id = run_id
        self._counted = spec.load.counted_ns
        self._path = witness_path(Path(spec.ledger_path))
        self._process: EngineProcess | None = None
        self._unstored = False
        try:
            self._process = EngineProcess(
                spec.model_copy(update={"ledger_path": str(self._path)}), COMMAND, orphan_s=orphan_s
            )
        except OSError:
            logger.exception("witness_failed: run %s", run_id)

    def go(self, start_mono_ns: int) -> None:
        if self._process is not None:
            self._process.go(start_mono_ns)

    def keep(self) -> None:
        if self._process is not None:
            self._process.keep()

    def stop(self) -> None:
        """No new turn; it ends within about a second."""
        if self._process is not None:
            self._process.stop("the run is over")

    def close(self) -> None:
        """End it and store what it measured. Safe to repeat, also after a database that was away."""
        if self._process is not None:
            process, self._process = self._process, None
            if process.close() != 0:
                logger.warning("witness_failed: run %s: %s", self._run_id, process.last_words())
            self._unstored = True
        if self._unstored:
            _store(self._path, self._run_id, self._counted)
            self._unstored = False


def witness_path(ledger: Path) -> Path:
    """Where the witness beside the engine that writes `ledger` has its own."""
    return ledger.with_name(f"witness-{ledger.name}")


def store_witness(shard: Shard, ledger: Path | None = None) -> bool:
    """For whoever stores the shard of a supervisor that died: what its witness sent is said too. `ledger`: where the
    shard's is now. True if there was one to store. Never raises but DATABASE_AWAY."""
    run, path = shard.run, ledger or Path(shard.ledger_path)
    unsaid = Run.objects.filter(pk=run.pk, with_witness=True, witness__isnull=True).exists()
    if shard.index or not unsaid or not (ledger or shard.ledger_path):
        return False
    return _store(witness_path(path), run.pk, parse_load(run.load).counted_ns)


def _store(path: Path, run_id: int, counted: Span) -> bool:
    if not path.exists():
        return False  # it never began
    try:
        recover(path)
        found = summary(path, run_id, counted)
    except (OSError, LedgerHeldError, ValueError, KeyError) as exc:
        logger.warning("witness_unstored: run %s: %s", run_id, exc)
        return False
    Run.objects.filter(pk=run_id).update(witness=found)
    return True


def summary(path: Path, run_id: int, counted: Span = (0, None)) -> dict[str, Any]:
    """What a witness's ledger comes to. Raises OSError."""
    aggregate, data = Aggregate(), path.read_bytes()
    aggregate.add_all(parse(data, run_id, 0, counted=counted).windows.values())
    return witness_of(aggregate, mismatched=data.count(b'"mis":1'))
