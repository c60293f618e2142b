"""A budget on burn's command line: how it ends, what it says, what it would have cost."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.burning import Burner
from tests.support.processes import Mock


@pytest.fixture(scope="module")
def burn(migrated: Callable[[Path], Path], tmp_path_factory: pytest.TempPathFactory) -> Burner:
    return Burner(migrated(tmp_path_factory.mktemp("var")))


def test_an_estimate_needs_no_target_and_records_nothing(burn: Burner, tmp_path: Path) -> None:
    told = tmp_path / "estimate.json"
    argv = ["--url", "http://127.0.0.1:9/v1", "--preset", "openai-chat", "--scenario", "rapid-fire", "--users", "10"]
    argv += ["--conversations", "50", "--price", "*=1/10", "--estimate", "--json", str(told)]
    burnt = burn(*argv)
    assert (burnt.code, burnt.err) == (0, "")
    assert "assumed: each request carries the conversation so far" in burnt.out
    found = json.loads(told.read_text())
    assert found["conversations"]["likely"] == 50
    tokens_in, tokens_out = found["tokens_in"]["likely"], found["tokens_out"]["likely"]
    assert found["cost"]["likely"] == pytest.approx((tokens_in + 10 * tokens_out) / 1e6, rel=0.001)


def test_a_run_that_used_up_its_money_is_done(burn: Burner, start_mock: Callable[..., Mock]) -> None:
    mock = start_mock("--delay-ms", "2-20", "--tokens", "20-60", "--error-rate", "0")
    argv = ["--url", f"{mock.url}/v1", "--preset", "openai-chat", "--prompt", "Hi", "--users", "10"]
    argv += ["--duration", "60s", "--processes", "2", "--no-witness", "--models", "small,large", "--json", "-"]
    argv += ["--max-cost", "0.5", "--price", "small=1/10", "--price", "large=2/100"]
    burnt = burn(*argv)
    assert burnt.code == 0, burnt.err
    report = burnt.report()
    assert report["run"]["status"] == "stopped"
    assert report["budget"]["ended_by"] == "cost"
    by_model = {row["model"]: row for row in report["cost"]["by_model"]}
    assert by_model.keys() == {"small", "large"}
    small, large = by_model["small"], by_model["large"]
    assert small["cost"] == pytest.approx((small["input"] + 10 * small["output"]) / 1e6, abs=1e-6)
    assert large["cost"] == pytest.approx((2 * large["input"] + 100 * large["output"]) / 1e6, abs=1e-6)
    assert report["cost"]["total"] == report["budget"]["cost"]["used"] == pytest.approx(0.5, rel=0.15)
    assert small["output"] + large["output"] == report["tokens"]["output"]
    assert "stopped: budget: cost: the limit is reached: 0." in burnt.err
