"""`manage.py ingest`: store what a crash left in a ledger."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import orjson
from django.core.management.base import BaseCommand, CommandError

from plain_text.visible import visible
from runs.completion.ingest import LeaseLostError
from runs.completion.ledger_recovery import NotOverError, RecoveredLedger, recover_run_ledgers, recover_shard_ledger
from runs.engine.recording.ledger import LedgerHeldError
from runs.models import Run, Shard
from runs.supervisor.local import store_orphans


class Command(BaseCommand):
    help = "Store the rest of a dead run's ledgers and rebuild its report. Can be repeated."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("what", metavar="RUN|RUN/SHARD|PATH", help="a run (12), one shard (12/0), or a ledger file")

    def handle(self, *args: Any, what: str, **options: Any) -> None:
        try:
            results = self._recover(what)
        except NotOverError as exc:
            raise CommandError(str(exc)) from exc
        except LedgerHeldError as exc:
            raise CommandError(f"{exc}: stop the run first, or wait a few seconds") from exc
        except LeaseLostError as exc:
            raise CommandError(f"another process is storing this shard: try again ({exc})") from exc
        except OSError as exc:
            raise CommandError(f"{exc.filename or 'ledger'}: {exc.strerror}") from exc
        for shard in results:
            self.stdout.write(visible(f"{shard.path}: {shard.before} -> {shard.after} bytes stored; {shard.verdict}"))

    def _recover(self, what: str) -> list[RecoveredLedger]:
        store_orphans()
        path = Path(what)
        if path.is_file():
            return [recover_shard_ledger(_shard_of(path), path)]
        run, _, index = what.partition("/")
        if not run.isdigit() or (index and not index.isdigit()):
            raise CommandError(f"{what!r} is neither a ledger file nor a run such as 12 or 12/0")
        if not Run.objects.filter(pk=int(run)).exists():
            raise CommandError(f"there is no run {run} in this database")
        if not index:
            return recover_run_ledgers(int(run))
        shard = Shard.objects.select_related("run").filter(run=int(run), index=int(index)).first()
        if shard is None:
            raise CommandError(f"run {run} has no shard {index}")
        return [recover_shard_ledger(shard)]


def _shard_of(path: Path) -> Shard:
    """The shard that a ledger's first line names."""
    with path.open("rb") as file:
        first = file.readline()
    try:
        head = orjson.loads(first)
        run_id, shard_id = int(head["run"]), int(head["shard"])
    except (ValueError, KeyError, TypeError) as exc:
        raise CommandError(f"{path} is not a ledger: its first line is not a head") from exc
    shard = Shard.objects.select_related("run").filter(pk=shard_id, run=run_id).first()
    if shard is None:
        raise CommandError(f"{path} belongs to run {run_id}, shard {shard_id}: this database has no such shard")
    return shard
