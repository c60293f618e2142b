"""docs/from-bag-stresser.md promises names: every one of them exists, and nothing of theirs is left out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.urls import resolve

from runs.load.profile import ClosedLoad
from runs.models import Run, RunStatus, Session
from runs.reporting import per_user
from runs.supervisor.local import run_local
from scenarios.importers import load_scenario
from tests.support.processes import ROOT, Mock
from tests.support.runs import a_run, talk
from tokenburn_site.cli.options.parser import add_options, new_parser

pytestmark = pytest.mark.django_db(transaction=True)
PAGE = ROOT / "docs" / "from-bag-stresser.md"
NAME = re.compile(r"`([^`]+)`")
THEIRS = """
--sessions --workers --duration --conversations-dir --model --temp-min --temp-max --show-individual model_filter.txt
OPENAI_API_KEY OPENAI_API_BASE MODEL_NAME TEMPERATURE MAX_TOKENS
conversation_file_path model_name temperature max_tokens max_messages api_key api_base
conversations_dir duration_seconds temperature_range concurrency num_sessions num_workers num_sessions_per_worker
total_messages_sent total_tokens_input total_tokens_output total_tokens total_latency_seconds average_latency_seconds
min_latency_seconds max_latency_seconds total_sleep_time_seconds message_latencies error
session_start session_end total_conversations successful_conversations failed_conversations conversations_per_minute
models_used conversation_stats
run_conversation_stress_test() simulate_user_session() print_session_report() run_multi_session()
run_with_multiprocessing() run_worker_process() aggregate_session_stats() print_aggregate_report()
"""
LINES = (
    "Number of Sessions", "Session Duration", "Total Duration", "Total Conversations", "Successful", "Failed", "Rate",
    "Total Messages Sent", "Total Tokens", "Input Tokens", "Output Tokens", "Throughput", "Average Latency",
    "Min Latency", "Max Latency", "Models Used", "error summary",
)  # fmt: skip


def rows() -> Iterator[list[str]]:
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| ") and len(cells) == 3 and cells[2] != "remarks" and cells[0] != "--":
            yield cells


def names(column: int) -> set[str]:
    return {name for cells in rows() for name in NAME.findall(cells[column])}


def test_nothing_of_theirs_is_left_out() -> None:
    assert sorted(set(THEIRS.split()) - names(0)) == []
    said = " ".join(cells[0] for cells in rows())
    assert [line for line in LINES if line not in said] == []
    assert all(NAME.search(cells[1]) for cells in rows()), "a row without a name of ours"


@pytest.fixture
def run(start_mock: Callable[..., Mock]) -> Run:
    """A real one: two users, each with two conversations of two messages."""
    mock = start_mock("--error-rate", "0", "--delay-ms", "0-20", "--tokens", "5")
    people = {"models": ["small", "large"], "temperature": [0.5, 1.0], "think": {"pause_s": {"mean": 0.05}}}
    load = ClosedLoad.model_validate({"users": 2, "conversations": 4, "user_profile": people})
    made = a_run(1, load, url=f"{mock.url}/v1", scenarios=[(1.0, talk("one", "two"))])
    run_local(made)
    made.refresh_from_db()
    assert made.status == RunStatus.COMPLETED
    return made


def test_every_name_of_ours_exists(run: Run) -> None:
    parser = new_parser("burn")
    add_options(parser)
    options = set(parser._option_string_actions)
    [user, _] = per_user.users(run.pk, list(per_user.user_numbers(run.pk)))
    conversation = per_user.conversations(list(Session.objects.filter(run=run)))[0]
    found = {"report": run.report, "users[]": user, "conversations[]": conversation}
    checked = 0
    for name in sorted(names(1) | {name for cells in rows() for name in NAME.findall(cells[2])}):
        checked += _exists(name, found, options)
    assert checked > 70


def _exists(name: str, found: dict[str, Any], options: set[str]) -> bool:
    """Fails the test if the name is of a kind that can be checked, and there is no such thing."""
    root, dot, path = name.partition(".")
    if root in found and dot:
        value = found[root]
        for key in path.split("."):
            assert key in value, f"{name}: there is no {key!r}"
            value = value[key]
        assert value is not None or path in {"code", "run.reason"}, f"{name} is not measured"
    elif name.startswith("--"):
        assert name.split(maxsplit=1)[0] in options, name
    elif name.startswith(("/api/", "/runs/")):
        assert resolve(name.replace("ID", "1"))
    elif name.startswith("docker/"):
        assert (ROOT / name).exists(), name
    else:
        return False
    return True


def test_their_figures_are_ours(run: Run) -> None:
    """As their user statistics sum up conversations, so do ours, and as their aggregate sums up users."""
    report = run.report
    assert report is not None
    users = per_user.users(run.pk, list(per_user.user_numbers(run.pk)))
    talks = per_user.conversations(list(Session.objects.filter(run=run)))
    assert [user["conversations"]["completed"] for user in users] == [2, 2]
    assert sum(user["turns"]["sent"] for user in users) == report["turns"]["sent"] == 8
    assert sum(user["tokens"]["total"] for user in users) == report["tokens"]["total"]
    assert min(user["latency_ms"]["min"] for user in users) == pytest.approx(
        report["metrics"]["e2e_ms"]["min"], abs=0.001
    )
    assert sorted({model for user in users for model in user["models"]}) == sorted(
        model["model"] for model in report["models"]
    )
    assert all(talk["sleep_s"] == pytest.approx(0.05) for talk in talks)
    seconds = report["run"]["duration_s"]
    assert report["rates"]["ended_sessions_per_min"] == pytest.approx(4 * 60 / seconds, rel=0.01)
    assert report["rates"]["tokens_per_s"] == pytest.approx((report["tokens"]["total"] or 0) / seconds, rel=0.01)


def test_the_page_reads_conversation_files_as_they_are(tmp_path: Path) -> None:
    file = tmp_path / "conversation_01.json"
    file.write_text(
        '{"conversation_id": "conv_01", "messages": [{"role": "user", "content": "Hello, how are you?"},'
        ' {"role": "assistant", "content": "Well!"}, {"role": "user", "content": "Can you help me?"},'
        ' {"role": "assistant", "content": "Of course!"}]}',
        encoding="utf-8",
    )
    [spec] = load_scenario(str(file))
    assert spec.name == "conv_01"
    assert [step.do for step in spec.steps] == ["say", "wait", "say"]
    assert spec.history == "scripted"
