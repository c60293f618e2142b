"""`make mutate`: how many changed lines do the tests notice, and which ones not?

Each mutant is tried in a copy of the tree: the near tests of its module first, the far ones if they pass, up to the
first test that fails. Prints the share that was killed and the survivors, with their reasons from `equivalent.txt`.
A call that was interrupted is continued by the next one. The exit code is 1 if fewer than 96 % are killed, or a
survivor has no reason.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.mutate.attempts import Tree, load_libraries
from tests.mutate.mutants import Mutant, drawn
from tests.mutate.results import Equivalents, Result, Session, share_killed, table
from tests.mutate.subjects import ROOT, SUBJECTS

AT_LEAST = 0.96


def main() -> int:
    given = _arguments()
    mutants = drawn(given.only or SUBJECTS, given.count, given.seed)
    return _told(_tried(mutants, Session(given.session), retry=given.retry, near_only=given.near))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutate", description=__doc__)
    parser.add_argument("--count", type=int, default=200, help="number of mutants (default: 200)")
    parser.add_argument("--seed", type=int, default=11, help="which ones (default: 11)")
    parser.add_argument(
        "--only",
        nargs="*",
        choices=list(SUBJECTS),
        metavar="NAME",
        help="modules, by the name of their file without .py",
    )
    parser.add_argument(
        "--session",
        type=Path,
        default=ROOT / "var" / "mutate.jsonl",
        metavar="FILE",
        help="keep the results here; mutants that are in it are not tried again (default: var/mutate.jsonl)",
    )
    parser.add_argument("--retry", action="store_true", help="try survivors without a reason again")
    parser.add_argument("--near", action="store_true", help="run the near tests only; then --retry without it")
    return parser.parse_args()


def _tried(mutants: list[Mutant], session: Session, *, retry: bool, near_only: bool) -> list[Result]:
    """Prints each one as it is done."""
    results, equivalents = [], Equivalents()
    load_libraries()
    with tempfile.TemporaryDirectory(prefix="tokenburn-mutate-", ignore_cleanup_errors=True) as folder:
        tree = Tree(Path(folder))
        for number, mutant in enumerate(mutants, 1):
            result = session.get(mutant)
            if result is None or (retry and result.state == "survived" and not equivalents.reason(result)):
                result = Result.of(mutant, tree.attempt(mutant, near_only=near_only))
                session.add(result)
            print(f"{number:4d}/{len(mutants)}  {result.row}", flush=True)
            results.append(result)
    return results


def _told(results: list[Result]) -> int:
    equivalents = Equivalents()
    survivors = [result for result in results if result.state == "survived"]
    reasons = [equivalents.reason(result) for result in survivors]
    print(f"\n{table(results)}\n\n{share_killed(results):.1%} of {len(results)} mutants killed")
    for result, reason in zip(survivors, reasons, strict=True):
        print(f"  {result.module}:{result.line}: {result.change}\n      {reason or 'NO REASON in equivalent.txt'}")
    return 0 if share_killed(results) >= AT_LEAST and all(reasons) else 1


if __name__ == "__main__":
    sys.exit(main())
