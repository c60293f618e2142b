"""burn against a target that fails too often: it ends by itself, says why in one line, and keeps what it has."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.burning import Burner
from tests.support.processes import Mock

LONG_S = 40


@pytest.fixture(scope="module")
def burn(migrated: Callable[[Path], Path], tmp_path_factory: pytest.TempPathFactory) -> Burner:
    return Burner(migrated(tmp_path_factory.mktemp("var")))


def test_too_high_a_rate_of_errors_ends_the_run_with_partial_results(
    burn: Burner, start_mock: Callable[..., Mock], tmp_path: Path
) -> None:
    mock = start_mock("--delay-ms", "40-80", "--tokens", "3", "--error-rate", "0.6", "--errors", "503")
    argv = ["--url", f"{mock.url}/v1", "--preset", "openai-chat", "--prompt", "Hi", "--no-witness", "--processes", "2"]
    argv += [
        "--users",
        "6",
        "--duration",
        f"{LONG_S}s",
        "--max-error-rate",
        "20%/3s",
        "--json",
        str(tmp_path / "report.json"),
    ]
    burnt = burn(*argv)
    assert burnt.code == 3
    told = re.fullmatch(r"run \d+ aborted: (budget: error_rate: (.*)% of ([\d,]+) turns in 3 s failed.*)", burnt.line)
    assert told is not None, burnt.line
    assert 40 < float(told[2]) < 80
    assert int(told[3].replace(",", "")) >= 50
    assert "failed, the budget allows 20%; most often http_503" in told[1]
    report, stats = json.loads((tmp_path / "report.json").read_text()), mock.stats()
    assert report["run"]["status"] == "aborted"
    assert told[1].startswith(report["run"]["reason"])
    assert report["run"]["duration_s"] < LONG_S / 2
    assert report["budget"]["ended_by"] == "error_rate"
    assert report["budget"]["error_rate"] == {"above": 0.2, "window_s": 3, "turns": 50}
    turns = report["turns"]
    assert turns["sent"] == stats["chat_requests"]
    assert turns["ok"] == report["metrics"]["e2e_ms"]["count"] > 0
    assert turns["error"] == report["errors"]["http_503"] > 20


def test_a_rate_that_is_allowed_ends_nothing(burn: Burner, start_mock: Callable[..., Mock]) -> None:
    mock = start_mock("--delay-ms", "10", "--tokens", "3", "--error-rate", "0.3", "--errors", "503")
    argv = ["--url", f"{mock.url}/v1", "--preset", "openai-chat", "--prompt", "Hi", "--no-witness", "--json", "-"]
    burnt = burn(*argv, "--users", "6", "--duration", "4s", "--max-error-rate", "60%/1s")
    assert burnt.code == 0, burnt.err
    report = burnt.report()
    assert (report["run"]["status"], report["budget"]["ended_by"]) == ("completed", None)
    assert report["turns"]["error"] > 50
