"""`manage.py burn` against the mock chatbot: the figures agree with what the target itself counted."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
import redis

from scenarios.importers import SAMPLES, library_names, load_scenario
from tests.e2e.burning import FAST, FAULTLESS, Burner, database, openai, wait_until
from tests.support.processes import ROOT, Mock, mock_chatbot
from tests.support.runs import until
from tokenburn_site.cli.report.contract import CONTRACT
from tokenburn_site.local.process_groups import ProcessGroups

STATS = {"count", "mean", "min", "p50", "p90", "p95", "p99", "p999", "max"}


@pytest.fixture(scope="module")
def burn(tmp_path_factory: pytest.TempPathFactory) -> Burner:
    return Burner(tmp_path_factory.mktemp("var"))


@pytest.fixture(scope="module")
def faultless(family: ProcessGroups, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mock]:
    with mock_chatbot(family, *FAULTLESS, log=tmp_path_factory.mktemp("mock") / "mock.log") as started:
        yield started


@pytest.fixture
def mock(faultless: Mock) -> Mock:
    """One for all tests that need none of their own; it has counted nothing yet, and nothing is left to answer."""
    until(lambda: faultless.stats()["in_flight"] == 0)
    urlopen(Request(f"{faultless.url}/__stats/reset", method="POST"), timeout=10).close()
    return faultless


def assert_agree(report: dict[str, Any], stats: dict[str, Any]) -> None:
    turns = report["turns"]
    assert turns["sent"] == stats["chat_requests"]
    assert turns["ok"] == stats["answers"]
    assert turns["error"] == stats["errors"] == sum(report["errors"].values())
    counted = {f"http_{status}": number for status, number in stats["by_status"].items() if status != "200"}
    assert report["errors"] == counted
    assert turns["timeout"] == turns["aborted"] == turns["unknown"] == stats["in_flight"] == 0


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
def test_the_counts_are_those_of_the_target(stream: bool, burn: Burner, start_mock: Callable[..., Mock]) -> None:
    mock = start_mock(*FAST, "--error-rate", "0.1", "--stamp", "t")
    flags = ("--stream", "--stamp", "t") if stream else ()
    argv = ("--users", "12", "--conversations", "150", "--prompt", "Tell me a story", "--no-witness", "--json", "-")
    burnt = burn(*openai(mock), *flags, *argv)
    assert burnt.code == 0, burnt.err
    report, stats = burnt.report(), mock.stats()
    assert "e2e_ms" in burnt.err and "--seed" in burnt.err, "with JSON on stdout everything else is on stderr"
    assert_agree(report, stats)
    assert report["sessions"] == {
        "started": 150,
        "completed": report["turns"]["ok"],
        "failed": report["turns"]["error"],
        "lost": 0,
    }
    assert report["tokens"] == {
        "input": stats["input_tokens"],
        "output": stats["output_tokens"],
        "reasoning": 0,
        "source": "usage",
        "input_source": "usage",
        "output_source": "usage",
    }
    assert report["metrics"]["e2e_ms"]["count"] == stats["answers"]
    if stream:
        assert report["metrics"]["arrival_error_ms"]["count"] >= stats["chunks"]
    rows = database(burn, f"SELECT count(*) FROM metrics_sessionmetric WHERE run_id={report['run']['id']}")
    assert rows == [(150,)]


def test_processes_share_the_load(burn: Burner, mock: Mock) -> None:
    burnt = burn(
        *openai(mock), "--users", "6", "--conversations", "60", "--processes", "2", "--prompt", "x", "--json", "-"
    )
    assert burnt.code == 0, burnt.err
    report = burnt.report()
    assert_agree(report, mock.stats())
    assert report["sessions"]["completed"] == 60
    assert report["generator"]["processes"] == 2


def keys(data: Any) -> Any:
    return {name: keys(value) if isinstance(value, dict) else None for name, value in data.items()}


def test_the_json_has_the_keys_of_the_contract(burn: Burner, mock: Mock, tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    argv = (
        "--users",
        "2",
        "--duration",
        "500ms",
        "--prompt",
        "x",
        "--threshold",
        "e2e_ms.p95<60000",
        "--json",
        str(path),
    )
    burnt = burn(*openai(mock), "--model", "m", *argv)
    assert burnt.code == 0, burnt.err
    report = json.loads(path.read_text())
    assert list(report) == list(CONTRACT)
    found = keys(report)
    open_ended = ("errors", "session_errors", "metrics", "answers")
    for name in open_ended:
        del found[name]
    del found["run"]["load"]
    found["generator"]["connections"] = None  # by address
    expected = {name: below for name, below in CONTRACT.items() if name not in open_ended}
    expected["run"] = {name: None for name in CONTRACT["run"] or {} if name != "load"}
    assert found == expected
    bounded = {"e2e_planned_ms": STATS | {"censored", "high"}}
    assert all(set(values) == bounded.get(name, STATS) for name, values in report["metrics"].items())
    (threshold,) = report["thresholds"]
    assert set(threshold) == {"expr", "value", "passed"}
    assert threshold["passed"] is True
    assert report["run"]["status"] == "completed"
    assert report["run"]["load"]["users"] == 2
    assert report["run"]["duration_s"] == pytest.approx(0.5, abs=0.4)


def test_a_missed_threshold_exits_1_and_names_the_value(burn: Burner, mock: Mock, tmp_path: Path) -> None:
    argv = ("--users", "2", "--conversations", "4", "--prompt", "x", "--no-witness", "--json", str(tmp_path / "r.json"))
    burnt = burn(*openai(mock), *argv, "--threshold", "e2e_ms.p50<0.001", "--threshold", "turns_ok>=4")
    assert burnt.code == 1
    value = json.loads((tmp_path / "r.json").read_text())["thresholds"][0]["value"]
    assert burnt.line == f"missed: e2e_ms.p50<0.001 (is {value:.6g})"


def test_the_last_lines_repeat_the_run_and_lead_to_the_files(burn: Burner, mock: Mock, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    argv = ("--users", "2", "--conversations", "4", "--prompt", "it's me", "--html", str(page))
    burnt = burn(*openai(mock), *argv)
    assert (burnt.code, burnt.err) == (0, "")
    last = dict(line.split(maxsplit=1) for line in burnt.out.splitlines()[-6:] if line.strip())
    repeat = shlex.split(last["repeat"])
    assert repeat[repeat.index("--prompt") + 1] == "it's me"
    assert Path(last["ledger"]).read_text().count('"k":"turn"') == 4
    assert last["html"] == str(page)
    assert page.read_text().startswith("<!doctype html>")
    again = burn(*repeat[repeat.index("burn") + 1 :])
    assert again.code == 0
    assert mock.stats()["answers"] == 8
    seeds = database(burn, "SELECT DISTINCT seed FROM runs_run ORDER BY id DESC LIMIT 2")
    assert [str(seed) for (seed,) in seeds][:1] == [repeat[repeat.index("--seed") + 1]]


def test_a_folder_of_conversations_is_replayed(burn: Burner, mock: Mock, tmp_path: Path) -> None:
    for number in (1, 2):
        talk = {
            "conversation_id": f"talk-{number}",
            "messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}] * number,
        }
        (tmp_path / f"{number}.json").write_text(json.dumps(talk))
    burnt = burn(*openai(mock), "--users", "4", "--conversations", "20", "--scenario", str(tmp_path), "--json", "-")
    assert burnt.code == 0, burnt.err
    report = burnt.report()
    assert_agree(report, mock.stats())
    assert 20 < report["turns"]["ok"] < 40
    names = {
        name for (name,) in database(burn, f"SELECT scenario FROM runs_session WHERE run_id={report['run']['id']}")
    }
    assert len(names) == 2


def test_workers_run_it_and_the_table_is_printed_here(
    burn: Burner, mock: Mock, family: ProcessGroups, valkey: str, tmp_path: Path, migrated: Callable[[Path], Path]
) -> None:
    migrated(burn.var_dir)
    env = burn.environment(REDIS_URL=valkey)
    celery = (sys.executable, "-m", "celery", "-A", "tokenburn_site")
    load_worker = ("worker", "-Q", "load", "-c", "1", "-n", "load@here")
    with (tmp_path / "worker.log").open("wb") as log:
        worker = family.start([*celery, *load_worker], cwd=ROOT, env=env, stdout=log, stderr=log)
    try:
        client = redis.Redis.from_url(valkey)
        wait_until(worker, lambda: bool(client.keys("tokenburn:*:worker:*")))
        client.close()
        argv = ("--workers", "--no-witness", "--users", "4", "--conversations", "40", "--prompt", "x", "--json", "-")
        burnt = burn(*openai(mock), *argv, REDIS_URL=valkey)
    finally:
        family.stop(worker)
    assert burnt.code == 0, burnt.err
    assert_agree(burnt.report(), mock.stats())
    assert "e2e_ms" in burnt.err


def test_every_scenario_of_the_library_talks(burn: Burner, start_mock: Callable[..., Mock]) -> None:
    mock = start_mock("--delay-ms", "200", "--itl-ms", "1", "--tokens", "5-20", "--error-rate", "0")
    conversations = {spec.name for spec in load_scenario(SAMPLES)}
    stress = {name for name in library_names() if name not in conversations | {SAMPLES}}
    assert len(stress) >= 8
    flags = [flag for name in [*sorted(stress), SAMPLES] for flag in ("--scenario", name)]
    burnt = burn(
        *openai(mock), *flags, "--users", "80", "--duration", "3s", "--no-witness", "--seed", "1", "--json", "-"
    )
    assert burnt.code == 0, burnt.err
    report = burnt.report()
    assert set(report["errors"]) <= {"expect_failed", "stopped"}
    query = f"SELECT DISTINCT scenario FROM runs_session WHERE run_id={report['run']['id']} AND turns > 0"
    talked = {name for (name,) in database(burn, query)}
    assert stress <= talked
    assert talked & conversations
