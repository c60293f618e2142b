"""`manage.py ingest`, and what it must have stored."""

from __future__ import annotations

from io import StringIO

from django.core.management import call_command

from metrics.models import SessionMetric
from runs.models import Run, RunStatus, ShardStatus
from tests.support.runs import shards


def ingest(what: object) -> str:
    out = StringIO()
    call_command("ingest", str(what), stdout=out)
    return out.getvalue()


def check_whole(run: Run) -> None:
    run.refresh_from_db()
    (shard,) = shards(run)
    assert (run.status, shard.status, shard.ledger_complete) == (RunStatus.FAILED, ShardStatus.LOST, True)
    assert run.report is not None
    assert run.report["turns"]["ok"] == SessionMetric.objects.filter(outcome="ok").count() > 0
