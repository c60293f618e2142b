"""What a run came to: its report from its windows, and what its ending is decided by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from runs.models import Run


class Results(NamedTuple):
    """`errors` counts turns by code; `example` is the detail of one turn with the most frequent code."""

    report: dict[str, Any]
    turns_ok: int
    errors: Mapping[str, int]
    example: str

    def with_status(self, status: str) -> Results:
        """The same with the run's final status in its report."""
        return self._replace(report=self.report | {"run": self.report["run"] | {"status": str(status)}})


def collect(run: Run, status: str = "") -> Results:
    """Aggregate everything that is stored of `run`."""
    raise NotImplementedError
