"""Output files of a `burn` that could not begin its run, with the reason."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from metrics.end_codes import EndCode
from metrics.report.build import RunFacts, build_report
from metrics.report_schema import RunReport
from metrics.storage.aggregate import Aggregate
from runs.early import INTERRUPTED
from runs.load.trace import shown_load
from runs.models import RunStatus
from runs.supervisor.local import heard_signals
from tokenburn_site.cli.console import say
from tokenburn_site.cli.errors import BadUsage
from tokenburn_site.cli.options.burn_options import Options
from tokenburn_site.cli.report.outputs import write_results
from tokenburn_site.cli.request.parts import NAME_LIMIT, build_load


@contextmanager
def results_of_failure(options: Options) -> Iterator[None]:
    """If the block fails, write the requested results with the reason and re-raise the error.

    Not for BadUsage, which is a fault of the command line: nothing was to be run. In the block SIGTERM and SIGHUP
    interrupt as SIGINT does.
    """
    with _terminable():
        try:
            yield
        except BadUsage:
            raise
        except KeyboardInterrupt:
            _write(options, RunStatus.STOPPED, EndCode.STOPPED, INTERRUPTED)
            raise
        except Exception as exc:
            _write(options, RunStatus.FAILED, EndCode.NOT_STARTED, str(exc) or type(exc).__name__)
            raise


def unstarted_report(options: Options, status: str, end_code: EndCode, reason: str) -> RunReport:
    """The report of a run that did not start: no id, no turns, only `reason`."""
    facts = RunFacts(
        id=None,
        status=str(status),
        target=options.target or (options.url or "")[:NAME_LIMIT],
        scenario=", ".join(options.scenarios) or ("prompt" if options.prompt is not None else "synthetic"),
        load=shown_load(build_load(options).model_dump(mode="json")),
        started_at=None,
        end_code=end_code,
        reason=reason,
    )
    return build_report(facts, Aggregate(), options.thresholds)


def _write(options: Options, status: str, end_code: EndCode, reason: str) -> None:
    if options.estimate:
        return
    try:
        write_results(options, unstarted_report(options, status, end_code, reason))
    except OSError as exc:
        say("burn", f"{exc.filename or 'stdout'} could not be written: {exc.strerror}")


@contextmanager
def _terminable() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    kept = {number: signal.signal(number, signal.default_int_handler) for number in heard_signals()}
    try:
        yield
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
