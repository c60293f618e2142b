"""A whole search on burn's command line, for a rate; `python -m tests.bench.capacity` searches further."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tests.e2e.burning import Burner
from tests.support.processes import Mock

QUICK = "e2e_ms.mean<340"


def test_a_search_finds_the_rate_that_holds_and_lets_the_line_of_one_that_does_not_end_first(
    migrated: Callable[[Path], Path], var_dir: Path, start_mock: Callable[..., Mock], tmp_path: Path
) -> None:
    """Four places of 250 ms: 16 a second."""
    mock = start_mock(
        "--delay-ms", "250", "--tokens", "3", "--error-rate", "0", "--concurrency", "4", "--grpc-port", "-1"
    )
    told = tmp_path / "report.json"
    argv = ["--url", f"{mock.url}/v1", "--preset", "openai-chat", "--prompt", "Hello", "--no-witness"]
    argv += ["--find-capacity", QUICK, "--rate", "14/s", "--max-load", "28/s", "--precision", "50%", "--settle", "0s"]
    burnt = Burner(migrated(var_dir))(*argv, "--measure", "1s", "--duration", "80s", "--json", str(told))
    assert burnt.code == 0, burnt.err
    assert "burn: search: from 14 conversations/s, up to 28; 4 s a level, usually at most " in burnt.err
    report = json.loads(told.read_text())
    levels, capacity = report["load_curve"], report["capacity"]
    assert [(row["level"], row["good"]) for row in levels][:3] == [(14, True), (28, False), (14, True)], levels
    assert 14 <= capacity["level"] < capacity["high"] <= 28, levels
    assert (capacity["found"], capacity["unit"], capacity["note"]) == (True, "conversations/s", "")
    assert capacity["limited_by"][0].startswith(f"{QUICK} (is ")
    assert [change["level"] for change in report["load_changes"]][:3] == [28, 0, 14], "nothing arrives in between"
    assert f"capacity: {capacity['level']} conversations/s keep {QUICK}; " in " ".join(burnt.out.split())
    assert report["turns"]["sent"] == report["turns"]["ok"] == mock.stats()["chat_requests"]
