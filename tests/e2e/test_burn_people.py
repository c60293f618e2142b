"""`manage.py burn` with simulated users, as a person types it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.burning import Burner
from tests.support.processes import Mock


@pytest.fixture(scope="module")
def burn(migrated: Callable[[Path], Path], tmp_path_factory: pytest.TempPathFactory) -> Burner:
    return Burner(migrated(tmp_path_factory.mktemp("var")))


def test_users_with_models_of_the_targets_own_who_lose_patience(
    burn: Burner, start_mock: Callable[..., Mock], tmp_path: Path
) -> None:
    mock = start_mock("--delay-ms", "50-450", "--itl-ms", "1", "--tokens", "5", "--error-rate", "0")
    file = tmp_path / "model_filter.txt"
    file.write_text("# only the small one\nmock-chat\n", encoding="utf-8")
    target = ("--url", f"{mock.url}/v1", "--preset", "openai-chat", "--stream", "--prompt", "Hello")
    load = "--users 4 --conversations 40 --conversations-per-user 2 --temperature 0.5..1.0 --seed 4"
    people = f"--models all --exclude-models {file} --patience 200ms --impatient resend --think 1ms --per-user"
    burnt = burn(*target, *load.split(), *people.split(), "--json", "-")
    assert burnt.code == 0, burnt.err
    report = burnt.report()
    assert report["run"]["load"]["user_profile"]["models"] == ["mock-chat-mini"]
    lost, stats = report["patience"], mock.stats()
    assert lost["resent"] > 0
    assert lost["wasted_tokens"]["input"] > 0
    assert report["turns"]["sent"] == stats["chat_requests"]
    assert report["turns"]["aborted"] == lost["abandoned"] + lost["resent"]
    assert report["sessions"]["completed"] + report["sessions"]["failed"] == 40
    assert report["sessions"]["failed"] == lost["abandoned"]
    assert f"{lost['resent']} sent again" in burnt.err
    rows = re.findall(r"mock-chat-mini \((\d+)\)\n", burnt.err)
    assert len(rows) == 4, burnt.err
    assert sum(map(int, rows)) == 40


def test_what_cannot_be_drawn_is_one_line(burn: Burner, mock: Mock) -> None:
    load = ("--prompt", "Hello", "--users", "1", "--conversations", "1")
    nothing = burn("--url", f"{mock.url}/nowhere", "--preset", "openai-chat", "--models", "all", *load)
    assert nothing.code == 3
    assert nothing.line.startswith("the target's list of models: http_404: ")
    refused = burn("--url", mock.url, "--preset", "generic-json", "--temperature", "0.5..1.0", *load)
    assert refused.code == 2
    assert "--temperature: 'temperature': the target's request has no such parameter" in refused.line
    assert mock.stats()["chat_requests"] == 0
