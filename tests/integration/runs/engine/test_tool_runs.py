"""A run whose turns call tools: the mock chatbot, the ledger, the rows and the report say the same."""

from __future__ import annotations

from collections.abc import Callable

import orjson
import pytest

from connectors.spec import build_target_spec
from metrics.models import SessionMetric
from metrics.storage.aggregate import aggregate_rows, aggregate_run
from metrics.storage.export import json_pieces
from runs.load.profile import ClosedLoad
from runs.models import RunStatus
from runs.supervisor.local import run_local
from tests.support.processes import Mock
from tests.support.runs import a_run, talk

pytestmark = pytest.mark.django_db(transaction=True)
TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": {}}}]


def test_results_of_tools_go_back_and_all_counts_agree(start_mock: Callable[..., Mock]) -> None:
    mock = start_mock("--error-rate", "0", "--delay-ms", "1", "--itl-ms", "0", "--tokens", "4")
    target = build_target_spec(
        name="mock",
        url=f"{mock.url}/v1",
        preset="openai-chat",
        stream=True,
        params={"tools": TOOLS},
        overrides={"tool_results": {"weather": "it is warm: {{ tool.input.text }}"}},
    )
    run = a_run(1, ClosedLoad(users=2, conversations=4), target=target, scenarios=[(1.0, talk("a", "b"))])
    run_local(run)
    run.refresh_from_db()
    assert run.status == RunStatus.COMPLETED, run.reason
    counted, report = mock.stats(), run.report
    assert report is not None
    assert (counted["chat_requests"], counted["answers"]) == (16, 16)
    assert report["turns"]["ok"] == 8
    assert report["answers"]["tools"] == {"weather": 8}
    assert (report["tokens"]["input"], report["tokens"]["output"]) == (
        counted["input_tokens"],
        counted["output_tokens"],
    )
    assert report["tokens"]["source"] == "usage"
    found = report["metrics"]
    for name in ("time_to_tool_call_ms", "tool_round_1_ms", "tool_round_2_ms", "ttft_ms"):
        assert found[name]["count"] == 8, name
    first, called = found["tool_round_1_ms"]["min"], found["time_to_tool_call_ms"]["min"]
    assert first is not None and called is not None and called <= first
    assert found["tpot_ms"]["count"] == 0
    assert aggregate_rows(run.pk).from_turns() == aggregate_run(run.pk).from_turns()
    row = SessionMetric.objects.filter(run=run).latest("id")
    ((name, arguments),) = orjson.loads(row.tool_calls or "null")
    assert (name, row.tools, row.kind) == ("weather", '{"weather":1}', None)
    assert row.answer is not None and "it is warm" not in arguments
    assert orjson.loads(arguments)["text"]
    shown, hidden = (orjson.loads(b"".join(json_pieces(run.pk, texts=texts))) for texts in (True, False))
    assert [turn["tools"] for turn in (*shown, *hidden)] == ['{"weather":1}'] * 16
    assert all(turn["tool_calls"].startswith('[["weather",') for turn in shown)
    assert [turn["tool_calls"] for turn in hidden] == [None] * 8
    assert all(turn["time_to_tool_call_ms"] <= turn["e2e_ms"] for turn in hidden)
