"""Stores the results of a run's witness in the run's row.

The verdict compares it with the run's figures. The witness's turns are in no figure of the load.
"""

from __future__ import annotations

import logging
from pathlib import Path

from metrics.analysis.totals import Aggregate
from metrics.ingest.batch import parse
from metrics.ingest.windows import Span
from metrics.report.build import witness_of
from metrics.report_schema import WitnessPart
from runs.engine.recording.ledger import LedgerHeldError, recover
from runs.load.profile import parse_load
from runs.models import Run, Shard

logger = logging.getLogger(__name__)


def witness_path(ledger: Path) -> Path:
    """The ledger of the witness beside the engine that writes `ledger`."""
    return ledger.with_name(f"witness-{ledger.name}")


def store_orphaned(shard: Shard, ledger: Path | None = None) -> bool:
    """Store the results of the witness of a dead supervisor, whose shard is given. `ledger`: the shard's current path.
    Returns whether there was one to store. Raises only DATABASE_AWAY."""
    run, path = shard.run, ledger or Path(shard.ledger_path)
    is_missing = Run.objects.filter(pk=run.pk, with_witness=True, witness__isnull=True).exists()
    if shard.index or not is_missing or not (ledger or shard.ledger_path):
        return False
    return store(witness_path(path), run.pk, parse_load(run.load).counted_ns)


def store(path: Path, run_id: int, counted: Span) -> bool:
    """Returns whether there was something to store. An unreadable ledger is logged."""
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


def summary(path: Path, run_id: int, counted: Span = (0, None)) -> WitnessPart:
    """The figures of one witness's ledger. Raises OSError."""
    aggregate, data = Aggregate(), path.read_bytes()
    aggregate.add_all(parse(data, run_id, 0, counted=counted).windows.values())
    return witness_of(aggregate, mismatched=data.count(b'"mis":1'))
