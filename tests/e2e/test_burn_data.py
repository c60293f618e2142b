"""Data, traces and made-up texts from the command line to the chatbot, by the chatbot's own count."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.burning import Burner
from tests.support.processes import Mock

FAULTLESS = ("--error-rate", "0", "--delay-ms", "0", "--itl-ms", "0")


@pytest.fixture(scope="module")
def burn(migrated: Callable[[Path], Path], tmp_path_factory: pytest.TempPathFactory) -> Burner:
    return Burner(migrated(tmp_path_factory.mktemp("var")))


def test_a_trace_says_when_how_long_and_how_long_the_answers_may_be(
    burn: Burner, start_mock: Callable[..., Mock], tmp_path: Path
) -> None:
    mock = start_mock(*FAULTLESS, "--tokens", "500")
    trace = tmp_path / "trace.jsonl"
    rows: list[dict[str, Any]] = [
        {"timestamp": 20 * n, "input_length": 10 + 10 * n, "output_length": 3 + n, "hash_ids": [n]} for n in range(20)
    ]
    trace.write_text("".join(json.dumps(row) + "\n" for row in rows))
    burnt = burn(
        *("--url", f"{mock.url}/v1", "--preset", "openai-chat", "--stream", "--model", "m"),
        *("--trace", str(trace), "--trace-unit", "ms", "--synthetic", "from-trace", "--json", "-"),
    )
    assert burnt.code == 0, burnt.err
    assert "burn: trace: 20 requests over 380 ms, timestamps read as ms" in burnt.err
    report = burnt.report()
    assert report["turns"]["ok"] == 20
    counted = mock.stats()
    assert counted["chat_requests"] == 20
    assert counted["output_tokens"] == sum(row["output_length"] for row in rows)
    asked = sum(row["input_length"] for row in rows)
    assert counted["input_tokens"] == pytest.approx(asked, rel=0.15)  # the mock's tokens are words


def test_a_file_of_others_is_replayed_with_data_and_notes_say_what_was_left_out(
    burn: Burner, start_mock: Callable[..., Mock], tmp_path: Path
) -> None:
    mock = start_mock(*FAULTLESS, "--tokens", "3")
    talks = tmp_path / "talks.json"
    good = [{"conversations": [{"from": "human", "value": f"hello {n}"}]} for n in range(4)]
    talks.write_text(json.dumps([*good, {"conversations": [{"from": "gpt", "value": "x"}]}]))
    target = ("--url", f"{mock.url}/v1", "--preset", "openai-chat", "--model", "m", "--users", "2")
    burnt = burn(*target, "--scenario", f"{talks}=2", "--conversations", "8", "--json", str(tmp_path / "r.json"))
    assert burnt.code == 0, burnt.err
    assert "1 of 5 conversations are left out: 1 because a conversation begins with the user" in burnt.err
    assert mock.stats()["chat_requests"] == 8
