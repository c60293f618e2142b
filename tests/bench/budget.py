"""`python -m tests.bench.budget`: a ceiling of tokens, shared by four engines, in twenty runs of `manage.py burn`.

For each run: what was used, by how much the ceiling was passed, and what was in flight in the engines whose share was
used up at that moment, which is the most that it may be. Exit 1 if it was more, or if an engine sent anything after.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tests.bench.processes import ROOT
from tests.support.data.budgets import overshoot
from tests.support.engines import read
from tests.support.processes import child_env, mock_chatbot
from tokenburn_site.local.process_groups import ProcessGroups

TARGET = ("--delay-ms", "2-30", "--tokens", "5-60", "--error-rate", "0.05", "--errors", "500")
LIMIT_S = 120.0


class Result(NamedTuple):
    used: int
    turns: int
    over: int
    in_flight: int


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.budget", description=__doc__)
    parser.add_argument("--runs", type=int, default=20, help="default: %(default)s")
    parser.add_argument("--tokens", type=int, default=60_000, help="the ceiling; default: %(default)s")
    parser.add_argument("--processes", type=int, default=4, help="default: %(default)s")
    parser.add_argument("--users", type=int, default=40, help="default: %(default)s")
    arguments = parser.parse_args(argv)
    fine = True
    print(f"{'run':>4} {'turns':>6} {'used':>8} {'over':>6} {'over, %':>8} {'in flight':>10}")
    with ProcessGroups() as family, tempfile.TemporaryDirectory() as folder:
        var = Path(folder)
        with mock_chatbot(family, *TARGET, log=var / "mock.log") as mock:
            for number in range(1, arguments.runs + 1):
                found = one_run(f"{mock.url}/v1", arguments, var, number)
                fine &= found.over <= found.in_flight
                share = 100 * found.over / arguments.tokens
                print(
                    f"{number:4} {found.turns:6} {found.used:8,} {found.over:6,} {share:8.2f} {found.in_flight:10,}",
                    flush=True,
                )
    return 0 if fine else 1


def one_run(url: str, arguments: argparse.Namespace, var: Path, seed: int) -> Result:
    """Raises AssertionError if an engine sent anything after its share was used up."""
    report = var / "report.json"
    argv = [sys.executable, "manage.py", "burn", "--url", url, "--preset", "openai-chat", "--no-witness"]
    argv += ["--prompt", "Tell me more of it, please.", "--users", str(arguments.users), "--duration", "60s"]
    argv += ["--processes", str(arguments.processes), "--max-tokens", str(arguments.tokens)]
    argv += ["--seed", str(seed), "--json", str(report)]
    env = child_env(TOKENBURN_VAR_DIR=str(var), TOKENBURN_ENV_FILE="", DATABASE_URL="")
    done = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(report.read_text())
    assert told["budget"]["ended_by"] == "tokens", told["budget"]
    (ledgers,) = (var / "ledgers").glob(f"run-{told['run']['id']}-*")
    shares = [read(path) for path in sorted(ledgers.glob("shard-*.jsonl"))]
    over, in_flight = overshoot(shares, arguments.tokens)
    assert told["budget"]["tokens"]["used"] == over + arguments.tokens, "the report says what the ledgers do not"
    return Result(over + arguments.tokens, sum(len(share.turns) for share in shares), over, in_flight)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tokenburn_site.settings")
    sys.exit(main(sys.argv[1:]))
