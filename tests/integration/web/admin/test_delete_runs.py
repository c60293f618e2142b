"""A run that is over can be deleted, over the API and in the admin, with all that belongs to it and nothing else."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from metrics.models import SessionMetric, Window
from runs.completion import deletion, ingest
from runs.completion.deletion import RunNotOverError, delete_run
from runs.completion.ingest import LeaseLostError, LedgerIngest
from runs.lifecycle.transitions import RUN_ACTIVE, RUN_TERMINAL
from runs.models import Run, RunStatus, Session, Shard
from runs.workers.leases import host_name
from tests.integration.web import made_up


@pytest.fixture
def api(boss: User) -> APIClient:
    client = APIClient()
    client.force_login(boss)
    return client


def a_run(status: RunStatus = RunStatus.COMPLETED, host: str = "") -> tuple[Run, Path]:
    """A run with turns and a report, and the folder of its ledger."""
    run = made_up.run(status)
    made_up.fill(run, seconds=3)
    made_up.finish(run)
    ledger = Path(settings.LEDGER_DIR) / f"run-{run.pk}-{run.uid.hex[:8]}" / "shard-0-1.jsonl"
    ledger.parent.mkdir(parents=True)
    ledger.write_bytes(b"{}\n")
    Shard.objects.filter(run=run).update(ledger_path=str(ledger), host=host or host_name())
    return run, ledger.parent


def rows_of(run_id: int) -> int:
    return sum(model.objects.filter(run=run_id).count() for model in (SessionMetric, Window, Session, Shard))


@pytest.mark.parametrize("status", sorted(RUN_TERMINAL))
def test_the_api_deletes_a_run_that_is_over_and_nothing_of_another(api: APIClient, status: RunStatus) -> None:
    (run, folder), (other, others_folder) = a_run(status), a_run()
    kept = rows_of(other.pk)
    assert rows_of(run.pk) > 30 and kept > 30
    assert api.delete(f"/api/runs/{run.pk}/").status_code == 204
    assert api.get(f"/api/runs/{run.pk}/").status_code == 404
    assert rows_of(run.pk) == 0 and rows_of(other.pk) == kept
    assert not folder.exists() and others_folder.exists()
    assert run.plan is not None and api.get(f"/api/plans/{run.plan.pk}/").status_code == 200


@pytest.mark.parametrize("status", sorted(RUN_ACTIVE))
def test_a_run_that_goes_on_is_refused_with_the_reason(api: APIClient, status: RunStatus) -> None:
    run, folder = a_run(status)
    answer = api.delete(f"/api/runs/{run.pk}/")
    assert (answer.status_code, answer.json()) == (409, {"detail": f"run {run.pk} is {status}: stop it first"})
    assert rows_of(run.pk) > 30 and folder.exists()


def test_deleting_needs_its_own_right(db: None) -> None:
    run, _ = a_run()
    client = APIClient()
    client.force_login(made_up.user("runs.view_run", "runs.change_run"))
    assert client.delete(f"/api/runs/{run.pk}/").status_code == 403
    client.force_login(made_up.user("runs.view_run", "runs.delete_run"))
    assert client.delete(f"/api/runs/{run.pk}/").status_code == 204


def test_the_admin_asks_first_and_says_what_goes_on(admin_page: Client) -> None:
    (done, folder), (running, _) = a_run(), a_run(RunStatus.RUNNING)
    address = f"/admin/runs/run/{done.pk}/"
    assert f'href="{address}delete/"' in admin_page.get(f"{address}change/").content.decode()
    for run, says in ((done, "with its turns, report and ledgers"), (running, "stop it first")):
        page = admin_page.get(f"/admin/runs/run/{run.pk}/delete/")
        assert page.status_code == 200 and says in html.unescape(page.content.decode())
        admin_page.post(f"/admin/runs/run/{run.pk}/delete/", {"post": "yes"})
    assert list(Run.objects.all()) == [running] and rows_of(done.pk) == 0 and not folder.exists()


def test_the_admin_deletes_several_without_looking_at_every_turn(admin_page: Client) -> None:
    runs = [a_run()[0] for _ in range(2)]
    chosen: dict[str, Any] = {"action": "delete_selected", "_selected_action": [run.pk for run in runs]}
    with CaptureQueriesContext(connection) as queries:
        assert admin_page.post("/admin/runs/run/", chosen).status_code == 200
    assert not [query for query in queries if "metrics_sessionmetric" in query["sql"]]
    assert admin_page.post("/admin/runs/run/", {**chosen, "post": "yes"}).status_code == 302
    assert not Run.objects.exists() and not SessionMetric.objects.exists()


def test_who_may_only_look_is_offered_no_deletion(client: Client, db: None) -> None:
    run, _ = a_run()
    client.force_login(made_up.user("runs.view_run"))
    assert client.get(f"/admin/runs/run/{run.pk}/delete/").status_code == 403
    assert "delete_selected" not in client.get("/admin/runs/run/").content.decode()


def test_it_is_done_in_batches_on_each_database(any_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deletion, "BATCH", 7)
    run, folder = a_run()
    number, turns = run.pk, SessionMetric.objects.filter(run=run).count()
    found = delete_run(run)
    assert (found.turns, found.sessions, found.kept_on) == (turns, turns, ())
    assert rows_of(number) == 0 and not folder.exists()


def test_ledgers_of_another_host_and_paths_that_lead_elsewhere_are_left_alone(db: None, tmp_path: Path) -> None:
    run, folder = a_run(host="far-away")
    outside = tmp_path / "precious"
    outside.mkdir()
    Shard.objects.filter(run=run).update(ledger_path=str(outside / "shard-0-1.jsonl"))
    assert delete_run(run).kept_on == ("far-away",)
    assert outside.is_dir() and folder.is_dir()


def test_a_host_that_still_stores_a_ledger_stores_nothing_more(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    run, folder = a_run()
    shard = Shard.objects.select_related("run").get(run=run)
    late = LedgerIngest(shard)
    delete_run(Run.objects.get(pk=run.pk))
    monkeypatch.setattr(ingest, "_read_lines", lambda *_: b'{"k":"gen","at":1}\n')
    with pytest.raises(LeaseLostError):
        late.step()
    assert not folder.exists() and rows_of(run.pk) == 0


def test_a_run_that_started_over_in_between_is_not_taken_for_over(db: None) -> None:
    run, _ = a_run(RunStatus.COMPLETED)
    Run.objects.filter(pk=run.pk).update(status=RunStatus.RUNNING)
    with pytest.raises(RunNotOverError, match="is running: stop it first"):
        delete_run(run)
