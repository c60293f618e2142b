"""`burn` from start to end: validate everything, run, print. Nothing is recorded before validation has passed."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.db import DatabaseError
from rich.console import Console

from audit.services import record
from connectors.spec import TargetSpec
from runs.completion.orphans import commanded
from runs.early import INTERRUPTED, hear_signals
from runs.load.profile import Load
from runs.models import Run
from runs.planning.errors import POLICY_CODES, RequestError
from runs.planning.permission import refuse_if_closed
from runs.services import request_adhoc_run
from runs.supervisor.local import interrupts, run_local, store_orphans
from tokenburn_site.cli import console, secrets
from tokenburn_site.cli.burn import estimate, outcome
from tokenburn_site.cli.burn.farm import check_workers, follow
from tokenburn_site.cli.burn.kept import database_file, is_lost, lost_words
from tokenburn_site.cli.burn.preflight import check_reachable
from tokenburn_site.cli.burn.progress import Progress
from tokenburn_site.cli.burn.unstarted import results_of_failure
from tokenburn_site.cli.console import PatientConsole, own_messages
from tokenburn_site.cli.database import database_needed, ensure_database
from tokenburn_site.cli.errors import EXIT_FAILED, EXIT_INTERRUPTED, BadUsage, BurnError, CannotRun
from tokenburn_site.cli.options import search, trace
from tokenburn_site.cli.options.burn_options import Options, check, spelled
from tokenburn_site.cli.proxy import with_proxy
from tokenburn_site.cli.report.outputs import check_writable, write_results
from tokenburn_site.cli.request.parts import Parts, adhoc_target, build_load, check_params, run_request
from tokenburn_site.cli.request.scenarios import build_scenarios, with_output_lengths
from tokenburn_site.cli.request.stored import stored_target

__all__ = ["burn"]
NOT_PERMITTED = {"closed"} | POLICY_CODES


def burn(given: Mapping[str, Any], typed: str) -> int:
    """Run what the parsed options request. `typed` is the command line, for the hint how to repeat it. Returns the exit
    code (see `errors`); errors are printed to stderr in one line."""
    try:
        options = check(given)
        screen = PatientConsole(stderr=options.to_stdout, no_color=bool(given.get("no_color")))
        hear_signals()
        with results_of_failure(options), database_needed("then start again"):
            parts = prepare(options)
            for note in parts.notes:
                say(note)
            if options.estimate:
                return estimate.show(options, parts, screen)
            estimate.show_cost(options, parts, screen)
        return _run_all(options, parts, screen, typed)
    except BurnError as exc:
        say(str(exc))
        return exc.exit_code
    except KeyboardInterrupt:
        say(INTERRUPTED)
        return EXIT_INTERRUPTED


def say(line: str) -> None:
    """One line on stderr."""
    console.say("burn", line)


def prepare(options: Options) -> Parts:
    """Validate everything that needs no request to the target. Raises BurnError."""
    load = build_load(options)
    check_writable(options)
    target = adhoc_target(options, secrets.from_environment(os.environ)) if options.target is None else None
    ensure_database()
    if target is None:
        target = stored_target(options)
        check_params(target, options.params)
    environ = {} if options.workers and options.proxy is None else os.environ  # workers have their own environment
    target, through = with_proxy(target, options.proxy, environ)
    scenarios = build_scenarios(options)
    target = with_output_lengths(target, scenarios)
    notes = [*settings.WIDE_FILES, *scenarios.notes, *filter(None, [through, search.before(load), trace.before(load)])]
    parts = Parts(target, scenarios.mix, load, notes)
    try:
        _validate(options, parts)
    except RequestError as exc:
        raise _refused(exc) from exc
    if not (options.workers or options.estimate):  # workers may reach what this machine cannot
        _check_reachable(target, through)
    return parts


def _validate(options: Options, parts: Parts) -> None:
    """Before the target is connected to. Raises RequestError."""
    try:
        if not options.estimate:
            refuse_if_closed()
        run_request(options, parts).validate()
    except RequestError as exc:
        if exc.code in NOT_PERMITTED and not options.estimate:
            record("run.start", outcome="refused", details={"code": exc.code, "why": str(exc)})
        raise


def _check_reachable(target: TargetSpec, through: str) -> None:
    """`through` says which proxy is used, or that none is, because it may be the reason."""
    try:
        check_reachable(target)
    except CannotRun as exc:
        raise CannotRun(f"{exc}; {through}" if through else str(exc)) from exc


def _run_all(options: Options, parts: Parts, screen: Console, typed: str) -> int:
    """From the request on, other processes on this machine can see that the run's command is alive."""
    uid = uuid4()
    with ExitStack() as local:
        if not options.workers:
            local.enter_context(own_messages())
            local.enter_context(commanded(uid))
        with results_of_failure(options), database_needed("then start again"):
            for run_id in store_orphans():
                say(f"run {run_id} is now stored and ended: its command was killed")
            run = _request(options, parts, uid)
        then = "its workers continue" if options.workers else f"`manage.py ingest {run.pk}` then stores what it did"
        with database_needed(f"run {run.pk} stays stored: {then}"):
            return _see_through(options, run, parts.load, screen, typed)


def _request(options: Options, parts: Parts, uid: UUID) -> Run:
    if options.workers:
        check_workers()
    try:
        return request_adhoc_run(
            target=parts.target,
            scenarios=parts.scenarios,
            load=parts.load,
            thresholds=options.thresholds,
            abort_on_fail=options.abort_on_fail,
            seed=options.seed,
            processes=options.processes,
            regions=options.regions,
            witness=options.witness,
            local=not options.workers,
            uid=uid,
        )
    except RequestError as exc:
        raise _refused(exc) from exc


def _refused(exc: RequestError) -> BurnError:
    """In terms of options. What the options ask for is wrong, or cannot run here and now."""
    not_here = {"target_invalid", "models_unavailable", "slots_missing"} | NOT_PERMITTED
    return (CannotRun if exc.code in not_here else BadUsage)(spelled(str(exc)))


def _see_through(options: Options, run: Run, load: Load, screen: Console, typed: str) -> int:
    opened = database_file()
    try:
        with Progress(screen, load) as progress:
            interrupted = _run(options, run, progress)
    except KeyboardInterrupt:
        # Supervising threads may still wait for their engines, which end by themselves when this process ends.
        say(f"interrupted twice; `manage.py ingest {run.pk}` stores what run {run.pk} did until then")
        _write_by_now(options, run)
        sys.stdout.flush()
        os._exit(EXIT_INTERRUPTED)
    code, line = outcome.verdict(run, options, interrupted=interrupted)
    lost = is_lost(run, opened)
    if lost:
        what = lost_words(run, outcome.ledgers_of(run, options))
        code, line = EXIT_FAILED, f"{line}; {what}" if line else what
    try:
        outcome.show(run, options, screen, typed, stored=not lost)
    except OSError as exc:
        where = exc.filename or "stdout"
        raise CannotRun(f"run {run.pk} is stored, but {where} could not be written: {exc.strerror}") from exc
    if line:
        say(line)
    return code


def _write_by_now(options: Options, run: Run) -> None:
    """The results of a run that is no longer followed: what is stored so far."""
    with suppress(DatabaseError, OSError):
        run.refresh_from_db()
        run.reason = run.reason or "interrupted twice: the last results are missing"
        if (report := outcome.report_by_now(run)) is not None:
            write_results(options, report)


def _run(options: Options, run: Run, progress: Progress) -> bool:
    """True if a signal interrupted it."""
    if not options.workers:
        return run_local(run, progress.info)
    with interrupts() as interrupted:
        return follow(run, on_tick=progress.tick, on_status=progress.status, interrupted=interrupted)
