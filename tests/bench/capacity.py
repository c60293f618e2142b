"""How well a known capacity is found: `python -m tests.bench.capacity [--seeds 1,2,3] [--places 40]`.

The mock answers so many at once and lets the others wait in line; each answer takes 400 to 600 ms. So its capacity is
`places` users, or `places` conversations in 500 ms. Each line is one search by `manage.py burn`, in a database of its
own: what it found, how far that is from the truth, how many levels and how long it took.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from tests.e2e.burning import Burner
from tests.support.processes import Mock, mock_chatbot
from tokenburn_site.local.process_groups import ProcessGroups

DELAY_MS = (400, 600)
SERVICE_S = sum(DELAY_MS) / 2 / 1000
ALLOWED = 0.05
TIMES = ("--settle", "2s", "--measure", "3s", "--precision", "3%", "--no-witness", "--json", "-")
LIMIT_S = 400


class Found(NamedTuple):
    kind: str
    seed: int
    truth: float
    report: dict[str, Any]

    @property
    def error(self) -> float:
        """How far what was found is from the truth, as a share of it."""
        level = self.report["capacity"]["level"]
        return float("inf") if level is None else level / self.truth - 1

    def line(self) -> str:
        capacity, seconds = self.report["capacity"], self.report["run"]["duration_s"]
        return (
            f"{self.kind:<7}seed {self.seed:<4} truth {self.truth:g} {capacity['unit']}: found {capacity['level']}, "
            f"{capacity['high']} is too much ({self.error:+.1%}); knee {capacity['knee']}; "
            f"{len(self.report['load_curve'])} levels, {seconds:.0f} s"
        )


def search(mock: Mock, burn: Burner, places: int, seed: int, kind: str) -> Found:
    """One search against the mock, which begins at a quarter of the truth or so.

    Users beyond the limit wait (n / places - 1) of a service: by Little's law the mean says so exactly. At a rate
    beyond the limit the line grows, and any percentile says so.
    """
    users, mean = ("--users", str(max(1, places // 4))), f"e2e_ms.mean<{SERVICE_S * 1035:g} and error_rate<2%"
    rate, p95 = ("--rate", f"{places / SERVICE_S / 3:.4g}/s"), f"e2e_ms.p95<{DELAY_MS[1] * 1.2:g} and error_rate<2%"
    how, condition = (users, mean) if kind == "users" else (rate, p95)
    where = ("--url", f"{mock.url}/v1", "--preset", "openai-chat", "--prompt", "Hello {{ session.number }}")
    child = burn.start(*where, *how, "--find-capacity", condition, "--seed", str(seed), *TIMES)
    out, err = child.communicate(timeout=LIMIT_S)
    assert child.returncode == 0, err
    return Found(kind, seed, places if kind == "users" else places / SERVICE_S, json.loads(out))


def main() -> int:
    """1 if a search was further from the truth than allowed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--places", type=int, default=40)
    given = parser.parse_args()
    worst = 0.0
    with ProcessGroups() as family, tempfile.TemporaryDirectory() as folder:
        burn = Burner(Path(folder))
        for seed in map(int, given.seeds.split(",")):
            delay = f"{DELAY_MS[0]}-{DELAY_MS[1]}"
            flags: tuple[str, ...] = ("--error-rate", "0", "--delay-ms", delay, "--tokens", "5", "--grpc-port", "-1")
            flags += ("--concurrency", str(given.places), "--seed", str(seed))
            with mock_chatbot(family, *flags, log=Path(folder) / "mock.log") as mock:
                for kind in ("users", "rate"):
                    found = search(mock, burn, given.places, seed, kind)
                    print(found.line(), flush=True)
                    worst = max(worst, abs(found.error))
    print(f"furthest from the truth: {worst:.1%}, allowed {ALLOWED:.0%}")
    return int(worst > ALLOWED)


if __name__ == "__main__":
    sys.exit(main())
