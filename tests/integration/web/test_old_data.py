"""A database, ledgers, command lines and API answers of the version before the modules of `runs/` moved into packages
(`tests/old_data/make.py` made them): everything opens, reports the same figures, and can be continued."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from pydantic import SecretStr
from pytest_django import DjangoDbBlocker, Settings

from metrics.earlier_names import present_code
from metrics.models import SessionMetric
from runs.completion.finalize import refresh_report
from runs.load.earlier_names import present_load
from runs.load.profile import parse_load
from runs.models import PlanSchedule, Run, RunStatus, Shard, TestPlan, Webhook, WebhookDelivery
from runs.services import request_run
from runs.supervisor.local import run_local
from runs.workers.leases import host_name
from targets.models import Credential, Target
from tests.old_data import make
from tests.support import databases
from tests.support.processes import Mock
from tests.support.schemas import wrong
from tokenburn_site.cli.burn.outcome import verdict
from tokenburn_site.cli.options.burn_options import Options, check
from tokenburn_site.cli.options.parser import add_options, new_parser
from tokenburn_site.cli.report.contract import contract
from tokenburn_site.config.keys import keyring

pytestmark = pytest.mark.django_db(transaction=True)
SAID: dict[str, Any] = json.loads(gzip.decompress((make.HERE / make.SAID).read_bytes()))
BURNS: dict[str, Any] = SAID["burns"]
NOW = frozenset({"next_runs"})
"""Keys whose values follow the time of day."""


@pytest.fixture(scope="module")
def migrated_copy(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The old database as it is after an update."""
    file = tmp_path_factory.mktemp("old") / "tokenburn.sqlite3"
    file.write_bytes(gzip.decompress((make.HERE / make.DATABASE).read_bytes()))
    with django_db_blocker.unblock(), databases.as_default(databases.configuration(f"sqlite:///{file}")):
        databases.migrate()
    return file


@pytest.fixture
def old(migrated_copy: Path, transactional_db: None, tmp_path: Path, settings: Settings) -> Iterator[Settings]:
    """The test runs on a copy of it, with its ledgers and its keys."""
    file, ledgers = tmp_path / "tokenburn.sqlite3", tmp_path / "ledgers"
    file.write_bytes(migrated_copy.read_bytes())
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress((make.HERE / make.LEDGERS).read_bytes()))) as tar:
        tar.extractall(ledgers)  # our own archive
    settings.SECRET_KEYRING = keyring(SecretStr(make.KEYS), tmp_path / "unused")
    settings.LEDGER_DIR = ledgers
    with databases.as_default(databases.configuration(f"sqlite:///{file}")):
        for shard in Shard.objects.exclude(ledger_path=""):
            path = ledgers.joinpath(*Path(shard.ledger_path).parts[-2:])
            Shard.objects.filter(pk=shard.pk).update(ledger_path=str(path), host=host_name())
        yield settings


def unfinished() -> Run:
    return Run.objects.get(status=RunStatus.RUNNING)


def differences(before: Any, now: Any, path: str = "") -> list[str]:
    """Where `now` lacks, or says otherwise, what was said before; keys may have been added, and a load has its present
    names."""
    if isinstance(before, dict) and isinstance(now, dict):
        before = present_load(before) if path.endswith(".load") else before
        before = {present_code(code): n for code, n in before.items()} if path.endswith(".errors") else before
        return [
            text
            for key, value in before.items()
            if key not in NOW
            for text in (differences(value, now[key], f"{path}.{key}") if key in now else [f"{path}.{key} is gone"])
        ]
    if isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        return [
            text
            for number, pair in enumerate(zip(before, now, strict=True))
            for text in differences(*pair, f"{path}[{number}]")
        ]
    is_unknown = now is None and before == 0  # tokens of which no turn told anything are null since
    if path.endswith(".capacity.note"):
        return []  # a text for people
    is_renamed = path.endswith(".ended_by") and now in {"cost", "no_success"}
    return [] if before == now or before is None or is_unknown or is_renamed else [f"{path}: {before!r} became {now!r}"]


def without_words(report: Any) -> dict[str, Any]:
    """Of the verdict's remarks the codes: their texts are for people."""
    assert report is not None
    found = report["verdict"]
    remarks = {name: [text.partition(":")[0] for text in found[name]] for name in ("reasons", "notes") if name in found}
    return {**report, "verdict": {**found, **remarks}}


def run_of(burn: dict[str, Any]) -> Run:
    return Run.objects.get(pk=burn["json"]["run"]["id"])


@pytest.mark.usefixtures("old")
def test_every_ending_is_there() -> None:
    found = {name: (burn["json"]["run"]["status"], burn["exit"]) for name, burn in BURNS.items()}
    assert found == {
        "completed": ("completed", 0),
        "budget": ("stopped", 0),
        "aborted": ("aborted", 1),
        "people": ("completed", 0),
        "missed": ("completed", 1),
        "searched": ("completed", 0),
        "refused": ("aborted", 3),
        "interrupted": ("stopped", 130),
    }
    assert Run.objects.count() == len(found) + 2  # the plan's, and the one that was killed


@pytest.mark.usefixtures("old")
def test_a_report_that_is_built_again_has_the_figures_that_it_had() -> None:
    for name, burn in BURNS.items():
        run = run_of(burn)
        before = run.report
        assert refresh_report(run.pk)
        run.refresh_from_db()
        assert run.report is not None
        assert wrong("report", run.report) == []
        assert wrong("load", parse_load(run.load).model_dump(mode="json")) == []
        assert differences(without_words(before), without_words(run.report), name) == []
        assert differences(without_words(burn["json"]), without_words(contract(run.report)), name) == []


@pytest.mark.usefixtures("old")
def test_an_old_report_is_read_with_the_keys_of_today(ann: Client) -> None:
    codes = {}
    for run in Run.objects.exclude(report=None):
        report = ann.get(f"/api/runs/{run.pk}/report/").json()
        assert run.report == report
        codes[run.status, run.reason[:7]] = report["run"]["end_code"]
        assert report["sessions"]["truncated"] == report["sessions"]["cut"]
        assert report["rates"]["completed_sessions_per_min"] == report["rates"]["sessions_per_min"]
        assert report["excluded_turns"] == report["uncounted_turns"]
        assert "user_doubled" not in report["errors"]
        assert "people" not in report["run"]["load"] and "user_profile" in report["run"]["load"]
    assert codes[RunStatus.STOPPED, "budget:"] == "budget_turns"
    assert codes[RunStatus.ABORTED, "thresho"] == "threshold_missed"
    assert codes[RunStatus.COMPLETED, ""] is None


@pytest.mark.usefixtures("old")
def test_an_ending_without_a_code_has_the_exit_code_that_it_had() -> None:
    runs = {name: run_of(burn) for name, burn in BURNS.items()}
    assert {run.end_code for run in runs.values()} == {""}
    codes = {name: verdict(run, Options(), interrupted=name == "interrupted")[0] for name, run in runs.items()}
    assert codes == {name: burn["exit"] for name, burn in BURNS.items()}


@pytest.mark.usefixtures("old")
def test_a_ledger_that_was_not_finished_is_stored_and_its_run_ends() -> None:
    run = unfinished()
    (shard,) = run.shards.all()
    ledger = Path(shard.ledger_path)
    turns = ledger.read_bytes().count(b'"k":"turn"')
    assert shard.ledger_offset < ledger.stat().st_size or not shard.ledger_complete
    call_command("ingest", str(run.pk))
    run.refresh_from_db()
    assert (run.status, run.end_code) == (RunStatus.FAILED, "engine_died")
    assert run.report is not None
    stored = SessionMetric.objects.filter(run=run)
    assert stored.exclude(outcome="unknown").count() == turns > 0
    assert run.report["turns"]["ok"] == stored.filter(outcome="ok").count()
    assert run.report["shards"][0]["stored"] is True


@pytest.mark.usefixtures("old")
def test_the_old_plan_runs_again(start_mock: Callable[..., Mock]) -> None:
    mock = start_mock("--delay-ms", "10-30", "--tokens", "4-9", "--itl-ms", "1", "--error-rate", "0")
    Target.objects.update(url=f"{mock.url}/v1")
    Credential.objects.update(origins=[mock.url])
    plan = TestPlan.objects.get()
    assert plan.target.get_secrets() == {"api_key": make.API_KEY}
    run = request_run(plan, User.objects.get(username="ann"), local=True)
    assert run_local(run) is False
    assert (run.status, run.end_code, run.reason) == (RunStatus.COMPLETED, "done", "")
    assert run.report is not None
    before = plan.runs.exclude(pk=run.pk).get().report
    assert before is not None
    assert before.keys() <= run.report.keys()
    assert [row["expr"] for row in run.report["thresholds"]] == [row["expr"] for row in before["thresholds"]]


@pytest.fixture
def ann(old: Settings) -> Client:
    client = Client()
    client.force_login(User.objects.get(username="ann"))
    return client


def test_the_api_says_what_it_said(ann: Client) -> None:
    for path, before in SAID["api"].items():
        answer = ann.get(f"{path}?page_size=100")
        assert answer.status_code == 200
        assert differences(before, json.loads(strip_paths(answer.content)), path) == []


def strip_paths(content: bytes) -> bytes:
    """With the ledgers' folder and this host's name as they were."""
    text = content.decode()
    for shard in Shard.objects.exclude(ledger_path=""):
        text = text.replace(shard.ledger_path, OLD_PATHS.get(shard.pk, shard.ledger_path))
    return text.replace(f'"host":"{host_name()}"', f'"host":"{OLD_HOST}"').encode()


_shards = [shard for answer in SAID["api"].values() for shard in answer.get("shards", ())]
OLD_PATHS = {shard["id"]: shard["ledger_path"] for shard in _shards}
OLD_HOST = _shards[0]["host"]


def test_every_page_opens(ann: Client) -> None:
    pages = [
        reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_change", args=[row.pk])
        for model in (Target, TestPlan, Run, PlanSchedule, Webhook)
        for row in model.objects.all()
    ]
    lists = [
        reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        for model in (Target, TestPlan, Run, PlanSchedule, Webhook, WebhookDelivery, SessionMetric)
        if admin.site.is_registered(model)
    ]
    reports = [
        reverse(f"runs:{view}", args=[run.pk])
        for run in Run.objects.exclude(report=None)
        for view in ("report", "report-json")
    ]
    found = {page: ann.get(page).status_code for page in [*pages, *lists, *reports]}
    assert set(found.values()) == {200}, found


def test_the_old_plan_can_be_sent_back_as_it_was(ann: Client) -> None:
    plan = TestPlan.objects.get()
    path = f"/api/plans/{plan.pk}/"
    before = SAID["api"][path]
    answer = ann.put(path, json.dumps(before), "application/json")
    assert answer.status_code == 200, answer.content
    assert differences({**before, "updated_at": answer.json()["updated_at"]}, answer.json()) == []


def parsed(options: list[str]) -> Options:
    parser = new_parser("burn")
    add_options(parser)
    return check(vars(parser.parse_args(["--url", "http://127.0.0.1:9", *make.COMMON, *options])))


def test_every_option_is_still_taken() -> None:
    parser = new_parser("burn")
    add_options(parser)
    taken = {name for action in parser._actions for name in action.option_strings}
    assert set(SAID["options"]) - taken == set()


@pytest.mark.parametrize("name", BURNS)
def test_an_old_command_line_is_understood(name: str) -> None:
    options = parsed(BURNS[name]["options"])
    assert options.seed == 7
    assert options.witness is False
