"""The process of a run's witness, beside the first shard's engine."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Final

from runs.completion.witness_results import store, witness_path
from runs.engine.core.shard_spec import ShardSpec
from runs.supervisor.engine_process import EngineProcess

logger = logging.getLogger(__name__)
COMMAND: Final = (sys.executable, "-m", "runs.engine.witness")


class WitnessProcess:
    """A failure of the witness never fails the run: it is logged, and the run has no witness."""

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
        """Start no new turn; it ends within about a second."""
        if self._process is not None:
            self._process.stop("the run is over")

    def close(self) -> None:
        """End it and store its results. Safe to repeat, also after an outage of the database."""
        if self._process is not None:
            process, self._process = self._process, None
            if (code := process.close()) != 0:
                how = f"killed by signal {-code}" if code < 0 else f"exit code {code}"
                logger.warning("witness_failed: run %s: %s: %s", self._run_id, how, process.stderr_tail())
            self._unstored = True
        if self._unstored:
            store(self._path, self._run_id, self._counted)
            self._unstored = False
