"""`manage.py ingest`: store what a crash left in a ledger."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, NoReturn

import orjson
from django.core.management.base import CommandParser

from plain_text.visible import visible
from runs.completion.ingest import LeaseLostError
from runs.completion.ledger_recovery import NotOverError, RecoveredLedger, recover_run_ledgers, recover_shard_ledger
from runs.engine.recording.ledger import LedgerHeldError
from runs.models import Run, Shard
from runs.supervisor.local import store_orphans
from tokenburn_site.cli.console import say
from tokenburn_site.cli.errors import EXIT_USAGE, BadUsage
from tokenburn_site.cli.options.parser import OneLineParser
from tokenburn_site.management.commands import burn


class IngestParser(OneLineParser):
    command = "ingest"


class Command(burn.Command):
    help = "Store the rest of a dead run's ledgers and rebuild its report. Can be repeated."

    def empty_parser(self, prog: str) -> CommandParser:
        return IngestParser(prog=prog, description=self.help, allow_abbrev=False)

    def add_own_options(self, parser: CommandParser) -> None:
        parser.add_argument("what", metavar="RUN|RUN/SHARD|PATH", help="a run (12), one shard (12/0), or a ledger file")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            results = self._recover(options["what"])
        except (NotOverError, BadUsage) as exc:
            _refuse(str(exc))
        except LedgerHeldError as exc:
            _refuse(f"{exc}: stop the run first, or wait a few seconds")
        except LeaseLostError as exc:
            _refuse(f"another process is storing this shard: try again ({exc})")
        except OSError as exc:
            _refuse(f"{exc.filename or 'ledger'}: {exc.strerror}")
        for shard in results:
            self.stdout.write(visible(f"{shard.path}: {shard.before} -> {shard.after} bytes stored; {shard.verdict}"))

    def _recover(self, what: str) -> list[RecoveredLedger]:
        store_orphans()
        path = Path(what)
        if path.is_file():
            return [recover_shard_ledger(_shard_of(path), path)]
        run, _, index = what.partition("/")
        if not run.isdigit() or (index and not index.isdigit()):
            raise BadUsage(f"{what!r} is neither a ledger file nor a run such as 12 or 12/0")
        if not Run.objects.filter(pk=int(run)).exists():
            raise BadUsage(f"there is no run {run} in this database")
        if not index:
            return recover_run_ledgers(int(run))
        shard = Shard.objects.select_related("run").filter(run=int(run), index=int(index)).first()
        if shard is None:
            raise BadUsage(f"run {run} has no shard {index}")
        return [recover_shard_ledger(shard)]


def _refuse(line: str) -> NoReturn:
    say("ingest", line)
    sys.exit(EXIT_USAGE)


def _shard_of(path: Path) -> Shard:
    """The shard that a ledger's first line names."""
    with path.open("rb") as file:
        first = file.readline()
    try:
        head = orjson.loads(first)
        run_id, shard_id = int(head["run"]), int(head["shard"])
    except (ValueError, KeyError, TypeError) as exc:
        raise BadUsage(f"{path} is not a ledger: its first line is not a head") from exc
    shard = Shard.objects.select_related("run").filter(pk=shard_id, run=run_id).first()
    if shard is None:
        raise BadUsage(f"{path} belongs to run {run_id}, shard {shard_id}: this database has no such shard")
    return shard
