"""`python -m tests.chaos [--runs N] [--seed S]`: N runs with faults, and what was untrue of them.

Exits 1 on any failure. Each run has a seed of its own, S and the numbers after it, which decides everything: `--runs 1
--seed 17` repeats run 17. Runs take place on SQLite and PostgreSQL, by burn alone and on a farm of Celery workers;
traffic goes to a counting target on loopback. Each run is bounded in time; nothing is left behind, also after Ctrl-C.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from pathlib import Path

from tests.chaos.case import Result, hold
from tests.chaos.machine import sleeper
from tests.chaos.plan import case_of
from tests.chaos.site import Accounts, Sites, Templates
from tests.chaos.summary import Summary, line
from tests.chaos.waiting import OVER, Ended
from tests.support.services import postgres_server
from tokenburn_site.local.process_groups import ProcessGroups

INTERRUPTED = 130


def results(options: argparse.Namespace) -> Iterator[tuple[Result, Sites]]:
    """As they come. Raises KeyboardInterrupt."""
    with ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tokenburn-chaos-")))
        family = stack.enter_context(ProcessGroups())
        server_url = stack.enter_context(postgres_server(family))
        sites = Sites(root, Templates(root, server_url), Accounts(family, root))
        stack.callback(sites.close)
        notes = stack.enter_context(sleeper(family, root / "sleeper"))
        pool = stack.enter_context(ThreadPoolExecutor(options.jobs))
        cases = [case_of(seed) for seed in range(options.seed, options.seed + options.runs)]
        try:
            for done in as_completed([pool.submit(hold, case, sites, notes, root, options.keep) for case in cases]):
                yield done.result(), sites
        finally:
            OVER.set()
            pool.shutdown(cancel_futures=True)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=20, help="how many runs (default %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="the first run's seed (default %(default)s)")
    parser.add_argument("--jobs", type=int, default=2, help="runs at the same time (default %(default)s)")
    parser.add_argument("--keep", type=Path, help="copy the directories of failed runs here")
    options = parser.parse_args()
    for signum in (signal.SIGINT, signal.SIGTERM):  # also where a shell in the background ignores Ctrl-C
        signal.signal(signum, _interrupt)
    began, summary, interrupted = time.monotonic(), Summary(), False
    try:
        for result, sites in results(options):
            summary.add(result)
            summary.unrecovered = len(sites.unrecovered)
            for text in line(result):
                print(text, flush=True)
    except (KeyboardInterrupt, Ended):
        interrupted = True
    for text in summary.lines(time.monotonic() - began):
        print(text)
    if interrupted:
        print("interrupted: these are not all of them")
        return INTERRUPTED
    return int(summary.failed)


if __name__ == "__main__":
    sys.exit(main())
