"""The end of `burn`: the table, the files, how to repeat it, and the exit code."""

from __future__ import annotations

import logging
from pathlib import Path

from rich.console import Console

from metrics.end_codes import BUDGET_ENDS, EndCode, end_code_of
from metrics.report.bound_words import value_words
from metrics.report.gates import stopped_answering
from metrics.report.spending_words import budget_words
from metrics.report.terminal import report_renderable, report_text
from metrics.report_schema import RunReport
from runs.models import Run, RunStatus
from runs.reporting.report import collect, report_of
from tokenburn_site.cli.advice import failure
from tokenburn_site.cli.errors import EXIT_DONE, EXIT_FAILED, EXIT_INTERRUPTED, EXIT_THRESHOLD
from tokenburn_site.cli.options.burn_options import Options
from tokenburn_site.cli.report.outputs import write_results, written
from tokenburn_site.cli.report.per_user import users_text
from tokenburn_site.local.lock import DEFAULT_SITE, present_site

logger = logging.getLogger(__name__)
PIPE_WIDTH = 100
PAGE = "/runs/{}/report/"


def report_by_now(run: Run) -> RunReport | None:
    """The run's report. Without one (the run is not over, or the report could not be built), a report of what is stored
    so far, or None if that is impossible."""
    if run.report is not None:
        return run.report
    try:
        return report_of(run, collect(run), run.status, run.reason, run.end_code)
    except Exception:
        logger.exception("no_report: run %s", run.pk)
        return None


def show(run: Run, options: Options, console: Console, typed: str, *, stored: bool = True) -> None:
    """Print and write the results; a run that sent nothing has no table, and one that is not `stored` has no page.
    Raises OSError for a file."""
    report = report_by_now(run)
    if report is None:
        return
    if report["turns"]["ok"]:
        _print(console, "")
        if console.is_terminal:
            console.print(report_renderable(report, console.width))
        else:
            _print(console, report_text(report, max(console.width, PIPE_WIDTH)))
        if options.per_user:
            _print(console, users_text(run, max(console.width, PIPE_WIDTH)))
    write_results(options, report)
    _print(console, "")
    for label, text in _whereabouts(run, options, typed, stored=stored):
        _print(console, f"{label:<10}{text}")


def _print(console: Console, text: str) -> None:
    """Without wrapping, so that commands and paths can be copied."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def ledgers_of(run: Run, options: Options) -> list[str]:
    """Paths of the ledgers on this machine."""
    if options.workers:
        return []
    paths = run.shards.order_by("index").values_list("ledger_path", flat=True)
    return [path for path in paths if path and Path(path).exists()]


def _whereabouts(run: Run, options: Options, typed: str, *, stored: bool) -> list[tuple[str, str]]:
    ledgers = [(("ledger" if number == 0 else ""), path) for number, path in enumerate(ledgers_of(run, options))]
    seed = "" if options.seed is not None else f" --seed {run.seed}"
    return [
        ("repeat", f"{typed}{seed}"),
        *ledgers,
        *written(options),
        *([("page", _page(run))] if stored else []),
    ]


def _page(run: Run) -> str:
    """The address of the run's report page."""
    path = PAGE.format(run.pk)
    if site := present_site():
        return f"{site}{path}"
    return f"run `manage.py up`, then open {DEFAULT_SITE}{path}"


def verdict(run: Run, options: Options, *, interrupted: bool) -> tuple[int, str]:
    """The exit code, and the line for stderr that goes with it (empty for success)."""
    if interrupted:
        return EXIT_INTERRUPTED, f"interrupted; the results of run {run.pk} so far are stored"
    if run.status == RunStatus.ABORTED and _end_code(run) == EndCode.THRESHOLD_MISSED:
        return EXIT_THRESHOLD, f"missed, and run {run.pk} was aborted: {run.reason.removeprefix('threshold: ')}"
    spent = _spent(run)
    if run.status != RunStatus.COMPLETED and not spent:
        why = failure(run.reason, run.report, run.target_spec, stored=options.target is not None)
        return EXIT_FAILED, f"run {run.pk} {run.status}: {why}"
    failed = []
    report = run.report
    if report and (missed := [t for t in report.get("thresholds", []) if not t["passed"]]):
        failed.append("missed: " + ", ".join(f"{t['expr']} ({value_words(t)})" for t in missed))
    if stopped_answering(report):
        failed.append("the target stopped answering before the end of the load")
    if failed:
        return EXIT_THRESHOLD, "; ".join(failed)
    capacity = report.get("capacity") if report else None
    if capacity and capacity["conditions"] and capacity["level"] is None:
        return EXIT_THRESHOLD, f"missed: no load meets {' and '.join(capacity['conditions'])}: {capacity['note']}"
    return EXIT_DONE, spent


def _end_code(run: Run) -> str:
    return end_code_of(run.end_code, run.reason)


def _spent(run: Run) -> str:
    """The text about a run that its budget ended, which is not a failure; otherwise empty."""
    if run.status != RunStatus.STOPPED or _end_code(run) not in BUDGET_ENDS:
        return ""
    used = budget_words(run.report.get("budget") if run.report else None)
    return f"run {run.pk} stopped: {run.reason}" + (f": {used}" if used else "")
