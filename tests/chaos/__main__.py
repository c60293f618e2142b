"""`python -m tests.chaos [--runs N] [--seed S]`: N runs with faults, and what was untrue of them. Exits 1 on any miss.

Each run has a seed of its own, S and the numbers after it, which decides everything: `--runs 1 --seed 17` repeats the
run that failed with seed 17. Needs some 20 s a run; traffic goes to a counting target on loopback.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from tests.chaos.faults import inject
from tests.chaos.oracle import misses
from tests.chaos.plan import Case, case_of
from tests.chaos.world import BURN_S, ENDED_S, START_S, SWING, World, until, world
from tests.support.services import postgres_server
from tokenburn_site.local.family import Family

KINDS = ("unaccounted", "duplicates", "non-terminal", "untrue")


class Result(NamedTuple):
    case: Case
    done: Sequence[str]
    requests: int
    status: str
    wrong: Sequence[str]


def hold(case: Case, server_url: str, keep: Path | None = None) -> Result:
    """One case from its start to its account. `keep`: where the directory of a case that fails is left."""
    home = Path(tempfile.mkdtemp(prefix="tokenburn-chaos-"))
    try:
        with world(case, home, server_url) as made:
            result = _hold(made)
        if result.wrong and keep is not None:
            shutil.copytree(home, keep / str(case.seed), dirs_exist_ok=True)
        return result
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _hold(made: World) -> Result:
    case = made.case
    try:
        made.start_burn(*(["--workers"] if case.way == "farm" else []))
        assert made.burn is not None
        until(lambda: made.log.exists() and len(made.received()) >= SWING, START_S, "the load")
        began = time.monotonic()
        for fault in case.faults:
            time.sleep(max(0.0, began + fault.at_s - time.monotonic()))
            inject(made, fault)
        made.burn.wait(BURN_S)
        if case.way == "burn" and {"kill_burn", "hang_up_burn"} & set(made.done):
            time.sleep(1.0)  # a person needs longer to type the next command
            made.small_burn()
            run = made.account(1)
        else:
            run = until(lambda: _ended(made), ENDED_S, "the run's end")
        status = run["status"] if run else "none"
        wrong = list(misses(case, made.done, made.received(), run))
    except Exception as exc:  # noqa: BLE001 - a case that breaks the harness is a miss with a text, not the end of all
        status, wrong = "none", [f"non-terminal: {type(exc).__name__}: {exc}"]
    return Result(case, tuple(made.done), len(made.received()) if made.log.exists() else 0, status, wrong)


def _ended(made: World) -> dict[str, object] | None:
    run = made.account()
    return run if run is not None and run["terminal"] and not run["unstored"] else None


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=20, help="how many runs (default %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="the first run's seed (default %(default)s)")
    parser.add_argument("--jobs", type=int, default=2, help="runs at the same time (default %(default)s)")
    parser.add_argument("--keep", type=Path, help="leave the directories of failed runs here")
    options = parser.parse_args()
    cases = [case_of(seed) for seed in range(options.seed, options.seed + options.runs)]
    counts: Counter[str] = Counter()
    with Family() as family, postgres_server(family) as server_url, ThreadPoolExecutor(options.jobs) as pool:
        for result in pool.map(lambda case: hold(case, server_url, options.keep), cases):
            counts["runs"] += 1
            counts["requests"] += result.requests
            counts.update(text.partition(":")[0] for text in result.wrong)
            mark = "MISS" if result.wrong else "ok  "
            done = ", ".join(result.done) or "nothing"
            print(f"{mark} {result.case}; done: {done}; {result.status}", flush=True)
            for text in result.wrong:
                print(f"     {text}", flush=True)
    print(", ".join(f"{counts[name]:,} {name}" for name in ("runs", "requests", *KINDS)))
    return int(any(counts[kind] for kind in KINDS))


if __name__ == "__main__":
    sys.exit(main())
