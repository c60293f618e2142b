"""What became of each mutant, in a file that a later call goes on with; and the reasons why some may survive."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from tests.mutate.attempts import Outcome, State
from tests.mutate.mutants import Mutant

EQUIVALENT = Path(__file__).with_name("equivalent.txt")


class Result(NamedTuple):
    key: str
    subject: str
    module: str
    line: int
    change: str
    state: State
    by: str
    cpu_s: float

    @classmethod
    def of(cls, mutant: Mutant, outcome: Outcome) -> Result:
        module = mutant.module
        place = (mutant.key, module.subject, module.name, mutant.line, mutant.change)
        return cls(*place, outcome.state, outcome.by, round(outcome.cpu_s, 1))

    @property
    def row(self) -> str:
        return f"{self.state:8} {self.cpu_s:6.1f} s  {self.module}:{self.line}: {self.change}"


class Session:
    """One line of JSON per mutant; the last one about it counts."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = path.read_text("utf-8").splitlines() if path.exists() else []
        self._known = {result.key: result for result in (Result(**json.loads(line)) for line in lines)}

    def get(self, mutant: Mutant) -> Result | None:
        return self._known.get(mutant.key)

    def add(self, result: Result) -> None:
        self._known[result.key] = result
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(result._asdict()) + "\n")


class Equivalents:
    """Changes that no test can notice, or need not, with their reasons."""

    def __init__(self, path: Path = EQUIVALENT) -> None:
        self._reasons = {}
        for paragraph in path.read_text("utf-8").split("\n\n"):
            lines = [line for line in paragraph.splitlines() if not line.startswith("#")]
            if lines:
                self._reasons[lines[0]] = " ".join(line.strip() for line in lines[1:])

    def reason(self, result: Result) -> str | None:
        """By the change, or by the line that is changed, if any change of it may survive."""
        changed = f"{result.module}: {result.change}"
        of_line = (reason for line, reason in self._reasons.items() if changed.startswith(f"{line} +"))
        return self._reasons.get(changed) or next(of_line, None)


def share_killed(results: Iterable[Result]) -> float:
    states = Counter(result.state for result in results)
    return 1 - states["survived"] / states.total()


def table(results: Iterable[Result]) -> str:
    """Markdown: how many of each subject were killed, ran out of time and survived."""
    counts: dict[str, Counter[str]] = {}
    for result in results:
        counts.setdefault(result.subject, Counter())[result.state] += 1
    total = sum(counts.values(), Counter[str]())
    states = ("killed", "timeout", "survived")
    rows = [
        f"| {name} | {' | '.join(str(count[state]) for state in states)} |"
        for name, count in [*counts.items(), ("all", total)]
    ]
    return "\n".join(["| subject | killed | timeout | survived |", "| -- | -- | -- | -- |", *rows])
