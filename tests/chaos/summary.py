"""What is printed: a line for each run, with all that is wrong of it, and the figures of all runs in the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.chaos.case import Result
from tests.chaos.oracle import FAILURES, MACHINE_BUSY


def line(result: Result) -> Iterator[str]:
    mark = "MISS" if result.failed else "busy" if result.findings else "ok  "
    done = ", ".join(result.done) or "nothing"
    yield f"{mark} {result.case}; hit: {done}; {result.status}; {result.late}; {result.took_s:.0f} s"
    for finding in result.findings:
        yield f"     {finding}"
    if result.failed:
        yield f'     repeat: make chaos ARGS="--runs 1 --seed {result.case.seed}"'


@dataclass
class Summary:
    runs: Counter[str] = field(default_factory=Counter)
    """By way and database."""
    planned: Counter[str] = field(default_factory=Counter)
    hit: Counter[str] = field(default_factory=Counter)
    """Faults by kind."""
    findings: Counter[str] = field(default_factory=Counter)
    """Runs by category."""
    healthy: int = 0
    """Runs without a fault; of these, those that were trusted, and those whose doubts the machine excuses."""
    trusted: int = 0
    excused: int = 0
    requests: int = 0
    failed_seeds: list[int] = field(default_factory=list)
    unrecovered: int = 0

    @property
    def failed(self) -> bool:
        return bool(self.failed_seeds or self.unrecovered)

    def add(self, result: Result) -> None:
        case = result.case
        self.runs[f"{case.way} on {case.database}"] += 1
        self.planned.update(fault.kind for fault in case.faults)
        self.hit.update(result.done)
        categories = {finding.category for finding in result.findings}
        self.findings.update(categories)
        self.requests += result.requests
        if not case.faults:
            self.healthy += 1
            self.trusted += result.trusted
            self.excused += MACHINE_BUSY in categories
        if result.failed:
            self.failed_seeds.append(case.seed)

    def lines(self, took_s: float) -> Iterator[str]:
        total = self.runs.total()
        yield ""
        yield f"{total} runs in {took_s / 60:.0f} min, {self.requests:,} requests"
        yield "  " + ", ".join(f"{name}: {count}" for name, count in sorted(self.runs.items()))
        yield f"faults that hit: {self.hit.total()} of {self.planned.total()}"
        yield "  " + ", ".join(f"{name} {self.hit[name]}/{count}" for name, count in sorted(self.planned.items()))
        for category in FAILURES:
            yield f"{category}: {self.findings[category]}"
        yield f"farms that did not recover: {self.unrecovered}"
        yield f"runs without a fault: {self.healthy}, of which {self.trusted} trusted and {self.excused} excused"
        yield f"{MACHINE_BUSY}: {self.findings[MACHINE_BUSY]} of {total} runs doubted, and excused by the late machine"
        if self.failed_seeds:
            yield f"failed seeds: {' '.join(map(str, sorted(self.failed_seeds)))}"
