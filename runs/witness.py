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
from runs.engine.spec import Load, ShardSpec
from runs.engine_process import EngineProcess
from runs.models import Run

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
        self._path = Path(spec.ledger_path).with_name("witness.jsonl")
        self._process: EngineProcess | None = None
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
        """End it and store what it measured. Safe to repeat."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.close() != 0:
            logger.warning("witness_failed: run %s: %s", self._run_id, process.last_words())
        try:
            found = summary(self._path, self._run_id, self._counted)
        except OSError:
            return  # it never began
        Run.objects.filter(pk=self._run_id).update(witness=found)


def summary(path: Path, run_id: int, counted: Span = (0, None)) -> dict[str, Any]:
    """What a witness's ledger comes to. Raises OSError."""
    aggregate = Aggregate()
    aggregate.add_all(parse(path.read_bytes(), run_id, 0, counted=counted).windows.values())
    return witness_of(aggregate)
