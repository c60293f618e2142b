"""`python -m tests.bench.arrivals`: do conversations begin when the load says so?

500 arrivals a second from two engines against the bench's own server, evenly spaced and as a Poisson process. Prints a
table and exits 1 if a goal is missed: the rate within 1 %; the gaps between the first bytes of all turns those of the
distribution; the send lag at p99 at most 5 ms.

All gaps of a Poisson process together are held to the exponential distribution of the rate that was asked for, by the
test of Kolmogorov and Smirnov at 1 %: of 30,000 gaps it notices if 1 in 200 is 10 us off. One seed in a hundred it
refuses by chance; then it refuses the plan too, whose distance is shown beside.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tests.bench.processes import ROOT
from tests.bench.truth import truth
from tests.support.data.statistics import ks_distance, ks_limit
from tests.support.processes import child_env

RATE_WITHIN = 0.01
SEND_LAG_MS = 5.0
LATE_MS, OFF_SHARE = 1.0, 0.01


class Found(NamedTuple):
    """Of one run: times in ns of all turns by plan and by first byte, in the order of the plan."""

    planned: np.ndarray
    sent: np.ndarray
    dropped: int
    cpu_s: float


def burn(kind: str, rate: float, seconds: float, processes: int, seed: int) -> Found:
    with tempfile.TemporaryDirectory() as name, truth(0, 0, 1) as server:
        folder, report = Path(name), Path(name) / "report.json"
        argv = [sys.executable, "manage.py", "burn", "--url", server.base_url, "--preset", "openai-chat"]
        argv += ["--prompt", "Hello", "--rate", f"{rate:g}/s", "--arrivals", kind, "--duration", f"{seconds:g}s"]
        argv += ["--processes", str(processes), "--seed", str(seed), "--no-witness", "--json", str(report)]
        env = child_env() | {"TOKENBURN_VAR_DIR": name, "TOKENBURN_ENV_FILE": "", "DATABASE_URL": ""}
        subprocess.run(argv, cwd=ROOT, env=env, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        lines = [json.loads(line) for ledger in folder.rglob("shard-*.jsonl") for line in ledger.open("rb")]
        said = json.loads(report.read_text())
    turns = sorted((line["planned"], line["sent"]) for line in lines if line["k"] == "turn" and line["sent"])
    planned, sent = np.array(turns).T
    return Found(planned, sent, said["dropped_arrivals"], said["generator"]["cpu_s"])


def row(kind: str, rate: float, seconds: float, found: Found) -> tuple[str, bool]:
    """A line of the table, and whether the goals were met."""
    achieved = len(found.sent) / seconds
    lag_ms = np.percentile((found.sent - found.planned) / 1e6, [50, 99])
    gaps = np.diff(np.sort(found.sent)) / 1e9
    if kind == "poisson":

        def distance(times: np.ndarray) -> float:
            return ks_distance(np.diff(np.sort(times)) / 1e9, lambda gap: 1 - np.exp(-rate * gap))

        off_by, limit = distance(found.sent), ks_limit(len(gaps))
        said = f"KS: {off_by:.4f}, at most {limit:.4f}; plan {distance(found.planned):.4f}"
        regular = off_by <= limit
    else:  # all of one length
        off = float(np.mean(np.abs(gaps - 1 / rate) > LATE_MS / 1000))
        said, regular = f"{off:.2%} off by over {LATE_MS:g} ms", off <= OFF_SHARE
    fine = abs(achieved / rate - 1) <= RATE_WITHIN and regular and bool(lag_ms[1] <= SEND_LAG_MS)
    fine = fine and not found.dropped
    cells = [kind, f"{achieved:.1f}/s ({achieved / rate - 1:+.2%})", said, f"{lag_ms[0]:.3f}", f"{lag_ms[1]:.3f}"]
    return "| " + " | ".join([*cells, f"{found.cpu_s:.1f}", "met" if fine else "MISSED"]) + " |", fine


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.arrivals", description=__doc__)
    parser.add_argument("--rate", type=float, default=500.0)
    parser.add_argument("--seconds", type=float, default=60.0, help="of a Poisson process 1 % is chance below that")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(argv)
    print(f"{given.rate:g} arrivals a second for {given.seconds:g} s from {given.processes} engines")
    print("| arrivals | rate | gaps | send lag p50, ms | p99, ms | CPU, s | goals |\n" + "|---" * 7 + "|")
    all_fine = True
    for kind in ("constant", "poisson"):
        line, fine = row(
            kind, given.rate, given.seconds, burn(kind, given.rate, given.seconds, given.processes, given.seed)
        )
        print(line, flush=True)
        all_fine &= fine
    return 0 if all_fine else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
